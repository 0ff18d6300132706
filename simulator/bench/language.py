"""The bench's language: one command per line, the same in a pipe, on the page and in a recording.

`COMMANDS` lists all commands; `help` prints them. A `#` begins a comment.
"""

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass

from simulator.bench.expectations import FORMS, Expectations
from simulator.bench.recording import Recorder
from simulator.bench.session import BenchSession
from simulator.bench.words import (
    LINE_LIMIT,
    CommandError,
    CommandSyntaxError,
    button_of,
    duration,
    on_off,
    only_word,
    press_duration,
    share_of,
    whole_number,
)
from simulator.errors import SimulatorError

PRESS_MS = 120
Words = list[str]


class Bench:
    """A session driven by lines: `do` obeys them one after another.

    A script accounts for every event and row with `expect`; with `by_hand`, `expect` is about the last action only.
    """

    def __init__(self, session: BenchSession, *, by_hand: bool = False) -> None:
        self.session = session
        self.recorder = Recorder(session)
        self.expectations = Expectations(session, by_hand=by_hand)
        self.by_hand = by_hand
        self.ended = False  # by `quit`
        self._zero_s: float | None = None  # the `time.monotonic` of `at 0`

    def do(self, line: str, by: str = "script") -> str | None:
        """Obey a line; return the text it answers with, if any. The journal names who gave it (`by`).

        Raises SimulatorError, with one sentence, if the line fails or what it expects does not come.
        """
        if len(line) > LINE_LIMIT:
            raise CommandError(f"This line has {len(line)} characters; write at most {LINE_LIMIT}.")
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise CommandError(
                f"This line can't be read ({error}): write quotation marks in pairs, and no backslash at its end."
            ) from error
        if not words:
            return None
        name, *arguments = words
        command = COMMANDS.get(name)
        if command is None:
            raise CommandError(f"There is no command {name}; `help` lists them.")
        if command.is_action:
            if name != "release":  # it ends an action that has begun
                self.expectations.begin_action()
            self.session.journal.write("did", line=shlex.join(words), by=by)
        try:
            return command.do(self, arguments)
        except CommandSyntaxError as error:
            raise CommandError(f"Usage: {name} {command.arguments}".rstrip()) from error

    def wait_until(self, moment_s: float) -> None:
        """Wait until that `time.monotonic`."""
        self.session.wait(lambda: False, moment_s - time.monotonic())

    def at(self, ms: int) -> None:
        """Wait until `ms` on the script's clock, which the first `at` sets to its own time.

        If earlier lines took longer, the clock is set back, so that no less time passes between two actions than the
        script says.
        """
        now_s = time.monotonic()
        if self._zero_s is None:
            self._zero_s = now_s - ms / 1000
        self._zero_s = max(self._zero_s, now_s - ms / 1000)
        self.wait_until(self._zero_s + ms / 1000)


@dataclass(frozen=True)
class BenchCommand:
    """One command: the form of its arguments, its help text, and the function that obeys it.

    `is_action`: it changes something, so a recording contains it.
    """

    arguments: str
    help: str
    do: Callable[[Bench, Words], str | None]
    is_action: bool = True


def _press(bench: Bench, words: Words) -> None:
    press_ms = press_duration(only_word(words[1:])) if words[1:] else PRESS_MS
    _press_and_release(bench, button_of(only_word(words[:1])), press_ms)


def _hold(bench: Bench, words: Words) -> None:
    if words[1:]:
        _press_and_release(bench, button_of(only_word(words[:1])), press_duration(only_word(words[1:])))
    else:
        bench.session.hold(button_of(only_word(words)))


def _press_and_release(bench: Bench, button: str, press_ms: int) -> None:
    bench.session.hold(button)
    try:
        bench.wait_until(time.monotonic() + press_ms / 1000)  # from now: on a busy machine `hold` may take longer
    finally:
        bench.session.release(button)


def _release(bench: Bench, words: Words) -> None:
    bench.session.release(button_of(only_word(words)))


def _bounce(bench: Bench, words: Words) -> None:
    press_ms = press_duration(only_word(words[1:])) if words[1:] else PRESS_MS
    bench.session.bounce(button_of(only_word(words[:1])), press_ms)


def _stick(bench: Bench, words: Words) -> None:
    bench.session.stick(button_of(only_word(words)))


def _free(bench: Bench, words: Words) -> None:
    bench.session.free(button_of(only_word(words)))


def _wifi(bench: Bench, words: Words) -> None:
    bench.session.wifi(on=on_off(only_word(words)))


def _link(bench: Bench, words: Words) -> None:
    bench.session.link(on=on_off(only_word(words)))


def _power(bench: Bench, words: Words) -> None:
    match words:
        case ["on"]:
            bench.session.power_on()
        case ["cut"]:
            bench.session.power_cut()
        case ["cut", operations]:
            bench.session.power_cut_at(whole_number(operations, 1), 0.5)
        case ["cut", operations, share]:
            bench.session.power_cut_at(whole_number(operations, 1), share_of(share))
        case _:
            raise CommandSyntaxError


def _flash(bench: Bench, words: Words) -> None:
    match words:
        case ["fill"]:
            bench.session.flash_fill(0)
        case ["fill", blocks]:
            bench.session.flash_fill(whole_number(blocks, 0))
        case ["free"]:
            bench.session.flash_free()
        case _:
            raise CommandSyntaxError


def _step(bench: Bench, words: Words) -> None:
    bench.session.step(duration(only_word(words)))


def _stall(bench: Bench, words: Words) -> None:
    bench.session.stall(duration(only_word(words)))


def _settings(bench: Bench, words: Words) -> None:
    if not words:
        raise CommandSyntaxError
    bench.session.settings(words)


def _at(bench: Bench, words: Words) -> None:
    bench.at(duration(only_word(words)))


def _wait(bench: Bench, words: Words) -> None:
    bench.wait_until(time.monotonic() + duration(only_word(words)) / 1000)


def _expect(bench: Bench, words: Words) -> None:
    bench.expectations.check(words)


def _record(bench: Bench, words: Words) -> str:
    match words:
        case ["begin"]:
            bench.recorder.begin()
            return "Recording has begun; `record end` saves it."
        case ["end"]:
            return f"Saved as {bench.recorder.end()}"
        case _:
            raise CommandSyntaxError


def _state(bench: Bench, words: Words) -> str:
    if words:
        raise CommandSyntaxError
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
        **bench.expectations.state(),
    }
    return "\n".join(f"{name:<8} {value}" for name, value in facts.items())


def _help(_bench: Bench, words: Words) -> str:
    if words:
        raise CommandSyntaxError
    return help_text()


def _quit(bench: Bench, words: Words) -> None:
    if words:
        raise CommandSyntaxError
    if bench.by_hand:
        raise CommandError("To end the bench, press Ctrl-C in the terminal where it was started.")
    bench.ended = True


def help_text() -> str:
    """Return a line for each command, and one about their arguments."""
    lines = [(f"{name} {command.arguments}".rstrip(), command.help) for name, command in COMMANDS.items()]
    lines += FORMS
    width = max(len(form) for form, _ in lines)
    table = [f"{form:<{width}}  {text}" for form, text in lines]
    return "\n".join(
        [*table, "", "BUTTON: yes, no, cant_say, seller. TIME: 500, 500ms, 2s, 5min, 3h or 2d. A # begins a comment."]
    )


COMMANDS: dict[str, BenchCommand] = {
    "press": BenchCommand("BUTTON [TIME]", "press and release, after 120 ms by default", _press),
    "hold": BenchCommand("BUTTON [TIME]", "press and keep pressed, for TIME or until `release`", _hold),
    "release": BenchCommand("BUTTON", "release", _release),
    "bounce": BenchCommand("BUTTON [TIME]", "press and release with bouncing contacts", _bounce),
    "stick": BenchCommand("BUTTON", "keep the contact closed, whatever fingers do", _stick),
    "free": BenchCommand("BUTTON", "end `stick`: the button comes up again", _free),
    "wifi": BenchCommand("on|off", "switch the network on or off", _wifi),
    "link": BenchCommand("on|off", "off: connected, but nothing gets through; on a pico, the cable is pulled", _link),
    "power": BenchCommand(
        "on|cut [N [SHARE]]", "cut: at once, or during the N-th flash write from now, with SHARE of it done", _power
    ),
    "flash": BenchCommand(
        "fill [BLOCKS]|free", "fill the flash with other data, up to BLOCKS free blocks, or delete that data", _flash
    ),
    "step": BenchCommand("TIME", "let the console's clock jump forward", _step),
    "stall": BenchCommand("TIME", "block the console's main loop", _stall),
    "settings": BenchCommand(
        "NAME=VALUE ...", "change settings at the bridge, such as survey_window_ms=5000", _settings
    ),
    "at": BenchCommand(
        "TIME", "wait until TIME after the first `at`; if one is late, all later ones shift", _at, is_action=False
    ),
    "wait": BenchCommand("TIME", "wait for TIME", _wait, is_action=False),
    "record": BenchCommand("begin|end", "record a session as a script of these commands", _record, is_action=False),
    "state": BenchCommand("", "show the state of the console and its surroundings", _state, is_action=False),
    "help": BenchCommand("", "show this help", _help, is_action=False),
    "quit": BenchCommand("", "end", _quit, is_action=False),
    "expect": BenchCommand(
        "WHAT [within TIME]", "fail unless this holds now, or comes to hold in 5 s or TIME:", _expect, is_action=False
    ),
}

__all__ = ["COMMANDS", "Bench", "BenchCommand", "CommandError", "SimulatorError", "help_text"]
