"""Assign a console to each board: from the command line, from a table, or by asking."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from bridge.admin.csv_file import CsvFile
from bridge.errors import TrivoxError, UsageError
from bridge.ops.flash.board_info import BoardInfo
from bridge.ops.flash.errors import FlashingError
from bridge.private_files import is_open_to_others
from bridge.wire.identifiers import check_id

COLUMNS = ("site_id", "console_id")
OPTIONAL_COLUMNS = ("board", "hardware_id", "wifi_ssid", "wifi_password", "ntp_host")
BOARD_KINDS = ("esp32", "pico", "pico_w")


@dataclass(frozen=True)
class Assignment:
    """A console that a board is to become. None: any board will do, or the run's common value holds."""

    site_id: str
    console_id: str
    board: str | None = None  # from here on the optional columns, in their order
    hardware_id: str | None = None
    wifi_ssid: str | None = None
    wifi_password: str | None = field(default=None, repr=False)
    ntp_host: str | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """Return (site id, console id)."""
        return self.site_id, self.console_id

    @property
    def name(self) -> str:
        """Return SITE/CONSOLE, for people."""
        return f"{self.site_id}/{self.console_id}"

    def fits(self, board: BoardInfo) -> bool:
        """Return whether that board can become this console."""
        return self.board in {None, board.kind} and self.hardware_id in {None, board.hardware_id}


class AssignmentPool:
    """The assignments of a run, each given to one board; threads may share it.

    `done` holds the consoles that have a board already, with its hardware id. `ask`, if given, is called for each board
    instead of using `rows`.
    """

    def __init__(
        self,
        rows: list[Assignment],
        done: dict[tuple[str, str], str],
        ask: Callable[[BoardInfo], Assignment] | None = None,
    ) -> None:
        self._rows = rows
        self._taken = dict(done)
        self._ask = ask
        self._lock = threading.Lock()

    @property
    def remaining(self) -> int:
        """Return how many consoles have no board yet."""
        return sum(row.identity not in self._taken for row in self._rows)

    def take(self, board: BoardInfo) -> Assignment:
        """Return the console that this board is to become. Raises FlashingError if there is none for it."""
        if self._ask:
            return self._ask(board)
        with self._lock:
            row = self._own_row(board) or self._next_row(board)
            self._taken[row.identity] = board.hardware_id
            return row

    def give_back(self, row: Assignment) -> None:
        """Free an assignment, after its board could not be flashed."""
        with self._lock:
            self._taken.pop(row.identity, None)

    def _own_row(self, board: BoardInfo) -> Assignment | None:
        for row in self._rows:
            is_free = self._taken.get(row.identity) in {None, board.hardware_id}
            is_same = row.identity == board.identity and row.hardware_id is None and is_free
            if row.hardware_id == board.hardware_id or is_same:
                if row.board not in {None, board.kind}:
                    raise FlashingError(
                        f"{row.name} needs a {row.board}, but this is a {board.kind}: take another board."
                    )
                return row
        return None

    def _next_row(self, board: BoardInfo) -> Assignment:
        remaining = [row for row in self._rows if row.identity not in self._taken]
        for row in remaining:
            if row.fits(board):
                return row
        if not remaining:
            raise FlashingError(f"All consoles have their boards: this {board.kind} is one too many; unplug it.")
        raise FlashingError(
            f"This is a {board.kind}, but {remaining[0].name} needs another board "
            f"({remaining[0].board or remaining[0].hardware_id}): take that one."
        )


def numbered_assignments(site_id: str, console_id: str, count: int) -> list[Assignment]:
    """Return assignments for `count` consoles, counting on from `console_id`: till-1, till-2. Raises UsageError."""
    check_id("site", site_id)
    check_id("console", console_id)
    if count == 1:
        return [Assignment(site_id, console_id)]
    match = re.fullmatch(r"(.*?)(\d+)", console_id)
    if not match:
        raise UsageError(
            f"--count {count} counts on from --console, but {console_id!r} does not end in a number: give an id "
            "such as till-1."
        )
    stem, first = match[1], match[2]
    ids = [f"{stem}{int(first) + offset:0{len(first)}}" for offset in range(count)]
    return [Assignment(site_id, check_id("console", numbered_id)) for numbered_id in ids]


def read_assignments(path: Path, text: str) -> list[Assignment]:
    """Return the rows of a CSV table. Raises TrivoxError, also if others may read a table with passwords."""
    lines = CsvFile(str(path), text, COLUMNS, OPTIONAL_COLUMNS)
    rows: list[Assignment] = []
    for line in lines:
        with line.reporting():
            optional = (line.get(name) or None for name in OPTIONAL_COLUMNS)
            row = Assignment(line.identifier("site_id"), line.identifier("console_id"), *optional)
            if row.hardware_id is not None:
                row = replace(row, hardware_id=row.hardware_id.lower())
                if row.hardware_id in {other.hardware_id for other in rows}:
                    raise ValueError(f"the board {row.hardware_id} is listed twice")
            if row.board not in {None, *BOARD_KINDS}:
                raise ValueError(f"board {row.board!r} is not known: give one of {', '.join(BOARD_KINDS)}")
            if row.identity in {other.identity for other in rows}:
                raise ValueError(f"{row.name} is listed twice")
            rows.append(row)
    lines.check()
    if not rows:
        raise TrivoxError(f"{path} names no console: add a line for each below the heading {','.join(COLUMNS)}.")
    if any(row.wifi_password for row in rows) and is_open_to_others(path):
        raise TrivoxError(f"{path} holds passwords and others may read it: run chmod 600 {path}.")
    return rows
