"""The log of what was flashed: a line of JSON a board, appended; it tells a later run which consoles are done."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from bridge.errors import TrivoxError
from bridge.ops.flash.flash_board import Outcome

DONE, FAILED = "done", "failed"
_BEGINNING = '{"at": "'
_lock = threading.Lock()


def append(path: Path, outcome: Outcome, firmware: str, reason: str | None) -> None:
    """Write a line; `reason` is why it could not be done. Raises TrivoxError."""
    board, wanted = outcome.board, outcome.wanted
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "result": FAILED if reason else DONE,
        "site_id": wanted.site_id if wanted else None,
        "console_id": wanted.console_id if wanted else None,
        "board": board.kind if board else None,
        "hardware_id": board.hardware_id if board else None,
        "micropython": board.micropython if board else None,
        "firmware": firmware,
        "boot": outcome.boot,
        "self_test": None if outcome.test is None else "passed" if outcome.test.passed else "failed",
        "online": outcome.online,
        "events_wiped": outcome.wiped,
        "port": outcome.port,
        "reason": reason,
    }
    try:
        with _lock, path.open("a+b") as file:
            file.write(_end_of_torn_line(file) + json.dumps(line, ensure_ascii=False).encode() + b"\n")
    except OSError as error:
        raise TrivoxError(f"{path} cannot be written ({error.strerror}): give another file with --log.") from error


def done(path: Path) -> dict[tuple[str, str], str]:
    """The consoles that have their boards by this log, and which. Raises TrivoxError."""
    if not path.exists():
        return {}
    try:
        texts = path.read_text(encoding="utf-8").splitlines()
        lines = [json.loads(text) for text in texts if text and not _is_torn(text)]
        return {(line["site_id"], line["console_id"]): line["hardware_id"] for line in lines if line["result"] == DONE}
    except OSError as error:
        raise TrivoxError(f"{path} cannot be read ({error.strerror}): give another file with --log.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise TrivoxError(f"{path} is no log of flashed boards: give another file with --log.") from error


def _is_torn(text: str) -> bool:
    """Whether power went while this line was written: its board is not known to be done."""
    return not text.endswith("}") and (text.startswith(_BEGINNING) or _BEGINNING.startswith(text))


def _end_of_torn_line(file: BinaryIO) -> bytes:
    if not file.seek(0, 2):
        return b""
    file.seek(-1, 2)
    return b"" if file.read(1) == b"\n" else b"\n"
