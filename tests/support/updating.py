"""Consoles to be updated over the air: real broker, real bridge, real MicroPython, bundles of all kinds."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from bridge.bundle import make_bundle, make_key, read_key
from bridge.keyring import Keyring
from simulator import Console
from simulator.testing import Bridge, Broker
from tests.support import facts
from tests.support.programs import wait_until
from tests.support.versions import Changes, other_version

OLD, NEW = "1.0.0", "1.1.0"
LIMIT_S = 120.0
Row = dict[str, Any]


class Office:
    """Broker, bridge and consoles of the site `demo` in a folder; `compiled` is the firmware that all is made of."""

    def __init__(self, folder: Path, compiled: Path) -> None:
        self.folder = folder
        self._compiled = compiled
        self.broker = Broker(folder, "mosquitto")
        self.bridge = Bridge(folder, self.broker)
        self.old = other_version(compiled, folder / "old", OLD)

    def __enter__(self) -> Self:
        self.broker.start()
        self.bridge.start()
        public = make_key(self.folder / "release.key")
        self.bridge.trivox("firmware", "trust", str(public))
        return self

    def __exit__(self, *_: object) -> None:
        self.bridge.stop()
        self.broker.stop()

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

    def offer(self, version: str = NEW, changes: Changes | None = None) -> None:
        """Have the bridge know a version."""
        self.bridge.trivox("firmware", "add", str(self.bundle(version, changes)))

    def console(self, console_id: str = "till-1", **options: Any) -> Console:
        """A console that runs the old version from its own flash, with a key that the bridge knows."""
        key = Keyring(self.bridge.database).issue("demo", console_id).key
        given = {"key": key, "broker": self.broker.url, "firmware": self.old, "installed": True, **options}
        return Console(self.folder / console_id, console_id=console_id, **given)

    def order(self, *words: str, version: str = NEW) -> str:
        """What `trivox console update --to VERSION` says."""
        return self.bridge.trivox("console", "update", "--to", version, *words)

    def state(self, console_id: str = "till-1") -> str:
        """How far the order of a console is."""
        return str(self.update(console_id).get("state"))

    def reason(self, console_id: str = "till-1") -> str:
        """Why it did not come to its end."""
        return str(self.update(console_id).get("reason"))

    def rows(self, query: str, *values: str) -> list[Row]:
        """Rows of the bridge's database, read beside it."""
        where = f"{self.bridge.database.as_uri()}?mode=ro"
        with closing(sqlite3.connect(where, uri=True, timeout=60)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]

    def update(self, console_id: str = "till-1") -> Row:
        """The last order to update a console: its `state`, its `size`, how far it is `fetched`; empty if none."""
        rows = facts.updates(self.bridge.database, console_id=console_id)
        return rows[0] if rows else {}

    def wait_heard(self, console_id: str = "till-1") -> None:
        """Wait until the bridge knows which firmware the console runs."""
        wait_until(f"{console_id} is heard", lambda: self.health(console_id), LIMIT_S)

    def health(self, console_id: str = "till-1") -> Any:
        """The last health message, as text."""
        (text,) = facts.consoles(self.bridge.database, "health", console_id=console_id) or [None]
        return text

    def wait_state(self, *states: str, console_id: str = "till-1") -> str:
        """Wait until the order of a console is in one of these states."""
        found: Callable[[], Any] = lambda: self.state(console_id) if self.state(console_id) in states else None  # noqa: E731
        return str(wait_until(f"{console_id} is {' or '.join(states)}", found, LIMIT_S))

    def boots(self, console_id: str = "till-1") -> list[str]:
        """The firmware of each boot that the bridge has heard of, in order."""
        boots = facts.told(self.bridge.database, type="booted", console_id=console_id)
        return [boot["firmware"] for boot in boots]
