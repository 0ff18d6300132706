"""`trivox audit`: draw surveys, list and show them with the outcome hidden, judge them, and report what was found."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.admin.audits import ALREADY_DRAWN, is_due, known_audit, may_see
from bridge.admin.cameras.clips import Clips, NoClipError, clip_span
from bridge.admin.cameras.logins import ArchiveLogins
from bridge.admin.commands import DrawAudits, RecordVerdict
from bridge.cli.audit_clips import check_new_footage
from bridge.cli.audit_options import (
    AuditId,
    By,
    Format,
    OnlySite,
    RowFormat,
    audit_app,
    check_sites,
    figure_column,
    print_in,
    text_column,
    the_expert,
)
from bridge.cli.options import DATABASE, Database, day_of
from bridge.cli.output import print_line
from bridge.cli.report import Period
from bridge.cli.shared_groups import join
from bridge.errors import TrivoxError, UsageError
from bridge.model.audit import VERDICTS
from bridge.model.local_time import local
from bridge.reports.audits import GROUPS, AuditQuery, audit_rows
from bridge.reports.days import PERIODS, days_of_period, given_days
from bridge.reports.grid import Column
from bridge.reports.notation import decimal
from bridge.service.control import perform
from bridge.store import audits as table
from bridge.store import open_store, places
from bridge.text import plural, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.cli.audit_options import Rows
    from bridge.reports.days import Days
    from bridge.store import Store
    from bridge.store.audits import StoredAudit

FromDay = Annotated[str | None, typer.Option("--from", metavar="DATE", help="The first day, such as 2026-11-01.")]
ToDay = Annotated[str | None, typer.Option("--to", metavar="DATE", help="The day after the last one.")]
ByName = Annotated[Period | None, typer.Option(help="In place of --from and --to: each site's own days.")]
REASONS_SHOWN = 10


@audit_app.command("draw")
def audit_draw(
    site: OnlySite = None,
    from_day: FromDay = None,
    to_day: ToDay = None,
    period: ByName = None,
    sample: Annotated[
        int | None,
        typer.Option(
            help="How many surveys of a day at a site. At least 3 of each seller and outcome are drawn, in any case. "
            "[default: audit_sample of the settings, 30]"
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The seed of the draw, to draw the same again. [default: a random one]")
    ] = None,
    output: Format = RowFormat.table,
    database: Database = DATABASE,
) -> None:
    """Draw surveys of each day, by default of yesterday, for experts to check. A day is drawn once."""
    first, last = _given(from_day, to_day, period)
    command = DrawAudits(
        sites=site or [],
        period=None if first else (period or Period.yesterday).value,
        from_day=first,
        to_day=last,
        sample=sample,
        seed=seed,
    )
    draws = perform(database, command)["draws"]
    drawn = [draw for draw in draws if draw["why_not"] is None]
    if output is RowFormat.table:
        _print_draws(draws, drawn)
    else:
        print_in(output, draws, _draw_columns, _nothing_to_draw())
    check_new_footage(database)


def _print_draws(draws: Rows, drawn: Rows) -> None:
    if drawn:
        print_in(RowFormat.table, drawn, _draw_columns, "")
    reasons = [draw for draw in draws if draw["why_not"] is not None]
    for draw in reasons[:REASONS_SHOWN]:
        known = f": {draw['sample']} of {draw['population']} by seed {draw['seed']}" if draw["sample"] else ""
        print_line(f"{draw['site_id']}: {draw['day']} {draw['why_not']}{known}.")
    if len(reasons) > REASONS_SHOWN:
        print_line(f"{len(reasons) - REASONS_SHOWN} more days were not drawn.")
    if not draws:
        print_line(_nothing_to_draw())
    elif drawn:
        count = sum(draw["sample"] for draw in drawn)
        print_line(f"{plural(count, 'audit')} drawn: see `trivox audit list`.")
    elif all(draw["why_not"] == ALREADY_DRAWN for draw in draws):
        print_line("Nothing was added.")


def _nothing_to_draw() -> str:
    return "There are no surveys on these days."


def _draw_columns(rows: Rows) -> list[Column]:
    return [
        text_column("site", rows, "site_id"),
        text_column("day", rows, "day"),
        text_column("rule", rows, "rule", 3),
        text_column("seller", rows, "seller_id", 4),
        figure_column("surveys", rows, "population"),
        figure_column("drawn", rows, "sample"),
        figure_column("seed", rows, "seed", 2),
    ]


def _given(from_day: str | None, to_day: str | None, period: Period | None) -> tuple[Any, Any]:
    """Return the days that were given, or None for both. Raises UsageError."""
    first, last = day_of("--from", from_day), day_of("--to", to_day)
    if period is not None and (first or last):
        raise UsageError("Give --period, or --from and --to, not both.")
    if (first is None) != (last is None):
        raise UsageError("Give both --from DATE and --to DATE, the first day not counted.")
    if first is not None and last is not None and last <= first:
        raise UsageError(f"--to {to_day} is not after --from {from_day}: --to is the first day not counted.")
    return first, last


@audit_app.command("list")
def audit_list(
    site: OnlySite = None,
    by: By = None,
    judged: Annotated[bool, typer.Option("--judged", help="Those that were judged, with their outcomes.")] = False,  # noqa: FBT002 - an option of the command line
    output: Format = RowFormat.table,
    database: Database = DATABASE,
) -> None:
    """List the audits that wait for your verdict, in random order, with a link to the clip of each."""
    expert = the_expert(by)
    if not judged:
        check_new_footage(database)
    with closing(open_store(database)) as store:
        sites = check_sites(store, site)
        found = table.finished(store) if judged else table.unfinished(store)
        found = [audit for audit in found if not sites or audit.name.site_id in sites]
        if judged:
            rows = [_judged_row(store, audit) for audit in found if may_see(audit, expert)]
        else:
            clips = Clips(store, ArchiveLogins(database))
            rows = [_open_row(store, audit, clips) for audit in found if is_due(audit, expert)]
    columns = _judged_columns if judged else _open_columns
    empty = (
        "No audit was judged yet." if judged else "No audit waits for a verdict: draw some with `trivox audit draw`."
    )
    print_in(output, rows, columns, empty)


def _open_row(store: Store, audit: StoredAudit, clips: Clips) -> dict[str, Any]:
    """Return what an expert may know of an audit before his verdict: nothing of the outcome, nor of the seller."""
    survey = table.survey_of(store, audit.name)
    row: dict[str, Any] = {
        "audit_id": audit.audit_id,
        "site_id": audit.name.site_id,
        "checkout_point_id": survey.checkout_point_id if survey else None,
        "console_id": audit.name.console_id,
        "opened_at": _local_time(store, audit.name.site_id, survey.opened_at_ms if survey else audit.opened_at_ms),
        "question_id": survey.question_id if survey else None,
        "clip": None,
        "hls": None,
        "note": None,
    }
    try:
        links = clips.of(audit).links()
    except TrivoxError as error:
        return {**row, "note": str(error)}
    note = links.note if links.clip else "the link would hold a login: use `trivox audit clip`"
    return {**row, "clip": links.clip, "hls": links.hls, "note": note}


def _open_columns(rows: Rows) -> list[Column]:
    return [
        figure_column("audit", rows, "audit_id"),
        text_column("site", rows, "site_id", 3),
        text_column("checkout point", rows, "checkout_point_id", 2),
        Column("opened at", [row["opened_at"] for row in rows], figures=False, whole=True),
        Column("clip", [_clip_cell(row) for row in rows], 1, figures=False),
    ]


def _clip_cell(row: dict[str, Any]) -> str:
    note = f"({row['note']})" if row["note"] else ""
    return " ".join(part for part in (row["clip"], note) if part)


def _judged_row(store: Store, audit: StoredAudit) -> dict[str, Any]:
    first, second = audit.first, audit.second
    survey = table.survey_of(store, audit.name)
    return {
        "audit_id": audit.audit_id,
        "site_id": audit.name.site_id,
        "checkout_point_id": survey.checkout_point_id if survey else None,
        "console_id": audit.name.console_id,
        "epoch": audit.name.epoch,
        "survey": audit.name.survey,
        "seller_id": audit.seller_id,
        "rule": audit.rule or None,
        "opened_at": _local_time(store, audit.name.site_id, survey.opened_at_ms if survey else audit.opened_at_ms),
        "outcome": survey.outcome if survey else audit.outcome,
        "weight": audit.weight,
        "verdict": first.verdict if first else None,
        "expert": first.expert if first else None,
        "second_verdict": second.verdict if second else None,
        "second_expert": second.expert if second else None,
        "comment": "; ".join(verdict.comment for verdict in audit.verdicts if verdict.comment) or None,
    }


def _judged_columns(rows: Rows) -> list[Column]:
    return [
        figure_column("audit", rows, "audit_id"),
        text_column("site", rows, "site_id", 5),
        text_column("seller", rows, "seller_id", 4),
        Column("opened at", [row["opened_at"] for row in rows], 3, figures=False, whole=True),
        text_column("outcome", rows, "outcome"),
        text_column("verdict", rows, "verdict"),
        text_column("expert", rows, "expert", 6),
        text_column("second verdict", rows, "second_verdict", 7),
        text_column("second expert", rows, "second_expert", 8),
        Column("stands for", [f"{row['weight']:.4g}" for row in rows], 9),
        text_column("comment", rows, "comment", 10),
    ]


def _local_time(store: Store, site_id: str, at_ms: int) -> str:
    return local(at_ms, places.timezone(store, site_id) or "UTC").isoformat(timespec="seconds")


@audit_app.command("show")
def audit_show(audit_id: AuditId, by: By = None, database: Database = DATABASE) -> None:
    """Show an audit and the link to its clip; the outcome only after your verdict."""
    expert = the_expert(by)
    with closing(open_store(database)) as store:
        audit = known_audit(store, audit_id)
        lines = list(_described(store, audit, Clips(store, ArchiveLogins(database))))
        if may_see(audit, expert):
            lines += _outcome_lines(_judged_row(store, audit))
        else:
            lines.append(f"Judge it: trivox audit judge {audit_id} {'|'.join(VERDICTS)}")
    for line in lines:
        print_line(line)


def _described(store: Store, audit: StoredAudit, clips: Clips) -> list[str]:
    row = _open_row(store, audit, clips)
    place = row["checkout_point_id"] or row["console_id"]
    lines = [f"Audit {audit.audit_id}: {audit.name.site_id}, {printable(place)}, {row['opened_at']}"]
    survey = table.survey_of(store, audit.name)
    if survey is not None and survey.dated_by == "arrival":
        lines.append("The console did not know the time: the press may have come earlier than this.")
    try:
        clip = clips.of(audit)
    except NoClipError as error:
        return [*lines, f"No clip: {error}."]
    span = clip_span(store, audit, clip.survey)
    lines.append(f"Clip of {(span.to_ms - span.from_ms) / 1000:g} s; the seller's press is 10 s after its beginning.")
    if clip.clock is not None and clip.clock.offset_ms:
        way = "ahead" if clip.clock.offset_ms > 0 else "behind"
        when = "" if clip.clock.day == audit.day else f" (on {clip.clock.day})"
        lines.append(
            f"The camera's clock is {abs(clip.clock.offset_ms) / 1000:g} s {way}{when}: the clip is moved by that."
        )
    lines += [f"{name}: {link}" for name, link in (("Clip", row["clip"]), ("Stream", row["hls"])) if link]
    if row["note"]:
        lines.append(f"{'Note' if row['clip'] else 'No link'}: {row['note']}.")
    if audit.kept_as:
        lines.append(f"The archive keeps the clip as {audit.kept_as}.")
    return lines


def _outcome_lines(row: dict[str, Any]) -> list[str]:
    lines = [f"Outcome: {row['outcome']}; seller: {printable(row['seller_id'] or 'nobody on shift')}"]
    for verdict, expert in ((row["verdict"], row["expert"]), (row["second_verdict"], row["second_expert"])):
        if verdict:
            lines.append(f"Verdict: {verdict}, by {'the archive' if expert == '-' else printable(expert)}")
    if row["comment"]:
        lines.append(f"Comment: {printable(row['comment'], 2000)}")
    return lines


@audit_app.command("judge")
def audit_judge(
    audit_id: AuditId,
    verdict: Annotated[str, typer.Argument(metavar="VERDICT", help=f"What the clip shows: {', '.join(VERDICTS)}.")],
    by: By = None,
    comment: Annotated[str | None, typer.Option(help="What somebody should know of it.")] = None,
    database: Database = DATABASE,
) -> None:
    """Record what you have seen; it may be changed later, and the history keeps that. Then the outcome is shown."""
    result = perform(database, RecordVerdict(audit_id=audit_id, verdict=verdict, by=by, comment=comment))
    was = result["was"]
    changed = f" (it was {was})" if was not in {None, verdict} else ""
    print_line(f"Audit {audit_id}: {verdict}{changed}. The outcome is {result['outcome']}.")


@audit_app.command("report")
def audit_report(
    from_day: FromDay = None,
    to_day: ToDay = None,
    period: ByName = None,
    by: Annotated[
        str | None,
        typer.Option(help=f"What to group by: {', '.join(GROUPS)}; or several, comma-separated.", metavar="GROUPS"),
    ] = None,
    site: OnlySite = None,
    output: Format = RowFormat.table,
    database: Database = DATABASE,
) -> None:
    """Report which share of surveys is not genuine, with its interval, how far experts are, and how far they agree."""
    first, last = _given(from_day, to_day, period)
    if first is None and period is None:
        raise UsageError(f"Say which days: --from DATE and --to DATE, or --period {'|'.join(PERIODS)}.")
    query = AuditQuery(_days(first, last, period), _groups(by))
    with closing(open_store(database)) as store, store.snapshot():
        rows = audit_rows(store, query._replace(sites=check_sites(store, site)))
    notes = dict.fromkeys(note for row in rows for note in row["notes"])
    numbers = {note: number for number, note in enumerate(notes, 1)}
    lines = ["", *(f"({number}) {note}" for note, number in numbers.items())]
    print_in(output, rows, lambda found: _report_columns(found, query.groups, numbers), _no_audits(), lines)


def _days(first: Any, last: Any, period: Period | None) -> Callable[[str], Days]:
    if period is None:
        return given_days(first, last)
    return days_of_period(period.value, time.time_ns() // 1_000_000)


def _groups(by: str | None) -> tuple[str, ...]:
    groups = tuple(name.strip() for name in by.split(",")) if by else ()
    for name in groups:
        if name not in GROUPS:
            raise UsageError(f"--by {name!r} is not a group: give {', '.join(GROUPS)}, or several, comma-separated.")
    return tuple(dict.fromkeys(groups))


def _no_audits() -> str:
    return "No survey of these days was drawn: see `trivox audit draw`."


def _report_columns(rows: Rows, groups: tuple[str, ...], numbers: dict[str, int]) -> list[Column]:
    columns = [text_column(GROUPS[name][0].removesuffix("_id"), rows, GROUPS[name][0]) for name in groups]
    columns.append(Column("drawn as", [row["rule"] or "random sample" for row in rows], figures=False))
    columns += [
        figure_column("surveys", rows, "surveys", 4),
        figure_column("audits", rows, "audits", 3),
        figure_column("judged", rows, "judged", 1),
        figure_column("no\nfootage", rows, "no_footage", 6),
        figure_column("bad", rows, "bad", 2),
        Column("not genuine,\n95 % interval", [_rate(row["error_rate"]) for row in rows]),
        Column("at\nmost", [_bound(row["error_rate"]) for row in rows], 5),
        Column("experts\nagree", [_share(row["agreement"]) for row in rows], 7),
        Column("notes", [" ".join(str(numbers[note]) for note in row["notes"]) for row in rows], figures=False),
    ]
    return columns


def _rate(rate: dict[str, float] | None) -> str:
    return "-" if rate is None else f"{decimal(rate['value'])} ({decimal(rate['low'])} to {decimal(rate['high'])})"


def _bound(rate: dict[str, float] | None) -> str:
    return "-" if rate is None else decimal(rate["at_most"])


def _share(agreed: dict[str, Any] | None) -> str:
    return "-" if agreed is None else f"{decimal(agreed['value'])} of {agreed['pairs']}"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    join(app, "audit", audit_app)
