"""Turn one board into a console: MicroPython, configuration, firmware, self-test, and a look at the broker."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from bridge.ops.flash.assignments import Assignment, AssignmentPool
from bridge.ops.flash.board_info import RESTART_FILE, BoardInfo
from bridge.ops.flash.bridge_records import BridgeRecords
from bridge.ops.flash.console_json import WITHOUT_RADIO, SharedConfig, add_credentials, console_config
from bridge.ops.flash.console_output import ConsoleOutput
from bridge.ops.flash.enter_repl import handing_back, open_repl
from bridge.ops.flash.errors import BoardGoneError, FlashingError, NotHeardError
from bridge.ops.flash.filesystem import write_copy
from bridge.ops.flash.install import CONSOLE_FILE, FirmwareImage, console_files, install, replace_file
from bridge.ops.flash.link_problem import explain, reported_problem
from bridge.ops.flash.micropython_image import MicroPythonImage, write_by_esptool
from bridge.ops.flash.name_in_use import check_name_is_free, remarks
from bridge.ops.flash.ports import Port
from bridge.ops.flash.repl import Repl
from bridge.ops.flash.self_test import SelfTestResult, run_self_test
from bridge.ops.flash.wait_online import OnlineWatch
from bridge.ops.flash.waiting_events import clear_events
from bridge.text import printable

BOOT_LIMIT_S = 40.0
ONLINE_LIMIT_S = 40.0
DEAF_LIMIT_S = 20.0  # where this machine cannot listen at the broker: a board has told by then what hinders it
SURE_S = 10.0  # a console that reports one and the same problem for so long will not come online
LISTEN_S = 0.2
START = f"""
import machine
with open("{RESTART_FILE}", "w") as file:
    file.write(WORD)
machine.reset()
"""
BOOTLOADER = "import machine\nmachine.bootloader()\n"


class TechnicianPrompt(Protocol):
    """The technician's view of one board, and the questions about it."""

    def show_name(self, name: str) -> None:
        """Show which console the board becomes."""

    def stage(self, what: str, done: int = 0, total: int = 0) -> None:
        """Show what is under way, and how much of it is done."""

    def note(self, sentence: str) -> None:
        """Show a sentence on a line of its own."""

    def fail(self, sentence: str) -> None:
        """Show why the board could not be flashed."""

    def confirm(self, question: str) -> bool:
        """Ask a yes-or-no question."""


@dataclass(frozen=True)
class FlashJob:
    """The work to do on each board of a run; `watch` hears consoles come online, and is None without a broker.

    `records` are of the bridge that the consoles have sent to.
    Once `stopped` is set, boards that are not flashed yet are handed back.
    """

    firmware: FirmwareImage
    assignments: AssignmentPool
    shared_config: SharedConfig
    micropython: MicroPythonImage | None = None
    may_wipe: bool = False
    may_replace: bool = False
    runs_self_test: bool = True
    watch: OnlineWatch | None = None
    records: BridgeRecords = field(default_factory=BridgeRecords)
    stopped: threading.Event = field(default_factory=threading.Event)


@dataclass
class FlashResult:
    """The work done on a board, as far as it got.

    `broker` is the address that was given for the board. `wiped_count` is how many events were lost, None if not known.
    `unheard` says, as the end of a sentence, why nobody listened at the broker for a console that is flashed.
    """

    port: str
    board: BoardInfo | None = None
    assignment: Assignment | None = None
    broker: str | None = None
    wiped_count: int | None = 0
    boot: int | None = None
    online: bool | None = None
    unheard: str = ""
    self_test: SelfTestResult | None = None
    becomes_volume: bool = False
    is_stopped: bool = False
    asking: Repl | None = None


def flash_board(port: Port, job: FlashJob, prompt: TechnicianPrompt, result: FlashResult) -> None:
    """Turn the board at `port` into a console, and fill in `result`. Raises TrivoxError.

    A board that can't be flashed goes on as it was: one that was in service serves again.
    """
    result.is_stopped = True
    try:
        config = _write_board(port, job, prompt, result)
    finally:
        result.is_stopped = False
    if config is not None:
        _check_console(port, config, job, prompt, result)


def _write_board(port: Port, job: FlashJob, prompt: TechnicianPrompt, result: FlashResult) -> dict[str, Any] | None:
    """Make a board a console, and restart it. Return its `console.json`; None if it becomes a volume."""
    report = partial(_report, job, prompt)
    report("checking the board")
    repl, board = _open_board(port, job, prompt, result)
    if repl is None or board is None:
        return None
    result.board = board
    with handing_back(repl, was_serving=board.serving):
        result.assignment = assignment = _take_assignment(repl, board, job, result)
        prompt.show_name(assignment.name)
        prompt.note(f"{port.path}: {board.kind} {board.hardware_id} becomes {assignment.name}.")
        if not job.may_replace:
            check_name_is_free(assignment, board, job.records, job.watch)
        config = console_config(assignment, board, job.shared_config)
        if job.shared_config.broker and board.kind != WITHOUT_RADIO:
            result.broker = job.shared_config.broker.address
        job.shared_config.issuer.check(*assignment.identity)
        lost = clear_events(repl, board, assignment.identity, job.records, may_wipe=job.may_wipe)
        result.wiped_count = lost.count
        if lost.count != 0:
            never = "will never get" if lost.is_exact else "may never get"
            prompt.note(f"{port.path}: wiped {lost}, which the bridge {never}.")
        for remark in remarks(assignment, board, job.records):
            prompt.note(f"{port.path}: {remark}")
        report("configuring")
        _write_console_files(repl, assignment, config, job)
        install(repl, board, job.firmware, report)
        result.unheard = _why_unheard(config, job)
        if job.watch and not result.unheard:
            job.watch.connect()
            job.watch.expect(assignment.identity)
        report("restarting")
    repl.restart(START.replace("WORD", repr("self_test" if job.runs_self_test else "flashed")))
    return config


def _report(job: FlashJob, prompt: TechnicianPrompt, what: str, done: int = 0, total: int = 0) -> None:
    """Show a stage of the work on a stopped board. Raises FlashingError if the technician wants no more of it."""
    if job.stopped.is_set():
        raise FlashingError("Interrupted before the board was flashed: run this again.")
    prompt.stage(what, done, total)


def _take_assignment(repl: Repl, board: BoardInfo, job: FlashJob, result: FlashResult) -> Assignment:
    result.asking = repl  # it may take long, and nothing can interrupt the question
    try:
        return job.assignments.take(board)
    finally:
        result.asking = None


def _write_console_files(repl: Repl, assignment: Assignment, config: dict[str, Any], job: FlashJob) -> None:
    """Write the console's own files, which come before anything that needs them.

    The console is enrolled just before its keys are written: what was refused until then leaves no enrolment behind.
    Later it stays, as the board may have the keys; the next run goes on with the same ones.
    """
    add_credentials(config, job.shared_config.issuer(*assignment.identity))
    files = console_files(config, job.shared_config.ca)
    for path, data in files.items():
        replace_file(repl, path, data)
    write_copy(repl, files[CONSOLE_FILE])


def _open_board(
    port: Port, job: FlashJob, prompt: TechnicianPrompt, result: FlashResult
) -> tuple[Repl | None, BoardInfo | None]:
    """Return the board's REPL once it runs the right MicroPython; (None, None) if it restarts as a volume to get it."""
    micropython = job.micropython
    try:
        repl, board = open_repl(port, may_wipe=job.may_wipe)
    except FlashingError:
        if micropython is None or micropython.family != "esp32":
            raise
        prompt.note(f"{port.path}: no MicroPython answers; writing {micropython.path.name}.")
        repl = board = None  # type: ignore[assignment]
    if micropython is None or (board and micropython.is_on(board) and board.names is not None):
        return repl, board
    if repl and board:
        result.board = board
        with handing_back(repl, was_serving=board.serving):
            micropython.check_for(board)
        if board.kind != "esp32":
            prompt.stage("restarting as the volume RPI-RP2; mount it if that does not happen by itself")
            repl.restart(BOOTLOADER)
            result.becomes_volume = True
            return None, None
        repl.close()
    erase = job.may_wipe and (board is None or board.names is None)
    write_by_esptool(micropython, port.path, lambda done: prompt.stage("writing MicroPython", done, 100), erase=erase)
    return open_repl(port, may_wipe=job.may_wipe)


def _check_console(
    port: Port, config: dict[str, Any], job: FlashJob, prompt: TechnicianPrompt, result: FlashResult
) -> None:
    """Check that the restarted console serves, passes its self-test, and is online at the broker."""
    assert result.assignment is not None  # noqa: S101 - for the type checker
    output = ConsoleOutput(port)
    try:
        result.boot = _wait_for_boot(output)
        if job.runs_self_test:
            result.self_test = run_self_test(output, prompt.stage, prompt.confirm)
        if job.watch and not result.unheard:
            prompt.stage("waiting for it at the broker")
            problem = _wait_online(job.watch, output, config, result)
    finally:
        output.close()
    if result.self_test and not result.self_test.passed:
        raise FlashingError(f"{result.assignment.name} is flashed, but {result.self_test.sentence}.")
    if result.online is False:
        raise NotHeardError(f"{result.assignment.name} is flashed, but {problem}.")


def _why_unheard(config: dict[str, Any], job: FlashJob) -> str:
    """Return why nobody listens for the console at the broker, as the end of a sentence; empty if somebody does."""
    if config["board"] == WITHOUT_RADIO:
        return "it has no radio: start `trivox gateway`, and see `trivox console list`"
    if job.watch is None:
        cause = "--no-listen" if job.shared_config.broker else "no --broker"
        return f"{cause} is given: see `trivox console list` where the bridge is"
    return ""


def _wait_online(watch: OnlineWatch, output: ConsoleOutput, config: dict[str, Any], result: FlashResult) -> str:
    """Wait for the console at the broker; note whether it came, and return why not, as the end of a sentence."""
    assert result.assignment is not None  # noqa: S101 - for the type checker
    assert result.board is not None  # noqa: S101
    identity, hardware_id = result.assignment.identity, result.board.hardware_id
    problem, sure_s = "", float("inf")
    limit_s = DEAF_LIMIT_S if watch.problem else ONLINE_LIMIT_S
    end_s = time.monotonic() + limit_s
    while not watch.is_online(identity, hardware_id):
        if time.monotonic() > min(end_s, sure_s):
            result.online = False
            return explain(problem, config) if problem else _unexplained(watch, limit_s)
        reported = _next_problem(output)
        if reported and reported != problem:
            problem, sure_s = reported, time.monotonic() + SURE_S
    result.online = True
    return ""


def _unexplained(watch: OnlineWatch, limit_s: float) -> str:
    """Return why a console that reports no problem is not heard, as the end of a sentence."""
    if watch.problem:
        return f"was not heard at the broker, as {watch.problem}; give --no-listen if that is as it should be here"
    return f"{watch.address} has not heard it in {limit_s:.0f} s: read the broker's log"


def _next_problem(output: ConsoleOutput) -> str | None:
    try:
        line = output.next_line(LISTEN_S)
    except BoardGoneError:  # for a moment, if it restarts; if for good, it does not come online
        return None
    return reported_problem(line.text) if line else None


def _wait_for_boot(output: ConsoleOutput) -> int:
    """Wait until the console says that it serves, and return the number of its boot."""
    boot = None
    while boot is None:
        line = output.next_line(BOOT_LIMIT_S)
        if line is None:
            last = f" Its last line: {printable(output.last_lines[-1])}" if output.last_lines else ""
            raise FlashingError(f"The console on {output.port.path} does not start: run this again.{last}")
        boot = line.boot()
    return boot
