"""Test a database that is moved, deleted, replaced or overwritten while the bridge has it open, or after a kill.

Whatever happens: each acknowledged event is in a file that somebody is told of, and no new database hides the loss.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.bridge.shop import RealShop, log_of
from tests.support import facts, planted

Change = Callable[[RealShop], None]
COPIED, STORED = 40, 100


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[RealShop]:
    """Make a shop whose database lies behind a linked folder and a linked name, in a folder of its own."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to("disk")
    with RealShop(tmp_path, tmp_path / "data") as shop:
        real_file(shop).with_name("b.db").touch()
        shop.database.symlink_to("real.db")
        real_file(shop).with_name("b.db").unlink()
        yield shop


def real_file(shop: RealShop) -> Path:
    return shop.folder / "disk" / "real.db"


def begin(shop: RealShop, *under: str) -> None:
    """Have events acknowledged: the first are in a copy, more in the file, the last in the log."""
    shop.start_bridge(under=under)
    shop.send_events(1, COPIED)
    shop.wait_acknowledged(COPIED)
    assert shop.trivox("backup", str(shop.folder / "older.db")).returncode == 0
    shop.send_events(COPIED + 1, STORED // 2 - COPIED)
    shop.wait_acknowledged(STORED // 2)
    planted.without_log(shop.database)
    shop.send_events(STORED // 2 + 1, STORED // 2)
    shop.wait_acknowledged(STORED)


def ended(shop: RealShop) -> str:
    """Send on; return the sentence with which the bridge ends, having acknowledged nothing more."""
    shop.send_events(STORED + 1, 20)
    assert shop.bridge.wait() == 1
    log = shop.log.read_text()
    assert "Traceback" not in log
    assert shop.through() == STORED
    sentence = log.splitlines()[-1]
    assert sentence.startswith("trivox: ")
    assert "nothing was acknowledged since" in sentence
    return sentence


def refused(shop: RealShop, *others: str) -> str:
    """Return the sentence with which bridge, doctor and `others` refuse to start; all files stay as they are."""
    before = files_of(shop)
    sentences = set()
    for words in (shop.command()[:-2], ["doctor"], *(other.split() for other in others)):
        done = shop.trivox(*words)
        assert (done.returncode, done.stdout) == (1, ""), (words, done)
        sentences.add(done.stderr)
    assert files_of(shop) == before
    (sentence,) = sentences
    return sentence


def files_of(shop: RealShop) -> dict[str, bytes]:
    kinds = ("*.db", "*.db-wal", "*.db.*Z", "*.db.*-wal")
    return {str(file): file.read_bytes() for kind in kinds for file in shop.folder.glob(f"*/{kind}") if file.is_file()}


def goes_on(shop: RealShop) -> None:
    """Start the bridge, and send again what is not acknowledged; everything ever sent is then stored once."""
    shop.start_bridge()
    shop.keep_sending(STORED + 1, 20)
    assert facts.events(shop.database, "seq", console_id="c1") == list(range(1, STORED + 21))
    assert shop.stop_bridge() == 0


# The file is still there, with another name -----------------------------------------------------------------------


def moved(shop: RealShop) -> None:
    real_file(shop).rename(real_file(shop).with_name("archive.db"))


def folder_moved(shop: RealShop) -> None:
    real_file(shop).parent.rename(shop.folder / "renamed")


def link_led_elsewhere(shop: RealShop) -> None:
    (shop.folder / "data").unlink()
    (shop.folder / "other").mkdir()
    (shop.folder / "data").symlink_to("other")


def replaced_by_a_folder(shop: RealShop) -> None:
    moved(shop)
    real_file(shop).mkdir()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (moved, "disk/archive.db"),
        (folder_moved, "renamed/real.db"),
        (link_led_elsewhere, "disk/real.db"),
        (replaced_by_a_folder, "disk/archive.db"),
    ],
)
def test_a_file_with_another_name_is_made_whole_and_named(shop: RealShop, change: Change, place: str) -> None:
    begin(shop)
    change(shop)
    assert f"All that was stored is in {shop.folder / place}: put it back" in ended(shop)
    whole = shop.folder / place
    assert not log_of(whole).exists() or log_of(whole).stat().st_size == 0
    through = facts.events(whole, "seq")[-1]
    assert facts.events(whole, "seq") == list(range(1, through + 1))
    assert through >= STORED
    shop.database = whole
    goes_on(shop)


def test_a_database_that_was_moved_is_missed_at_the_start_and_taken_back(shop: RealShop) -> None:
    begin(shop)
    moved(shop)
    ended(shop)
    commands = (
        "report --from 2026-01-01 --to 2027-01-01",
        "backup no.db",
        "site set s1 --timezone Europe/Sofia",
        "rebuild",
        "question list",
        "watch --once",
    )
    assert f"{shop.database} is missing, but its log {log_of(real_file(shop))} is there" in refused(shop, *commands)
    assert shop.trivox("restore", str(real_file(shop).with_name("archive.db"))).returncode == 0
    goes_on(shop)


# The file is gone -------------------------------------------------------------------------------------------------


def deleted(shop: RealShop) -> None:
    real_file(shop).unlink()


def replaced_by_a_copy_of_itself(shop: RealShop) -> None:
    new = real_file(shop).with_name("new.db")
    shutil.copy(real_file(shop), new)
    new.rename(real_file(shop))


def replaced_by_an_older_one(shop: RealShop) -> None:
    (shop.folder / "older.db").rename(real_file(shop))


def replaced_by_nothing(shop: RealShop) -> None:
    new = real_file(shop).with_name("new.db")
    new.touch()
    new.rename(real_file(shop))


@pytest.mark.parametrize(
    "change", [deleted, replaced_by_a_copy_of_itself, replaced_by_an_older_one, replaced_by_nothing]
)
def test_a_file_without_a_name_is_saved_under_a_new_one(shop: RealShop, change: Change) -> None:
    begin(shop)
    change(shop)
    sentence = ended(shop)
    (saved,) = (shop.folder / "disk").glob("*.rescued-*")
    assert f"put it back with `trivox restore {saved}`" in sentence.replace("/data/", "/disk/")
    assert facts.stored(saved) >= STORED
    assert facts.damage(saved) == []
    if change in {deleted, replaced_by_nothing}:
        assert f"holds what was saved of it: run `trivox restore {saved}`" in refused(shop).replace("/data/", "/disk/")
    assert shop.trivox("restore", str(saved)).returncode == 0
    goes_on(shop)


def test_a_file_without_a_name_that_cannot_be_saved_is_held_until_it_can(shop: RealShop) -> None:
    begin(shop)
    shutil.rmtree(real_file(shop).parent)
    shop.send_events(STORED + 1, 20)
    told = shop.wait_logged("reason=not_saved")
    assert "this program holds the only copy" in told["error"]
    shop.wait_metric("trivox_database_writable", 0)
    assert shop.through() == STORED
    real_file(shop).parent.mkdir()
    ended(shop)
    (saved,) = (shop.folder / "disk").glob("*.rescued-*")
    assert shop.trivox("restore", str(saved)).returncode == 0
    goes_on(shop)


@pytest.mark.parametrize("words", [("umount", "-l"), ("mount", "-t", "tmpfs", "trivox-over")])
def test_a_disk_that_is_unmounted_or_mounted_over_is_missed(shop: RealShop, words: tuple[str, ...]) -> None:
    disk = shop.folder / "disk"
    can_mount = not run("mount", "-t", "tmpfs", "trivox-test", str(disk))
    shop.database = disk / "real.db"
    try:
        begin(shop)
        if not (can_mount and run(*words, str(disk)) == 0):
            disk.rename(shop.folder / "renamed")  # as far as the path goes, the same
            disk.mkdir()
        assert "it was moved, deleted or unmounted" in ended(shop)
        (saved,) = [*disk.glob("real.db.rescued-*"), *shop.folder.glob("renamed/real.db")]
        assert facts.stored(saved) >= STORED
        if saved.parent == disk:
            assert f"run `trivox restore {saved}`" in refused(shop)
        assert shop.trivox("restore", str(saved)).returncode == 0
        goes_on(shop)
    finally:
        while can_mount and not run("umount", "-l", str(disk)):
            pass


def run(*words: str) -> int:
    return subprocess.run(words, capture_output=True, check=False).returncode


def test_nobody_is_told_to_end_a_bridge_that_holds_the_only_copy(shop: RealShop) -> None:
    begin(shop)
    shop.limit_files(20_000)  # large enough for its own log
    deleted(shop)
    shop.send_events(STORED + 1, 20)
    shop.wait_logged("reason=not_saved")
    assert "do not end the bridge" in shop.trivox("doctor").stdout
    busy = shop.trivox("restore", str(shop.folder / "older.db"))
    assert busy.returncode == 1
    assert "holds the only copy" in busy.stderr
    shop.limit_files(resource.RLIM_INFINITY)
    ended(shop)
    (saved,) = (shop.folder / "disk").glob("*.rescued-*")
    assert facts.stored(saved) >= STORED


@contextmanager
def locked(shop: RealShop) -> Iterator[None]:
    with planted.locked(shop.database):
        yield


@contextmanager
def without_room(shop: RealShop) -> Iterator[None]:
    shop.limit_files(log_of(real_file(shop)).stat().st_size)
    yield
    shop.limit_files(resource.RLIM_INFINITY)


@pytest.mark.parametrize("is_stopped", [False, True])
@pytest.mark.parametrize("hinder", [locked, without_room])
def test_a_file_that_is_deleted_while_nothing_can_be_written_is_saved(
    shop: RealShop, hinder: Callable[[RealShop], AbstractContextManager[None]], *, is_stopped: bool
) -> None:
    begin(shop, "env", f"STATE_DIRECTORY={shop.folder}")
    with hinder(shop):
        shop.send_events(STORED + 1, 20)
        shop.wait_logged("cannot write the database")
        deleted(shop)
        if is_stopped:
            shop.bridge.send_signal(signal.SIGTERM)
        shop.wait_logged("nothing was acknowledged since")
    saved = saved_copy(ended(shop))
    assert facts.stored(saved) >= STORED
    assert shop.trivox("restore", str(saved)).returncode == 0
    goes_on(shop)


def saved_copy(sentence: str) -> Path:
    words = re.search("All that was stored is saved as (.+): put it back with `trivox restore (.+)`", sentence)
    assert words is not None, sentence
    assert words[1] == words[2]
    return Path(words[1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("place", ["", "state"])
def test_a_bridge_that_is_stopped_saves_the_only_copy_in_another_folder(
    shop: RealShop, number: signal.Signals, place: str
) -> None:
    folder = shop.folder / place
    folder.mkdir(exist_ok=True)
    begin(shop, *(("env", f"STATE_DIRECTORY={folder}") if place else ()))
    shutil.rmtree(real_file(shop).parent)
    shop.wait_logged("reason=not_saved")
    shop.bridge.send_signal(number)
    saved = saved_copy(ended(shop))
    assert saved.parent == folder
    assert saved.stat().st_mode & 0o777 == 0o600
    real_file(shop).parent.mkdir()
    assert shop.trivox("restore", str(saved)).returncode == 0
    goes_on(shop)


def test_a_bridge_that_is_stopped_ends_only_when_the_only_copy_is_saved(shop: RealShop) -> None:
    begin(shop, "env", f"STATE_DIRECTORY={shop.folder}")
    shop.limit_files(20_000)
    deleted(shop)
    shop.wait_logged("reason=not_saved")
    shop.bridge.send_signal(signal.SIGTERM)
    shop.wait_logged("it ends as soon as that is saved")
    shop.limit_files(resource.RLIM_INFINITY)
    assert facts.stored(saved_copy(ended(shop))) >= STORED


# What lies beside it ----------------------------------------------------------------------------------------------


def log_deleted(shop: RealShop) -> None:
    log_of(real_file(shop)).unlink()


def log_replaced(shop: RealShop) -> None:
    copy = shop.folder / "disk" / "copy"
    shutil.copy(log_of(real_file(shop)), copy)
    copy.rename(log_of(real_file(shop)))


def index_deleted(shop: RealShop) -> None:
    real_file(shop).with_name("real.db-shm").unlink()


@pytest.mark.parametrize("change", [log_deleted, index_deleted])
def test_a_lost_log_is_moved_into_the_file_by_the_bridge_that_has_it_open(shop: RealShop, change: Change) -> None:
    begin(shop)
    change(shop)
    assert "All that was stored is in it: start the bridge again" in ended(shop)
    goes_on(shop)


def test_a_log_that_was_replaced_is_not_mixed_with_the_one_that_is_open(shop: RealShop) -> None:
    begin(shop)
    log_replaced(shop)
    ended(shop)
    (saved,) = (shop.folder / "disk").glob("*.rescued-*")
    assert facts.damage(saved) == []
    assert shop.trivox("restore", str(saved)).returncode == 0
    goes_on(shop)


# Another program writes into the files ----------------------------------------------------------------------------


def overwritten_with_an_older_one(shop: RealShop) -> None:
    real_file(shop).write_bytes((shop.folder / "older.db").read_bytes())


def cut_off(shop: RealShop) -> None:
    os.truncate(real_file(shop), 0)


def overwritten_with_a_letter(shop: RealShop) -> None:
    real_file(shop).write_text("This is a letter to the manager.")


@pytest.mark.parametrize("change", [overwritten_with_an_older_one, cut_off, overwritten_with_a_letter])
def test_a_log_is_not_moved_into_what_another_program_wrote(shop: RealShop, change: Change) -> None:
    begin(shop)
    before = facts.events(shop.database, "seq")
    whole = shop.folder / "whole.db"
    shutil.copy(real_file(shop), whole)
    change(shop)
    assert f"What was stored lately is in its log {log_of(real_file(shop))}" in ended(shop)
    assert "trivox restore COPY" in refused(shop)
    wrong = shop.trivox("restore", str(shop.folder / "older.db"))
    assert wrong.returncode == 0
    assert "a log that does not belong to it is kept as" in wrong.stdout
    assert facts.stored(shop.database) == COPIED
    assert shop.trivox("restore", str(whole)).returncode == 0
    assert facts.events(shop.database, "seq")[: len(before)] == before
    goes_on(shop)


def test_a_log_that_was_cut_off_is_not_written_on(shop: RealShop) -> None:
    begin(shop)
    os.truncate(log_of(real_file(shop)), 0)
    assert "start the bridge again, which goes on from what is in the database" in ended(shop)
    shop.acks.clear()
    shop.start_bridge()
    shop.keep_sending(STORED // 2 + 1, STORED // 2 + 20)
    assert facts.damage(shop.database) == []


# After a kill -----------------------------------------------------------------------------------------------------


def kill(shop: RealShop) -> bytes:
    """Kill the bridge, which leaves events in its log alone; return that log."""
    begin(shop)
    shop.send_events(STORED + 1, 20)
    shop.wait_acknowledged(STORED + 20)
    shop.stop_bridge(9)
    return log_of(real_file(shop)).read_bytes()


def other_database(shop: RealShop) -> None:
    """Put the database of another shop in the place, as large as this one."""
    shutil.copy(shop.folder / "other.db", real_file(shop))


def unchecked_copy(shop: RealShop) -> None:
    """Put an older file back that was copied by `cp`."""
    shutil.copy(shop.folder / "raw.db", real_file(shop))


def nothing(_shop: RealShop) -> None:
    """Leave the place empty."""


def empty_file(shop: RealShop) -> None:
    real_file(shop).touch()


@pytest.mark.parametrize("put", [nothing, empty_file, other_database, unchecked_copy])
def test_a_log_of_a_database_that_is_not_there_is_kept_and_taken_back(shop: RealShop, put: Change) -> None:
    shop.start_bridge()
    shop.send_events(1, COPIED)
    shop.wait_acknowledged(COPIED)
    planted.without_log(shop.database)
    shutil.copy(real_file(shop), shop.folder / "raw.db")
    assert shop.stop_bridge() == 0
    shop.database, real = shop.folder / "other.db", shop.database
    shop.acks.clear()
    shop.start_bridge()
    shop.keep_sending(1, COPIED, "another")
    assert shop.stop_bridge() == 0
    shop.database = real
    log = kill(shop)
    archive = real_file(shop).rename(shop.folder / "archive.db")
    put(shop)
    sentence = refused(shop)
    assert str(log_of(real_file(shop))) in sentence
    assert "trivox restore COPY" in sentence
    assert log_of(real_file(shop)).read_bytes() == log
    done = shop.trivox("restore", str(archive))
    assert f"and the log {log_of(real_file(shop))}" in done.stdout
    assert facts.damage(shop.database) == []
    assert list((shop.folder / "disk").glob("*-wal")) == []
    goes_on(shop)


def test_a_log_that_belongs_to_another_copy_waits_for_the_right_one(shop: RealShop) -> None:
    log = kill(shop)
    archive = real_file(shop).rename(shop.folder / "archive.db")
    done = shop.trivox("restore", str(shop.folder / "older.db"))
    (kept,) = (shop.folder / "disk").glob("*.kept-*-wal")
    assert f"a log that does not belong to it is kept as {kept}" in done.stdout
    assert kept.read_bytes() == log
    assert facts.stored(shop.database) == COPIED
    assert f"{kept} is a log" in shop.trivox("doctor").stdout
    done = shop.trivox("restore", str(archive))
    assert f"and the log {kept}" in done.stdout
    assert not kept.exists()
    goes_on(shop)


def test_a_database_that_is_moved_back_needs_nothing_else(shop: RealShop) -> None:
    kill(shop)
    archive = real_file(shop).rename(shop.folder / "archive.db")
    refused(shop)
    archive.rename(real_file(shop))
    goes_on(shop)


def test_what_is_left_of_a_database_whose_log_was_taken_is_told(shop: RealShop) -> None:
    shop.start_bridge()
    shop.send_events(1, COPIED)
    shop.wait_acknowledged(COPIED)
    shop.stop_bridge(9)
    rest = real_file(shop).rename(shop.folder / "rest.db")
    assert shop.trivox("restore", str(rest)).returncode == 0
    assert facts.stored(shop.database) == COPIED
    again = shop.trivox("restore", str(rest))
    assert again.returncode == 1
    assert f"{rest} is what is left of a database whose content was all in its log" in again.stderr
    assert facts.stored(shop.database) == COPIED


def test_a_database_killed_in_the_midst_of_a_checkpoint_keeps_its_log(shop: RealShop) -> None:
    """The file then holds some pages of the log, in the order of their numbers, and alone it is malformed."""
    kill(shop)
    log, file = log_of(real_file(shop)), real_file(shop)
    before, whole = file.read_bytes(), shop.folder / "whole.db"
    shutil.copy(file, whole)
    shutil.copy(log, log_of(whole))
    planted.without_log(whole)
    after = whole.read_bytes()
    assert len(after) > len(before)
    for size in range(0, len(after), 7 * planted.PAGE):
        file.write_bytes(after[:size] + before[size:])
        assert facts.stored(file) == STORED + 20 if size else True
