"""What cards say besides the key question, by language: `texts.toml`, and a file of the user's over it."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from bridge.errors import TrivoxError, UsageError
from bridge.text import printable

SHIPPED = resources.files(__package__).joinpath("texts.toml")
ANSWERS = ("yes", "no", "cant_say")
OF_CUSTOMER = (*ANSWERS, "hint", "privacy", "decimal")
OF_SELLER = (
    *("title", "ask", "ask_one_in", "window", "thanks", "next", "hands_off", "low_tone", "long_press"),
    *("lamp", "lamp_dark", "lamp_1", "lamp_2", "lamp_3", "lamp_4", "lamp_5"),
)
STEPS = ("window", "thanks", "next", "hands_off", "low_tone")
MOST_SIGNS = 600
TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8})*", re.ASCII)
STEERING = ("Cc", "Cs")  # control characters, and halves of one that a terminal sent broken
PLACEHOLDER = re.compile(r"\{(\w*)\}")

Tables = dict[str, dict[str, Any]]
"""By language tag in small letters."""


@dataclass(frozen=True)
class Timings:
    """The settings that a seller has to know."""

    survey_window_ms: int
    long_press_ms: int
    ask_every: int


class Texts:
    """What there is to say in one language; what is missing is told by its key."""

    def __init__(self, language: str, tables: Tables) -> None:
        self.language = language
        self._said: dict[str, str] = {}
        self._seller: dict[str, str] = {}
        for tag in _widening(language):
            of_tag = tables.get(tag, {})
            self._said |= {key: text for key, text in of_tag.items() if key != "seller"}
            self._seller |= of_tag.get("seller", {})

    def answers(self, given: dict[str, str | None]) -> dict[str, str]:
        """The words for the three answers, `given` ones first; raises TrivoxError where there are none."""
        found = {key: given.get(key) or self._said.get(key) for key in ANSWERS}
        missing = [f"--{key.replace('_', '-')}" for key, text in found.items() if not text]
        if missing:
            raise TrivoxError(
                f"The words for the answers in {self.language!r} are not known: give {', '.join(missing)}, "
                "or --texts FILE."
            )
        return {key: text for key, text in found.items() if text}

    def notes(self) -> list[str]:
        """The small lines of a customer's card; none in a language that has none."""
        return [one_line(self._said[key]) for key in ("hint", "privacy") if self._said.get(key)]

    def seller(self, timings: Timings) -> dict[str, Any]:
        """The sentences of a seller's card; raises TrivoxError where some are missing."""
        missing = [key for key in OF_SELLER if not self._seller.get(key)]
        if missing:
            raise TrivoxError(
                f"The sentences of the seller's card in {self.language!r} are missing ({', '.join(missing)}): "
                f"give them by --texts FILE, written as in {SHIPPED}."
            )
        decimal = self._said.get("decimal", ".")
        values = {
            "survey_window_s": f"{timings.survey_window_ms / 1000:g}".replace(".", decimal),
            "long_press_s": f"{timings.long_press_ms / 1000:g}".replace(".", decimal),
            "ask_every": str(timings.ask_every),
        }
        said = {key: _filled(text, values) for key, text in self._seller.items()}
        sampling = [said["ask_one_in"]] if timings.ask_every > 1 else []
        return {**said, "steps": [*sampling, *(said[key] for key in STEPS)]}


def check_language(tag: str) -> str:
    """The tag; raises UsageError where it is none."""
    if not TAG.fullmatch(tag.lower()):
        raise UsageError(f"{printable(tag)!r} is no language: give its tag, such as bg or pt-BR.")
    return tag


def _widening(language: str) -> list[str]:
    """The tags that say something about a language, the widest first: zh, zh-hant, zh-hant-tw."""
    parts = language.lower().split("-")
    return ["-".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _filled(text: str, values: dict[str, str]) -> str:
    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            raise TrivoxError(f"{match[0]!r} stands for nothing in a card's text: there are {', '.join(values)}.")
        return values[name]

    return PLACEHOLDER.sub(value_of, one_line(text))


def one_line(text: str) -> str:
    """The text as cards want it: one space where there was any white space, and no characters that steer."""
    line = " ".join(text.split())
    return "".join(sign for sign in line if unicodedata.category(sign) not in STEERING)


def read_texts(language: str, file: Path | None) -> Texts:
    """The texts in a language, those of the user's file over the shipped ones; raises TrivoxError for that file."""
    shipped = _by_tag(tomllib.loads(SHIPPED.read_text(encoding="utf-8")))
    given = _by_tag(_read(file)) if file else {}
    texts = {tag: _merged(shipped.get(tag, {}), given.get(tag, {})) for tag in shipped.keys() | given.keys()}
    return Texts(language, texts)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    return {**below, **above, "seller": {**below.get("seller", {}), **above.get("seller", {})}}


def _by_tag(tables: Tables) -> Tables:
    return {tag.lower(): table for tag, table in tables.items()}


def _read(file: Path) -> Tables:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise TrivoxError(f"{file} cannot be read ({error.strerror}): check its name and rights.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrivoxError(f"{file} is no TOML file ({error}): correct it.") from error
    for tag, table in content.items():
        if not isinstance(table, dict) or not TAG.fullmatch(tag.lower()):
            raise TrivoxError(
                f"{file} has {printable(tag)!r}, which is no language with texts: write a table such as [bg]."
            )
        seller = table.get("seller", {})
        _check(file, f"[{tag}]", {key: text for key, text in table.items() if key != "seller"}, OF_CUSTOMER)
        if not isinstance(seller, dict):
            raise TrivoxError(f"{file}: seller in [{tag}] must be a table, [{tag}.seller].")
        _check(file, f"[{tag}.seller]", seller, OF_SELLER)
    return content


def _check(file: Path, where: str, texts: dict[str, Any], known: tuple[str, ...]) -> None:
    for key, text in texts.items():
        if key not in known:
            raise TrivoxError(
                f"{file} has {printable(key)!r} in {where}, which no card says: there are {', '.join(known)}."
            )
        if not isinstance(text, str) or not 0 < len(text.strip()) <= MOST_SIGNS:
            raise TrivoxError(f"{file}: {key} in {where} must be a text of 1 to {MOST_SIGNS} characters.")
