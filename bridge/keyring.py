"""What enrolled consoles prove themselves with, in a folder beside the database: a file each, for its owner alone.

The database holds none of it: copies, reports and whoever reads them need no secrets.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bridge.errors import TrivoxError
from bridge.owner import is_root, owner_of

_KEY_BYTES = 32  # of HMAC-SHA256, as long as its result (RFC 2104, section 3)
_PASSWORD_BYTES = 24


class Credentials(NamedTuple):
    """One console's: `user` and `password` at the broker, and `key`, 64 hex digits, for what it signs and checks."""

    user: str
    password: str
    key: str

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r})"  # neither log nor traceback tells the rest


class Keyring:
    """The credentials of all consoles that are enrolled for `database`, in the folder DATABASE-keys."""

    def __init__(self, database: Path) -> None:
        self.folder = database.with_name(f"{database.name}-keys")
        self._database = database

    def get(self, site_id: str, console_id: str) -> Credentials | None:
        """Those of one console; None where it has none. Raises TrivoxError if its file can't be used."""
        path = self._path(site_id, console_id)
        try:
            return Credentials(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TrivoxError(f"{path} cannot be read ({error.strerror}): run this as the bridge's user.") from error
        except (ValueError, TypeError) as error:
            raise TrivoxError(f"{path} is damaged: put it back from a copy, or revoke and enroll anew.") from error

    def issue(self, site_id: str, console_id: str) -> Credentials:
        """New ones for a console, in the place of any that it had; they are on the disk when this returns."""
        made = Credentials(
            f"{site_id}.{console_id}", secrets.token_urlsafe(_PASSWORD_BYTES), secrets.token_hex(_KEY_BYTES)
        )
        path = self._path(site_id, console_id)
        for folder in (self.folder, path.parent):
            if not folder.is_dir():
                folder.mkdir(mode=0o700)
                self._give(folder)
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(json.dumps(made._asdict()) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._give(new)
        new.replace(path)
        _sync(path.parent)
        return made

    def remove(self, site_id: str, console_id: str) -> bool:
        """Forget those of a console; whether it had any."""
        path = self._path(site_id, console_id)
        with suppress(FileNotFoundError):
            path.unlink()
            _sync(path.parent)
            return True
        return False

    def consoles(self) -> Iterator[tuple[str, str]]:
        """(site, console) of all that have credentials, in order."""
        for path in sorted(self.folder.glob("*/*.json")):
            yield path.parent.name, path.stem

    def _path(self, site_id: str, console_id: str) -> Path:
        return self.folder / site_id / f"{console_id}.json"

    def _give(self, path: Path) -> None:
        if is_root():
            os.chown(path, *owner_of(self._database))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
