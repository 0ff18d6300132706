"""`trivox question card`: a key question on paper, for the customer and for the seller."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bridge.admin.commands import Scope
from bridge.admin.questions import MAX_TEXT
from bridge.cli.groups import join, question_app
from bridge.cli.options import DATABASE, ConsoleOption, Database, Site, scope
from bridge.errors import TrivoxError, UsageError
from bridge.reports.cards.sheet import PAPERS_MM, Card, Format, render
from bridge.reports.cards.texts import Texts, Timings, check_language, one_line, read_texts
from bridge.store import Store, open_store
from bridge.store.consoles import site_ids
from bridge.store.settings import chosen_for, newest_revision
from bridge.text import printable
from bridge.wire.identifiers import check_id
from bridge.wire.settings import DEFAULTS

FORMATS: tuple[Format, ...] = ("pdf", "svg")
SIZES = {"customer": "A6", "seller": "A5"}
FIRST_LANGUAGE = "en"


def register(app: typer.Typer) -> None:
    """Add the command."""
    join(app, "question", question_app)


@question_app.command("card")
def question_card(
    question_id: Annotated[str, typer.Argument(metavar="ID", help="The question's id, such as staff.")],
    audience: Annotated[
        str, typer.Option("--for", metavar="WHOM", help="customer: the question and the buttons; seller: how to ask.")
    ] = "customer",
    language: Annotated[
        str | None, typer.Option("--lang", metavar="TAG", help="Such as bg. [default: en, else its first language]")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", readable=False, help="[default: ID-WHOM-TAG.pdf, or .svg, in this folder]"),
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--format", help="pdf or svg. [default: what FILE ends in, else pdf]")
    ] = None,
    size: Annotated[str | None, typer.Option(help="A6, A5 or A4. [default: A6, for the seller A5]")] = None,
    text: Annotated[str | None, typer.Option(help="This text instead of the question's own.")] = None,
    yes: Annotated[str | None, typer.Option(help="The word for Yes in that language.")] = None,
    no: Annotated[str | None, typer.Option(help="… for No.")] = None,
    cant_say: Annotated[str | None, typer.Option(help="… for Can't say.")] = None,
    texts: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", readable=False, help="Texts in other languages, or other texts.")
    ] = None,
    font: Annotated[str | None, typer.Option(metavar="FAMILY", help="A font of this machine.")] = None,
    site: Site = None,
    console: ConsoleOption = None,
    database: Database = DATABASE,
) -> None:
    """Make a card for print: for the customer, who answers, or for the seller, who asks."""
    check_id("question", question_id)
    if audience not in SIZES:
        raise UsageError(f"A card is for {' or '.join(SIZES)}, not for {printable(audience)!r}.")
    form = _format_of(kind, out)
    paper = (size or SIZES[audience]).upper()
    if paper not in PAPERS_MM:
        raise UsageError(f"A card's size is {', '.join(PAPERS_MM)}, not {printable(paper)!r}.")
    if text is not None and not language:
        raise UsageError("--text needs its language: give --lang too.")
    given = None if text is None or not language else (text, check_language(language))
    asked, tag = given or _text_of(database, question_id, language)
    said = read_texts(tag, texts)
    card = Card(tag, _checked(asked), size=paper, font=font)
    if audience == "seller":
        _refuse_for(audience, {"--yes": yes, "--no": no, "--cant-say": cant_say})
        card = replace(card, seller=_for_seller(said, database, scope(site, console, for_all=False)))
    else:
        _refuse_for(audience, {"--site": site, "--console": console})
        answers = said.answers({"yes": yes, "no": no, "cant_say": cant_say})
        card = replace(card, answers={key: _checked(word) for key, word in answers.items()}, notes=said.notes())
    file = out or Path(f"{question_id}-{audience}-{tag}.{form}")
    content = render(card, form)
    try:
        file.write_bytes(content)
    except OSError as error:
        raise TrivoxError(f"{file} cannot be written ({error.strerror}): check its folder and rights.") from error
    sys.stdout.write(f"{file} is written: print it on {paper}, in its actual size.\n")


def _refuse_for(audience: str, options: dict[str, str | None]) -> None:
    given = [option for option, value in options.items() if value is not None]
    if given:
        raise UsageError(f"{' and '.join(given)} would change nothing on a card for the {audience}: leave it out.")


def _format_of(kind: str | None, out: Path | None) -> Format:
    ending = out.suffix.removeprefix(".").lower() if out else ""
    if kind is None and ending and ending not in FORMATS:
        raise UsageError(f"A card's file ends in {' or '.join(FORMATS)}, not {printable(ending)!r}; or say --format.")
    wanted = (kind or "").lower() or (ending if ending in FORMATS else "pdf")
    for form in FORMATS:
        if wanted == form:
            return form
    raise UsageError(f"A card's format is {' or '.join(FORMATS)}, not {printable(wanted)!r}.")


def _text_of(database: Path, question_id: str, language: str | None) -> tuple[str, str]:
    """The question's newest text and its language."""
    store = open_store(database)
    try:
        revision = newest_revision(store, question_id)
    finally:
        store.close()
    if revision is None:
        raise TrivoxError(f"There is no key question {question_id!r}: `trivox question list` shows all.")
    by_tag = {tag.lower(): (text, tag) for tag, text in revision.texts.items()}
    wanted = (language or (FIRST_LANGUAGE if FIRST_LANGUAGE in by_tag else next(iter(by_tag)))).lower()
    if wanted not in by_tag:
        raise TrivoxError(
            f"Key question {question_id} has no text in {printable(wanted)!r}, only in "
            f"{', '.join(map(printable, revision.texts))}: give it by --text, or to all by `trivox question set`."
        )
    text, tag = by_tag[wanted]
    return text, check_language(tag)


def _for_seller(said: Texts, database: Path, whose: Scope | None) -> dict[str, object]:
    """The seller's sentences, with the settings of the consoles that the card is for."""
    store: Store = open_store(database)
    try:
        whose = whose or Scope()
        if whose.site_id and whose.site_id not in site_ids(store):
            raise TrivoxError(f"There is no site {whose.site_id!r}: `trivox console list` shows all.")
        chosen = DEFAULTS | chosen_for(store, whose.site_id, whose.console_id)
    finally:
        store.close()
    return said.seller(Timings(chosen["survey_window_ms"], chosen["long_press_ms"], chosen["ask_every"]))


def _checked(text: str) -> str:
    """The text in one line; raises UsageError where it cannot stand on a card."""
    line = one_line(text)
    if not 0 < len(line) <= MAX_TEXT:
        raise UsageError(f"A text on a card has 1 to {MAX_TEXT} characters, not {len(line)}.")
    return line
