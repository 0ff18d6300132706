"""All that is done to one board, from its plugging in to its label; each board has a thread of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bridge.broker_login import BrokerLogin
from bridge.ops.flash.assignments import Roster, Wanted
from bridge.ops.flash.board_info import RESTART, BoardInfo, waiting
from bridge.ops.flash.console_json import Common, configuration
from bridge.ops.flash.console_output import Output
from bridge.ops.flash.enter_repl import reach
from bridge.ops.flash.errors import FlashError
from bridge.ops.flash.install import FirmwareImage, console_files, install, replace, wipe
from bridge.ops.flash.micropython_image import Base, write_by_esptool
from bridge.ops.flash.ports import Port
from bridge.ops.flash.repl import Repl
from bridge.ops.flash.self_test import Result, lead
from bridge.ops.flash.wait_online import OnlineWatch
from bridge.text import plural, printable

BOOT_LIMIT_S = 40.0
ONLINE_LIMIT_S = 40.0
START = f"""
import machine
with open("{RESTART}", "w") as file:
    file.write(WORD)
machine.reset()
"""
BOOTLOADER = "import machine\nmachine.bootloader()\n"


class TechnicianPrompt(Protocol):
    """What the technician sees and says, of one board."""

    def named(self, name: str) -> None:
        """Which console the board becomes."""

    def stage(self, what: str, done: int = 0, total: int = 0) -> None:
        """Under way: so much of so much."""

    def note(self, sentence: str) -> None:
        """Something worth a line."""

    def confirm(self, question: str) -> bool:
        """Ask him."""


@dataclass(frozen=True)
class FlashJob:
    """What is to be done to each board of a run."""

    firmware: FirmwareImage
    roster: Roster
    common: Common
    base: Base | None = None
    wipes: bool = False
    tests: bool = True
    watched: BrokerLogin | None = None


@dataclass
class Outcome:
    """What became of a board, as far as it came."""

    port: str
    board: BoardInfo | None = None
    wanted: Wanted | None = None
    wiped: int | None = 0
    changed: bool = False
    boot: int | None = None
    online: bool | None = None
    test: Result | None = None
    becomes_volume: bool = False


def flash(port: Port, work: FlashJob, desk: TechnicianPrompt, outcome: Outcome) -> None:
    """Make a console of the board at `port`; raises BoardError, or what else says why not."""
    desk.stage("looking")
    repl, board = _with_base(port, work, desk, outcome)
    if repl is None or board is None:
        return
    outcome.board = board
    try:
        outcome.wanted = wanted = work.roster.take(board)
        desk.named(wanted.name)
        desk.note(f"{port.path}: {board.kind} {board.hardware_id} becomes {wanted.name}.")
        config = configuration(wanted, board, work.common)
        outcome.wiped = _clear(repl, board, wanted, work)
        if outcome.wiped != 0:
            gone = "An unknown number of events" if outcome.wiped is None else plural(outcome.wiped, "event")
            desk.note(f"{port.path}: {gone} of {_owner(board)} went, which the bridge will never get.")
        desk.stage("configuring")
        for path, data in console_files(config, work.common.ca).items():  # before anything starts that needs them
            replace(repl, path, data)
        outcome.changed = install(repl, board, work.firmware, desk.stage)
        _start(repl, port, work, desk, outcome)
    finally:
        repl.close()


def _with_base(
    port: Port, work: FlashJob, desk: TechnicianPrompt, outcome: Outcome
) -> tuple[Repl | None, BoardInfo | None]:
    """The prompt of the board, once it has the base that is wanted; nothing where it first becomes a volume for it."""
    base = work.base
    try:
        repl, board = reach(port)
    except FlashError:
        if base is None or base.family != "esp32":
            raise
        desk.note(f"{port.path}: no MicroPython answers; writing {base.path.name}.")
        repl = board = None  # type: ignore[assignment]
    if base is None or (board and base.is_on(board) and board.names is not None):
        return repl, board
    if repl and board:
        outcome.board = board
        _check_base(repl, board, base)
        if board.kind != "esp32":
            desk.stage("restarting as the volume RPI-RP2, which is to be mounted if it is not by itself")
            repl.restart(BOOTLOADER)
            outcome.becomes_volume = True
            return None, None
        repl.close()
    erase = work.wipes and (board is None or board.names is None)
    write_by_esptool(base, port.path, lambda done: desk.stage("writing MicroPython", done, 100), erase=erase)
    return reach(port)


def _check_base(repl: Repl, board: BoardInfo, base: Base) -> None:
    try:
        base.check_for(board)
    except FlashError:
        repl.close()
        raise


def _clear(repl: Repl, board: BoardInfo, wanted: Wanted, work: FlashJob) -> int | None:
    """See that no events stay that would come under another name; how many went (None: nobody knows)."""
    if board.identity == wanted.identity and not work.wipes:
        return 0
    if "outbox" not in (board.names or ()):
        return 0
    count = waiting(repl, board)
    if count != 0 and not work.wipes:
        many = "events, nobody can tell how many," if count is None else f"{plural(count, 'event')}"
        raise FlashError(
            f"The board on {repl.path} still holds {many} of {_owner(board)}: let it deliver them where that stood, or "
            "give --wipe to lose them."
        )
    wipe(repl)
    return count


def _owner(board: BoardInfo) -> str:
    return "/".join(board.identity) if board.identity else "an unknown console"


def _start(repl: Repl, port: Port, work: FlashJob, desk: TechnicianPrompt, outcome: Outcome) -> None:
    """Restart it, and see that it serves, is heard at the broker, and passes its test."""
    assert outcome.wanted is not None  # noqa: S101 - for the types
    assert outcome.board is not None  # noqa: S101
    watch = OnlineWatch(work.watched, *outcome.wanted.identity) if work.watched else None
    output = Output(port)
    try:
        desk.stage("restarting")
        repl.restart(START.replace("WORD", repr("self_test" if work.tests else "flashed")))
        outcome.boot = _booted(output)
        if work.tests:
            outcome.test = lead(output, desk.stage, desk.confirm)
        if watch:
            desk.stage("waiting for it at the broker")
            outcome.online = watch.saw(outcome.board.hardware_id, ONLINE_LIMIT_S) or (None if watch.trouble else False)
            if watch.trouble:  # from here nobody can tell: it may be heard where it is to stand
                desk.note(f"{port.path}: {outcome.wanted.name} could not be watched at the broker: {watch.trouble}.")
    finally:
        output.close()
        if watch:
            watch.__exit__()
    if outcome.test and not outcome.test.passed:
        raise FlashError(f"{outcome.wanted.name} is flashed, but {outcome.test.sentence}.")
    if outcome.online is False:
        raise FlashError(
            f"{outcome.wanted.name} is flashed, but was not seen at the broker: see to its Wi-Fi, and to the broker's "
            "address and login."
        )


def _booted(output: Output) -> int:
    """The number of its boot, once the console says that it serves."""
    boot = None
    while boot is None:
        said = output.next(BOOT_LIMIT_S)
        if said is None:
            last = f" Its last words: {printable(output.last[-1])}" if output.last else ""
            raise FlashError(f"The console on {output.port.path} does not start: run this again.{last}")
        boot = said.boot()
    return boot
