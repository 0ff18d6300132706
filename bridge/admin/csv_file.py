"""Read CSV files as spreadsheets write them: columns by name, between commas, semicolons or tabs.

Each bad line gets one sentence, and nothing is imported from a file with errors.
"""

from __future__ import annotations

import csv
import io
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bridge.admin.known_names import UnknownNameError
from bridge.errors import TrivoxError
from bridge.model.cell_values import read_moment, read_whole_number
from bridge.text import plural, valid_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

MAX_ERRORS_SHOWN = 20
SEPARATORS = ",;\t|"

_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[,;\t]*\r?\n', re.IGNORECASE)
_TOTAL = re.compile(
    r"(?:(?:grand |sub-?)?totals?|sum|sums|итого?|подытог|всего|сумма|общо|всичко|(?:обща )?сума|[σς∑])"
    r"(?:[\s:.=].*)?",
    re.IGNORECASE | re.DOTALL,
)


class LineErrors(list[str]):
    """The errors of a file, each beginning with its line's number."""

    exit_status = TrivoxError.exit_status


class Line(dict[str, str]):
    """The values of a line by column, without surrounding spaces; `number` is its line number in the file."""

    def __init__(self, number: int, values: dict[str, str], errors: LineErrors) -> None:
        super().__init__(values)
        self.number = number
        self._errors = errors

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Add a ValueError or UnknownNameError raised inside the context to the errors of the file."""
        try:
            yield
        except ValueError as error:
            self._errors.append(f"line {self.number}: {error}")
        except UnknownNameError as error:
            sentence = str(error).removesuffix(".")
            self._errors.append(f"line {self.number}: {sentence[0].lower()}{sentence[1:]}")
            self._errors.exit_status = error.exit_status

    def identifier(self, column: str) -> str:
        """Read the id of a site, console or source. Raises ValueError."""
        if not valid_id(self[column]):
            raise ValueError(
                f"{column} {self[column]!r} is not a valid id: use a-z, 0-9, _ and -, at most 32 characters, starting "
                "with a letter or digit"
            )
        return self[column]

    def moment(self, column: str) -> datetime:
        """Read a date and time, naive if without an offset. Raises ValueError."""
        with self._naming(column):
            return read_moment(self[column])

    def whole_number(self, column: str) -> int:
        """Read a whole number, 0 or more. Raises ValueError."""
        with self._naming(column):
            return read_whole_number(self[column])

    @staticmethod
    @contextmanager
    def _naming(column: str) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise ValueError(f"{column} {error}") from error


class CsvFile:
    """A CSV file whose first line names the columns: iterate over its lines, then `check`."""

    def __init__(self, name: str, text: str, columns: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
        """Read the first line. Raises TrivoxError if the columns are not the expected ones."""
        self.name = name
        self.errors = LineErrors()
        self._columns = columns
        self._known = {*columns, *optional}
        text = text.removeprefix("\ufeff")
        said = _SEPARATOR_LINE.match(text)
        separator = said[1] if said else _separator(text, (*columns, *optional))
        self._reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        if said:
            self._next()
        self._header = [_heading(cell) for cell in self._first_line()]
        _check_header(name, self._header, columns, optional)

    @property
    def header(self) -> list[str]:
        """The columns that the first line names."""
        return self._header

    def __iter__(self) -> Iterator[Line]:
        """Yield each line that is not blank; one with too few or too many values is an error. Raises TrivoxError."""
        number = self._reader.line_num + 1
        while (values := self._next()) is not None:
            if any(values):
                line = Line(number, dict.fromkeys(self._header, ""), self.errors)
                line.update(zip(self._header, values, strict=False))
                wrong = self._what_is_wrong(line, values)
                if wrong is None:
                    yield line
                else:
                    self.errors.append(f"line {number}: {wrong}")
            number = self._reader.line_num + 1

    def _what_is_wrong(self, line: Line, values: list[str]) -> str | None:
        """Judge the line as a whole; blank values at its end may be there or not, as spreadsheets do both."""
        if all(_heading(value) in self._known for value in values):
            return "it names the columns again, as where two files were joined: delete this line"
        is_short = any(column in self._columns for column in self._header[len(values) :])
        is_whole = all(line[column] for column in self._columns)
        names = [line[column] for column in self._header if column.endswith("_id") or column in {"id", "kind"}]
        total = next((value for value in (names if is_whole else values) if _TOTAL.fullmatch(value)), None)
        if total is not None:
            return f"{total!r} looks like a row of totals: delete it, for what it adds up is in the other lines"
        if is_short or any(values[len(self._header) :]):
            return f"it has {plural(len(values), 'value')}, but the first line has {len(self._header)}"
        return None

    def _first_line(self) -> list[str]:
        """Return the cells of the first line that is not blank, without blank ones at its end."""
        cells = self._next()
        while cells is not None and not any(cells):
            cells = self._next()
        while cells and not cells[-1]:
            cells.pop()
        return cells or []

    def _next(self) -> list[str] | None:
        """Return the cells of the next line, without surrounding spaces; None at the end. Raises TrivoxError."""
        try:
            cells = next(self._reader, None)
        except csv.Error as error:
            raise TrivoxError(
                f"{self.name}, line {self._reader.line_num}: {error}: check its quotation marks; nothing was imported."
            ) from error
        return None if cells is None else [cell.strip() for cell in cells]

    def check(self) -> None:
        """Raise TrivoxError if a line had an error."""
        if not self.errors:
            return
        error = self._error()
        error.exit_status = self.errors.exit_status
        raise error

    def _error(self) -> TrivoxError:
        ordered = sorted(self.errors, key=lambda error: int(error.removeprefix("line ").partition(":")[0]))
        shown = ordered[:MAX_ERRORS_SHOWN]
        hidden = len(ordered) - len(shown)
        rest = [f"and {hidden} more"] if hidden else []
        if len(ordered) == 1:
            return TrivoxError(f"{self.name}: nothing was imported; correct {shown[0]}")
        error = TrivoxError(f"{self.name}: nothing was imported; correct these lines:")
        error.lines = [*shown, *rest]
        return error


def _separator(text: str, columns: tuple[str, ...]) -> str:
    """Return the separator that finds most of the columns in the first line that is not blank."""
    first_line = text.lstrip(f"\r\n {SEPARATORS}").partition("\n")[0]
    return max(SEPARATORS, key=lambda mark: sum(_heading(cell) in columns for cell in first_line.split(mark)))


def _heading(cell: str) -> str:
    """Return the name of a column as people may write it: `Site ID` is site_id."""
    return re.sub(r"[\s_-]+", "_", cell.strip(' "\ufeff\r').lower())


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
