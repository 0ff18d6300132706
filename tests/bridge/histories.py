"""Make random histories of consoles, ordinary and odd, for tests of the fold; each event has its own arrival time."""

from __future__ import annotations

import json
import random
from typing import Any

NOW_MS = 1_763_800_000_000
HOUR_MS = 3_600_000
Message = tuple[str, bytes, int]
QUESTIONS = ("staff", "office", "nobody-knows")


class History:
    """The events of one epoch of one console."""

    def __init__(self, chance: random.Random, console: str, epoch: str) -> None:
        self.chance = chance
        self.topic = f"trivox/v1/s1/{console}/events"
        self.epoch = epoch
        self.events: list[dict[str, Any]] = []
        self.boot = 0
        self.up_ms = 0
        self.offset_ms = NOW_MS - chance.randrange(60 * HOUR_MS)
        self.clock = False

    def add(self, kind: str, **more: Any) -> int:
        self.up_ms += self.chance.randrange(1, 400_000)
        at_ms = self.offset_ms + self.up_ms if self.clock else None
        self.events.append({"boot": self.boot, "up_ms": self.up_ms, "at_ms": at_ms, "type": kind, **more})
        return len(self.events)

    def grow(self, count: int) -> None:
        steps = [self.reboot, self.set_clock, self.apply, self.declare, self.stray, self.odd_close, self.jump]
        self.reboot()
        while len(self.events) < count:
            self.chance.choice([*steps, *[self.survey] * 8])()

    def reboot(self) -> None:
        self.boot += 1
        self.offset_ms += self.up_ms
        self.up_ms, self.clock = 0, self.chance.random() < 0.2
        self.add("booted", reset="power_on", firmware="1", board="unix", hardware_id="ab")

    def set_clock(self) -> None:
        self.clock = True
        self.add("clock_set", source="ntp", step_ms=None)

    def jump(self) -> None:
        self.offset_ms += self.chance.randrange(-5 * HOUR_MS, 5 * HOUR_MS)

    def apply(self) -> None:
        self.add("settings_applied", revision=self.chance.choice((1, 2, 3, 9)))

    def declare(self) -> None:
        survey = self.chance.randrange(1, len(self.events) + 1) if self.chance.random() < 0.5 else None
        self.add("force_majeure_declared", survey=survey, **self.question())

    def stray(self) -> None:
        self.add("stray_pressed", button="yes", reason="no_survey")

    def question(self) -> dict[str, Any]:
        return {"question_id": self.chance.choice(QUESTIONS), "question_revision": self.chance.randrange(1, 3)}

    def close(self, survey: int, opened_up_ms: int) -> None:
        outcome = self.chance.choice(("yes", "no", "cant_say", "silent", "error"))
        cause = {"silent": "expired", "error": "fault"}.get(outcome, "answered")
        more = {"response_ms": 5} if cause == "answered" else {}
        fields = {"survey": survey, "opened_up_ms": opened_up_ms, **self.question(), "outcome": outcome, "cause": cause}
        self.add("survey_closed", **fields, **more)

    def survey(self) -> None:
        opened = self.add("survey_opened", **self.question())
        up_ms = self.up_ms
        fate = self.chance.random()
        if fate < 0.1:
            return
        if fate < 0.2:
            self.chance.choice([self.reboot, self.declare, self.stray])()
        self.close(opened, min(up_ms, self.up_ms))

    def odd_close(self) -> None:
        self.close(self.chance.randrange(1, len(self.events) + 1), self.chance.randrange(self.up_ms + 1))

    def messages(self, lost: float) -> list[Message]:
        """Return a message for each event, some lost for good; now and then `first` rises above the lost ones."""
        messages = []
        for seq, event in enumerate(self.events, 1):
            arrived = NOW_MS - self.chance.randrange(40 * HOUR_MS)
            if self.chance.random() < lost:
                continue
            first = self.chance.randrange(1, seq + 1) if self.chance.random() < 0.1 else 1
            batch = {"epoch": self.epoch, "first": first, "base": seq, "events": [event]}
            messages.append((self.topic, json.dumps(batch).encode(), arrived))
        return messages


def random_messages(seed: int, count: int) -> list[Message]:
    """Return messages of three epochs of two consoles, each epoch in order."""
    chance = random.Random(seed)
    messages: list[Message] = []
    for console, epoch in (("c1", "0000000a"), ("c1", "0000000b"), ("c2", "0000000a")):
        history = History(chance, console, epoch)
        history.grow(count)
        messages += history.messages(lost=chance.choice((0.0, 0.1)))
    return messages
