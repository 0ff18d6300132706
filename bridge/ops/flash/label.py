"""Draw the label for a console's back: which console it is, in text and as a QR code. No secrets."""

from __future__ import annotations

import io
import os
from pathlib import Path
from xml.sax.saxutils import escape

import segno

from bridge import private_files
from bridge.errors import TrivoxError
from bridge.text import escaped

_WIDTH, _HEIGHT = 54, 25  # mm, a common label size
_LINE = 27  # mm beside the code
_LETTER = 0.6  # width of a sans-serif letter, relative to its height
_QUIET = 2  # modules around the code; the label's white edge adds the rest


def label_text(site_id: str, console_id: str, board: str, hardware_id: str) -> str:
    """Return the label's text for people, three lines."""
    return f"{site_id}/{console_id}\n{board}\n{hardware_id}"


def qr_code(site_id: str, console_id: str, hardware_id: str) -> segno.QRCode:
    """Return the QR code for a phone or a scanner."""
    return segno.make_qr(f"trivox:{site_id}/{console_id}?hardware_id={hardware_id}", error="m")


def check_folder(folder: Path) -> None:
    """Raise TrivoxError if labels cannot be written into `folder`, before any board is touched."""
    present = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not present.is_dir() or not os.access(present, os.W_OK | os.X_OK):
        reason = "you may not write there" if present.is_dir() else f"{present} is not a folder"
        raise TrivoxError(f"Labels cannot be written to {folder} ({reason}): give another folder with --labels.")


def write_label(folder: Path, site_id: str, console_id: str, board: str, hardware_id: str) -> Path:
    """Write the label into `folder` as SVG, and return its path. Raises TrivoxError."""
    code = qr_code(site_id, console_id, hardware_id)
    modules = code.symbol_size(border=_QUIET)[0]
    code_svg = io.BytesIO()
    code.save(code_svg, kind="svg", xmldecl=False, svgns=False, border=_QUIET, scale=21 / modules, nl=False)
    lines = ((site_id, 2.8, 7), (console_id, 4.2, 12.5), (board, 2.4, 17.5), (hardware_id, 2.4, 21.5))
    texts = "".join(_line(text, size, y) for text, size, y in lines)
    label = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}mm" height="{_HEIGHT}mm" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif"><rect width="{_WIDTH}" height="{_HEIGHT}" '
        f'fill="white"/><g transform="translate(2 2)">{code_svg.getvalue().decode()}</g>{texts}</svg>\n'
    )
    path = folder / f"{site_id}.{console_id}.svg"  # ids hold no dots
    private_files.make_folder(folder)
    private_files.write(path, label.encode())
    return path


def _line(text: str, size: float, y: float) -> str:
    """Return a line beside the code; a long one is made smaller, so that it fits whatever its letters are."""
    fits = len(text) * _LETTER * size <= _LINE
    size = size if fits else _LINE / _LETTER / len(text)
    fixed_length = "" if fits else f' textLength="{_LINE}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="25" y="{y}" font-size="{size:.2f}"{fixed_length}>{escape(escaped(text))}</text>'
