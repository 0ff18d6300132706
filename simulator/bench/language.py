"""The bench's language: one command a line, the same from a pipe, from the page and in a recorded session.

`COMMANDS` is the whole of it; `help` prints it. A `#` begins a remark.
"""

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass

from simulator.bench import expectations
from simulator.bench.recording import Recorder
from simulator.bench.session import Session
from simulator.bench.words import CommandError, UsageError, button_of, duration, held, on_off, one, share_of, whole
from simulator.errors import SimulatorError

PRESS_MS = 120
Words = list[str]


class Bench:
    """A session as lines drive it: `do` one after another.

    A script accounts for every event and row (`expect`); who plays by hand (`afresh`) asks what his last deed brought.
    """

    def __init__(self, session: Session, *, afresh: bool = False) -> None:
        self.session = session
        self.recorder = Recorder(session)
        self.expected = expectations.Expectations(session, afresh=afresh)
        self.by_hand = afresh
        self.ended = False  # by `quit`
        self._zero_s: float | None = None

    def do(self, line: str) -> str | None:
        """Obey a line; answers what it has to say. SimulatorError, in one sentence, if it can't or it does not hold."""
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise CommandError(f"That line can't be read: {error}.") from error
        if not words:
            return None
        name, *arguments = words
        command = COMMANDS.get(name)
        if command is None:
            raise CommandError(f"There is no command {name}; `help` lists them.")
        if command.deed:
            if name != "release":  # which ends a deed
                self.expected.begin_deed()
            self.session.journal.write("did", line=shlex.join(words))
        try:
            return command.do(self, arguments)
        except UsageError as error:
            raise CommandError(f"That is written: {name} {command.arguments}".rstrip()) from error

    def wait_until(self, moment_s: float) -> None:
        """Let time pass to that `time.monotonic`."""
        self.session.wait(lambda: False, moment_s - time.monotonic())

    def at(self, ms: int) -> None:
        """Wait until so long after the first `at`, which is when its own time is.

        Where what came before took longer, all that follows is shifted: between two deeds passes no less than was said.
        """
        now_s = time.monotonic()
        if self._zero_s is None:
            self._zero_s = now_s - ms / 1000
        self._zero_s = max(self._zero_s, now_s - ms / 1000)
        self.wait_until(self._zero_s + ms / 1000)


@dataclass(frozen=True)
class Command:
    """One command: how its arguments are written, what it does, in words and in deed.

    `deed`: it changes something, so that it belongs into a recording.
    """

    arguments: str
    means: str
    do: Callable[[Bench, Words], str | None]
    deed: bool = True


def _press(bench: Bench, words: Words) -> None:
    _held(bench, button_of(one(words[:1])), held(one(words[1:])) if words[1:] else PRESS_MS)


def _hold(bench: Bench, words: Words) -> None:
    if words[1:]:
        _held(bench, button_of(one(words[:1])), held(one(words[1:])))
    else:
        bench.session.hold(button_of(one(words)))


def _held(bench: Bench, button: str, held_ms: int) -> None:
    end_s = time.monotonic() + held_ms / 1000
    bench.session.hold(button)
    try:
        bench.wait_until(end_s)
    finally:
        bench.session.release(button)


def _release(bench: Bench, words: Words) -> None:
    bench.session.release(button_of(one(words)))


def _bounce(bench: Bench, words: Words) -> None:
    bench.session.bounce(button_of(one(words[:1])), held(one(words[1:])) if words[1:] else PRESS_MS)


def _stick(bench: Bench, words: Words) -> None:
    bench.session.stick(button_of(one(words)))


def _free(bench: Bench, words: Words) -> None:
    bench.session.free(button_of(one(words)))


def _wifi(bench: Bench, words: Words) -> None:
    bench.session.wifi(on=on_off(one(words)))


def _link(bench: Bench, words: Words) -> None:
    bench.session.link(on=on_off(one(words)))


def _power(bench: Bench, words: Words) -> None:
    match words:
        case ["on"]:
            bench.session.power_on()
        case ["cut"]:
            bench.session.power_cut()
        case ["cut", operations]:
            bench.session.power_cut_at(whole(operations, 1), 0.5)
        case ["cut", operations, share]:
            bench.session.power_cut_at(whole(operations, 1), share_of(share))
        case _:
            raise UsageError


def _flash(bench: Bench, words: Words) -> None:
    match words:
        case ["fill"]:
            bench.session.flash_fill(0)
        case ["fill", blocks]:
            bench.session.flash_fill(whole(blocks, 0))
        case ["free"]:
            bench.session.flash_free()
        case _:
            raise UsageError


def _step(bench: Bench, words: Words) -> None:
    bench.session.step(duration(one(words)))


def _stall(bench: Bench, words: Words) -> None:
    bench.session.stall(duration(one(words)))


def _settings(bench: Bench, words: Words) -> None:
    if not words:
        raise UsageError
    bench.session.settings(words)


def _at(bench: Bench, words: Words) -> None:
    bench.at(duration(one(words)))


def _wait(bench: Bench, words: Words) -> None:
    bench.wait_until(time.monotonic() + duration(one(words)) / 1000)


def _expect(bench: Bench, words: Words) -> None:
    bench.expected.check(words)


def _record(bench: Bench, words: Words) -> str:
    match words:
        case ["begin"]:
            bench.recorder.begin()
            return "Recording; `record end` saves it."
        case ["end"]:
            return f"Saved as {bench.recorder.end()}"
        case _:
            raise UsageError


def _state(bench: Bench, words: Words) -> str:
    if words:
        raise UsageError
    session = bench.session
    switches, console = session.switches, session.console
    lamps = [name for name, lit in console.lamps().items() if lit]
    facts = {
        "power": "on" if console.powered else "off",
        "wifi": "on" if switches.wifi else "off",
        "link": "on" if switches.link else "off",
        "lamps": " ".join(lamps) or "dark",
        "stuck": " ".join(switches.stuck) or "none",
        "flash": "full" if switches.filled else "free",
        **bench.expected.seen(),
    }
    return "\n".join(f"{name:<8} {value}" for name, value in facts.items())


def _help(_bench: Bench, words: Words) -> str:
    if words:
        raise UsageError
    return help_text()


def _quit(bench: Bench, words: Words) -> None:
    if words:
        raise UsageError
    if bench.by_hand:
        raise CommandError("Ctrl-C ends the bench, in the terminal where it was started.")
    bench.ended = True


def help_text() -> str:
    """All commands, a line each, and what is common to them."""
    lines = [(f"{name} {command.arguments}".rstrip(), command.means) for name, command in COMMANDS.items()]
    lines += expectations.FORMS
    width = max(len(form) for form, _ in lines)
    table = [f"{form:<{width}}  {means}" for form, means in lines]
    return "\n".join(
        [*table, "", "BUTTON: yes, no, cant_say, seller. TIME: 500, 500ms, 2s, 5min, 3h or 2d. A # begins a remark."]
    )


COMMANDS: dict[str, Command] = {
    "press": Command("BUTTON [TIME]", "press and let go, after 120 ms if not said", _press),
    "hold": Command("BUTTON [TIME]", "press and keep pressed, for so long or until `release`", _hold),
    "release": Command("BUTTON", "let go", _release),
    "bounce": Command("BUTTON [TIME]", "press and let go with bouncing contacts", _bounce),
    "stick": Command("BUTTON", "the contact stays closed, whatever fingers do", _stick),
    "free": Command("BUTTON", "it comes up again", _free),
    "wifi": Command("on|off", "the network comes or goes", _wifi),
    "link": Command("on|off", "off: connected, but nothing gets through; on a pico its cable is pulled", _link),
    "power": Command(
        "on|cut [N [SHARE]]", "cut: at once, or within the N-th flash write from now (SHARE done)", _power
    ),
    "flash": Command("fill [BLOCKS]|free", "others' data take the flash, up to so many free blocks, or go", _flash),
    "step": Command("TIME", "the console's clock jumps forward", _step),
    "stall": Command("TIME", "the console's main loop stands still", _stall),
    "settings": Command("NAME=VALUE ...", "settings at the bridge, such as survey_window_ms=5000", _settings),
    "at": Command(
        "TIME", "wait until so long after the first `at`; if it is late, those that follow are too", _at, deed=False
    ),
    "wait": Command("TIME", "wait so long", _wait, deed=False),
    "record": Command("begin|end", "write down a session as a script of these commands", _record, deed=False),
    "state": Command("", "say how everything is", _state, deed=False),
    "help": Command("", "say this", _help, deed=False),
    "quit": Command("", "end", _quit, deed=False),
    "expect": Command("WHAT [within TIME]", "fail unless it is so, or becomes so, in 5 s if not said:", _expect, False),  # noqa: FBT003
}

__all__ = ["COMMANDS", "Bench", "Command", "CommandError", "SimulatorError", "help_text"]
