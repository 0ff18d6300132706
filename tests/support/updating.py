"""Consoles to be updated over the air: real broker, real bridge, real MicroPython, bundles of all kinds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from bridge.admin.firmware_bundle import make_bundle, make_key, read_key
from bridge.keyring import Keyring
from simulator import Console
from tests.support import command, facts
from tests.support.bridge import Bridge
from tests.support.mosquitto import Mosquitto
from tests.support.programs import wait_until
from tests.support.versions import Changes, other_version

OLD, NEW = "1.0.0", "1.1.0"
UPDATE = ("console", "update")


class Office:
    """Broker, bridge and consoles of the site `demo` in a folder; `compiled` is the firmware that all is made of."""

    def __init__(self, folder: Path, compiled: Path) -> None:
        self.folder = folder
        self._compiled = compiled
        self.broker = Mosquitto(folder)
        self.bridge = Bridge(folder, self.broker.url())
        self.database = self.bridge.database
        self.old = other_version(compiled, folder / "old", OLD)

    def __enter__(self) -> Self:
        try:
            self.broker.start()
            self.bridge.start()
            self.trivox("firmware", "trust", str(make_key(self.folder / "release.key")))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.bridge.__exit__()
        self.broker.stop()

    def trivox(self, *words: str) -> str:
        """What a command says, which must succeed."""
        return command.say(*words, "--database", str(self.database))

    def refusal(self, *words: str) -> str:
        """Why a command could not be done."""
        done = command.trivox(*words, "--database", str(self.database))
        assert done.returncode == 1, f"{words}: {done.stdout}"
        return done.stderr

    def bundle(self, version: str = NEW, changes: Changes | None = None, key: Path | None = None) -> Path:
        """A signed bundle of a version, which may be broken on purpose."""
        source = other_version(self._compiled, self.folder / f"source-{version}", version, changes)
        files = {
            path.relative_to(source).as_posix(): path.read_bytes()
            for part in ("console", "boards")
            for path in (source / part).rglob("*.mpy")
        }
        made = self.folder / f"{version}.bundle"
        made.write_bytes(make_bundle(version, files, read_key(key or self.folder / "release.key")))
        return made

    def offer(self, version: str = NEW, changes: Changes | None = None) -> int:
        """Have the bridge know a version; the bytes of its bundle."""
        bundle = self.bundle(version, changes)
        self.trivox("firmware", "add", str(bundle))
        return bundle.stat().st_size

    def console(self, console_id: str = "till-1", **options: Any) -> Console:
        """A console that runs the old version from its own flash, with a key that the bridge knows."""
        key = Keyring(self.database).issue("demo", console_id).key
        given = {"key": key, "broker": self.broker.url(), "firmware": self.old, "installed": True, **options}
        return Console(self.folder / console_id, console_id=console_id, **given)

    def order(self, *words: str, version: str = NEW) -> str:
        """What `trivox console update --to VERSION` says."""
        return self.trivox(*UPDATE, "--to", version, *words)

    def state(self, console_id: str = "till-1") -> str:
        """How far the order of a console is; empty if there is none."""
        return str(self._order("state", console_id))

    def reason(self, console_id: str = "till-1") -> str:
        """Why it did not come to its end."""
        return str(self._order("reason", console_id))

    def _order(self, what: str, console_id: str) -> Any:
        found = facts.updates(self.database, what, console_id=console_id)
        return found[0] if found else ""

    def is_heard(self, console_id: str = "till-1") -> bool:
        """Whether the bridge knows which firmware the console runs."""
        return bool(facts.healths(self.database, console_id=console_id))

    def wait_heard(self, console_id: str = "till-1") -> None:
        """Wait until it does."""
        wait_until(f"{console_id} is heard", lambda: self.is_heard(console_id))

    def wait_state(self, *states: str, console_id: str = "till-1") -> str:
        """Wait until the order of a console is in one of these states."""
        found: Callable[[], Any] = lambda: self.state(console_id) if self.state(console_id) in states else None  # noqa: E731
        return str(wait_until(f"{console_id} is {' or '.join(states)}", found))

    def told(self, kind: str, console_id: str = "till-1") -> list[dict[str, Any]]:
        """Events of a kind that the bridge has heard of, as the console sent them, in order."""
        return facts.told(self.database, console_id=console_id, type=kind)

    def boots(self, console_id: str = "till-1") -> list[str]:
        """The firmware of each boot that the bridge has heard of, in order."""
        return [event["firmware"] for event in self.told("booted", console_id)]
