"""Lay out a table so that it fits a width: columns go, the least important first, but no figure is ever cut. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len, chop_cells

from bridge.text import escaped_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = "  "
FIGURES, NAMES = True, False  # the kinds of columns
NAME_WIDTH, LEAST_NAME_WIDTH = 12, 6
"""A name is folded to the first before a column goes, and to the second where even those of rank 0 have no room."""


@dataclass
class Column:
    """A column of texts, one a row; a text may have several lines. Whatever else steers a terminal is escaped.

    Columns of a lower `rank` matter more; rank 0 is always shown. A column that is not `figures` holds names, which may
    be folded over several lines, the heading with them, unless they are `whole`; a column with `stacked` texts may use
    those where the others are too wide: figures before a column goes, names where those of rank 0 have no room.
    """

    heading: str
    texts: Sequence[str]
    rank: int = 0
    figures: bool = True
    stacked: Sequence[str] | None = None
    whole: bool = False

    @property
    def may_fold(self) -> bool:
        """Whether its texts may be folded."""
        return not (self.figures or self.whole)

    def __post_init__(self) -> None:
        """Escape the texts."""
        self.texts = [escaped_lines(text) for text in self.texts]


@dataclass(frozen=True)
class Grid:
    """The lines of a table, its heading's apart, how many each row has, and the headings that had no room."""

    heading: list[str]
    lines: list[str]
    heights: list[int]
    omitted: list[str]


def lay_out(columns: Sequence[Column], width: int | None) -> Grid:
    """Lay out columns, in their order, within a width; None shows all of them, as wide as they are."""
    shown = [column for column in columns if width is None or column.rank == 0]
    for column in sorted((column for column in columns if width is not None and column.rank), key=lambda c: c.rank):
        more = [other for other in columns if other in shown or other is column]
        if width is None or _fits(more, width):
            shown = more
    stacks, widths = _chosen(shown, width)
    cells = [[_folded(text, size) for text in texts] for texts, size in zip(stacks, widths, strict=True)]
    alignment = [column.figures for column in shown]
    headings = [_folded(column.heading, size) for column, size in zip(shown, widths, strict=True)]
    heading = _lines(headings, widths, alignment, bottom=True)
    rows = [_lines(list(row), widths, alignment) for row in zip(*cells, strict=True)]
    lines = [line for row in rows for line in row]
    omitted = [column.heading.replace("\n", " ") for column in columns if column not in shown]
    return Grid(heading, lines, [len(row) for row in rows], omitted)


def _fits(columns: Sequence[Column], width: int) -> bool:
    least = [_width(column, (column.figures and column.stacked) or column.texts) for column in columns]
    folded = [min(size, NAME_WIDTH) if column.may_fold else size for column, size in zip(columns, least, strict=True)]
    return _total(folded) <= width


def _chosen(columns: Sequence[Column], width: int | None) -> tuple[list[Sequence[str]], list[int]]:
    """Return the texts to use and the width of each column: stacked ones, and folded names, only where need be."""
    names = [index for index, column in enumerate(columns) if column.may_fold]
    texts, widths = _stacked(columns)
    for least, kinds in ((NAME_WIDTH, ()), (LEAST_NAME_WIDTH, (FIGURES,)), (LEAST_NAME_WIDTH, (FIGURES, NAMES))):
        if width is not None and _total(widths) > width:
            texts, widths = _stacked(columns, *kinds)
            _fold(widths, names, least, width)
    return texts, widths


def _stacked(columns: Sequence[Column], *kinds: bool) -> tuple[list[Sequence[str]], list[int]]:
    """Return the texts and the widths of columns, of those kinds the stacked ones."""
    texts = [(column.figures in kinds and column.stacked) or column.texts for column in columns]
    return texts, [_width(column, used) for column, used in zip(columns, texts, strict=True)]


def _fold(widths: list[int], names: list[int], least: int, width: int) -> None:
    """Make the widest columns of names narrower, one after the other, until all columns fit or none can be folded."""
    while _total(widths) > width:
        widest = max(names, key=lambda index: widths[index], default=None)
        if widest is None or widths[widest] <= least:
            return
        widths[widest] -= 1


def _width(column: Column, texts: Sequence[str]) -> int:
    lines = (line for text in (column.heading, *texts) for line in text.split("\n"))
    return max(cell_len(line) for line in lines)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _folded(text: str, width: int) -> list[str]:
    """Fold a text to lines of at most `width` columns: between words, or within one that is too long."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            joined = f"{line} {word}" if line else word
            if cell_len(joined) <= width:
                line = joined
                continue
            *whole, line = [*([line] if line else []), *(chop_cells(word, width) or [""])]
            lines += whole
        lines.append(line)
    return lines


def _lines(cells: list[list[str]], widths: list[int], alignment: list[bool], *, bottom: bool = False) -> list[str]:
    height = max(map(len, cells))
    lines = []
    for number in range(height):
        parts = []
        for cell, width, is_right in zip(cells, widths, alignment, strict=True):
            index = number - (height - len(cell)) if bottom else number
            text = cell[index] if 0 <= index < len(cell) else ""
            space = " " * (width - cell_len(text))
            parts.append(space + text if is_right else text + space)
        lines.append(GAP.join(parts).rstrip())
    return lines
