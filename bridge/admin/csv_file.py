"""CSV files that people bring: columns by name, each bad line told in one sentence, nothing taken from a bad file."""

from __future__ import annotations

import csv
import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bridge.errors import TrivoxError
from bridge.wire.contract import valid_id

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FAULTS_SHOWN = 20


class Line(dict[str, str]):
    """A line's values by column, spaces around them gone; `number` is its place in the file."""

    def __init__(self, number: int, values: dict[str, str], faults: list[str]) -> None:
        super().__init__(values)
        self.number = number
        self._faults = faults

    @contextmanager
    def judged(self) -> Iterator[None]:
        """Turn a ValueError about this line into a fault of the file."""
        try:
            yield
        except ValueError as error:
            self._faults.append(f"line {self.number}: {error}")

    def identifier(self, column: str) -> str:
        """The id of a site, console or source."""
        if not valid_id(self[column]):
            raise ValueError(
                f"{column} {self[column]!r} is no id: small letters, digits, _ and -, at most 32, no sign in front"
            )
        return self[column]

    def natural(self, column: str) -> int:
        """A whole number from 0."""
        text = self[column]
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"{column} must be a whole number from 0, not {text!r}")
        return int(text)


class CsvLines(list[Line]):
    """The lines of a file, and what was found wrong with them."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.faults: list[str] = []

    def check(self) -> None:
        """Raise TrivoxError when a line was bad."""
        if self.faults:
            shown = self.faults[:MAX_FAULTS_SHOWN]
            more = len(self.faults) - len(shown)
            also = [f"and {more} more"] if more else []
            raise TrivoxError(f"{self.name}: nothing was imported; mend " + "\n".join([*shown, *also]))


def read_lines(name: str, text: str, columns: tuple[str, ...], optional: tuple[str, ...] = ()) -> CsvLines:
    """Read a CSV file with a line of column names; raises TrivoxError when those are not as they must be."""
    lines = CsvLines(name)
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        header = [heading.strip() for heading in next(reader, [])]
        _check_header(name, header, columns, optional)
        number = reader.line_num + 1
        for values in reader:
            if any(value.strip() for value in values):
                line = Line(number, dict.fromkeys(columns, ""), lines.faults)
                line.update(zip(header, (value.strip() for value in values), strict=False))
                if len(values) != len(header):
                    lines.faults.append(f"line {number}: it has {len(values)} values, the first line {len(header)}")
                else:
                    lines.append(line)
            number = reader.line_num + 1
    except csv.Error as error:
        raise TrivoxError(f"{name}, line {reader.line_num}: {error}; nothing was imported.") from error
    return lines


def _check_header(name: str, header: list[str], columns: tuple[str, ...], optional: tuple[str, ...]) -> None:
    wanted = ",".join(columns)
    missing = [column for column in columns if column not in header]
    unknown = [column for column in header if column not in (*columns, *optional)]
    if missing:
        raise TrivoxError(f"{name}: column {missing[0]} is missing; the first line must name {wanted}.")
    if unknown:
        raise TrivoxError(f"{name}: there is no column {unknown[0]!r}; there are {','.join((*columns, *optional))}.")
    if len(set(header)) != len(header):
        raise TrivoxError(f"{name}: a column stands twice in the first line; name each once.")
