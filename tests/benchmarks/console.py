"""Measure a console: its heap, press to lamp on a hung network, draining its outbox, reconnecting."""

from __future__ import annotations

import json
import shutil
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho

from bridge.ops.flash.compile import compile_firmware
from simulator import Console
from tests.benchmarks.figure import Figure
from tests.firmware.broker import PASSWORD, PREFIX, USER, LoginBroker, StandInBridge
from tests.support.programs import wait_until

FIRMWARE = Path(__file__).parents[2] / "firmware"
HEAP_KB_MAX = 70  # of the 100 kB that the smallest board leaves; an update needs up to 30
IN_FLIGHT = 32
PRESSES = 200
LAMP_MS_MAX = 50
HELD_MS = 100
OUTAGE_EVENTS = 5000
DRAIN_S_MAX = 10
BACK_S_MAX = 3
KILLS = 5

FILL = """
from console import events
from console.outbox import Outbox
import boards.unix as board
outbox = Outbox(board.FLASH + "/outbox", events.encode, events.decode, board.PROG_SIZE)
outbox.open()
for number in range(%d):
    outbox.append({"boot": 1, "up_ms": 1000 * number, "at_ms": None, "type": "stray_pressed", "button": "yes",
                   "reason": "no_survey"})
print("filled")
"""


def figures() -> Iterator[Figure]:
    """Measure simulated consoles (MicroPython i386, the firmware compiled) at a real mosquitto."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with LoginBroker(folder) as broker:
            firmware = compile_firmware(folder / "firmware")
            yield from _heap(folder, firmware, broker)
            yield from _press_to_lamp(folder, firmware, broker)
            yield from _drain(folder, firmware, broker)
            yield from _back(folder, firmware, broker)


@contextmanager
def _bridge(broker: LoginBroker) -> Iterator[StandInBridge]:
    bridge = StandInBridge(broker)
    try:
        yield bridge
    finally:
        bridge.close()


def _heap(folder: Path, firmware: Path, broker: LoginBroker) -> Iterator[Figure]:
    with (
        _bridge(broker) as bridge,
        Console(
            folder / "heap", architecture="i386", firmware=firmware, broker=broker.url(), key="5a" * 32
        ) as console,  # enrolled, as in a shop
    ):
        wait_until("it has started", lambda: bridge.of("booted"))
        bridge.acknowledges = False
        console.wifi(on=False)
        for _ in range(IN_FLIGHT):
            console.press("yes", HELD_MS)
            time.sleep(HELD_MS / 1000)  # the time until a finger presses again
        console.wifi(on=True)
        wait_until("they are sent", lambda: len(bridge.of("stray_pressed")) >= IN_FLIGHT)
        heap_kb = console.heap() / 1000
    yield Figure(f"live heap, {IN_FLIGHT} events in flight", heap_kb, "kB", HEAP_KB_MAX, at_most=True, note="i386")


def _press_to_lamp(folder: Path, firmware: Path, broker: LoginBroker) -> Iterator[Figure]:
    with Console(folder / "lamp", architecture="i386", firmware=firmware, broker=broker.url()) as console:
        with _bridge(broker) as bridge:
            wait_until("it has started", lambda: bridge.of("booted"))
        console.hang(on=True)
        begun = len(console.changes())
        for number in range(PRESSES):
            # The length varies, so that presses fall anywhere between two polls; the lamps must be dark before.
            wait_until("lamps are dark", lambda: not any(console.lamps()[name] for name in ("yes", "no", "cant_say")))
            console.press("yes", HELD_MS + number % 13)
        changes = console.changes()[begun:]
        shown = [change.at_s for change in changes if change.kind == "lamp" and change.name == "yes" and change.on]
        pressed = [change.at_s for change in changes if change.kind == "button" and change.on]
    delays = sorted(1000 * (next(at for at in shown if at >= press) - press) for press in pressed)
    yield Figure(
        "press to lamp with the network hung, p99",
        delays[len(delays) * 99 // 100],
        "ms",
        LAMP_MS_MAX,
        at_most=True,
        note=f"p50 {statistics.median(delays):.1f} ms, {len(delays)} presses",
    )


def _drain(folder: Path, firmware: Path, broker: LoginBroker) -> Iterator[Figure]:
    filler = folder / "filler"
    shutil.copytree(firmware, filler)
    (filler / "main.py").write_text(FILL % OUTAGE_EVENTS)
    home = folder / "drain"
    full = Console(home, architecture="i386", firmware=filler, broker=broker.url())
    full.power_on()
    try:
        full.wait_output("filled", 120)
    finally:
        full.power_off()
    started = time.monotonic()
    with _bridge(broker) as bridge, Console(home, architecture="i386", firmware=firmware, broker=broker.url()):
        wait_until("all have arrived", lambda: len(bridge.of("stray_pressed")) == OUTAGE_EVENTS, 120)
        took = time.monotonic() - started
    yield Figure(
        f"draining {OUTAGE_EVENTS:,} events after an outage",
        took,
        "s",
        DRAIN_S_MAX,
        at_most=True,
        note="from power-on",
    )


def _back(folder: Path, firmware: Path, broker: LoginBroker) -> Iterator[Figure]:
    worst = 0.0
    with Console(folder / "back", architecture="i386", firmware=firmware, broker=broker.url()):
        _seconds_until_online(broker)
        for _ in range(KILLS):
            broker.stop(signal.SIGKILL)
            broker.start()
            worst = max(worst, _seconds_until_online(broker))
    title = f"back after a broker kill, the worst of {KILLS}"
    yield Figure(title, worst, "s", BACK_S_MAX, at_most=True, note="from the moment the broker listens again")


def _seconds_until_online(broker: LoginBroker) -> float:
    """Return how long it takes until the console is online; the broker has just started and retains nothing."""
    started, online = time.monotonic(), threading.Event()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
    client.username_pw_set(USER, PASSWORD)
    client.on_connect = lambda me, *_: me.subscribe(PREFIX + "status", qos=1)
    client.on_message = lambda _client, _data, message: (
        online.set() if json.loads(message.payload)["state"] == "online" else None
    )
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        if not online.wait(60):
            raise TimeoutError("the console did not come back in 60 s")
        return time.monotonic() - started
    finally:
        client.disconnect()
        client.loop_stop()
