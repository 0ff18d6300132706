"""Tell whether a write-ahead log belongs to a database, before SQLite applies it to whatever file has the right name.

A log that is applied to another database destroys it, and SQLite deletes a log whose database is missing or empty. So
both are refused here, and the log stays where it is. Its format: https://sqlite.org/fileformat2.html#walformat
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from glob import escape
from typing import TYPE_CHECKING, NamedTuple

from bridge.errors import DatabaseError
from bridge.private_files import open_plain
from bridge.store.descriptors import open_to_read
from bridge.store.faults import readable, sidecar
from bridge.system import read_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOG_HEADER = struct.Struct(">4s3I8s8x")  # magic, format, page size, number of checkpoints, salts, checksum
FRAME_HEADER = struct.Struct(">2I8s8x")  # page number, pages after a commit (else 0), salts, checksum
MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
PAGE_HEADER_BYTES = 100
COUNTER_AT, COUNTER_BYTES = 24, 4  # in page 1: how often another connection changed that page
NAME_BYTES = 16
NO_NAME = bytes(NAME_BYTES)
LEAF, ONE_ROW = b"\x0d", b"\0\1"  # how the page of `last_commit` begins, …
ROW_HEAD = b"\x23\1\3\x2c\x2c"  # … and its row, at the end: 35 bytes, row 1, two BLOBs of 16 bytes
ROW_BYTES = len(ROW_HEAD) + 2 * NAME_BYTES
SINGLE_FILE = b"\1\1"  # bytes 18 and 19 of a copy made by `trivox backup`, which never had a log
RESCUED = ".rescued-"  # in the names of copies made of databases that were deleted while in use
KEPT = ".kept-"  # in the names of logs that `trivox restore` could not take in
SQLITE = b"SQLite format 3\0"
ATTEMPTS = 5
READ_BYTES = 256 * 1024


class CommitNames(NamedTuple):
    """The names of two commits, one after the other, as the only row of `last_commit` holds them."""

    previous: bytes
    current: bytes


@dataclass
class Log:
    """The committed part of a log, by which it is told to what database it belongs."""

    header: bytes
    page_size: int
    names_pages: set[int] = field(default_factory=set)  # more than one where `VACUUM` has moved the names
    commits: list[CommitNames] = field(default_factory=list)
    counters: list[int] = field(default_factory=list)  # of its versions of page 1


def check_log(database: Path) -> None:
    """Raise DatabaseError where the log beside a database belongs to another one, or to one that is missing."""
    if (absence := absent(database)) is not None:
        _refuse_without_database(database, absence)
    elif not is_own_log(database):
        log, index = sidecar(database, "-wal"), sidecar(database, "-shm")
        raise DatabaseError(
            f"{log} is the log of another database than {database}, which was put in its place: put that other one "
            f"back, or run `trivox restore COPY` with that one or a copy, which keeps the log, and takes it in if it "
            f"belongs to COPY; to go on without it, move {log} and {index} away."
        )


def absent(database: Path) -> str | None:
    """Return why there is no database at its path, in the end of a sentence; None if there is one."""
    try:
        if not database.is_file():
            return "is not a file" if database.exists() else "is missing"
        with open_to_read(database) as descriptor:
            magic = read_at(descriptor, len(SQLITE), 0)
    except OSError:
        return None  # opening it says better what is wrong
    if not magic:
        return "is empty"
    return None if magic == SQLITE else "is not a database"


def _refuse_without_database(database: Path, absence: str) -> None:
    """Raise DatabaseError where something tells that a database was there: a new one would hide that it is lost."""
    log, saved = sidecar(database, "-wal"), rescued_copies(database)
    if saved:
        raise DatabaseError(
            f"The database {database} {absence}, and {saved[-1]} holds what was saved of it: run `trivox restore "
            f"{saved[-1]}`; to begin a new database, move {saved[-1]} away."
        )
    if log.exists():
        raise DatabaseError(
            f"The database {database} {absence}, but its log {log} is there: put the database back where it was, or "
            f"run `trivox restore COPY` with it or a copy, which keeps the log, and takes it in if it belongs to COPY; "
            f"to begin a new database, move {log} away."
        )


def is_own_log(database: Path) -> bool:
    """Return whether the log beside a database is its own; true if there is none. Raises DatabaseError."""
    log = sidecar(database, "-wal")
    if not has_frames(log):
        return True
    with readable(database) as descriptor:
        versions = read_at(descriptor, 2, 18)
    return versions != SINGLE_FILE and belongs(database, log)


def is_single_file(database: Path) -> bool:
    """Return whether a database has no log, such as a copy made by `trivox backup`. Raises OSError."""
    with open_to_read(database) as descriptor:
        return read_at(descriptor, 2, 18) == SINGLE_FILE


def rescued_copies(database: Path) -> list[Path]:
    """Return the copies that were saved beside a database's path when it was deleted, the newest last."""
    return sorted(database.parent.glob(f"{escape(database.name)}{RESCUED}*Z"))


def kept_logs(database: Path) -> list[Path]:
    """Return the logs beside a database that `trivox restore` kept, as they did not belong to the copy."""
    return sorted(database.resolve().parent.glob(f"{escape(database.resolve().name)}{KEPT}*-wal"))


def belongs(database: Path, log: Path) -> bool:
    """Return whether `log` continues what the file `database` holds. Raises DatabaseError.

    True at any moment while the database is in use: a checkpoint moves it on to a commit of its log, and only then
    does another log begin, with the next commit.
    """
    for _ in range(ATTEMPTS):
        before = _read_header(log)
        with readable(database) as descriptor:
            first_page = read_at(descriptor, PAGE_HEADER_BYTES, 0)
            read = read_log(log)
            if read is None or _continues(read, first_page, descriptor):
                return True
        if before == read.header == _read_header(log):
            return False  # else another log was begun meanwhile
    return True  # somebody is writing it, and has checked it


def _continues(log: Log, first_page: bytes, database: int) -> bool:
    if int.from_bytes(first_page[16:18]) != log.page_size % 65_535:  # 1 stands for 65,536
        return False
    counter = int.from_bytes(first_page[COUNTER_AT : COUNTER_AT + COUNTER_BYTES])
    is_next = not log.counters or counter in {log.counters[0] - 1, *log.counters}
    if not log.commits:
        return is_next  # another program wrote it, or an older Trivox: SQLite's own counter is all there is
    if found := _find_names(database, log):
        known = {log.commits[0].previous, *(commit.current for commit in log.commits)}
        return any(names.current in known for names in found)
    is_made_here = log.commits[0].previous == NO_NAME
    is_moved_here = len(log.names_pages) > 1 and counter in log.counters  # and a checkpoint was cut off in the midst
    return (is_made_here and is_next) or is_moved_here


def _find_names(database: int, log: Log) -> list[CommitNames]:
    """Return the names in a database's file: where the log has them too or, if `VACUUM` has moved them, anywhere."""
    everywhere = range(1, os.fstat(database).st_size // log.page_size + 1)
    for pages in (log.names_pages, everywhere):
        read = (_names_at(database, page, log.page_size) for page in pages)
        if found := [names for names in read if names is not None]:
            return found
    return []


def _names_at(database: int, page: int, page_size: int) -> CommitNames | None:
    return _read_names(read_at(database, page_size, (page - 1) * page_size))


def _read_names(page: bytes | memoryview) -> CommitNames | None:
    """Read the page of `last_commit`, which looks like no other, without knowing its number."""
    if page[3:5] != ONE_ROW or page[:1] != LEAF or page[-ROW_BYTES : -2 * NAME_BYTES] != ROW_HEAD:
        return None
    return CommitNames(bytes(page[-2 * NAME_BYTES : -NAME_BYTES]), bytes(page[-NAME_BYTES:]))


def read_log(log: Path) -> Log | None:
    """Read a log up to its last commit; return None if nothing is committed in it."""
    try:
        descriptor = open_plain(log, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return _read_log(descriptor)
    finally:
        os.close(descriptor)


def _read_log(descriptor: int) -> Log | None:
    header = read_at(descriptor, LOG_HEADER.size, 0)
    if len(header) < LOG_HEADER.size:
        return None
    magic, _, page_size, _, salts = LOG_HEADER.unpack(header)
    if magic not in MAGIC:
        return None
    log, commits, counters, has_commit = Log(header, page_size), 0, 0, False
    for page_number, pages_after_commit, page in _frames(descriptor, page_size, salts):
        if page_number == 1:
            log.counters.append(int.from_bytes(page[COUNTER_AT : COUNTER_AT + COUNTER_BYTES]))
        elif (names := _read_names(page)) is not None:
            log.names_pages.add(page_number)
            log.commits.append(names)
        if pages_after_commit:
            commits, counters, has_commit = len(log.commits), len(log.counters), True
    del log.commits[commits:], log.counters[counters:]
    return log if has_commit else None


def _frames(descriptor: int, page_size: int, salts: bytes) -> Iterator[tuple[int, int, memoryview]]:
    """Yield (page number, pages after a commit, page) of each frame of a log up to those left from an earlier one.

    The running bridge reads its whole log after each checkpoint: in large pieces, that takes a third of the time.
    """
    size = FRAME_HEADER.size + page_size
    piece_size, position = max(1, READ_BYTES // size) * size, LOG_HEADER.size
    while True:
        piece = memoryview(read_at(descriptor, piece_size, position))
        for at in range(0, len(piece) - size + 1, size):
            page_number, pages_after_commit, frame_salts = FRAME_HEADER.unpack_from(piece, at)
            if frame_salts != salts:
                return
            yield page_number, pages_after_commit, piece[at + FRAME_HEADER.size : at + size]
        if len(piece) < piece_size:
            return
        position += piece_size


def has_frames(log: Path) -> bool:
    """Return whether there is more in a log than its header, which a log that was cut off no longer has."""
    header = _read_header(log)
    return header[:4] in MAGIC and log.stat().st_size > LOG_HEADER.size


def _read_header(log: Path) -> bytes:
    try:
        with os.fdopen(open_plain(log, os.O_RDONLY), "rb") as file:
            return file.read(LOG_HEADER.size)
    except OSError:
        return b""
