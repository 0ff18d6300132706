"""What each console is told: defaults, then what was chosen for all, for its site and for itself.

A console is told something only where something was chosen for it, or its key question's text is not the first one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import UsageError
from bridge.store import settings as table
from bridge.surveys.refold import refold_all
from bridge.wire.identifiers import check_id
from bridge.wire.settings import DEFAULTS, OF_THE_BRIDGE, value_of

if TYPE_CHECKING:
    from typing import Any

    from bridge.admin.commands import Scope, SetSettings
    from bridge.store import Store


def set_settings(store: Store, command: SetSettings) -> dict[str, Any]:
    """Choose settings, inside the transaction; return as `told` how many consoles get new ones. Raises UsageError."""
    site_id, console_id = scope_of(command.scope)
    values = {name: value_of(name, text) for name, text in command.values.items()}
    known = table.questions(store)
    for name, value in values.items():
        if name in OF_THE_BRIDGE and site_id:
            raise UsageError(f"{name} is one for all: give --all instead of --site or --console.")
        if name == "question_id" and value is not None and value not in known:
            raise UsageError(f"There is no key question {value!r}: define it with `trivox question set`.")
        table.choose(store, site_id, console_id, name, value)
    _refuse_short_stuck(store)
    told = refresh_all(store)
    if "force_majeure_scope_s" in values:
        store.forget()
        refold_all(store)
    return {"told": told}


def scope_of(scope: Scope) -> tuple[str, str]:
    """Check whom a choice is for; return (site_id, console_id). Raises UsageError."""
    if scope.site_id:
        check_id("site", scope.site_id)
    if scope.console_id:
        check_id("console", scope.console_id)
    return scope.site_id, scope.console_id


def refresh_all(store: Store) -> int:
    """Make settings for every console whose own have changed; return how many there were."""
    return sum(refresh_console(store, *console) for console in table.consoles_to_tell(store))


def refresh_console(store: Store, site_id: str, console_id: str) -> bool:
    """Make a console's settings, inside the transaction, if they differ from the last ones; return whether they did.

    To be called when a console is first heard of, and when its health tells of a revision above the last one made
    (then it uses settings that this database does not know, and gets its own again under a higher number).
    """
    wanted = effective(store, site_id, console_id)
    last = table.last_sent(store, site_id, console_id)
    if wanted is None and last is None:
        return False
    reported = table.highest_reported(store, site_id, console_id)
    payload = wanted or _payload(store, {})
    if last is not None and last.revision >= reported and last.payload == {**payload, "revision": last.revision}:
        return False
    revision = max(last.revision if last else 0, reported) + 1
    table.send(store, site_id, console_id, {"revision": revision, **payload})
    return True


def effective(store: Store, site_id: str, console_id: str) -> dict[str, Any] | None:
    """A console's settings without their revision; None where nothing but the defaults is wanted."""
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
        raise KeyError(question_id)  # it was checked when it was chosen, and questions are never deleted
    number, kind, texts = revision
    return {"question": {"id": question_id, "revision": number, "kind": kind, "text": texts}, **settings}


def _refuse_short_stuck(store: Store) -> None:
    """Look at every scope that something was chosen for, so that no console yet to come gets what it must refuse."""
    for site_id, console_id in sorted({(site_id, console_id) for site_id, console_id, *_ in table.chosen(store)}):
        settings = {**DEFAULTS, **table.chosen_for(store, site_id, console_id)}
        if settings["stuck_ms"] <= settings["long_press_ms"]:
            raise UsageError(
                f"stuck_ms ({settings['stuck_ms']}) must be longer than long_press_ms ({settings['long_press_ms']})"
                f"{f' for {site_id}' if site_id else ''}{f'/{console_id}' if console_id else ''}: choose both together."
            )
