"""`expect`: what a script says must have come of what it did."""

import json
from collections.abc import Callable
from typing import Any

from simulator.bench.journal import Entry
from simulator.bench.session import Session
from simulator.bench.words import CommandError, UsageError, button_of, duration, on_off, one, whole

WITHIN_MS = 5000
PASSED_OVER = ("booted", "clock_set", "settings_applied")  # events that come when they come
TYPES = (
    *PASSED_OVER,
    *("survey_opened", "survey_closed", "force_majeure_declared", "stray_pressed", "button_stuck", "button_freed"),
    "self_tested",
)
OUTCOMES = ("yes", "no", "cant_say", "silent", "error")
FORMS = [
    ("  lamp BUTTON on|off", "it is so, or was at some time since the last deed"),
    ("  event TYPE [NAME=VALUE ...]", "the next event at the broker (booted, clock_set, settings_applied: if named)"),
    ("  no event", "none of the others comes in that time"),
    ("  row OUTCOME", "so the next survey stands in the database once it is closed"),
    ("  outbox COUNT", "so many events wait in its flash to be acknowledged"),
    ("  tone HERTZ", "it sounds, or did since the last deed"),
    ("  power on|off", "the console has power, or none"),
    ("  online, offline", "what its status at the broker says"),
    ("  serial TEXT", "it is written to the serial line, or was since the last deed"),
]


class Expectations:
    """Reads the journal forward: each event and row is expected once, in order; if `afresh`, from the last deed on."""

    def __init__(self, session: Session, *, afresh: bool = False) -> None:
        self._afresh = afresh
        self._session = session
        self._journal = session.journal
        self._deed = 0
        self._event = self._row = 0

    def begin_deed(self) -> None:
        """Something is about to be done."""
        self._deed = self._journal.last
        if self._afresh:
            self._event = self._row = self._deed

    def check(self, words: list[str]) -> None:
        """Hold what `words` say against what came, or comes; CommandError if it does not hold."""
        limit_ms = WITHIN_MS
        if "within" in words:
            place = words.index("within")
            limit_ms = duration(one(words[place + 1 :]))
            words = words[:place]
        match words:
            case ["lamp", button, state]:
                self._lamp(button_of(button), limit_ms, on=on_off(state))
            case ["no", "event"]:
                self._no_event(limit_ms)
            case ["event", kind, *facts] if kind in TYPES:
                self._next_event(kind, facts, limit_ms)
            case ["row", outcome] if outcome in OUTCOMES:
                self._next_row(outcome, limit_ms)
            case ["tone", hertz]:
                wanted = whole(hertz, 1)
                self._since_deed(
                    lambda entry: entry.kind == "sound" and entry.facts["hertz"] == wanted, words, limit_ms
                )
            case ["power", _] | ["outbox", _] | ["online" | "offline"]:
                self._holds(self._condition(words), " ".join(words), limit_ms)
            case ["serial", text]:
                self._since_deed(lambda entry: entry.kind == "serial" and text in entry.facts["text"], words, limit_ms)
            case _:
                raise _misspelt(words)

    def seen(self) -> dict[str, str]:
        """What is known of the console at the broker, and of its outbox in flash."""
        known = {"status": self._status() or "unknown"}
        if outbox := self._session.kept.range:
            first, following = outbox["first"], outbox["next"]
            waits = f"{first} to {following - 1} wait" if first < following else "empty"
            known["outbox"] = f"{waits}, next {following}, epoch {outbox['epoch']}"
        if health := self._payload("health"):
            known["faults"] = " ".join(health.get("faults", [])) or "none"
        return known

    def _payload(self, leaf: str) -> dict[str, Any]:
        """What the newest message of that leaf says."""
        entry = self._journal.newest("wire", leaf)
        payload = entry.facts["payload"] if entry else None
        return payload if isinstance(payload, dict) else {}

    def _condition(self, words: list[str]) -> Callable[[], bool]:
        match words:
            case ["power", state]:
                on = on_off(state)
                return lambda: self._session.console.powered == on
            case ["outbox", count]:
                wanted = whole(count, 0)
                return lambda: self._waiting() == wanted
        return lambda: self._status() == words[0]

    def _waiting(self) -> int | None:
        outbox = self._session.kept.range
        return outbox["next"] - outbox["first"] if outbox else None

    def _status(self) -> str | None:
        return self._payload("status").get("state")

    def _holds(self, condition: Callable[[], bool], what: str, limit_ms: int) -> None:
        if not self._session.wait(condition, limit_ms / 1000):
            raise CommandError(f"Not so within {limit_ms} ms: {what}.")

    def _since_deed(self, fits: Callable[[Entry], bool], words: list[str], limit_ms: int) -> None:
        self._holds(lambda: any(map(fits, self._journal.since(self._deed))), " ".join(words), limit_ms)

    def _lamp(self, button: str, limit_ms: int, *, on: bool) -> None:
        def was_so() -> bool:
            lamps = [entry.facts for entry in self._journal.since(self._deed) if entry.kind == "lamp"]
            changed = any(lamp["name"] == button and lamp["on"] == on for lamp in lamps)
            return changed or self._session.console.lamps()[button] == on

        self._holds(was_so, f"lamp {button} {'on' if on else 'off'}", limit_ms)

    def _new(self, kind: str, after: int, fits: Callable[[dict[str, Any]], bool], limit_ms: int) -> Entry | None:
        found: list[Entry] = []

        def is_there() -> bool:
            entries = self._journal.since(after)
            found[:] = [entry for entry in entries if entry.kind == kind and fits(entry.facts)][:1]
            return bool(found)

        return found[0] if self._session.wait(is_there, limit_ms / 1000) else None

    def _next_event(self, kind: str, pairs: list[str], limit_ms: int) -> None:
        wanted = dict(pair.split("=", 1) if "=" in pair else _refuse(pair) for pair in pairs)

        def counts(facts: dict[str, Any]) -> bool:
            came = facts["event"].get("type")
            return came not in PASSED_OVER or came == kind

        entry = self._new("event", self._event, counts, limit_ms)
        named = " ".join([kind, *pairs])
        if entry is None:
            raise CommandError(f"No event came within {limit_ms} ms; expected was {named}.")
        event = entry.facts["event"]
        said = {name: json.dumps(event[name]).strip('"') if name in event else None for name in wanted}
        if event.get("type") != kind or said != wanted:
            came = " ".join([str(event.get("type")), *(f"{name}={value}" for name, value in said.items())])
            raise CommandError(f"The next event is {came} (number {entry.facts['seq']}); expected was {named}.")
        self._event = entry.number

    def _no_event(self, limit_ms: int) -> None:
        entry = self._new("event", self._event, lambda facts: facts["event"].get("type") not in PASSED_OVER, limit_ms)
        if entry is not None:
            raise CommandError(f"An event came that was not expected: {json.dumps(entry.facts['event'])}.")

    def _next_row(self, outcome: str, limit_ms: int) -> None:
        entry = self._new("row", self._row, lambda facts: facts["outcome"] != "open", limit_ms)
        if entry is None:
            raise CommandError(f"No survey was closed in the database within {limit_ms} ms; expected was {outcome}.")
        if entry.facts["outcome"] != outcome:
            survey, came = entry.facts["survey"], entry.facts["outcome"]
            raise CommandError(f"The next survey in the database ({survey}) is {came}; expected was {outcome}.")
        self._row = entry.number


def _refuse(pair: str) -> list[str]:
    raise CommandError(f"{pair} is not written NAME=VALUE.")


def _misspelt(words: list[str]) -> CommandError:
    """How what begins like that is written; UsageError if nothing does."""
    forms = [form.strip() for form, _ in FORMS if words[:1] == form.split()[:1]]
    if not forms:
        return UsageError()
    known = {"row": f"; OUTCOME: {', '.join(OUTCOMES)}", "event": f"; TYPE: {', '.join(TYPES)}"}
    return CommandError(f"That is written: expect {forms[0]}{known.get(words[0], '')}")
