"""Make each console's settings: defaults, then what was chosen for all, for its site and for the console.

A console gets settings only if something was chosen for it, or if its key question has more than one revision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.admin.known_names import KnownNames
from bridge.errors import UsageError
from bridge.model.history import HistoryChange
from bridge.model.periods import EVER
from bridge.store import settings as table
from bridge.store import surveys
from bridge.store.history import record_change
from bridge.surveys.refold import stage_refold_of_all
from bridge.wire.contract import REVISION_MAX
from bridge.wire.identifiers import check_id
from bridge.wire.settings import DEFAULTS, REPORT_SETTINGS, SITE_SETTINGS, parse_value

if TYPE_CHECKING:
    from typing import Any

    from bridge.admin.commands import Scope, SetSettings
    from bridge.store import Store


def set_settings(store: Store, command: SetSettings) -> dict[str, Any]:
    """Choose settings, inside the transaction; return as `renewed` how many consoles get some, and what was `made`.

    Returns also whether it `corrects` past reports. Raises UsageError.
    """
    names = KnownNames(store, new=command.new)
    site_id, console_id = scope_of(command.scope, names)
    made = names.make_new()
    values = {name: parse_value(name, text) for name, text in command.values.items()}
    corrects = False
    for name, value in values.items():
        if name in REPORT_SETTINGS and site_id:
            raise UsageError(f"{name} applies to all consoles: give --all instead of --site or --console.")
        if name in SITE_SETTINGS and console_id:
            raise UsageError(f"{name} applies to sites: give --site SITE, or --all, without --console.")
        if name == "question_id" and value is not None:
            names.check_defined_question(value)
        corrects |= choose(store, site_id, console_id, name, value)
    _refuse_short_stuck(store)
    renewed = refresh_all(store)
    if "force_majeure_scope_s" in values:
        stage_refold_of_all(store)
    return {"renewed": renewed, "made": made, "corrects": corrects}


def choose(store: Store, site_id: str, console_id: str, name: str, value: Any) -> bool:
    """Choose a setting for a scope, and record what was chosen before; None takes the choice back.

    Return whether that corrects past reports.
    """
    before = table.choice(store, site_id, console_id, name)
    corrects = name in REPORT_SETTINGS and surveys.has_any(store)  # reports of all time use them
    from_ms = -EVER if corrects else None
    table.choose(store, site_id, console_id, name, value)
    change = HistoryChange("setting", site_id, console_id, {name: before}, {name: value}, from_ms, corrects=corrects)
    return record_change(store, change) and corrects


def scope_of(scope: Scope, names: KnownNames) -> tuple[str, str]:
    """Check that a scope's ids are valid and known; return (site_id, console_id). Raises UsageError."""
    if scope.site_id:
        check_id("site", scope.site_id)
    if scope.console_id:
        check_id("console", scope.console_id)
    names.check_scope(scope.site_id, scope.console_id)
    return scope.site_id, scope.console_id


def refresh_all(store: Store) -> int:
    """Make new settings for every console whose settings have changed; return how many."""
    return sum(refresh_console(store, *console) for console in table.consoles_with_settings(store))


def refresh_console(store: Store, site_id: str, console_id: str) -> bool:
    """Make a console's settings, inside the transaction, if they differ from the last ones; return whether they did.

    Call this when a console is first named or heard, and when it reports a revision above the last one made: then it
    uses settings that this database does not know, and gets its own again under a higher revision.
    """
    wanted = effective(store, site_id, console_id)
    last = table.last_sent(store, site_id, console_id)
    if wanted is None and last is None:
        return False
    reported = table.highest_reported(store, site_id, console_id)
    payload = wanted or _payload(store, {})
    if last is not None and last.revision >= reported and last.payload == {**payload, "revision": last.revision}:
        return False
    highest = max(last.revision if last else 0, reported)
    revision = min(highest + 1, REVISION_MAX)  # where there is none above, consoles take other content under the same
    table.send(store, site_id, console_id, {"revision": revision, **payload})
    return True


def effective(store: Store, site_id: str, console_id: str) -> dict[str, Any] | None:
    """Return a console's settings without their revision; None if the defaults are all it needs."""
    chosen = table.chosen_for(store, site_id, console_id)
    payload = _payload(store, chosen)
    if not any(name in DEFAULTS for name in chosen) and payload["question"]["revision"] == 1:
        return None
    return payload


def _payload(store: Store, chosen: dict[str, Any]) -> dict[str, Any]:
    settings = {**DEFAULTS, **{name: value for name, value in chosen.items() if name in DEFAULTS}}
    question_id = settings.pop("question_id")
    revision = table.newest_revision(store, question_id)
    if revision is None:
        raise KeyError(question_id)  # cannot happen: it was checked when it was chosen, and questions are never deleted
    number, kind, texts = revision
    return {"question": {"id": question_id, "revision": number, "kind": kind, "text": texts}, **settings}


def _refuse_short_stuck(store: Store) -> None:
    """Check every scope that has choices, so that no future console gets settings that it must refuse."""
    for site_id, console_id in sorted({(site_id, console_id) for site_id, console_id, *_ in table.chosen(store)}):
        settings = {**DEFAULTS, **table.chosen_for(store, site_id, console_id)}
        if settings["stuck_ms"] <= settings["long_press_ms"]:
            raise UsageError(
                f"stuck_ms ({settings['stuck_ms']}) must be longer than long_press_ms ({settings['long_press_ms']})"
                f"{f' for {site_id}' if site_id else ''}{f'/{console_id}' if console_id else ''}: choose both together."
            )
