"""Open and read files that people name: a file, a pipe, or `-` for standard input, in UTF-8 with or without a BOM.

Tables may have the other encodings of spreadsheets, see table_encoding.py. What cannot be such text is refused with a
sentence that says what it seems to be, and what to do.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import IO, Any

from bridge.errors import TrivoxError
from bridge.table_encoding import decode_table, is_utf_16

STANDARD_INPUT = Path("-")
BOM = b"\xef\xbb\xbf"
MAX_TOML_BYTES = 1024 * 1024

_COMPRESSED = "is compressed: unpack it first, with `{}`"
_FORMATS = (
    (b"\x1f\x8b", _COMPRESSED.format("gunzip")),
    (b"BZh", _COMPRESSED.format("bunzip2")),
    (b"\xfd7zXZ\0", _COMPRESSED.format("unxz")),
    (b"\x28\xb5\x2f\xfd", _COMPRESSED.format("unzstd")),
    (b"\x04\x22\x4d\x18", _COMPRESSED.format("unlz4")),
    (b"PK\x03\x04", "is a ZIP archive or a workbook: unpack it, or save the table as CSV"),
    (b"PK\x05\x06", "is a ZIP archive without files: give the file that was to be in it"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive: unpack it first"),
    (b"\xd0\xcf\x11\xe0", "is a workbook: save the table as CSV"),
    (b"%PDF", "is a PDF: give the text itself"),
    (b"SQLite format 3\0", "is a database: give a text file (`trivox restore` puts back a copy of a database)"),
    (b"\xff\xfe\0\0", "is text in UTF-32: save it as UTF-8, with `iconv -f UTF-32 -t UTF-8`"),
    (b"\0\0\xfe\xff", "is text in UTF-32: save it as UTF-8, with `iconv -f UTF-32 -t UTF-8`"),
    (b"\xff\xfe", "is text in UTF-16: save it as UTF-8, with `iconv -f UTF-16 -t UTF-8`"),
    (b"\xfe\xff", "is text in UTF-16: save it as UTF-8, with `iconv -f UTF-16 -t UTF-8`"),
)
"""The first bytes of files of other kinds, and the sentence for each."""


def called(path: Path) -> str:
    """Return the name of a file for people."""
    return "standard input" if path == STANDARD_INPUT else str(path)


def open_input(path: Path) -> IO[bytes]:
    """Open a file that the user named. Raises TrivoxError."""
    try:
        return open(0, "rb", closefd=False) if path == STANDARD_INPUT else path.open("rb")
    except OSError as error:
        raise cannot_read(path, error) from error


def cannot_read(path: Path, error: OSError) -> TrivoxError:
    """Make the error for a file that cannot be read."""
    if isinstance(error, IsADirectoryError):
        return TrivoxError(f"{called(path)} is a folder: give a file.")
    return TrivoxError(f"{called(path)} cannot be read ({error.strerror or error}): check its name and permissions.")


def refuse_other_format(path: Path, head: bytes) -> None:
    """Raise TrivoxError if these first bytes of a file, a whole line or more, are not of text in UTF-8."""
    said = next((said for magic, said in _FORMATS if head.startswith(magic)), None)
    if said is None and b"\0" in head:
        said = _without_mark(head)
    if said is not None:
        raise TrivoxError(f"{called(path)} {said}.")


def _without_mark(head: bytes) -> str:
    """Say what text with NUL bytes but without a byte order mark seems to be."""
    for name, width, at in (("UTF-32LE", 4, 0), ("UTF-32BE", 4, 3), ("UTF-16LE", 2, 0), ("UTF-16BE", 2, 1)):
        units = [head[start : start + width] for start in range(0, min(len(head), 40) // width * width, width)]
        if units and all(unit[at] and not any(unit[:at] + unit[at + 1 :]) for unit in units):
            return f"is text in {name[:6]}: save it as UTF-8, with `iconv -f {name} -t UTF-8`"
    return "is not text: check its name"


def read_text(path: Path, max_bytes: int) -> str:
    """Read a text file that the user named, without a BOM. Raises TrivoxError."""
    data = _read(path, max_bytes)
    refuse_other_format(path, data)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TrivoxError(f"{called(path)} is not UTF-8: save it as UTF-8 text.") from error


def read_table(path: Path, max_bytes: int) -> str:
    """Read a CSV file that the user named, in any encoding in which spreadsheets save it. Raises TrivoxError."""
    data = _read(path, max_bytes)
    if not is_utf_16(data):
        refuse_other_format(path, data)
    text = decode_table(data)
    if text is None:
        raise TrivoxError(f"{called(path)} is neither UTF-8 nor surely Cyrillic in Windows-1251: save it as CSV UTF-8.")
    return text


def _read(path: Path, max_bytes: int) -> bytes:
    with open_input(path) as file:
        try:
            data = file.read(max_bytes + 1)
        except OSError as error:
            raise cannot_read(path, error) from error
    if len(data) > max_bytes:
        refuse_other_format(path, data)
        raise TrivoxError(f"{called(path)} is larger than {max_bytes >> 20} MiB: split it.")
    return data


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file that the user named. Raises TrivoxError."""
    try:
        return tomllib.loads(read_text(path, MAX_TOML_BYTES))
    except tomllib.TOMLDecodeError as error:
        raise TrivoxError(f"{path} is not a TOML file ({error}): correct it.") from error
