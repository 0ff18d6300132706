"""A simulated console: power, resets, lamps, sounds, time; its process never outlives the one that started it."""

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import serial

from bridge.ops.flash.compile import compile_firmware
from simulator import Console, ConsoleError, MicroPythonError
from simulator.console.micropython import Architecture
from simulator.console.pinmap import FIRMWARE
from tests.support.programs import wait_until

COUNT_BOOTS = """
import machine, time
with open("boots", "a") as file:
    file.write("x")
print("boot", len(open("boots").read()), machine.reset_cause())
"""
LAMP = """
import asyncio
from machine import Pin, WDT
lamp, button, watchdog = Pin(6, Pin.OUT, value=0), Pin(2, Pin.IN, Pin.PULL_UP), WDT(timeout=5000)
async def main():
    while True:
        lamp.value(not button.value())
        watchdog.feed()
        await asyncio.sleep_ms(10)
asyncio.run(main())
"""


def test_flash_outlives_the_power(make: Callable[..., Console]) -> None:
    console = make(COUNT_BOOTS)
    for boot in (1, 2, 3):
        with console:
            console.wait_output(f"boot {boot} 1\n")
    assert console.resets == []


RESET_AFTER_A_MINUTE = """
import asyncio, machine, time

async def main():
    while time.ticks_ms() < 60_000:
        await asyncio.sleep_ms(10)
    machine.reset()

asyncio.run(main())
"""


def test_a_step_that_resets_the_board_is_not_repeated_in_the_next_run(make: Callable[..., Console]) -> None:
    with make(RESET_AFTER_A_MINUTE) as console:
        for resets in (1, 2, 3):
            console.step(60_000)
            wait_until("the board starts again", lambda: len(console.resets) >= resets)  # noqa: B023 - called at once
            assert console.resets == ["hard"] * resets


CAUSES = [
    ("machine.reset()", "hard", {"unix": 2, "esp32": 2, "pico_w": 3}),
    ("machine.soft_reset()", "soft", {"unix": 5, "esp32": 5, "pico_w": 3}),
    ("machine.WDT(timeout=200)", "watchdog", {"unix": 3, "esp32": 3, "pico_w": 3}),
]


@pytest.mark.parametrize(("line", "reset", "cause"), CAUSES)
@pytest.mark.parametrize("board", ["unix", "esp32", "pico_w"])
def test_a_board_restarts_and_knows_the_reason(
    make: Callable[..., Console], board: str, line: str, reset: str, cause: dict[str, int]
) -> None:
    lines = COUNT_BOOTS + f"if machine.reset_cause() == machine.PWRON_RESET:\n    {line}\nprint('stays')\n"
    with make(lines, board=board) as console:
        console.wait_output(f"boot 2 {cause[board]}\nstays\n")
        assert console.resets[0] == reset


def test_the_watchdog_bites_even_where_nothing_else_runs(make: Callable[..., Console]) -> None:
    lines = (
        COUNT_BOOTS + "if machine.reset_cause() == 1:\n    machine.WDT(timeout=300)\n    while True:\n        pass\n"
    )
    with make(lines) as console:
        console.wait_output("boot 2 3\n")


def test_a_press_during_a_reset_waits_for_the_next_start(make: Callable[..., Console]) -> None:
    lines = (
        COUNT_BOOTS + "if machine.reset_cause() == 1:\n    machine.WDT(timeout=300)\n    while True:\n        pass\n"
    )
    with make(lines) as console:
        for _ in range(10000):
            console.press("yes", held_ms=0)
            if console.resets:
                break
        assert console.resets == ["watchdog"]


LATE_BUTTONS = """
import machine, time
if machine.reset_cause() == machine.PWRON_RESET:
    machine.reset()
begun = time.ticks_ms()
while time.ticks_diff(time.ticks_ms(), begun) < 500:
    pass
machine.Pin(2, machine.Pin.IN, machine.Pin.PULL_UP).irq(lambda pin: print("heard"))
while True:
    time.sleep_ms(10)
"""


def test_a_press_right_after_a_reset_is_heard(make: Callable[..., Console]) -> None:
    with make(LATE_BUTTONS) as console:
        wait_until("it has been reset", lambda: console.resets == ["hard"])
        console.press("yes")
        console.wait_output("heard")


def test_a_process_that_is_killed_from_outside_is_reported(make: Callable[..., Console]) -> None:
    console = make(LAMP)
    console.power_on()
    os.kill(console.pid, signal.SIGKILL)
    with pytest.raises(ConsoleError, match="ended"):
        console.wait_lamp("yes", timeout_s=5)


def test_a_console_without_power_says_so(make: Callable[..., Console]) -> None:
    console = make(LAMP)
    with pytest.raises(ConsoleError, match="not powered"):
        console.press("yes")
    with pytest.raises(ConsoleError, match="no button"):
        console.press("maybe")


@pytest.mark.parametrize("architecture", ["amd64", "i386"])
def test_a_lamp_follows_its_button(make: Callable[..., Console], architecture: Architecture) -> None:
    with make(LAMP, architecture=architecture) as console:
        console.hold("yes")
        lit = console.wait_lamp("yes")
        assert console.lamps() == {"yes": True, "no": False, "cant_say": False, "seller": False}
        pressed, lamp = console.changes()
        assert (pressed.kind, lamp.kind, lamp.at_s) == ("button", "lamp", lit)
        assert pressed.at_s <= lamp.at_s
        assert pressed.ticks_ms <= lamp.ticks_ms
        console.release("yes")
        console.wait_lamp("yes", on=False)
        console.hold("yes")
        console.wait_lamp("yes")
    assert console.lamps()["yes"] is False


def test_a_lamp_that_stays_dark_is_an_error(make: Callable[..., Console]) -> None:
    with make(LAMP) as console, pytest.raises(ConsoleError, match="did not light"):
        console.wait_lamp("no", timeout_s=0.1)


def test_tones_and_tracks_are_heard(make: Callable[..., Console]) -> None:
    lines = """
    from machine import PWM, UART, Pin
    tone = PWM(Pin(15), freq=880, duty_u16=0)
    tone.duty_u16(32768)
    tone.freq(1175)
    tone.duty_u16(0)
    UART(0, 9600, tx=12, rx=13).write(b"\\x7e\\xff\\x06\\x12\\x00\\x00\\x07\\xfe\\xe2\\xef")
    print("played")
    """
    with make(lines) as console:
        console.wait_output("played")
        console.heap()
        assert [(sound.hertz, sound.track) for sound in console.sounds()] == [
            (880, None),
            (1175, None),
            (0, None),
            (None, 7),
        ]


@pytest.mark.parametrize("frame", [rb"\x7e\xff\x06\x12\x00\x00\x07\xfe\xe3\xef", rb"\x7e\xff\x06\x12\xef"])
def test_a_frame_that_the_player_would_refuse_is_an_error(make: Callable[..., Console], frame: bytes) -> None:
    console = make(f'import machine\nmachine.UART(0, 9600, tx=12, rx=13).write(b"{frame.decode()}")\nprint("sent")')
    console.power_on()
    console.wait_output("sent")
    with pytest.raises(ConsoleError, match="player"):
        console.heap()


@pytest.mark.parametrize("architecture", ["amd64", "i386"])
def test_time_steps_over_the_wrap(make: Callable[..., Console], architecture: Architecture) -> None:
    lines = """
    import asyncio, time
    last = total = 0
    async def main():
        global last, total
        last = time.ticks_ms()
        begun = time.time()
        print("ready")
        while True:
            await asyncio.sleep_ms(10)
            now = time.ticks_ms()
            total += time.ticks_diff(now, last)
            last = now
            if total > 13 * 86400000:
                print("days", total // 86400000, (time.time() - begun) // 86400, now < 86400000)
                break
        while True:
            await asyncio.sleep_ms(10)
    asyncio.run(main())
    """
    with make(lines, architecture=architecture) as console:
        console.wait_output("ready")
        console.step(13 * 86400000)
        console.wait_output(f"days 13 13 {architecture == 'i386'}")


def test_a_step_runs_all_that_is_due(make: Callable[..., Console]) -> None:
    lines = """
    import asyncio
    from machine import Pin
    lamp = Pin(6, Pin.OUT, value=0)
    async def after(seconds):
        await asyncio.sleep(seconds)
        lamp.on()
    async def main():
        asyncio.create_task(after(3600))
        print("ready")
        while True:
            await asyncio.sleep_ms(10)
    asyncio.run(main())
    """
    with make(lines) as console:
        console.wait_output("ready")
        console.step(3590 * 1000)
        assert console.lamps()["yes"] is False
        console.step(20 * 1000)
        console.heap()
        assert console.lamps()["yes"] is True


def test_steps_work_with_a_loop_that_never_rests(make: Callable[..., Console]) -> None:
    lines = """
    import asyncio
    async def main():
        print("ready")
        while True:
            await asyncio.sleep_ms(0)
    asyncio.run(main())
    """
    with make(lines) as console:
        console.wait_output("ready")
        for _ in range(30):  # between two looks of the simulator the loop pops and pushes its task many times
            console.step(1)


def test_heap_and_flash_are_counted(make: Callable[..., Console]) -> None:
    lines = "kept = bytearray(50000)\nwith open('file', 'w') as file:\n    file.write('x' * 3000)\nprint('written')"
    with make(lines) as console:
        console.wait_output("written")
        assert 50000 <= console.heap() <= 60000
        erases, programs = console.flash_counts()
        assert erases >= 1
        assert programs >= 3000 // 1024  # LittleFS keeps four pages together


LOOP = """
import asyncio
async def loop():
    while True:
        await asyncio.sleep_ms(5)
print("up")
asyncio.run(loop())
"""


def test_a_long_folder_in_flash_is_listed_completely(make: Callable[..., Console]) -> None:
    names = [f"s{number:08x}-9f2c1ab0-{number:08x}" for number in range(120)]  # as after a long outage
    lines = f"import os\nos.mkdir('kept')\nos.mkdir('kept/more')\nfor name in {names}:\n"
    lines += "    open('kept/' + name, 'wb').close()\n"
    with make(lines + LOOP) as console:
        console.wait_output("up")
        assert console.flash_files("kept") == dict.fromkeys(names, 0)


@pytest.mark.parametrize("board", ["unix", "esp32"])
def test_files_in_flash_can_be_read(make: Callable[..., Console], board: str) -> None:
    contents = {"f0": b"", "f10": b"x" * 10, "f1500": b"y" * 1500, "f4000": bytes(range(250)) * 16}
    lines = "import os\nos.mkdir('kept')\n"
    for name, content in contents.items():
        lines += f"with open('kept/{name}', 'wb') as file:\n    file.write({content!r})\n"
    with make(lines + LOOP, board=board) as console:
        console.wait_output("up")
        assert console.flash_files("kept") == {name: len(content) for name, content in contents.items()}
        assert {name: console.flash_file(f"kept/{name}") for name in contents} == contents
        assert console.flash_heads("kept", [*contents, "gone"], 4) == {
            name: content[:4] for name, content in contents.items()
        }
        assert console.flash_files("gone") == {}
        assert console.flash_file("kept/gone") is None


def test_a_heap_has_the_size_asked_for(make: Callable[..., Console]) -> None:
    console = make("kept = bytearray(300000)", heap_kb=200)
    console.power_on()
    console.wait_output("MemoryError")


def test_firmware_compiles_to_what_boards_get(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "console").mkdir(parents=True)
    (source / "main.py").write_text("from console.app import run\nrun()\n")
    (source / "manifest.py").write_text("package('console')\n")
    (source / "console/__init__.py").write_text("")
    (source / "console/app.py").write_text("def run():\n    print('compiled')\n")
    folder = compile_firmware(tmp_path / "compiled", source)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*py")) == [
        "console/__init__.mpy",
        "console/app.mpy",
        "main.py",
    ]
    with Console(tmp_path / "console", firmware=folder, architecture="i386") as console:
        console.wait_output("compiled")


def test_power_on_returns_once_the_firmware_hears_its_buttons(tmp_path: Path) -> None:
    source = tmp_path / "firmware"
    shutil.copytree(FIRMWARE, source)
    slow = "import time\nbegan = time.ticks_ms()\nwhile time.ticks_diff(time.ticks_ms(), began) < 1500:\n    pass\n"
    (source / "main.py").write_text(slow + (FIRMWARE / "main.py").read_text())
    with Console(tmp_path / "till", firmware=source) as console:
        console.press("seller")
        console.wait_lamp("yes")


def test_a_board_without_radio_speaks_over_a_serial_port(make: Callable[..., Console]) -> None:
    lines = """
    import sys
    import time
    time.sleep_ms(0)
    while True:
        line = sys.stdin.buffer.readline()
        sys.stdout.buffer.write(b"heard " + line)
    """
    with make(lines, board="pico") as console, serial.Serial(console.serial_port, timeout=60) as port:
        port.write(b"hello\n")
        assert port.readline() == b"heard hello\n"
        port.write(b"x" * 20000 + b"\n")
        assert port.readline() == b"heard " + b"x" * 20000 + b"\n"


def test_a_board_goes_on_if_nobody_reads_its_serial_port(make: Callable[..., Console]) -> None:
    lines = "for number in range(200):\n    print(number, 'x' * 1000)\nprint('-- end')"
    with make(lines, board="pico") as console:
        console.wait_output("-- end")


def test_a_console_ends_with_whoever_started_it(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(LAMP)
    program = (
        "import pathlib, time; from simulator import Console\n"
        f"console = Console(pathlib.Path({str(tmp_path)!r}), firmware=pathlib.Path({str(tmp_path)!r}))\n"
        "console.power_on(); print(console.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        watched = os.pidfd_open(pid)
        owner.kill()
        assert select.select([watched], [], [], 10)[0], "the console still runs"
        os.close(watched)


def test_missing_micropython_is_reported(make: Callable[..., Console], monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_: str) -> list[str]:
        raise MicroPythonError("nowhere")

    monkeypatch.setattr("simulator.console.micropython.command", nowhere)
    with pytest.raises(MicroPythonError, match="nowhere"):
        make(LAMP).power_on()


JOINED = """
import network, socket, time
wlan, was = network.WLAN(network.STA_IF), None
wlan.active(True)
wlan.connect("shop", "simulated")
def sockets():
    try:
        socket.getaddrinfo("127.0.0.1", 1)
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
    except OSError:
        return "cut"
    return "there"
while True:
    now = wlan.isconnected()
    if now != was:
        print("joined", now, sockets())
        was = now
    time.sleep_ms(10)
"""


@pytest.mark.parametrize("board", ["unix", "esp32", "pico_w"])
def test_the_radio_network_goes_and_comes(make: Callable[..., Console], board: str) -> None:
    with make(JOINED, board=board) as console:
        console.wait_output("joined True there\n")
        console.wifi(on=False)
        output = console.wait_output("joined False cut\n")
        console.wifi(on=True)
        if board == "pico_w":  # its driver does not join again by itself
            assert output.count("joined True") == 1
        else:
            console.wait_output(output + "joined True there\n")


def test_a_console_starts_without_network(make: Callable[..., Console]) -> None:
    console = make(JOINED)
    console.wifi(on=False)
    with console:
        console.wait_output("joined False cut\n")
        console.wifi(on=True)
        console.wait_output("joined True there\n")


def test_a_console_without_radio_has_no_network(make: Callable[..., Console]) -> None:
    with make(LAMP, board="pico") as console, pytest.raises(ConsoleError, match="no radio"):
        console.wifi(on=False)
