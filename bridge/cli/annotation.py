"""`trivox annotation`: say for charts what happened on a day, list what was said, and take it back."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from bridge.admin.commands import RemoveAnnotations, SetAnnotation
from bridge.admin.known_names import KnownNames
from bridge.cli.options import DATABASE, Database, day_of, scope
from bridge.cli.output import print_line, print_rows
from bridge.errors import UsageError
from bridge.service.control import perform
from bridge.store import annotations as table
from bridge.store import open_store
from bridge.text import utc

annotation_app = typer.Typer(
    help="Say for charts what happened on a day, list what was said, and take it back.", no_args_is_help=True
)


@annotation_app.command("set")
def annotation_set(
    text: Annotated[str, typer.Argument(metavar="TEXT", help='What happened, such as "new shift plan from W38".')],
    on: Annotated[str, typer.Option("--on", metavar="DATE", help="The local day, such as 2026-09-14.")],
    new_range: Annotated[  # noqa: FBT002 - an option of the command line
        bool,
        typer.Option(
            "--new-range", help="Begin a new centre and new limits with the day, week or month that holds it."
        ),
    ] = False,
    site: Annotated[str | None, typer.Option("--site", help="Of this site. [default: of all]")] = None,
    console: Annotated[
        str | None, typer.Option("--console", help="Of this console: SITE/CONSOLE, or CONSOLE together with --site.")
    ] = None,
    checkout_point: Annotated[
        str | None, typer.Option("--checkout-point", help="Of this checkout point: SITE/POINT, or POINT with --site.")
    ] = None,
    seller: Annotated[str | None, typer.Option("--seller", help="Of this seller.")] = None,
    question: Annotated[str | None, typer.Option("--question", help="Of this key question.")] = None,
    database: Database = DATABASE,
) -> None:
    """Annotate a day. An annotation of a console, checkout point or seller is shown on the charts of that one alone."""
    day = day_of("--on", on)
    if day is None:
        raise UsageError("Say on which day: --on DATE.")
    placed = scope(site, console, for_all=False)
    site_id, console_id = (placed.site_id, placed.console_id) if placed else ("", "")
    site_id, point_id = _at_point(site_id, checkout_point)
    command = SetAnnotation(
        on_day=day,
        text=text,
        new_range=new_range,
        site_id=site_id,
        console_id=console_id,
        checkout_point_id=point_id,
        seller_id=seller or "",
        question_id=question or "",
    )
    result = perform(database, command)
    begins = "; limits begin anew there" if new_range else ""
    state = "is set" if result["new"] else "is changed" if result["changed"] else "was set before"
    print_line(f"Annotation {result['annotation_id']} {state} on {day.isoformat()}{begins}.")


def _at_point(site_id: str, checkout_point: str | None) -> tuple[str, str]:
    """Return the site and the checkout point that an option names. Raises UsageError."""
    before, slash, point_id = (checkout_point or "").rpartition("/")
    if not checkout_point:
        return site_id, ""
    if slash and site_id and before != site_id:
        raise UsageError(f"--checkout-point names site {before!r}, but the annotation is of site {site_id!r}.")
    if not (before or site_id):
        raise UsageError("--checkout-point needs its site: give SITE/POINT, or --site too.")
    return before or site_id, point_id


@annotation_app.command("list")
def annotation_list(
    site: Annotated[str | None, typer.Option("--site", help="Only of this site, and of all sites.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list of objects, for programs.")] = False,  # noqa: FBT002
    database: Database = DATABASE,
) -> None:
    """List annotations, by day. Those that were removed are in `trivox history --kind annotation`."""
    with closing(open_store(database)) as store:
        if site is not None:
            KnownNames(store).check_site(site)
        rows = [
            {
                "annotation_id": note.annotation_id,
                "on": note.on_day,
                "text": note.text,
                "new_range": note.new_range,
                **{name: value or None for name, value in note.scope._asdict().items()},
                "set_at": utc(note.set_at_ms),
                "set_by": note.set_by,
            }
            for note in table.every_annotation(store)
            if site is None or note.scope.site_id in {"", site}
        ]
    print_rows(rows, "No annotation is known: make one with `trivox annotation set`.", as_json=as_json)


@annotation_app.command("remove")
def annotation_remove(
    annotations: Annotated[list[int], typer.Argument(metavar="NUMBER…", help="As in `annotation list`.")],
    database: Database = DATABASE,
) -> None:
    """Remove annotations; charts then are as they were without them. The history keeps them."""
    perform(database, RemoveAnnotations(annotation_ids=annotations))
    for annotation_id in dict.fromkeys(annotations):
        print_line(f"Annotation {annotation_id} is removed.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(annotation_app, name="annotation")
