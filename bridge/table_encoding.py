"""Decode tables as spreadsheets save them: UTF-8, UTF-16 with its mark, or Windows-1251 where that is certain."""

from __future__ import annotations

import re

UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
UTF_32_MARK = b"\xff\xfe\0\0"

_SPACES_IN_NUMBERS = re.compile(rb"(?:[\x01-\x7f]|(?<=[0-9])\xa0(?=[0-9]))*")  # in all of Windows' encodings

# What a text in Cyrillic holds beside ASCII. The same bytes in another encoding of Cyrillic, or of another script, are
# also Serbian letters and signs, marks before small letters, capitals within words, or letters next to Latin ones.
_SMALL, _CAPITAL = "а-яёіїєґў", "А-ЯЁІЇЄҐЎ"  # noqa: RUF001 - Cyrillic
_ALLOWED = re.compile(rf"(?:[\x01-\x7f\xa0{_SMALL}{_CAPITAL}]|[№«»„“”‘’–—…](?![{_SMALL}]))*")  # noqa: RUF001 - marks of Cyrillic texts
_WORD = re.compile(rf"[A-Za-z{_SMALL}{_CAPITAL}]+")
_CYRILLIC_WORD = re.compile(rf"[{_CAPITAL}]?[{_SMALL}]*|[{_CAPITAL}]+")
_SHORTEST_WORD = 3
# Seven of ten letters of Russian and Bulgarian text are among these, but few of what another encoding makes of them.
_FREQUENT = frozenset("аоеинтсрвлк")
_FREQUENT_SHARE = 0.25
_FREQUENT_SHARE_OF_CAPITALS, _FEWEST_CAPITALS = 0.65, 10  # words in capitals alone prove less


def is_utf_16(data: bytes) -> bool:
    """Return whether a file begins with the mark of UTF-16."""
    return data.startswith(UTF_16_MARKS) and not data.startswith(UTF_32_MARK)


def decode_table(data: bytes) -> str | None:
    """Return the text of a table, which may begin with a byte order mark; None if its encoding is not certain."""
    try:
        return data.decode("utf-16" if is_utf_16(data) else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1251", "replace")
        if _SPACES_IN_NUMBERS.fullmatch(data):
            return text
        return text if _is_cyrillic(text) and not _is_as_likely(data.decode("koi8-r"), text) else None


def _is_cyrillic(text: str) -> bool:
    words = _cyrillic_words(text)
    if not (_ALLOWED.fullmatch(text) and all(_CYRILLIC_WORD.fullmatch(word) for word in words)):
        return False
    if all(word.isupper() for word in words):
        return sum(map(len, words)) >= _FEWEST_CAPITALS and _frequent_share(text) >= _FREQUENT_SHARE_OF_CAPITALS
    return max(map(len, words)) >= _SHORTEST_WORD and _frequent_share(text) >= _FREQUENT_SHARE


def _is_as_likely(other: str, text: str) -> bool:
    """Return whether another reading of the same bytes is as likely."""
    return all(_CYRILLIC_WORD.fullmatch(word) for word in _cyrillic_words(other)) and (
        _frequent_share(other) >= _frequent_share(text)
    )


def _frequent_share(text: str) -> float:
    letters = "".join(_cyrillic_words(text)).lower()
    return sum(letter in _FREQUENT for letter in letters) / max(1, len(letters))


def _cyrillic_words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text) if not word.isascii()]
