"""A stand-in offers what the board's port offers, and what a board does not allow is an error."""

from collections.abc import Callable

import pytest

from simulator import Console, FirmwareError

BOARDS = ("unix", "esp32", "pico_w", "pico")
ESP32, RP2 = ("esp32",), ("pico_w", "pico")


@pytest.mark.parametrize("board", BOARDS)
def test_a_pin_drives_and_reads(run: Callable[..., str], board: str) -> None:
    printed = run(
        """
        from machine import Pin
        lamp, button = Pin(18, Pin.OUT, value=1), Pin(5, Pin.IN, Pin.PULL_UP)
        lamp.off(); lamp(1); lamp.value(0); lamp.on()
        print(button(), button.value(), Pin(4, Pin.IN, Pin.PULL_DOWN).value())
        """,
        board,
    )
    assert printed == "1 1 0"


WRONG = [
    ("Pin(18, Pin.OUT).value()", BOARDS, "BoardError"),
    ("Pin(5, Pin.IN).value()", BOARDS, "BoardError"),
    ("Pin(5, Pin.IN, Pin.PULL_UP).on()", BOARDS, "BoardError"),
    ("Pin(5, Pin.IN, value=1)", BOARDS, "BoardError"),
    ("Pin(5).value()", BOARDS, "BoardError"),
    ("Pin(5, Pin.OUT).irq(print)", BOARDS, "BoardError"),
    ("Pin(5, Pin.IN).irq(print, 4)", BOARDS, "BoardError"),
    ("Pin(99, Pin.IN)", BOARDS, "ValueError"),
    ("Pin('x', Pin.IN)", BOARDS, "ValueError"),
    ("Pin(5, 9)", BOARDS, "ValueError"),
    ("Pin(5, Pin.IN, 9)", BOARDS, "ValueError"),
    ("Pin(5, Pin.IN, speed=1)", BOARDS, "TypeError"),
    ("Pin(6, Pin.OUT)", ESP32, "BoardError"),
    ("Pin(34, Pin.OUT)", ESP32, "BoardError"),
    ("Pin(34, Pin.IN, Pin.PULL_UP)", ESP32, "BoardError"),
    ("Pin(23, Pin.OUT)", RP2, "BoardError"),
    ("Pin(30, Pin.OUT)", RP2, "ValueError"),
    ("Pin(5, Pin.IN, Pin.PULL_UP).irq(print, Pin.IRQ_FALLING, hard=True)", ESP32, "TypeError"),
    ("Pin(5, Pin.IN, Pin.PULL_UP).irq(print, Pin.IRQ_FALLING, wake=1)", RP2, "TypeError"),
    ("Pin(5, Pin.OUT).toggle()", ESP32, "AttributeError"),
    ("PWM(Pin(15), freq=1000, duty=512)", RP2, "TypeError"),
    ("PWM(Pin(15), freq=1000).duty(512)", RP2, "AttributeError"),
    ("PWM(Pin(15), freq=1)", RP2, "ValueError"),
    ("PWM(Pin(15)).duty_u16(9)", RP2, "BoardError"),
    ("PWM(Pin(15), freq=1000, duty_u16=65536)", BOARDS, "ValueError"),
    ("PWM(Pin(15), frequency=1000)", BOARDS, "TypeError"),
    ("UART(0, 9600, tx=17, rx=16)", ESP32, "BoardError"),
    ("UART(2, 9600, tx=17, rx=16)", RP2, "ValueError"),
    ("UART(1, 9600, tx=17, rx=16, speed=1)", BOARDS, "TypeError"),
    ("UART(1, 9)", BOARDS, "ValueError"),
    ("WDT(timeout=8389)", RP2, "ValueError"),
    ("WDT(timeout=0)", BOARDS, "ValueError"),
    ("WDT(1)", BOARDS, "ValueError"),
    ("WDT(limit=1000)", BOARDS, "TypeError"),
    ("machine.HARD_RESET", RP2, "AttributeError"),
    ("machine.RTC()", ("unix",), "AttributeError"),
    ("machine.Timer(0)", BOARDS, "AttributeError"),
    ("time.clock()", BOARDS, "AttributeError"),
]


@pytest.mark.parametrize(
    ("board", "line", "error"), [(board, line, error) for line, boards, error in WRONG for board in boards]
)
def test_what_is_wrong_on_a_board_is_wrong_here(run: Callable[..., str], board: str, line: str, error: str) -> None:
    assert run(f"import machine, time\nfrom machine import PWM, UART, WDT, Pin\n{line}", board) == error


@pytest.mark.parametrize("board", BOARDS)
def test_a_signal_inverts_a_pin(run: Callable[..., str], board: str) -> None:
    line = "from machine import Pin, Signal\nprint(Signal(Pin(5, Pin.IN, Pin.PULL_UP), invert=True).value())"
    assert run(line, board) == "0"


def test_a_broken_rule_reaches_the_host_even_if_the_firmware_catches_it(make: Callable[..., Console]) -> None:
    console = make("from machine import Pin\ntry:\n    Pin(5, Pin.IN).value()\nexcept Exception:\n    print('went on')")
    with pytest.raises(FirmwareError, match="nothing drives it"), console:
        console.wait_output("went on")


def test_firmware_that_ends_with_an_error_is_reported(make: Callable[..., Console]) -> None:
    console = make("1 / 0")
    with pytest.raises(FirmwareError, match="ZeroDivisionError"), console:
        console.wait_output("ZeroDivisionError")


def test_short_and_long_watchdogs_are_accepted(run: Callable[..., str]) -> None:
    assert run("from machine import WDT\nWDT(timeout=8388).feed()\nprint('fed')", "pico_w") == "fed"
    assert run("from machine import WDT\nWDT(timeout=60000).feed()\nprint('fed')", "esp32") == "fed"


@pytest.mark.parametrize(("board", "length"), [("unix", 6), ("esp32", 6), ("pico_w", 8), ("pico", 8)])
def test_a_board_knows_its_hardware_id(run: Callable[..., str], board: str, length: int) -> None:
    assert run("import machine\nprint(len(machine.unique_id()))", board) == str(length)


@pytest.mark.parametrize(("board", "year"), [("esp32", 2000), ("pico_w", 2021)])
def test_a_board_without_power_has_forgotten_the_date(run: Callable[..., str], board: str, year: int) -> None:
    assert run("import time\nprint(time.gmtime()[0])", board) == str(year)


@pytest.mark.parametrize(("board", "epoch"), [("esp32", 2000), ("pico_w", 1970), ("unix", 1970)])
def test_time_counts_from_the_ports_epoch(run: Callable[..., str], board: str, epoch: int) -> None:
    printed = run(
        "import time\nprint(time.gmtime(0)[0], time.mktime(time.gmtime(1000)), time.ticks_ms() < 5000)", board
    )
    assert printed == f"{epoch} 1000 True"


def test_the_calendar_is_set_by_the_rtc(run: Callable[..., str]) -> None:
    printed = run(
        """
        import machine, time
        machine.RTC().datetime((2026, 11, 22, 6, 13, 30, 0, 0))
        print(machine.RTC().datetime()[:6], time.gmtime()[:5], time.time_ns() // 1000000000 - time.time())
        """,
        "esp32",
    )
    assert printed == "(2026, 11, 22, 6, 13, 30) (2026, 11, 22, 13, 30) 0"


JOIN = """
import network, time
wlan = network.WLAN(network.STA_IF)
def after(ssid, key):
    wlan.active(True); wlan.disconnect(); wlan.connect(ssid, key)
    at_once = wlan.status()
    time.sleep_ms(300)
    later = wlan.status(), wlan.isconnected()
    if later[0] == network.STAT_CONNECTING:  # an ESP32 tries on, and tells afterwards why it failed
        wlan.disconnect()
        later = wlan.status(), wlan.isconnected()
    return (at_once,) + later
print(after("shop", "simulated") == (network.STAT_CONNECTING, network.STAT_GOT_IP, True))
print(after("shop", "guessed") == (network.STAT_CONNECTING, network.STAT_WRONG_PASSWORD, False))
print(after("office", "simulated") == (network.STAT_CONNECTING, network.STAT_NO_AP_FOUND, False))
"""


@pytest.mark.parametrize("board", ["unix", "esp32", "pico_w"])
def test_a_network_is_joined_with_its_password(run: Callable[..., str], board: str) -> None:
    assert run(JOIN, board).split() == ["True", "True", "True"]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("wlan.connect('shop', 'simulated')", "OSError"),
        ("wlan.active(True)\nwlan.connect('shop', password='simulated')", "TypeError"),
        ("wlan.active(True)\nwlan.connect('')", "ValueError"),
        ("wlan.status('rssi')", "OSError"),
        ("wlan.status('noise')", "ValueError"),
        ("wlan.config('power')", "ValueError"),
        ("wlan.config(power=1)", "ValueError"),
        ("network.WLAN(network.AP_IF)", "BoardError"),
        ("wlan.active(True)\nwlan.connect('shop', '1')\nwlan.connect('shop', '1')", "OSError"),
    ],
)
def test_a_radio_refuses_what_a_board_refuses(run: Callable[..., str], line: str, error: str) -> None:
    assert run(f"import network\nwlan = network.WLAN(network.STA_IF)\n{line}", "esp32") == error


def test_a_board_without_radio_has_no_such_module(run: Callable[..., str]) -> None:
    assert run("import network", "pico") == "ImportError"


def test_the_flash_is_mounted_where_the_board_has_it(run: Callable[..., str]) -> None:
    assert run("import os\nprint(os.getcwd(), 'console.json' in os.listdir('/flash'))", "unix") == "/flash True"
    assert run("import os\nprint(os.getcwd(), 'console.json' in os.listdir('/'))", "esp32") == "/ True"
