"""Append a line of JSON for each board to the log of flashed boards, from which a later run knows what is done."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from bridge import private_files
from bridge.errors import TrivoxError
from bridge.ops.flash.errors import NotHeardError
from bridge.ops.flash.flash_board import FlashResult

DONE, NOT_HEARD, FAILED = "done", "not_heard", "failed"
_BEGINNING = '{"at": "'
_lock = threading.Lock()


def append(path: Path, result: FlashResult, firmware: str, reason: TrivoxError | None = None) -> None:
    """Append a line; `reason` is why the board is not done, if it is not. Raises TrivoxError."""
    board, assignment = result.board, result.assignment
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "result": DONE if reason is None else NOT_HEARD if isinstance(reason, NotHeardError) else FAILED,
        "site_id": assignment.site_id if assignment else None,
        "console_id": assignment.console_id if assignment else None,
        "board": board.kind if board else None,
        "hardware_id": board.hardware_id if board else None,
        "micropython": board.micropython if board else None,
        "firmware": firmware,
        "boot": result.boot,
        "self_test": None if result.self_test is None else "passed" if result.self_test.passed else "failed",
        "broker": result.broker,
        "online": result.online,
        "events_wiped": result.wiped_count,
        "port": result.port,
        "reason": None if reason is None else str(reason),
    }
    try:
        with _lock, private_files.appending(path) as file:
            file.write(_end_of_torn_line(file) + json.dumps(line, ensure_ascii=False).encode() + b"\n")
    except OSError as error:
        raise TrivoxError(f"{path} cannot be written ({error.strerror}): give another file with --log.") from error


def read_done(path: Path, broker: str | None) -> dict[tuple[str, str], str]:
    """Return the consoles that have a board according to the log, with its hardware id.

    Those that nobody heard count only if they were flashed for the broker of this address, if one is given. Raises
    TrivoxError, also if nothing could be appended to the log.
    """
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise TrivoxError(f"{path} cannot be written: give another file with --log, in a folder that you may write to.")
    if not path.exists():
        return {}
    try:
        texts = path.read_text(encoding="utf-8").splitlines()
        lines = [json.loads(text) for text in texts if text and not _is_torn(text)]
        return _done(lines, broker)
    except OSError as error:
        raise TrivoxError(f"{path} cannot be read ({error.strerror}): give another file with --log.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise TrivoxError(f"{path} is not a log of flashed boards: give another file with --log.") from error


def _done(lines: list[dict[str, Any]], broker: str | None) -> dict[tuple[str, str], str]:
    done: dict[tuple[str, str], str] = {}
    for line in lines:
        identity = line["site_id"], line["console_id"]
        is_for_broker = line.get("online") or broker is None or line.get("broker") in {None, broker}
        if line["result"] == DONE and is_for_broker:
            done[identity] = line["hardware_id"]
        elif line["result"] != FAILED:
            done.pop(identity, None)
    return done


def _is_torn(text: str) -> bool:
    """Return whether the power failed while this line was written: its board is not known to be done."""
    return not text.endswith("}") and (text.startswith(_BEGINNING) or _BEGINNING.startswith(text))


def _end_of_torn_line(file: IO[bytes]) -> bytes:
    if not file.seek(0, 2):
        return b""
    file.seek(-1, 2)
    return b"" if file.read(1) == b"\n" else b"\n"
