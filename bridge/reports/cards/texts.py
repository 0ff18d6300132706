"""Read what cards say apart from the key question, by language: `texts.toml`, and over it a file of the user's."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from bridge.errors import TrivoxError, UsageError
from bridge.input_file import read_toml
from bridge.text import printable

SHIPPED = resources.files(__package__).joinpath("texts.toml")
ANSWERS = ("yes", "no", "cant_say")
CUSTOMER_KEYS = (*ANSWERS, "hint", "privacy", "decimal")
SELLER_KEYS = (
    *("title", "ask", "ask_one_in", "window", "thanks", "next", "hands_off", "low_tone", "long_press"),
    *("lamp", "lamp_dark", "lamp_1", "lamp_2", "lamp_3", "lamp_4", "lamp_5"),
)
STEPS = ("window", "thanks", "next", "hands_off", "low_tone")
MAX_CHARACTERS = 600
TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8})*", re.ASCII)
CONTROL_CATEGORIES = ("Cc", "Cs")  # control characters; surrogates, from broken terminal input
PLACEHOLDER = re.compile(r"\{(\w*)\}")

Tables = dict[str, dict[str, Any]]
"""The texts by language tag in lower case."""


@dataclass(frozen=True)
class Timings:
    """The settings that a seller's card mentions."""

    survey_window_ms: int
    long_press_ms: int
    ask_every: int


class Texts:
    """The texts of cards in one language; a text may be missing until a card needs it."""

    def __init__(self, language: str, tables: Tables) -> None:
        self.language = language
        self._customer: dict[str, str] = {}
        self._seller: dict[str, str] = {}
        for tag in _tags_from_general(language):
            table = tables.get(tag, {})
            self._customer |= {key: text for key, text in table.items() if key != "seller"}
            self._seller |= table.get("seller", {})

    def answers(self, given: dict[str, str | None]) -> dict[str, str]:
        """Return the words for the three answers; `given` ones go first. Raises TrivoxError if one is missing."""
        words = {key: given.get(key) or self._customer.get(key) for key in ANSWERS}
        missing = [f"--{key.replace('_', '-')}" for key, text in words.items() if not text]
        if missing:
            raise TrivoxError(
                f"The words for the answers in {self.language!r} are not known: give {', '.join(missing)}, "
                "or --texts FILE."
            )
        return {key: text for key, text in words.items() if text}

    def notes(self) -> list[str]:
        """Return the small print of a customer's card; empty for a language that has none."""
        return [one_line(self._customer[key]) for key in ("hint", "privacy") if self._customer.get(key)]

    def seller(self, timings: Timings) -> dict[str, Any]:
        """Return the sentences of a seller's card, and its `steps` in order. Raises TrivoxError if one is missing."""
        missing = [key for key in SELLER_KEYS if not self._seller.get(key)]
        if missing:
            raise TrivoxError(
                f"The sentences of the seller's card in {self.language!r} are missing ({', '.join(missing)}): "
                f"give them by --texts FILE, written as in {SHIPPED}."
            )
        decimal = self._customer.get("decimal", ".")
        values = {
            "survey_window_s": f"{timings.survey_window_ms / 1000:g}".replace(".", decimal),
            "long_press_s": f"{timings.long_press_ms / 1000:g}".replace(".", decimal),
            "ask_every": str(timings.ask_every),
        }
        sentences = {key: _filled(text, values) for key, text in self._seller.items()}
        sampling = [sentences["ask_one_in"]] if timings.ask_every > 1 else []
        return {**sentences, "steps": [*sampling, *(sentences[key] for key in STEPS)]}


def check_language(tag: str) -> str:
    """Return `tag` if it is a language tag; raise UsageError otherwise."""
    if not TAG.fullmatch(tag.lower()):
        raise UsageError(f"{printable(tag)!r} is not a language tag: give one such as bg or pt-BR.")
    return tag


def _tags_from_general(language: str) -> list[str]:
    """Return the tags that apply to a language, the most general first: zh, zh-hant, zh-hant-tw."""
    parts = language.lower().split("-")
    return ["-".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _filled(text: str, values: dict[str, str]) -> str:
    def fill_in(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            raise TrivoxError(f"{match[0]!r} has no meaning in a card's text: use only {', '.join(values)}.")
        return values[name]

    return PLACEHOLDER.sub(fill_in, one_line(text))


def one_line(text: str) -> str:
    """Return the text on one line, as cards need it: single spaces for all white space, no control characters."""
    line = " ".join(text.split())
    return "".join(char for char in line if unicodedata.category(char) not in CONTROL_CATEGORIES)


def read_texts(language: str, file: Path | None) -> Texts:
    """Read the texts in a language: the shipped ones, and over them those of `file`. Raises TrivoxError for `file`."""
    shipped = _by_tag(tomllib.loads(SHIPPED.read_text(encoding="utf-8")))
    given = _by_tag(_read(file)) if file else {}
    texts = {tag: _merged(shipped.get(tag, {}), given.get(tag, {})) for tag in shipped.keys() | given.keys()}
    return Texts(language, texts)


def _merged(base: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    return {**base, **override, "seller": {**base.get("seller", {}), **override.get("seller", {})}}


def _by_tag(tables: Tables) -> Tables:
    return {tag.lower(): table for tag, table in tables.items()}


def _read(file: Path) -> Tables:
    content = read_toml(file)
    for tag, table in content.items():
        if not isinstance(table, dict) or not TAG.fullmatch(tag.lower()):
            raise TrivoxError(
                f"{file} has {printable(tag)!r}, which is not a table of a language: write tables such as [bg]."
            )
        seller = table.get("seller", {})
        _check(file, f"[{tag}]", {key: text for key, text in table.items() if key != "seller"}, CUSTOMER_KEYS)
        if not isinstance(seller, dict):
            raise TrivoxError(f"{file}: seller in [{tag}] must be a table, [{tag}.seller].")
        _check(file, f"[{tag}.seller]", seller, SELLER_KEYS)
    return content


def _check(file: Path, where: str, texts: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key, text in texts.items():
        if key not in keys:
            raise TrivoxError(
                f"{file} has {printable(key)!r} in {where}, which no card uses: use only {', '.join(keys)}."
            )
        if not isinstance(text, str) or not 0 < len(text.strip()) <= MAX_CHARACTERS:
            raise TrivoxError(f"{file}: {key} in {where} must be a text of 1 to {MAX_CHARACTERS} characters.")
