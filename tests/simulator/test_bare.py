"""A simulated bare board: MicroPython's REPL, driven by the real mpremote, on a USB port that comes and goes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import serial

from simulator.console.bare_board import BareBoard
from simulator.errors import ConsoleError, FirmwareError
from tests.support.programs import wait_until

LOOP = """
import asyncio
async def main():
    while True:
        await asyncio.sleep_ms(10)
print('begun')
asyncio.run(main())
"""
HUNG = "print('begun')\nwhile True:\n    pass\n"
GUARDED = "import machine\nmachine.WDT(timeout=1000)\n" + LOOP

LIMIT_S = 60

Mpremote = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=["pico_w", "esp32"])
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BareBoard]:
    with BareBoard(tmp_path / "board", request.param) as made:
        yield made


@pytest.fixture
def mpremote(board: BareBoard) -> Mpremote:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        wait_until("the port is there", lambda: Path(board.port).exists())
        program = [sys.executable, "-m", "mpremote", "connect", board.port, *words]
        return subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_copied_files_survive_a_restart(board: BareBoard, mpremote: Mpremote, tmp_path: Path) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(bytes(range(256)) * 20)
    assert mpremote("fs", "cp", str(file), ":copy.bin").returncode == 0
    assert mpremote("reset").returncode == 0
    wait_until("it starts anew", lambda: "hard" in board.resets)
    assert mpremote("fs", "cp", ":copy.bin", str(tmp_path / "back.bin")).returncode == 0
    assert (tmp_path / "back.bin").read_bytes() == file.read_bytes()
    assert mpremote("fs", "ls").stdout.split() == ["ls", ":", "5120", "copy.bin"]  # and nothing of the host


def test_errors_are_reported_as_on_a_board(mpremote: Mpremote) -> None:
    done = mpremote("exec", "1 / 0")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] + done.stderr == "ZeroDivisionError: divide by zero"
    assert mpremote("exec", "print(6 * 7)").stdout == "42\n"


@pytest.mark.parametrize("program", [LOOP, HUNG], ids=["asyncio", "hung"])
def test_ctrl_c_interrupts_a_program(board: BareBoard, mpremote: Mpremote, tmp_path: Path, program: str) -> None:
    (tmp_path / "main.py").write_text(program)
    mpremote("fs", "cp", str(tmp_path / "main.py"), ":main.py")
    mpremote("reset")
    board.wait_output("begun")
    assert mpremote("resume", "exec", "print('stopped')").stdout == "stopped\n"
    assert "KeyboardInterrupt" in board.output()


def test_a_soft_reset_in_the_raw_repl_does_not_run_main(board: BareBoard, mpremote: Mpremote, tmp_path: Path) -> None:
    for name in ("boot.py", "main.py"):
        (tmp_path / name).write_text(f"ran_{name[:-3]} = True\n")
        mpremote("fs", "cp", str(tmp_path / name), f":{name}")
    ran = "print([name for name in globals() if name.startswith('ran')])"
    assert mpremote("exec", ran).stdout == "['ran_boot']\n"  # mpremote begins with a soft reset
    mpremote("reset")
    wait_until("it starts anew", lambda: "hard" in board.resets)
    assert sorted(mpremote("resume", "exec", ran).stdout.split("'")[1::2]) == ["ran_boot", "ran_main"]


def test_a_watchdog_outlives_ctrl_c(board: BareBoard, mpremote: Mpremote, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(GUARDED)
    mpremote("fs", "cp", str(tmp_path / "main.py"), ":main.py")
    mpremote("reset")
    board.wait_output("begun")
    wait_until("the watchdog bites", lambda: "watchdog" in board.resets)


def test_the_friendly_prompt(board: BareBoard) -> None:
    with serial.Serial(board.port, timeout=LIMIT_S) as port:
        port.write(b"\x02print(6 * 7)\r")
        said = port.read_until(b"42\n>>> ")
        assert b"MicroPython v1." in said
        assert said.endswith(b">>> print(6 * 7)\r\n42\n>>> ")
        port.write(b"\x05")
        assert b"no paste mode" in port.read_until(b">>> ")


@pytest.mark.parametrize("name", ["pico_w", "esp32"])
def test_a_raw_paste_beyond_its_window_is_a_fault(name: str, tmp_path: Path) -> None:
    board = BareBoard(tmp_path / "board", name)
    board.power_on()
    try:
        with serial.Serial(board.port, timeout=LIMIT_S) as port:
            port.write(b"\x03\x01")
            port.read_until(b"CTRL-B to exit\r\n>")
            port.write(b"\x05A\x01")
            assert port.read(5) == b"R\x01\x80\x00\x01"
            port.write(b"#" * 1000)
            wait_until("the fault is told", lambda: _fault_of(board))
    finally:
        board.power_off()
    assert "beyond its window" in _fault_of(board)


def _fault_of(board: BareBoard) -> str:
    try:
        board.check()
    except FirmwareError as error:
        return str(error)
    return ""


def test_a_port_vanishes_with_the_power(board: BareBoard) -> None:
    with serial.Serial(board.port, timeout=LIMIT_S) as port:
        board.power_off()
        assert not Path(board.port).exists()
        with pytest.raises(OSError):  # noqa: PT011 - as of a pulled cable; pyserial's errors are among them
            port.write(b"x" * 100_000)


def test_a_pulled_cable_cuts_the_power_at_that_byte(board: BareBoard, mpremote: Mpremote, tmp_path: Path) -> None:
    mpremote("exec", "pass")
    (tmp_path / "file.bin").write_bytes(bytes(4000))
    begun = board.arrived
    pulled = board.pull_cable_after(2000)
    assert mpremote("fs", "cp", str(tmp_path / "file.bin"), ":file.bin").returncode == 1
    assert pulled.wait(60)
    assert board.arrived - begun == 2000
    assert not board.powered


def test_what_stock_boards_do_with_a_broken_filesystem(board: BareBoard, mpremote: Mpremote) -> None:
    mpremote("exec", "open('/kept', 'w').close()")
    board.power_off()
    content = bytearray(board.flash.read_bytes())
    content[: 8 * 4096] = bytes(8 * 4096)
    board.flash.write_bytes(content)
    board.power_on()
    if board.board == "esp32":
        board.wait_output("appears to be corrupted")
        assert "corrupted" in board.output()
    else:
        assert mpremote("exec", "import os\nprint(os.listdir('/'))").stdout == "[]\n"  # formatted, unasked


def test_two_boards_have_two_hardware_ids(tmp_path: Path) -> None:
    ids = {BareBoard(tmp_path / name, "pico_w").hardware_id for name in ("one", "other")}
    assert len(ids) == 2
    assert {BareBoard(tmp_path / "one", "pico_w").hardware_id} < ids


def test_the_unix_board_can_not_be_bare(tmp_path: Path) -> None:
    with pytest.raises(ConsoleError, match="esp32, pico_w or pico"):
        BareBoard(tmp_path, "unix")
