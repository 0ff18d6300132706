"""Store what was drawn for audits, and what experts found; read it back with the surveys as they are now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.audit import CandidateSurvey, SurveyName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bridge.model.audit import AuditDraw
    from bridge.store.connection import Row, Store

SurveyKey = tuple[int, int]
"""(epoch_key, survey)."""

_MOST_NAMED = 500  # ids in one query


class StoredDraw(NamedTuple):
    """A draw of the surveys of a local day at a site, or of those that a watch concerns."""

    site_id: str
    day: str
    watch: str
    seed: int
    population: int
    sample: int


class StoredAudit(NamedTuple):
    """An audit with its stratum, as they were drawn, and its two verdicts (None: not given)."""

    audit_id: int
    name: SurveyName
    day: str
    opened_at_ms: int
    outcome: str
    seller_id: str | None
    rule: str
    population: int
    sample: int
    is_twice: bool
    kept_as: str | None
    first: StoredVerdict | None
    second: StoredVerdict | None
    watch: str = ""

    @property
    def weight(self) -> float:
        """How many surveys it stands for."""
        return self.population / self.sample

    @property
    def verdicts(self) -> list[StoredVerdict]:
        """The verdicts that were given."""
        return [verdict for verdict in (self.first, self.second) if verdict is not None]


class StoredVerdict(NamedTuple):
    """What an expert found; `changes`: how often he changed it; `who`: the user of the operating system."""

    verdict: str
    expert: str
    comment: str | None
    judged_at_ms: int
    changes: int
    who: str


class AuditedSurvey(NamedTuple):
    """A survey of an audit as it is now, with what the expert may know of it beforehand."""

    checkout_point_id: str | None
    question_id: str
    opened_at_ms: int
    outcome: str
    response_ms: int | None
    dated_by: str | None


def candidates(
    store: Store, site_id: str, from_ms: int, to_ms: int, rules: Mapping[SurveyKey, str]
) -> list[CandidateSurvey]:
    """Return a site's closed surveys that were opened in a period, its end not included, with the rule of each."""
    rows = store.all(
        "SELECT epoch_key, console_id, epoch, survey, opened_at_ms, seller_id, outcome FROM console"
        " JOIN survey USING (console_key) JOIN epoch USING (epoch_key)"
        " WHERE site_id = ? AND opened_at_ms >= ? AND opened_at_ms < ? AND outcome <> 'open'",
        (site_id, from_ms, to_ms),
    )
    return [
        CandidateSurvey(
            *(SurveyName(site_id, console_id, epoch, survey), at_ms, seller_id, outcome),
            rule=rules.get((epoch_key, survey), ""),
        )
        for epoch_key, console_id, epoch, survey, at_ms, seller_id, outcome in rows
    ]


_KEYED = (
    "FROM json_each(?) AS key JOIN epoch ON epoch.epoch_key = json_extract(key.value, '$[0]')"
    " JOIN console ON console.console_key = epoch.console_key"
)


def undrawn(store: Store, keys: Sequence[SurveyKey]) -> list[CandidateSurvey]:
    """Return those of these surveys that are closed and were never drawn."""
    joined = "JOIN survey ON survey.epoch_key = epoch.epoch_key AND survey.survey = json_extract(key.value, '$[1]')"
    rows = store.all(
        "SELECT site_id, console_id, epoch, survey.survey, opened_at_ms, seller_id, outcome"  # noqa: S608 - no outside text
        f" {_KEYED} {joined} WHERE outcome <> 'open' AND NOT EXISTS (SELECT 1 FROM audit"
        " WHERE audit.site_id = console.site_id AND audit.console_id = console.console_id"
        " AND audit.epoch = epoch.epoch AND audit.survey = survey.survey)",
        (json.dumps(keys),),
    )
    return [CandidateSurvey(SurveyName(*row[:4]), *row[4:]) for row in rows]


def tally(store: Store, keys: Sequence[SurveyKey]) -> tuple[int, int]:
    """Return how many of these surveys were judged and had footage, and how many of them only with `confirmed`."""
    if store.one("SELECT 1 FROM audit_verdict LIMIT 1") is None:
        return 0, 0
    row = store.one(
        "SELECT coalesce(sum(judged), 0), coalesce(sum(judged AND is_confirmed), 0) FROM ("  # noqa: S608 - see above
        "SELECT max(verdict <> 'no_footage') AS judged, min(verdict IN ('confirmed', 'no_footage')) AS is_confirmed"
        f" {_KEYED} JOIN audit ON audit.site_id = console.site_id AND audit.console_id = console.console_id"
        " AND audit.epoch = epoch.epoch AND audit.survey = json_extract(key.value, '$[1]')"
        " JOIN audit_verdict USING (audit_id) GROUP BY audit_id)",
        (json.dumps(keys),),
    )
    return (int(row[0]), int(row[1])) if row else (0, 0)


def counts_of_rule(store: Store, rule: str, seller_id: str, month: str) -> tuple[int, int]:
    """Return how many surveys of a seller's month were drawn because of a rule, and how many had no footage."""
    row = store.one(
        "SELECT count(*), count(*) FILTER (WHERE verdict = 'no_footage') FROM audit"
        " JOIN audit_stratum USING (stratum_key)"
        " LEFT JOIN audit_verdict ON audit_verdict.audit_id = audit.audit_id AND judging = 1"
        " WHERE rule = ? AND seller_id = ? AND substr(day, 1, 7) = ?",
        (rule, seller_id, month),
    )
    return (int(row[0]), int(row[1])) if row else (0, 0)


def days_with_surveys(store: Store, site_id: str, from_day: str, to_day: str) -> list[str]:
    """Return the local days of a period, its end not included, on which a site has surveys."""
    rows = store.all(
        "SELECT DISTINCT day FROM rollup_site_day WHERE day >= ? AND day < ? AND site_id = ?"
        " AND yes + no + cant_say + silent + error > 0 ORDER BY day",
        (from_day, to_day, site_id),
    )
    return [str(row[0]) for row in rows]


def draws(store: Store, site_id: str, day: str | None = None) -> list[StoredDraw]:
    """Return the draws of a site, or of one of its days."""
    rows = store.all(
        "SELECT site_id, day, watch, seed, population,"
        " (SELECT coalesce(sum(sample), 0) FROM audit_stratum WHERE audit_stratum.draw_key = audit_draw.draw_key)"
        " FROM audit_draw WHERE site_id = ?1 AND (?2 IS NULL OR day = ?2) ORDER BY draw_key",
        (site_id, day),
    )
    return [StoredDraw(*row) for row in rows]


def drawn_names(store: Store, site_id: str, from_ms: int, to_ms: int) -> set[SurveyName]:
    """Return the surveys of a site, opened in a period, that were drawn before."""
    rows = store.all(
        "SELECT site_id, console_id, epoch, survey FROM audit WHERE site_id = ? AND opened_at_ms >= ?"
        " AND opened_at_ms < ?",
        (site_id, from_ms, to_ms),
    )
    return {SurveyName(*row) for row in rows}


def count_of_audits(store: Store) -> int:
    """Return how many audits there are."""
    row = store.one("SELECT count(*) FROM audit")
    return int(row[0]) if row else 0


def save_draw(store: Store, drawn: AuditDraw, draw: StoredDraw, day_of: dict[SurveyName, str]) -> None:
    """Store a draw: its audits are numbered in order of presentation; `day_of` gives the local day of each survey."""
    draw_key = _insert(
        store,
        "INSERT INTO audit_draw (site_id, day, watch, seed, population, drawn_at_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (draw.site_id, draw.day, draw.watch, draw.seed, draw.population, store.now_ms),
    )
    keys = {
        stratum.key: _insert(
            store,
            "INSERT INTO audit_stratum (draw_key, rule, seller_id, outcome, population, sample)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (draw_key, *stratum.key, stratum.population, stratum.sample),
        )
        for stratum in drawn.strata
    }
    rows = [
        (
            *(keys[survey.stratum], *survey.name, day_of[survey.name], survey.opened_at_ms, survey.outcome),
            *(int(is_twice), presentation),
        )
        for survey, presentation, is_twice in drawn.surveys
    ]
    store.run_many(
        "INSERT INTO audit (stratum_key, site_id, console_id, epoch, survey, day, opened_at_ms, outcome, twice,"
        " presentation) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


def _insert(store: Store, sql: str, row: Sequence[object]) -> int:
    store.run(sql, row)
    found = store.one("SELECT last_insert_rowid()")
    return int(found[0]) if found else 0


_AUDIT = (
    "SELECT audit.audit_id, audit.site_id, console_id, epoch, survey, audit.day, opened_at_ms, audit.outcome,"
    " seller_id, rule, audit_stratum.population, audit_stratum.sample, twice, kept_as, watch,"
    " one.verdict, one.expert, one.comment, one.judged_at_ms, one.changes, one.who,"
    " two.verdict, two.expert, two.comment, two.judged_at_ms, two.changes, two.who"
    " FROM audit JOIN audit_stratum USING (stratum_key) JOIN audit_draw USING (draw_key)"
    " LEFT JOIN audit_verdict AS one ON one.audit_id = audit.audit_id AND one.judging = 1"
    " LEFT JOIN audit_verdict AS two ON two.audit_id = audit.audit_id AND two.judging = 2"
)


def audit_of(store: Store, audit_id: int) -> StoredAudit | None:
    """Return an audit."""
    rows = _audits(store, "audit.audit_id = ?", (audit_id,))
    return rows[0] if rows else None


def audits_of(store: Store, site_id: str, from_day: str, to_day: str) -> list[StoredAudit]:
    """Return the audits of a site's surveys in a period of local days, its end not included, in random order."""
    return _audits(store, "audit.site_id = ? AND audit.day >= ? AND audit.day < ?", (site_id, from_day, to_day))


def unchecked(store: Store) -> list[StoredAudit]:
    """Return the audits without a verdict of which it was never found out whether there is footage."""
    return _audits(store, "one.verdict IS NULL AND footage_checked_at_ms IS NULL", ())


def note_checked(store: Store, audit_ids: Iterable[int]) -> None:
    """Note that these audits' archives were asked for their clips."""
    rows = [(store.now_ms, audit_id) for audit_id in audit_ids]
    store.run_many("UPDATE audit SET footage_checked_at_ms = ? WHERE audit_id = ?", rows)


def unfinished(store: Store) -> list[StoredAudit]:
    """Return the audits that lack a verdict, in random order."""
    return _audits(store, "one.verdict IS NULL OR (twice = 1 AND two.verdict IS NULL AND one.expert <> '-')", ())


def waiting_for_second(store: Store) -> set[int]:
    """Return the numbers of the audits that a second expert is to judge and has not judged yet."""
    rows = store.all(
        "SELECT audit_id FROM audit WHERE twice = 1"
        " AND NOT EXISTS (SELECT 1 FROM audit_verdict AS two WHERE two.audit_id = audit.audit_id AND judging = 2)"
    )
    return {int(row[0]) for row in rows}


def finished(store: Store) -> list[StoredAudit]:
    """Return the audits that have a verdict, the earliest surveys first."""
    found = _audits(store, "one.verdict IS NOT NULL", ())
    return sorted(found, key=lambda audit: (audit.opened_at_ms, audit.audit_id))


def _audits(store: Store, where: str, bindings: Sequence[object]) -> list[StoredAudit]:
    rows = store.all(f"{_AUDIT} WHERE {where} ORDER BY presentation, audit.audit_id", bindings)
    return [_read(row) for row in rows]


def _read(row: Row) -> StoredAudit:
    audit_id, site_id, console_id, epoch, survey, day, at_ms, outcome, seller_id, rule, population, sample = row[:12]
    twice, kept_as, watch, *verdicts = row[12:]
    return StoredAudit(
        audit_id,
        SurveyName(site_id, console_id, epoch, survey),
        *(day, at_ms, outcome, seller_id, rule, population, sample, bool(twice), kept_as),
        first=None if verdicts[0] is None else StoredVerdict(*verdicts[:6]),
        second=None if verdicts[6] is None else StoredVerdict(*verdicts[6:]),
        watch=watch,
    )


def survey_of(store: Store, name: SurveyName) -> AuditedSurvey | None:
    """Return a survey as it is now; None if it is no more."""
    row = store.one(
        "SELECT survey.checkout_point_id, survey.question_id, survey.opened_at_ms, survey.outcome, survey.response_ms,"
        " coalesce((SELECT dated_by FROM event WHERE event.epoch_key = survey.epoch_key AND seq = survey.survey),"
        " (SELECT dated_by FROM event WHERE event.epoch_key = survey.epoch_key AND event.survey = survey.survey))"
        " FROM console JOIN epoch USING (console_key) JOIN survey USING (epoch_key)"
        " WHERE site_id = ? AND console_id = ? AND epoch = ? AND survey.survey = ?",
        tuple(name),
    )
    return AuditedSurvey(*row) if row else None


def survey_window_ms(store: Store, name: SurveyName) -> int | None:
    """Return how long the window of a survey was, by the settings that its console used; None if that is not known."""
    row = store.one(
        "SELECT json_extract(payload, '$.survey_window_ms') FROM event JOIN epoch USING (epoch_key)"
        " JOIN console USING (console_key) JOIN settings_sent ON settings_sent.site_id = console.site_id"
        " AND settings_sent.console_id = console.console_id AND revision = json_extract(raw, '$.revision')"
        " WHERE console.site_id = ? AND console.console_id = ? AND epoch = ? AND seq < ?"
        " AND type = 'settings_applied' ORDER BY seq DESC LIMIT 1",
        tuple(name),
    )
    return int(row[0]) if row and row[0] is not None else None


def save_verdict(store: Store, audit_id: int, judging: int, verdict: StoredVerdict) -> None:
    """Store a verdict, in place of an earlier one."""
    store.run(
        "INSERT OR REPLACE INTO audit_verdict (audit_id, judging, verdict, expert, comment, judged_at_ms, changes, who)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (audit_id, judging, *verdict),
    )


def note_kept(store: Store, audit_id: int, kept_as: str) -> None:
    """Note under which name the archive keeps the clip."""
    store.run("UPDATE audit SET kept_as = ? WHERE audit_id = ?", (kept_as, audit_id))


def audits_by_id(store: Store, audit_ids: Iterable[int]) -> list[StoredAudit]:
    """Return these audits, as far as there are any."""
    ids = list(audit_ids)
    found: list[StoredAudit] = []
    for start in range(0, len(ids), _MOST_NAMED):
        some = ids[start : start + _MOST_NAMED]
        found += _audits(store, f"audit.audit_id IN ({', '.join('?' * len(some))})", some)
    return found


def seller_names(store: Store) -> dict[str, str]:
    """Return the names of all sellers that shifts have named, by their ids."""
    return {str(seller_id): str(name) for seller_id, name in store.all("SELECT seller_id, seller_name FROM seller")}


def surveys_of_days(store: Store, site_id: str, days: Iterable[str]) -> int:
    """Return how many closed surveys some local days of a site have now."""
    wanted, count = sorted(days), 0
    for start in range(0, len(wanted), _MOST_NAMED):
        some = wanted[start : start + _MOST_NAMED]
        marks = ", ".join("?" * len(some))
        row = store.one(
            f"SELECT coalesce(sum(yes + no + cant_say + silent + error), 0) FROM rollup_site_day WHERE day IN ({marks})"  # noqa: S608 - no outside text
            " AND site_id = ?",
            (*some, site_id),
        )
        count += int(row[0]) if row else 0
    return count
