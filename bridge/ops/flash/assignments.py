"""Which console each board is to be: from the command line, from a table of many, or asked for."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from bridge.admin.csv_file import read_lines
from bridge.errors import TrivoxError, UsageError
from bridge.ops.flash.board_info import BoardInfo
from bridge.ops.flash.errors import FlashError
from bridge.private_files import is_open_to_others
from bridge.wire.identifiers import check_id

COLUMNS = ("site_id", "console_id")
OPTIONAL = ("board", "hardware_id", "wifi_ssid", "wifi_password", "ntp_host")
BOARDS = ("esp32", "pico", "pico_w")


@dataclass(frozen=True)
class Wanted:
    """One console that is to be; what is None may be anything, or is the same for all."""

    site_id: str
    console_id: str
    board: str | None = None  # these are the optional columns, in their order
    hardware_id: str | None = None
    wifi_ssid: str | None = None
    wifi_password: str | None = field(default=None, repr=False)
    ntp_host: str | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """What names it."""
        return self.site_id, self.console_id

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.site_id}/{self.console_id}"

    def fits(self, board: BoardInfo) -> bool:
        """Whether that board can be it."""
        return self.board in {None, board.kind} and self.hardware_id in {None, board.hardware_id}


class Roster:
    """Hands each board its console, once; several threads may ask. `done` are those that have one, and which."""

    def __init__(
        self, rows: list[Wanted], done: dict[tuple[str, str], str], ask: Callable[[BoardInfo], Wanted] | None = None
    ) -> None:
        self._rows = rows
        self._taken = dict(done)
        self._ask = ask
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """How many have no board yet."""
        return sum(row.identity not in self._taken for row in self._rows)

    def take(self, board: BoardInfo) -> Wanted:
        """The console that this board is to be. Raises BoardError."""
        if self._ask:
            return self._ask(board)
        with self._lock:
            row = self._own(board) or self._next(board)
            self._taken[row.identity] = board.hardware_id
            return row

    def give_back(self, row: Wanted) -> None:
        """It did not become it."""
        with self._lock:
            self._taken.pop(row.identity, None)

    def _own(self, board: BoardInfo) -> Wanted | None:
        for row in self._rows:
            is_free = self._taken.get(row.identity) in {None, board.hardware_id}
            was_it = row.identity == board.identity and row.hardware_id is None and is_free
            if row.hardware_id == board.hardware_id or was_it:
                if row.board not in {None, board.kind}:
                    raise FlashError(
                        f"{row.name} is to be a {row.board}, and this is a {board.kind}: take another board."
                    )
                return row
        return None

    def _next(self, board: BoardInfo) -> Wanted:
        left = [row for row in self._rows if row.identity not in self._taken]
        for row in left:
            if row.fits(board):
                return row
        if not left:
            raise FlashError(f"All consoles have their boards: this {board.kind} is one too many.")
        raise FlashError(
            f"This is a {board.kind}; {left[0].name} is to be another ({left[0].board or left[0].hardware_id})."
        )


def numbered(site_id: str, console_id: str, count: int) -> list[Wanted]:
    """That console, and for more than one those that follow by their number: till-1, till-2. Raises UsageError."""
    check_id("site", site_id)
    check_id("console", console_id)
    if count == 1:
        return [Wanted(site_id, console_id)]
    found = re.fullmatch(r"(.*?)(\d+)", console_id)
    if not found:
        raise UsageError(
            f"--count {count} counts on from --console, so {console_id!r} has to end in a number, as till-1."
        )
    stem, first = found[1], found[2]
    ids = [f"{stem}{int(first) + place:0{len(first)}}" for place in range(count)]
    return [Wanted(site_id, check_id("console", one)) for one in ids]


def read_rows(path: Path, text: str) -> list[Wanted]:
    """The rows of a table. Raises TrivoxError, also if others may read a table with passwords."""
    lines = read_lines(str(path), text, COLUMNS, OPTIONAL)
    rows: list[Wanted] = []
    for line in lines:
        with line.judged():
            optional = (line.get(name) or None for name in OPTIONAL)
            row = Wanted(line.identifier("site_id"), line.identifier("console_id"), *optional)
            if row.hardware_id is not None:
                row = replace(row, hardware_id=row.hardware_id.lower())
                if row.hardware_id in {other.hardware_id for other in rows}:
                    raise ValueError(f"the board {row.hardware_id} stands there twice")
            if row.board not in {None, *BOARDS}:
                raise ValueError(f"board {row.board!r} is none: there are {', '.join(BOARDS)}")
            if row.identity in {other.identity for other in rows}:
                raise ValueError(f"{row.name} stands there twice")
            rows.append(row)
    lines.check()
    if not rows:
        raise TrivoxError(f"{path} names no console: it needs a line for each, below {','.join(COLUMNS)}.")
    if any(row.wifi_password for row in rows) and is_open_to_others(path):
        raise TrivoxError(f"{path} holds passwords and others may read it: run chmod 600 {path}.")
    return rows
