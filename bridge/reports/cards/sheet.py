"""Sets a card for print with Typst, which shapes and breaks lines of any script, in both directions of writing.

Every letter becomes a shape or an embedded font, so that a card looks the same wherever it is opened. A letter that no
font has, and a text that has no room, are errors: a card is whole or not made.
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
"""One letter looks different in China, Taiwan, Hong Kong, Japan and Korea: which family of Noto has its form."""

MISSING = re.compile(r'the text `"(.*?)"` could not be displayed', re.DOTALL)
ESCAPED = re.compile(r"\\u\{([0-9a-f]+)\}")
SVG_START = re.compile(rb'<svg viewBox="([^"]*)" width="[^"]*" height="[^"]*"([^>]*)>')


@dataclass(frozen=True)
class Card:
    """What stands on a card: answers and small print on a customer's, `seller` on a seller's."""

    language: str
    question: str
    answers: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seller: dict[str, Any] | None = None
    size: str = "A6"
    font: str | None = None

    @property
    def audience(self) -> Audience:
        """Whom it is for."""
        return "seller" if self.seller else "customer"

    @property
    def title(self) -> str:
        """What it is known by to programs that read it out."""
        return f"{self.seller['title']}: {self.question}" if self.seller else self.question


def render(card: Card, kind: Format) -> bytes:
    """The card as a file; raises TrivoxError where it has no room or no font for something."""
    fonts, template = typst.Fonts(), TEMPLATE.read_bytes()
    compiler = typst.Compiler(font_paths=fonts, sys_inputs={"card": json.dumps(_told(card, fonts.families()))})
    try:
        document = compiler.compile(template, format="pdf", pdf_standards=["ua-1"])  # refuses letters that no font has
        if kind == "svg":
            document = compiler.compile(template, format="svg")
    except typst.TypstError as error:
        raise _failure(error.message) from error
    if not isinstance(document, bytes):
        raise TrivoxError("The card came to several pages: report it with its texts.")
    return document if kind == "pdf" else _labelled(document, card)


def _told(card: Card, families: list[str]) -> dict[str, Any]:
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
    """Those of the wanted fonts that are there; where they lack a letter, Typst takes any other font that has it."""
    known = {family.lower(): family for family in families}
    if card.font and card.font.lower() not in known:
        raise TrivoxError(
            f"There is no font {printable(card.font)!r} on this machine: there are {', '.join(families)}."
        )
    tag = card.language.lower()
    han = next((name for start, name in reversed(HAN.items()) if f"{tag}-".startswith(f"{start}-")), None)
    wanted = [card.font, f"Noto Sans CJK {han}" if han else None, *FAMILIES]
    return [known[name.lower()] for name in wanted if name and name.lower() in known]


def _failure(message: str) -> TrivoxError:
    missing = MISSING.search(message)
    if missing:
        letter = ESCAPED.sub(lambda found: chr(int(found[1], 16)), missing[1])[0]
        return TrivoxError(
            f"No font on this machine has the letter {printable(letter)} (U+{ord(letter):04X}): install one that has "
            "it "
            "(Debian's package fonts-noto-core, or fonts-noto-cjk for Chinese, Japanese and Korean)."
        )
    if "no room" in message:
        return TrivoxError(
            "The card has no room for such long texts, even in its smallest print: shorten them, or their longest word."
        )
    return TrivoxError(f"The card can't be set ({printable(message)}): report it with its texts.")


def _labelled(svg: bytes, card: Card) -> bytes:
    """The drawing with its size in millimetres, and with its title for those who cannot see it."""
    short, long = PAPERS_MM[card.size]
    width, height = (short, long) if card.audience == "seller" else (long, short)
    start = rf'<svg viewBox="\1" width="{width}mm" height="{height}mm" role="img"\2>'.encode()
    return SVG_START.sub(start + b"<title></title>", svg, count=1).replace(
        b"<title></title>", f"<title>{escape(card.title)}</title>".encode(), 1
    )
