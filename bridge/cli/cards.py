"""`trivox question card`: print a key question as a card for the customer or for the seller."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bridge import private_files
from bridge.admin.commands import ALL_CONSOLES, Scope
from bridge.admin.known_names import KnownNames
from bridge.admin.questions import MAX_TEXT
from bridge.cli.options import DATABASE, ConsoleOption, Database, Site, scope
from bridge.cli.output import print_line
from bridge.cli.shared_groups import join, question_app
from bridge.errors import TrivoxError, UsageError
from bridge.reports.cards.sheet import PAPERS_MM, Card, Format, render
from bridge.reports.cards.texts import Texts, Timings, check_language, one_line, read_texts
from bridge.store import Store, open_store
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
        str,
        typer.Option("--for", metavar="WHOM", help="customer (the question and the answers) or seller (how to ask)."),
    ] = "customer",
    language: Annotated[
        str | None,
        typer.Option(
            "--lang", metavar="TAG", help="The language, such as bg. [default: en, else the question's first]"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", readable=False, help="The file to write. [default: ID-WHOM-TAG.pdf or .svg]"),
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--format", help="pdf or svg. [default: the ending of FILE, else pdf]")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="A6, A5 or A4. [default: A6 for the customer, A5 for the seller]")
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="A text to print instead of the question's own; needs --lang.")
    ] = None,
    yes: Annotated[str | None, typer.Option(help="The word for Yes in this language.")] = None,
    no: Annotated[str | None, typer.Option(help="The word for No.")] = None,
    cant_say: Annotated[str | None, typer.Option(help="The word for Can't say.")] = None,
    texts: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", readable=False, help="Texts for more languages, or other texts.")
    ] = None,
    font: Annotated[str | None, typer.Option(metavar="FAMILY", help="A font installed on this machine.")] = None,
    site: Site = None,
    console: ConsoleOption = None,
    database: Database = DATABASE,
) -> None:
    """Make a card to print, for the customer or the seller. It shows how to answer, or how to ask."""
    check_id("question", question_id)
    if audience not in SIZES:
        raise UsageError(f"--for must be {' or '.join(SIZES)}, not {printable(audience)!r}.")
    form = _choose_format(kind, out)
    paper = (size or SIZES[audience]).upper()
    if paper not in PAPERS_MM:
        raise UsageError(f"--size must be one of {', '.join(PAPERS_MM)}, not {printable(paper)!r}.")
    if text is not None and not language:
        raise UsageError("--text needs a language: give --lang too.")
    custom = None if text is None or not language else (text, check_language(language))
    question, tag = custom or _question_text(database, question_id, language)
    words = read_texts(tag, texts)
    card = Card(tag, _checked(question), size=paper, font=font)
    if audience == "seller":
        _refuse_options(audience, {"--yes": yes, "--no": no, "--cant-say": cant_say})
        card = replace(card, seller=_seller_texts(words, database, scope(site, console, for_all=False)))
    else:
        _refuse_options(audience, {"--site": site, "--console": console})
        answers = words.answers({"yes": yes, "no": no, "cant_say": cant_say})
        card = replace(card, answers={key: _checked(word) for key, word in answers.items()}, notes=words.notes())
    file = out or Path(f"{question_id}-{audience}-{tag}.{form}")
    content = render(card, form)
    private_files.write(file, content)
    print_line(f"{file} is written: print it on {paper} at actual size.")


def _refuse_options(audience: str, options: dict[str, str | None]) -> None:
    given = [option for option, value in options.items() if value is not None]
    if given:
        raise UsageError(
            f"{' and '.join(given)} would change nothing on a card for the {audience}: leave out what has no effect."
        )


def _choose_format(kind: str | None, out: Path | None) -> Format:
    ending = out.suffix.removeprefix(".").lower() if out else ""
    if kind is None and ending and ending not in FORMATS:
        raise UsageError(
            f"A card's file must end in {' or '.join(FORMATS)}, not {printable(ending)!r}; or give --format."
        )
    if kind is not None and ending in FORMATS and kind.lower() in FORMATS and kind.lower() != ending:
        raise UsageError(f"--format {kind.lower()} contradicts the ending of {printable(str(out))}: leave one out.")
    wanted = (kind or "").lower() or (ending if ending in FORMATS else "pdf")
    for form in FORMATS:
        if wanted == form:
            return form
    raise UsageError(f"--format must be {' or '.join(FORMATS)}, not {printable(wanted)!r}.")


def _question_text(database: Path, question_id: str, language: str | None) -> tuple[str, str]:
    """Return the question's newest text and its language. Raises TrivoxError."""
    store = open_store(database)
    try:
        KnownNames(store).check_question(question_id)
        revision = newest_revision(store, question_id)
    finally:
        store.close()
    if revision is None:
        raise UsageError(f"Key question {question_id} has no text here: define it with `trivox question set`.")
    by_tag = {tag.lower(): (text, tag) for tag, text in revision.texts.items()}
    wanted = (language or (FIRST_LANGUAGE if FIRST_LANGUAGE in by_tag else next(iter(by_tag)))).lower()
    if wanted not in by_tag:
        raise TrivoxError(
            f"Key question {question_id} has no text in {printable(wanted)!r}, only in "
            f"{', '.join(map(printable, revision.texts))}: give one with --text, or add it with `trivox question set`."
        )
    text, tag = by_tag[wanted]
    return text, check_language(tag)


def _seller_texts(words: Texts, database: Path, selected: Scope | None) -> dict[str, object]:
    """Return the seller's texts, with the settings of the consoles that the card is for. Raises TrivoxError."""
    store: Store = open_store(database)
    try:
        consoles = selected or ALL_CONSOLES
        KnownNames(store).check_scope(consoles.site_id, consoles.console_id)
        settings = DEFAULTS | chosen_for(store, consoles.site_id, consoles.console_id)
    finally:
        store.close()
    return words.seller(Timings(settings["survey_window_ms"], settings["long_press_ms"], settings["ask_every"]))


def _checked(text: str) -> str:
    """Return the text on one line. Raises UsageError if it is empty or too long for a card."""
    line = one_line(text)
    if not 0 < len(line) <= MAX_TEXT:
        raise UsageError(f"A text on a card must have 1 to {MAX_TEXT} characters, not {len(line)}.")
    return line
