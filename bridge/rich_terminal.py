"""Draw tables, colours and progress bars with rich, whatever the text in them holds. Nothing else uses its Console."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING, Any

from rich.console import Console
from rich.segment import Segment
from rich.text import Text

from bridge.safe_stream import MISSING_LETTERS, below
from bridge.text import escaped_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, RenderableType


class RichTerminal(Console):
    """A terminal on which text is never markup and steers nothing; styles are rich's `Text` and `style`."""

    def __init__(self, file: IO[str] | None = None, **options: Any) -> None:
        """Draw on a file, or on standard output."""
        file = below(sys.stdout) if file is None else below(file)
        super().__init__(file=file, markup=False, emoji=False, highlight=False, **options)

    @property
    def encoding(self) -> str:
        """The encoding of the file, or of standard output for what is printed later: boxes need UTF-8."""
        return str(getattr(self.file, "encoding", None) or getattr(sys.stdout, "encoding", None) or "utf-8").lower()

    def render_str(self, text: str, **options: Any) -> Text:
        """Make a text of a cell or line, escaped before its width is measured."""
        shown = escaped_lines(text).encode(self.encoding, MISSING_LETTERS).decode(self.encoding)
        return super().render_str(shown, **{**options, "markup": False, "emoji": False})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the parts of a drawing; what is not a control sequence of rich itself is escaped."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(escaped_lines(segment.text), segment.style)
