"""Check what other users of this machine may do with the files of a database, in plain sentences."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from bridge.admin.bundle_folder import Bundles
from bridge.keyring import Keyring
from bridge.ops.doctor.database import Diagnosis
from bridge.private_files import is_open_to_others
from bridge.privileges import ROOT, Owner, acting_as, owner_of
from bridge.store.faults import SIDECAR_SUFFIXES, sidecar
from bridge.system import HAS_MODES, name_of_user, user_id, user_record
from bridge.text import plural, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.broker_login import BrokerLogin

LOCK_SUFFIX = ".lock"
OTHERS = stat.S_IRWXO
WRITE = stat.S_IWGRP | stat.S_IWOTH


def check_file_rights(database: Path) -> Iterator[Diagnosis]:
    """Check the database, its folder, and the folders of keys and firmware beside it."""
    if not HAS_MODES:
        return
    yield from _database(database)
    yield from _lock_link(sidecar(database, LOCK_SUFFIX))
    yield from _folder(database)
    yield from _keys(Keyring(database))
    yield from _unusable_keys(Keyring(database), owner_of(database))
    yield from _firmware(Bundles(database))


def check_authority(broker: BrokerLogin) -> Iterator[Diagnosis]:
    """Check the key of the authority that `trivox broker-config` made, in a folder beside its certificate."""
    if broker.ca_file is None:
        return
    key = broker.ca_file.parent / "authority" / "ca.key"
    try:
        is_open = is_open_to_others(key)
    except OSError:
        return  # it is in a drawer, or in a folder that we may not enter
    if is_open:
        yield Diagnosis(
            f"Others on this machine may read {key}, with which they can play the broker: run `chmod go= {key}`, and "
            "make a new authority if somebody may have seen it."
        )


def _database(database: Path) -> Iterator[Diagnosis]:
    files = (database.resolve(), *(sidecar(database, suffix) for suffix in (*SIDECAR_SUFFIXES, LOCK_SUFFIX)))
    exposed = [str(path) for path in files if _mode(path) & OTHERS]
    if exposed:
        yield Diagnosis(
            f"Others on this machine may read {' and '.join(exposed)}, or lock the bridge out: run `chmod go= "
            f"{' '.join(exposed)}`."
        )


def _lock_link(lock: Path) -> Iterator[Diagnosis]:
    if lock.is_symlink():
        yield Diagnosis(f"{lock} is a link, so nothing can be written: find out who put it there, and remove it.")


def _folder(database: Path) -> Iterator[Diagnosis]:
    folder = database.resolve().parent
    status = folder.stat()
    owner, owners = user_record(status.st_uid), {0, status.st_uid}
    is_shared = status.st_mode & stat.S_IWGRP and (owner is None or owner.pw_gid != status.st_gid)
    if status.st_mode & stat.S_ISVTX and status.st_mode & stat.S_IWOTH:
        yield Diagnosis(f"Everybody may put files beside {database}: move it, while no bridge runs, to its own folder.")
    elif status.st_mode & stat.S_IWOTH or is_shared:
        yield Diagnosis(f"Others on this machine may replace what is in {folder}: run `chmod go-w {folder}`.")
    elif database.exists() and status.st_uid != 0 and database.stat().st_uid not in owners:
        yield Diagnosis(
            f"{name_of_user(status.st_uid)} may put another file in the place of {database}, which belongs to "
            f"{name_of_user(database.stat().st_uid)}: give both to the bridge's user with `chown -h`."
        )


def _keys(keyring: Keyring) -> Iterator[Diagnosis]:
    if keyring.visible_consoles() is None:
        yield Diagnosis(
            f"The credentials in {keyring.folder} were not checked: only the bridge's user may read them.",
            needs_action=False,
        )
        return
    exposed = keyring.open_to_others()
    if exposed:
        yield Diagnosis(
            f"Others on this machine may read {plural(len(exposed), 'file')} of keys, for example {exposed[-1]}: run "
            f"`chmod -R go= {keyring.folder}`, and renew the keys that somebody may have seen."
        )
    yield from _strange_files(keyring.strange_files(), "gives no rights to anybody")


def _unusable_keys(keyring: Keyring, owner: Owner) -> Iterator[Diagnosis]:
    """Check that the bridge can read each login, if we can see it with its user's eyes."""
    if user_id() not in {ROOT, owner.user_id} or keyring.visible_consoles() is None:
        return
    files = keyring.files()
    with acting_as(owner):
        denied, damaged = keyring.unusable(files)
    if denied:
        user, names = name_of_user(owner.user_id), ", ".join(printable(str(path)) for path in denied)
        yield Diagnosis(
            f"The bridge's user {user} may not read {names}, so the bridge refuses what is signed with them: run "
            f"`chown -R {user} {keyring.folder}` and `chmod -R u+rwX {keyring.folder}`."
        )
    yield from map(Diagnosis, damaged)


def _firmware(bundles: Bundles) -> Iterator[Diagnosis]:
    if not bundles.is_visible():
        yield Diagnosis(
            f"The firmware in {bundles.folder} was not checked: only the bridge's user may read it.", needs_action=False
        )
        return
    if any(_mode(path) & WRITE for path in (bundles.folder, *bundles.folder.glob("**/*"))):
        yield Diagnosis(
            f"Others on this machine may replace firmware, and the keys that it is checked by: run `chmod -R go-w "
            f"{bundles.folder}`."
        )
    yield from _strange_files(bundles.strange_files(), "is not used")


def _strange_files(paths: list[Path], consequence: str) -> Iterator[Diagnosis]:
    for path in paths:
        yield Diagnosis(
            f"{printable(str(path))} {consequence}, as no command gives a file that name: find out who put it there, "
            "and remove it."
        )


def _mode(path: Path) -> int:
    """Return the permissions of a file; none if it is not there, or a link, which has none."""
    try:
        status = os.lstat(path)
    except OSError:
        return 0
    return 0 if stat.S_ISLNK(status.st_mode) else stat.S_IMODE(status.st_mode)
