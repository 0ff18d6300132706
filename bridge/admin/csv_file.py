"""Read CSV files: columns by name, one sentence for each bad line, and nothing imported from a file with errors."""

from __future__ import annotations

import csv
import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bridge.errors import TrivoxError
from bridge.text import plural
from bridge.wire.contract import valid_id

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ERRORS_SHOWN = 20


class Line(dict[str, str]):
    """The values of a line by column, without surrounding spaces; `number` is its line number in the file."""

    def __init__(self, number: int, values: dict[str, str], errors: list[str]) -> None:
        super().__init__(values)
        self.number = number
        self._errors = errors

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Add a ValueError raised inside the context to the errors of the file."""
        try:
            yield
        except ValueError as error:
            self._errors.append(f"line {self.number}: {error}")

    def identifier(self, column: str) -> str:
        """Read the id of a site, console or source. Raises ValueError."""
        if not valid_id(self[column]):
            raise ValueError(
                f"{column} {self[column]!r} is not a valid id: use a-z, 0-9, _ and -, at most 32 characters, starting "
                "with a letter or digit"
            )
        return self[column]

    def whole_number(self, column: str) -> int:
        """Read a whole number, 0 or more. Raises ValueError."""
        text = self[column]
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"{column} must be a whole number, 0 or more, not {text!r}")
        return int(text)


class CsvFile:
    """A CSV file whose first line names the columns: iterate over its lines, then `check`."""

    def __init__(self, name: str, text: str, columns: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
        """Read the first line. Raises TrivoxError if the columns are not the expected ones."""
        self.name = name
        self.errors: list[str] = []
        self._columns = columns
        self._reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
        self._header = [heading.strip() for heading in self._next() or []]
        _check_header(name, self._header, columns, optional)

    def __iter__(self) -> Iterator[Line]:
        """Yield each line that is not blank; one with too few or too many values is an error. Raises TrivoxError."""
        number = self._reader.line_num + 1
        while (values := self._next()) is not None:
            if any(value.strip() for value in values):
                line = Line(number, dict.fromkeys(self._columns, ""), self.errors)
                line.update(zip(self._header, (value.strip() for value in values), strict=False))
                if len(values) == len(self._header):
                    yield line
                else:
                    self.errors.append(
                        f"line {number}: it has {plural(len(values), 'value')}, but the first line has "
                        f"{len(self._header)}"
                    )
            number = self._reader.line_num + 1

    def _next(self) -> list[str] | None:
        try:
            return next(self._reader, None)
        except csv.Error as error:
            raise TrivoxError(
                f"{self.name}, line {self._reader.line_num}: {error}: check its quotation marks; nothing was imported."
            ) from error

    def check(self) -> None:
        """Raise TrivoxError if a line had an error."""
        if not self.errors:
            return
        ordered = sorted(self.errors, key=lambda error: int(error.removeprefix("line ").partition(":")[0]))
        shown = ordered[:MAX_ERRORS_SHOWN]
        hidden = len(ordered) - len(shown)
        rest = [f"and {hidden} more"] if hidden else []
        if len(ordered) == 1:
            raise TrivoxError(f"{self.name}: nothing was imported; correct {shown[0]}")
        raise TrivoxError("\n".join([f"{self.name}: nothing was imported; correct these lines:", *shown, *rest]))


def _check_header(name: str, header: list[str], columns: tuple[str, ...], optional: tuple[str, ...]) -> None:
    expected = ",".join(columns)
    missing = [column for column in columns if column not in header]
    unknown = [column for column in header if column not in (*columns, *optional)]
    if missing:
        raise TrivoxError(f"{name}: column {missing[0]} is missing; the first line must name {expected}.")
    if unknown:
        raise TrivoxError(f"{name}: there is no column {unknown[0]!r}; use {','.join((*columns, *optional))}.")
    if len(set(header)) != len(header):
        raise TrivoxError(f"{name}: the first line names a column twice; name each once.")
