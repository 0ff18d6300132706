"""What each console is told: defaults, then what was chosen for all, for its site and for itself.

A console is told something only where something was chosen for it, or its key question's text is not the first one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from bridge.errors import UsageError
from bridge.store import settings as table
from bridge.surveys.fold import refold_all
from bridge.wire.identifiers import check_id

if TYPE_CHECKING:
    from typing import Any

    from bridge.store import Store

DEFAULT_QUESTION = "staff"
DEFAULT_TAKEN_BACK = "default"
DEFAULT_FORCE_MAJEURE_SCOPE_S = 600
DEFAULT_FORCE_MAJEURE_LEVEL_MAX = 0.10


class Range(NamedTuple):
    """The lowest, highest and default value of a setting."""

    low: int
    high: int
    default: int


RANGES = {
    "survey_window_ms": Range(200, 600_000, 20_000),
    "long_press_ms": Range(200, 10_000, 1500),
    "reopen_guard_ms": Range(0, 60_000, 1000),
    "debounce_ms": Range(5, 200, 20),
    "stuck_ms": Range(1000, 600_000, 30_000),
    "heartbeat_ms": Range(1000, 3_600_000, 60_000),
    "ask_every": Range(1, 1000, 1),
    "force_majeure_scope_s": Range(0, 86_400, DEFAULT_FORCE_MAJEURE_SCOPE_S),
}
PROMPT = re.compile(r"none|tone|track:([1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])", re.ASCII)
OF_THE_BRIDGE = ("force_majeure_scope_s", "force_majeure_level_max")
DEFAULTS: dict[str, Any] = {
    **{name: given.default for name, given in RANGES.items() if name not in OF_THE_BRIDGE},
    "prompt": "tone",
    "question_id": DEFAULT_QUESTION,
}
NAMES = (*DEFAULTS, *OF_THE_BRIDGE)


def value_of(name: str, text: str) -> Any:
    """Read the value of a setting, `default` as None; raises UsageError."""
    if name not in NAMES:
        raise UsageError(f"There is no setting {name!r}: there are {', '.join(NAMES)}.")
    if text == DEFAULT_TAKEN_BACK:
        return None
    if name in RANGES:
        low, high, _ = RANGES[name]
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not low <= int(text) <= high:
            raise UsageError(f"{name} must be a whole number from {low} to {high}, not {text!r}.")
        return int(text)
    if name == "force_majeure_level_max":
        return _share(name, text)
    if name == "prompt" and not PROMPT.fullmatch(text):
        raise UsageError(f"prompt must be none, tone or track:1 to track:255, not {text!r}.")
    return text


def _share(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"{name} must be a number from 0 to 1, not {text!r}.")
    return value


def set_settings(store: Store, args: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """Choose settings, inside the transaction.

    Args `site_id` and `console_id` ('' and '': all; a site and '': the site's consoles) and `values` (name to text).
    """
    site_id, console_id = scope_of(args)
    values = {name: value_of(name, text) for name, text in args["values"].items()}
    known = table.questions(store)
    for name, value in values.items():
        if name in OF_THE_BRIDGE and site_id:
            raise UsageError(f"{name} is one for all: give --all instead of --site or --console.")
        if name == "question_id" and value is not None and value not in known:
            raise UsageError(f"There is no key question {value!r}: define it with `trivox question set`.")
        table.choose(store, site_id, console_id, name, value)
    _refuse_short_stuck(store)
    told = refresh_all(store, now_ms)
    if "force_majeure_scope_s" in values:
        store.forget()
        refold_all(store)
    return {"told": told}


def scope_of(args: dict[str, Any]) -> tuple[str, str]:
    """Whom a choice is for; raises UsageError when an id is none."""
    site_id, console_id = args["site_id"], args["console_id"]
    if site_id:
        check_id("site", site_id)
    if console_id:
        check_id("console", console_id)
    return site_id, console_id


def refresh_all(store: Store, now_ms: int) -> int:
    """Make settings for every console whose own have changed; how many there were."""
    return sum(refresh_console(store, *console, now_ms) for console in table.consoles_to_tell(store))


def refresh_console(store: Store, site_id: str, console_id: str, _now_ms: int) -> bool:
    """Make a console's settings, inside the transaction, if they are other than the last ones; whether that was so.

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
