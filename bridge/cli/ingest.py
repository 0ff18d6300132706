"""`trivox ingest` and `trivox rebuild`: take in recorded messages, and recompute everything from what was received."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bridge.admin.commands import IngestMessages, Rebuild, Sweep
from bridge.cli.options import DATABASE, Database
from bridge.errors import TrivoxError
from bridge.service.control import open_writer
from bridge.store.connection import require

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

LINES_AT_ONCE = 2_000
BYTES_AT_ONCE = 4 * 1024 * 1024
MAX_LINE_BYTES = 1024 * 1024


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ingest")(ingest)
    app.command("rebuild")(rebuild)


def ingest(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.ndjson", help="Recorded messages, one per line.", readable=False)
    ],
    database: Database = DATABASE,
) -> None:
    """Take in recorded messages as if they had arrived by MQTT."""
    totals: dict[str, int] = {}
    try:
        size = file.stat().st_size
        with file.open("rb") as lines, open_writer(database) as writer, _bar() as bar, _rare_garbage_collection():
            task = bar.add_task("taking in", total=size)
            for group in _groups(lines):
                for name, count in writer.perform(IngestMessages(lines=group)).items():
                    totals[name] = totals.get(name, 0) + count
                bar.update(task, completed=lines.tell())
            writer.perform(Sweep())
    except IsADirectoryError as error:
        raise TrivoxError(f"{file} is a folder: give a file of recorded messages.") from error
    except FileNotFoundError as error:
        raise TrivoxError(f"{file} does not exist: give a file of recorded messages.") from error
    except PermissionError as error:
        raise TrivoxError(f"{file} cannot be read: check its permissions.") from error
    sys.stdout.write(
        f"{totals.get('messages', 0)} messages: {totals.get('stored', 0)} events stored,"
        f" {totals.get('duplicates', 0)} known before, {totals.get('conflicts', 0)} in conflict,"
        f" {totals.get('rejected', 0)} rejected; {totals.get('unreadable', 0)} messages could not be read.\n"
    )


def rebuild(database: Database = DATABASE) -> None:
    """Recompute all surveys from what was received. Rejects are judged again."""
    require(database)
    with open_writer(database) as writer, _bar() as bar:
        task = bar.add_task("recomputing", total=None)
        result = writer.perform(Rebuild(), lambda done, of: bar.update(task, completed=done, total=of))
    sys.stdout.write(f"{result['surveys']} surveys recomputed; {result['taken']} rejects taken in.\n")


def _groups(file: IO[bytes]) -> Iterator[list[bytes]]:
    """Yield the file's lines in groups; a line too long for a message is cut, which makes it unreadable."""
    group: list[bytes] = []
    size = 0
    while line := file.readline(MAX_LINE_BYTES):
        while not line.endswith(b"\n") and (rest := file.readline(MAX_LINE_BYTES)):
            line = line[: MAX_LINE_BYTES - 1] + rest[-1:]
        text = line.strip()
        if not text:
            continue
        group.append(text)
        size += len(text)
        if len(group) >= LINES_AT_ONCE or size >= BYTES_AT_ONCE:
            yield group
            group, size = [], 0
    if group:
        yield group


@contextmanager
def _rare_garbage_collection() -> Iterator[None]:
    """Let Python look for cycles rarely: a group makes a hundred thousand objects, and no cycle among them."""
    threshold = gc.get_threshold()
    gc.set_threshold(500_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*threshold)


def _bar() -> Progress:
    """Make a progress bar on standard error, shown only if that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
