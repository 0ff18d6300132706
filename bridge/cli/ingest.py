"""Commands on what was received: recorded messages taken in, everything made anew."""

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
    file: Annotated[Path, typer.Argument(metavar="FILE.ndjson", help="Recorded messages, one a line.", readable=False)],
    database: Database = DATABASE,
) -> None:
    """Take in recorded messages as if they had come by MQTT."""
    totals: dict[str, int] = {}
    try:
        size = file.stat().st_size
        with file.open("rb") as lines, open_writer(database) as writer, _bar() as bar, _few_collections():
            task = bar.add_task("taking in", total=size)
            for group in _groups(lines):
                for name, count in writer.perform(IngestMessages(lines=group)).items():
                    totals[name] = totals.get(name, 0) + count
                bar.update(task, completed=lines.tell())
            writer.perform(Sweep())
    except IsADirectoryError as error:
        raise TrivoxError(f"{file} is a folder: give a file of recorded messages.") from error
    except FileNotFoundError as error:
        raise TrivoxError(f"{file} is not there: give a file of recorded messages.") from error
    except PermissionError as error:
        raise TrivoxError(f"{file} cannot be read: check its rights.") from error
    sys.stdout.write(
        f"{totals.get('messages', 0)} messages: {totals.get('stored', 0)} events stored,"
        f" {totals.get('duplicates', 0)} known before, {totals.get('conflicts', 0)} in conflict,"
        f" {totals.get('rejected', 0)} rejected; {totals.get('unreadable', 0)} messages could not be read.\n"
    )


def rebuild(database: Database = DATABASE) -> None:
    """Make surveys and rollups anew from what was received, and judge rejects again."""
    if not database.exists():
        raise TrivoxError(f"There is no database at {database}: give --database.")
    with open_writer(database) as writer, _bar() as bar:
        task = bar.add_task("making anew", total=None)
        result = writer.perform(Rebuild(), lambda done, of: bar.update(task, completed=done, total=of))
    sys.stdout.write(f"{result['surveys']} surveys made anew; {result['taken']} rejects taken after all.\n")


def _groups(file: IO[bytes]) -> Iterator[list[bytes]]:
    """The file's lines, some at a time; a line that is too long for a message is cut, and so judged unreadable."""
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
def _few_collections() -> Iterator[None]:
    """Let Python look for cycles rarely: a group makes a hundred thousand objects, and no cycle among them."""
    before = gc.get_threshold()
    gc.set_threshold(500_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _bar() -> Progress:
    """A progress bar on standard error, where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
