"""Write JSON and CSV for other programs: valid, and without characters that steer a terminal or start a formula."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

from bridge.text import escaped, replace_unsafe

if TYPE_CHECKING:
    from collections.abc import Iterable

# A spreadsheet takes a cell that begins like this for a formula. Where it splits lines at semicolons, though the file
# has commas, a cell begins after each semicolon too.
_FORMULA = re.compile(r"(^|;)(\s*)(?=[=+\-@＝＋－＠])")  # noqa: RUF001 - their wide forms count, too

_JSON_ESCAPES = "trivox.json"


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Return the value as JSON; letters of all scripts are written as they are."""
    lines = json.dumps(value, ensure_ascii=False, indent=indent).split("\n")
    return "\n".join(replace_unsafe(line, _json_escape) for line in lines)


def json_in(text: str, encoding: str) -> str:
    """Return JSON with JSON's own escapes for the letters that an encoding lacks."""
    return text.encode(encoding, _JSON_ESCAPES).decode(encoding)


def _json_escape(text: str) -> str:
    return json.dumps(text)[1:-1]


def _escape_missing(error: UnicodeError) -> tuple[str, int]:
    """Say for the codec named `_JSON_ESCAPES` what to write in place of letters that cannot be encoded."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return _json_escape(error.object[error.start : error.end]), error.end


codecs.register_error(_JSON_ESCAPES, _escape_missing)


def to_csv(rows: Iterable[Iterable[Any]]) -> str:
    """Return the rows as CSV. Numbers stay numbers; a text that looks like a formula gets an apostrophe before it."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    return _FORMULA.sub(r"\1\2'", escaped(value)) if isinstance(value, str) else value
