"""Set up updates over the air: broker, bridge, consoles with MicroPython, and good and broken bundles."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from bridge.admin.firmware_bundle import make_bundle, make_key, read_key
from bridge.keyring import Keyring
from simulator import Console
from tests.support import command, facts
from tests.support.bridge import RunningBridge
from tests.support.mosquitto import Mosquitto
from tests.support.programs import wait_until
from tests.support.versions import Changes, other_version

OLD, NEW = "1.0.0", "1.1.0"
UPDATE = ("console", "update")


class UpdateRig:
    """Broker, bridge and consoles of the site `demo` in a folder; `compiled` is the firmware that versions copy."""

    def __init__(self, folder: Path, compiled: Path) -> None:
        self.folder = folder
        self._compiled = compiled
        self.broker = Mosquitto(folder)
        self.bridge = RunningBridge(folder, self.broker.url())
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
        """Run a command that must succeed; return its output."""
        return command.output_of(*words, "--database", str(self.database))

    def refusal(self, *words: str) -> str:
        """Run a command that must fail; return its error."""
        done = command.trivox(*words, "--database", str(self.database))
        assert done.returncode == 1, f"{words}: {done.stdout}"
        return done.stderr

    def bundle(self, version: str = NEW, changes: Changes | None = None, key: Path | None = None) -> Path:
        """Make a signed bundle of a version, which may be broken on purpose."""
        key = key or self.folder / "release.key"
        return make_version_bundle(self.folder, self._compiled, version, key, changes)

    def offer(self, version: str = NEW, changes: Changes | None = None) -> int:
        """Add a version to the bridge; return the size of its bundle in bytes."""
        bundle = self.bundle(version, changes)
        self.trivox("firmware", "add", str(bundle))
        return bundle.stat().st_size

    def console(self, console_id: str = "till-1", **options: Any) -> Console:
        """Make a console that runs the old version from its own flash, with a key that the bridge knows."""
        key = Keyring(self.database).issue("demo", console_id).key
        given = {"key": key, "broker": self.broker.url(), "firmware": self.old, "installed": True, **options}
        return Console(self.folder / console_id, console_id=console_id, **given)

    def order(self, *words: str, version: str = NEW) -> str:
        """Run `trivox console update --to VERSION`; return its output."""
        return self.trivox(*UPDATE, "--to", version, *words)

    def state(self, console_id: str = "till-1") -> str:
        """Return the state of a console's order; empty if there is none."""
        return str(self._order("state", console_id))

    def reason(self, console_id: str = "till-1") -> str:
        """Return why a console's order failed."""
        return str(self._order("reason", console_id))

    def _order(self, what: str, console_id: str) -> Any:
        found = facts.updates(self.database, what, console_id=console_id)
        return found[0] if found else ""

    def is_heard(self, console_id: str = "till-1") -> bool:
        """Return whether the bridge has a health message of the console."""
        return bool(facts.healths(self.database, console_id=console_id))

    def wait_heard(self, console_id: str = "till-1") -> None:
        """Wait until the bridge has a health message of the console."""
        wait_until(f"{console_id} is heard", lambda: self.is_heard(console_id))

    def wait_state(self, *states: str, console_id: str = "till-1") -> str:
        """Wait until the order of a console is in one of these states."""
        found: Callable[[], Any] = lambda: self.state(console_id) if self.state(console_id) in states else None  # noqa: E731
        return str(wait_until(f"{console_id} is {' or '.join(states)}", found))

    def events(self, kind: str, console_id: str = "till-1") -> list[dict[str, Any]]:
        """Return the console's events of a type that the bridge has, in order."""
        return facts.sent_events(self.database, console_id=console_id, type=kind)

    def boots(self, console_id: str = "till-1") -> list[str]:
        """Return the firmware version of each boot that the bridge has, in order."""
        return [event["firmware"] for event in self.events("booted", console_id)]


def make_version_bundle(folder: Path, compiled: Path, version: str, key: Path, changes: Changes | None = None) -> Path:
    """Make a bundle of a version in `folder`, signed by `key`; it may be broken on purpose."""
    source = other_version(compiled, folder / f"source-{version}", version, changes)
    files = {
        path.relative_to(source).as_posix(): path.read_bytes()
        for part in ("console", "boards")
        for path in (source / part).rglob("*.mpy")
    }
    made = folder / f"{version}.bundle"
    made.write_bytes(make_bundle(version, files, read_key(key)))
    return made
