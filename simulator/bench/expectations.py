"""The `expect` command: check that what a script did had the effects it names."""

import json
from collections.abc import Callable
from typing import Any

from simulator.bench.journal import JournalEntry
from simulator.bench.session import BenchSession
from simulator.bench.words import (
    CommandError,
    CommandSyntaxError,
    button_of,
    duration,
    on_off,
    only_word,
    whole_number,
)

WITHIN_MS = 5000
UNORDERED_TYPES = ("booted", "clock_set", "settings_applied")  # their order depends on chance
TYPES = (
    *UNORDERED_TYPES,
    *("survey_opened", "survey_closed", "force_majeure_declared", "stray_pressed", "button_stuck", "button_freed"),
    "self_tested",
)
OUTCOMES = ("yes", "no", "cant_say", "silent", "error")
FORMS = [
    ("  lamp BUTTON on|off", "the lamp is so, or was at some time since the last action"),
    ("  event TYPE [NAME=VALUE ...]", "the next event at the broker (booted, clock_set, settings_applied: if named)"),
    ("  no event", "no event comes in that time (those three do not count)"),
    ("  row OUTCOME", "the next closed survey in the database has this outcome"),
    ("  outbox COUNT", "COUNT events in flash wait to be acknowledged"),
    ("  tone HERTZ", "the tone sounds, or has sounded since the last action"),
    ("  power on|off", "the console has power, or has none"),
    ("  online, offline", "the console's status at the broker"),
    ("  serial TEXT", "the serial output since the last action contains TEXT"),
]


class Expectations:
    """Checks expectations against the journal, reading forward: each event and row is expected once, in order.

    With `by_hand` only what came since the last action counts.
    """

    def __init__(self, session: BenchSession, *, by_hand: bool = False) -> None:
        self._by_hand = by_hand
        self._session = session
        self._journal = session.journal
        self._last_action = 0  # numbers of journal entries
        self._last_event = self._last_row = 0

    def begin_action(self) -> None:
        """Note that an action is about to begin."""
        self._last_action = self._journal.last
        if self._by_hand:
            self._last_event = self._last_row = self._last_action

    def check(self, words: list[str]) -> None:
        """Wait for what `words` expect; raises CommandError if it does not come in time."""
        limit_ms = WITHIN_MS
        if "within" in words:
            place = words.index("within")
            limit_ms = duration(only_word(words[place + 1 :]))
            words = words[:place]
        match words:
            case ["lamp", button, state]:
                self._check_lamp(button_of(button), limit_ms, on=on_off(state))
            case ["no", "event"]:
                self._check_no_event(limit_ms)
            case ["event", kind, *pairs] if kind in TYPES:
                self._check_next_event(kind, pairs, limit_ms)
            case ["row", outcome] if outcome in OUTCOMES:
                self._check_next_row(outcome, limit_ms)
            case ["tone", hertz]:
                wanted = whole_number(hertz, 1)
                self._check_since_action(
                    lambda entry: entry.kind == "sound" and entry.facts["hertz"] == wanted, words, limit_ms
                )
            case ["power", _] | ["outbox", _] | ["online" | "offline"]:
                self._check_condition(self._condition(words), " ".join(words), limit_ms)
            case ["serial", text]:
                self._check_since_action(
                    lambda entry: entry.kind == "serial" and text in entry.facts["text"], words, limit_ms
                )
            case _:
                raise _usage_error(words)

    def state(self) -> dict[str, str]:
        """Return what is known of the console at the broker and of its outbox in flash."""
        is_heard = self._is_broker_heard()
        known = {"status": (self._status() or "unknown") if is_heard else "unknown, the broker can't be heard"}
        if outbox := self._session.flash_contents.range:
            first, following = outbox["first"], outbox["next"]
            waiting = f"{first} to {following - 1} wait" if first < following else "empty"
            known["outbox"] = f"{waiting}, next {following}, epoch {outbox['epoch']}"
        if is_heard and self._status() == "online" and (health := self._payload("health")):
            known["faults"] = " ".join(health.get("faults", [])) or "none"
        return known

    def _is_broker_heard(self) -> bool:
        entry = self._journal.newest("broker")
        return entry is not None and entry.facts["connected"]

    def _payload(self, leaf: str) -> dict[str, Any]:
        """Return the payload of the newest message on that leaf of the topic; empty if there is none."""
        entry = self._journal.newest("wire", leaf)
        payload = entry.facts["payload"] if entry else None
        return payload if isinstance(payload, dict) else {}

    def _condition(self, words: list[str]) -> Callable[[], bool]:
        match words:
            case ["power", state]:
                on = on_off(state)
                return lambda: self._session.console.powered == on
            case ["outbox", count]:
                wanted = whole_number(count, 0)
                return lambda: self._waiting_count() == wanted
        return lambda: self._status() == words[0]

    def _waiting_count(self) -> int | None:
        outbox = self._session.flash_contents.range
        return outbox["next"] - outbox["first"] if outbox else None

    def _status(self) -> str | None:
        return self._payload("status").get("state")

    def _check_condition(self, condition: Callable[[], bool], text: str, limit_ms: int) -> None:
        if not self._session.wait(condition, limit_ms / 1000):
            raise CommandError(f"This did not hold within {limit_ms} ms: {text}.")

    def _check_since_action(self, matches: Callable[[JournalEntry], bool], words: list[str], limit_ms: int) -> None:
        self._check_condition(
            lambda: any(map(matches, self._journal.since(self._last_action))), " ".join(words), limit_ms
        )

    def _check_lamp(self, button: str, limit_ms: int, *, on: bool) -> None:
        def was_so() -> bool:
            lamps = [entry.facts for entry in self._journal.since(self._last_action) if entry.kind == "lamp"]
            changed = any(lamp["name"] == button and lamp["on"] == on for lamp in lamps)
            return changed or self._session.console.lamps()[button] == on

        self._check_condition(was_so, f"lamp {button} {'on' if on else 'off'}", limit_ms)

    def _wait_for_entry(
        self, kind: str, after: int, matches: Callable[[dict[str, Any]], bool], limit_ms: int
    ) -> JournalEntry | None:
        """Wait for the first matching entry after that number; None if none comes in time."""
        matching: list[JournalEntry] = []

        def is_there() -> bool:
            entries = self._journal.since(after)
            matching[:] = [entry for entry in entries if entry.kind == kind and matches(entry.facts)][:1]
            return bool(matching)

        return matching[0] if self._session.wait(is_there, limit_ms / 1000) else None

    def _check_next_event(self, kind: str, pairs: list[str], limit_ms: int) -> None:
        wanted = dict(pair.split("=", 1) if "=" in pair else _refuse(pair) for pair in pairs)

        def counts(facts: dict[str, Any]) -> bool:
            actual_type = facts["event"].get("type")
            return actual_type not in UNORDERED_TYPES or actual_type == kind

        entry = self._wait_for_entry("event", self._last_event, counts, limit_ms)
        expected = " ".join([kind, *pairs])
        if entry is None:
            raise CommandError(f"No event came within {limit_ms} ms; expected {expected}.")
        event = entry.facts["event"]
        actual = {name: json.dumps(event[name]).strip('"') if name in event else None for name in wanted}
        if event.get("type") != kind or actual != wanted:
            came = " ".join([str(event.get("type")), *(f"{name}={value}" for name, value in actual.items())])
            raise CommandError(f"The next event is {came} (number {entry.facts['seq']}); expected {expected}.")
        self._last_event = entry.number

    def _check_no_event(self, limit_ms: int) -> None:
        entry = self._wait_for_entry(
            "event", self._last_event, lambda facts: facts["event"].get("type") not in UNORDERED_TYPES, limit_ms
        )
        if entry is not None:
            raise CommandError(f"An unexpected event came: {json.dumps(entry.facts['event'])}.")

    def _check_next_row(self, outcome: str, limit_ms: int) -> None:
        entry = self._wait_for_entry("row", self._last_row, lambda facts: facts["outcome"] != "open", limit_ms)
        if entry is None:
            raise CommandError(f"No survey was closed in the database within {limit_ms} ms; expected {outcome}.")
        if entry.facts["outcome"] != outcome:
            survey, actual = entry.facts["survey"], entry.facts["outcome"]
            raise CommandError(f"The next survey in the database ({survey}) is {actual}; expected {outcome}.")
        self._last_row = entry.number


def _refuse(pair: str) -> list[str]:
    raise CommandError(f"{pair} is not a pair: write NAME=VALUE.")


def _usage_error(words: list[str]) -> CommandError:
    """Return an error with the form that begins with these words; CommandSyntaxError if no form does."""
    forms = [form.strip() for form, _ in FORMS if words[:1] == form.split()[:1]]
    if not forms:
        return CommandSyntaxError()
    choices = {"row": f"; OUTCOME: {', '.join(OUTCOMES)}", "event": f"; TYPE: {', '.join(TYPES)}"}
    return CommandError(f"Usage: expect {forms[0]}{choices.get(words[0], '')}")
