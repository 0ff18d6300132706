"""What is stuck on a console's back: which it is, in words and as a QR code. No secrets."""

from __future__ import annotations

import io
from pathlib import Path
from xml.sax.saxutils import escape

import segno

from bridge.errors import TrivoxError

_WIDTH, _HEIGHT = 54, 25  # mm, a common size of label
_LINE = 27  # mm beside the code
_LETTER = 0.6  # of a sans-serif letter's height, its width
_QUIET = 2  # modules around the code, of which a label's white edge gives the rest


def label_text(site_id: str, console_id: str, board: str, hardware_id: str) -> str:
    """Three lines for people."""
    return f"{site_id}/{console_id}\n{board}\n{hardware_id}"


def code_of(site_id: str, console_id: str, hardware_id: str) -> segno.QRCode:
    """What a phone or a scanner reads."""
    return segno.make_qr(f"trivox:{site_id}/{console_id}?hardware_id={hardware_id}", error="m")


def write_label(folder: Path, site_id: str, console_id: str, board: str, hardware_id: str) -> Path:
    """Draw the label into `folder`, and answer its file. Raises TrivoxError."""
    code = code_of(site_id, console_id, hardware_id)
    modules = code.symbol_size(border=_QUIET)[0]
    drawn = io.BytesIO()
    code.save(drawn, kind="svg", xmldecl=False, svgns=False, border=_QUIET, scale=21 / modules, nl=False)
    words = ((site_id, 2.8, 7), (console_id, 4.2, 12.5), (board, 2.4, 17.5), (hardware_id, 2.4, 21.5))
    texts = "".join(_line(text, size, y) for text, size, y in words)
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}mm" height="{_HEIGHT}mm" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif"><rect width="{_WIDTH}" height="{_HEIGHT}" '
        f'fill="white"/><g transform="translate(2 2)">{drawn.getvalue().decode()}</g>{texts}</svg>\n'
    )
    path = folder / f"{site_id}.{console_id}.svg"  # no id has a dot
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise TrivoxError(f"{path} cannot be written ({error.strerror}): give another folder with --labels.") from error
    return path


def _line(text: str, size: float, y: float) -> str:
    """A line beside the code; a long one is made smaller, and fits whatever its letters are."""
    fits = len(text) * _LETTER * size <= _LINE
    size = size if fits else _LINE / _LETTER / len(text)
    exactly = "" if fits else f' textLength="{_LINE}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="25" y="{y}" font-size="{size:.2f}"{exactly}>{escape(text)}</text>'
