"""A shop around an emulated Pico: its console flashed by `trivox console flash`, a broker, a bridge and a gateway."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from tests.chip.emulated_pico import EmulatedPico
from tests.chip.flash_content import add_surveys
from tests.support import facts
from tests.support.bridge import RunningBridge
from tests.support.command import output_of, trivox
from tests.support.gateway import RunningGateway
from tests.support.mosquitto import Mosquitto
from tests.support.programs import wait_until

ROOT = Path(__file__).parents[2]
SITE, CONSOLE = "shop", "till-1"
DATABASE = "trivox.db"
HEARTBEAT_MS = 5000
SETTLED_MS = 500


def build_image(folder: Path, manifest: str) -> bytes:
    """Return what is in flash after MicroPython was put there, with what that manifest freezes; build it if needed."""
    builder = ROOT / "firmware" / "image"
    words: list[str | Path] = [sys.executable, builder / "build.py", folder, "--manifest", builder / manifest]
    subprocess.run(words, check=True)
    return (folder / "firmware.bin").read_bytes()


def flash_console(folder: Path, image: bytes, *holding: str) -> None:
    """Flash an emulated board as a technician does, enrolled in `DATABASE`: leave both in `folder`.

    The technician holds these buttons while plugging it in.
    """
    with EmulatedPico(folder, image) as pico:
        pico.power_on_holding(*holding)
        pico.wait_event("connected", since=0)
        words = ["--port", str(pico.port), "--site", SITE, "--console", CONSOLE, "--no-self-test"]
        done = trivox("console", "flash", *words, "--database", DATABASE, folder=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        pico.power_off()


def put_in_service(folder: Path) -> None:
    """Let the console that was flashed there take its settings and deliver its first events."""
    with tempfile.TemporaryDirectory(dir=folder) as name, ChipShop(Path(name), folder) as shop:
        words = ("settings", "set", "--site", SITE, f"heartbeat_ms={HEARTBEAT_MS}")
        output_of(*words, "--database", str(shop.database))
        shop.start_console()
        wait_until("settings are applied", lambda: facts.events(shop.database, type="settings_applied"))
        shop.wait_delivered()
        shop.bridge.end()
        shop.pico.power_off()
        shop.copy_to(folder)


class ChipShop:
    """A flashed console at a gateway; `with` starts all of it, with the board still off.

    `flashed` is a folder that `flash_console` filled; that many more answered `surveys` wait on the console.
    """

    def __init__(self, folder: Path, flashed: Path, surveys: int = 0) -> None:
        folder.mkdir(exist_ok=True)
        _copy_database(flashed, folder)
        self.pico = EmulatedPico(folder / "pico", (flashed / "flash.img").read_bytes())
        if surveys:
            add_surveys(self.pico.flash, surveys)
        self.broker = Mosquitto(folder)
        self.bridge = RunningBridge(folder, self.broker.url())
        self.database = self.bridge.database
        self.gateway = RunningGateway(folder, self.broker.url(), self.pico.port)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for part in (self.broker, self.bridge, self.gateway, self.pico):
                stack.enter_context(part)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start_console(self) -> None:
        """Plug the console in, and wait until it is in service."""
        begun = len(self.pico.output())
        self.pico.power_on()
        wait_until("the console says hello", lambda: "\nhello\t" in self.pico.output()[begun:])
        self.pico.let_pass(SETTLED_MS)

    def wait_delivered(self) -> None:
        """Wait until the console says that the bridge has all its events."""

        def is_delivered() -> bool:
            held = self.last_health()["outbox"]
            return bool(facts.through(self.database, CONSOLE) == held["next"] - 1)

        self.wait_heartbeat()
        wait_until("all events are delivered", is_delivered)

    def wait_heartbeat(self) -> None:
        """Wait for the console's next health message."""
        heard = len(self.healths())
        wait_until("a heartbeat", lambda: len(self.healths()) > heard)

    def last_health(self) -> dict[str, Any]:
        """Return what the console last said about itself over its line, whether the bridge heard it or not."""
        return self.healths()[-1]

    def healths(self) -> list[dict[str, Any]]:
        """Return all that the console said about itself."""
        lines = [line.split("\t") for line in self.pico.output().splitlines()]
        return [json.loads(words[1]) for words in lines if len(words) == 3 and words[0] == "health"]

    def copy_to(self, folder: Path) -> None:
        """Copy flash and database, both at rest, for another shop."""
        shutil.copy(self.pico.flash, folder / "flash.img")
        _copy_database(self.database.parent, folder)


def _copy_database(source: Path, target: Path) -> None:
    for path in source.glob(f"{DATABASE}*"):
        if path.is_dir():
            shutil.copytree(path, target / path.name, dirs_exist_ok=True)
        else:
            shutil.copy(path, target / path.name)
