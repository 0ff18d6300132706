"""Append a line of JSON for each board to the log of flashed boards, from which a later run knows what is done."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from bridge import private_files
from bridge.errors import TrivoxError
from bridge.ops.flash.flash_board import FlashResult

DONE, FAILED = "done", "failed"
_BEGINNING = '{"at": "'
_lock = threading.Lock()


def append(path: Path, result: FlashResult, firmware: str, reason: str | None) -> None:
    """Append a line; `reason` is why the board could not be flashed, or None. Raises TrivoxError."""
    board, assignment = result.board, result.assignment
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "result": FAILED if reason else DONE,
        "site_id": assignment.site_id if assignment else None,
        "console_id": assignment.console_id if assignment else None,
        "board": board.kind if board else None,
        "hardware_id": board.hardware_id if board else None,
        "micropython": board.micropython if board else None,
        "firmware": firmware,
        "boot": result.boot,
        "self_test": None if result.self_test is None else "passed" if result.self_test.passed else "failed",
        "online": result.online,
        "events_wiped": result.wiped_count,
        "port": result.port,
        "reason": reason,
    }
    try:
        with _lock, private_files.appending(path) as file:
            file.write(_end_of_torn_line(file) + json.dumps(line, ensure_ascii=False).encode() + b"\n")
    except OSError as error:
        raise TrivoxError(f"{path} cannot be written ({error.strerror}): give another file with --log.") from error


def read_done(path: Path) -> dict[tuple[str, str], str]:
    """Return the consoles that have a board according to the log, with its hardware id.

    Raises TrivoxError, also if nothing could be appended to the log.
    """
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise TrivoxError(f"{path} cannot be written: give another file with --log, in a folder that you may write to.")
    if not path.exists():
        return {}
    try:
        texts = path.read_text(encoding="utf-8").splitlines()
        lines = [json.loads(text) for text in texts if text and not _is_torn(text)]
        return {(line["site_id"], line["console_id"]): line["hardware_id"] for line in lines if line["result"] == DONE}
    except OSError as error:
        raise TrivoxError(f"{path} cannot be read ({error.strerror}): give another file with --log.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise TrivoxError(f"{path} is not a log of flashed boards: give another file with --log.") from error


def _is_torn(text: str) -> bool:
    """Return whether the power failed while this line was written: its board is not known to be done."""
    return not text.endswith("}") and (text.startswith(_BEGINNING) or _BEGINNING.startswith(text))


def _end_of_torn_line(file: IO[bytes]) -> bytes:
    if not file.seek(0, 2):
        return b""
    file.seek(-1, 2)
    return b"" if file.read(1) == b"\n" else b"\n"
