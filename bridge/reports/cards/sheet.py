"""Typeset a card for print with Typst, which shapes and breaks lines of any script, in both directions of writing.

Every letter becomes a shape or is embedded with its font, so that a card looks the same wherever it is opened. A letter
that no font has, or a text that does not fit, is an error: a card is complete or not made.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from importlib import resources
from typing import Any, Literal
from xml.sax.saxutils import escape

import typst

from bridge.errors import TrivoxError
from bridge.text import printable

Format = Literal["pdf", "svg"]
Audience = Literal["customer", "seller"]
PAPERS_MM = {"A6": (105, 148), "A5": (148, 210), "A4": (210, 297)}
TEMPLATE = resources.files(__package__).joinpath("card.typ")
FAMILIES = ("Noto Sans", "DejaVu Sans", "Liberation Sans", "Libertinus Serif")
HAN = {"ja": "JP", "ko": "KR", "zh": "SC", "zh-hant": "TC", "zh-tw": "TC", "zh-hk": "HK"}
"""The Noto family by language: the same letter looks different in China, Taiwan, Hong Kong, Japan and Korea."""

MISSING = re.compile(r'the text `"(.*?)"` could not be displayed', re.DOTALL)
ESCAPED = re.compile(r"\\u\{([0-9a-f]+)\}")
SVG_START = re.compile(rb'<svg viewBox="([^"]*)" width="[^"]*" height="[^"]*"([^>]*)>')


@dataclass(frozen=True)
class Card:
    """The texts of a card: a customer's card has `answers` and `notes` (its small print), a seller's has `seller`."""

    language: str
    question: str
    answers: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seller: dict[str, Any] | None = None
    size: str = "A6"
    font: str | None = None

    @property
    def audience(self) -> Audience:
        """Whom the card is for."""
        return "seller" if self.seller else "customer"

    @property
    def title(self) -> str:
        """The title, which screen readers read out."""
        return f"{self.seller['title']}: {self.question}" if self.seller else self.question


def render(card: Card, kind: Format) -> bytes:
    """Return the card as the bytes of a file. Raises TrivoxError if a text does not fit or no font has a letter."""
    fonts, template = typst.Fonts(), TEMPLATE.read_bytes()
    compiler = typst.Compiler(font_paths=fonts, sys_inputs={"card": json.dumps(_template_data(card, fonts.families()))})
    try:
        document = compiler.compile(template, format="pdf", pdf_standards=["ua-1"])  # fails on letters that no font has
        if kind == "svg":
            document = compiler.compile(template, format="svg")
    except typst.TypstError as error:
        raise _failure(error.message) from error
    if not isinstance(document, bytes):
        raise TrivoxError("The card takes more than one page: report it with its texts.")
    return document if kind == "pdf" else _labelled(document, card)


def _template_data(card: Card, families: list[str]) -> dict[str, Any]:
    parts = card.language.split("-")
    region = next((part.lower() for part in parts[1:] if len(part) == 2 and part.isalpha()), None)  # noqa: PLR2004 - ISO 3166
    return {
        **asdict(card),
        "audience": card.audience,
        "title": card.title,
        "language": parts[0].lower(),
        "region": region,
        "paper_mm": PAPERS_MM[card.size],
        "fonts": fonts_of(card, families),
    }


def fonts_of(card: Card, families: list[str]) -> list[str]:
    """Return the font families to use, of those installed; for a letter they lack, Typst takes any font that has it.

    Raises TrivoxError if the card's own font is not installed.
    """
    installed = {family.lower(): family for family in families}
    if card.font and card.font.lower() not in installed:
        raise TrivoxError(
            f"There is no font {printable(card.font)!r} on this machine: give one of {', '.join(families)}."
        )
    tag = card.language.lower()
    han = next((name for start, name in reversed(HAN.items()) if f"{tag}-".startswith(f"{start}-")), None)
    preferred = [card.font, f"Noto Sans CJK {han}" if han else None, *FAMILIES]
    return [installed[name.lower()] for name in preferred if name and name.lower() in installed]


def _failure(message: str) -> TrivoxError:
    missing = MISSING.search(message)
    if missing:
        letter = ESCAPED.sub(lambda match: chr(int(match[1], 16)), missing[1])[0]
        return TrivoxError(
            f"No font on this machine has the letter {printable(letter)} (U+{ord(letter):04X}): install one that has "
            "it (Debian's package fonts-noto-core, or fonts-noto-cjk for Chinese, Japanese and Korean)."
        )
    if "no room" in message:
        return TrivoxError(
            "The card has no room for such long texts, even in its smallest print: shorten them, or their longest word."
        )
    return TrivoxError(f"The card cannot be typeset ({printable(message)}): report it with its texts.")


def _labelled(svg: bytes, card: Card) -> bytes:
    """Return the drawing with its size in millimetres, and with its title for screen readers."""
    short, long = PAPERS_MM[card.size]
    width, height = (short, long) if card.audience == "seller" else (long, short)
    start = rf'<svg viewBox="\1" width="{width}mm" height="{height}mm" role="img"\2>'.encode()
    return SVG_START.sub(start + b"<title></title>", svg, count=1).replace(
        b"<title></title>", f"<title>{escape(card.title)}</title>".encode(), 1
    )
