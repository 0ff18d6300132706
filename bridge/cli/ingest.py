"""`trivox ingest` and `trivox rebuild`: take in recorded messages, and recompute everything from what was received."""

from __future__ import annotations

import gc
import os
import stat
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bridge.admin.commands import IngestMessages, Rebuild
from bridge.cli.options import DATABASE, Database
from bridge.cli.output import print_line, warn
from bridge.errors import TrivoxError
from bridge.input_file import called, open_input
from bridge.rich_terminal import RichTerminal
from bridge.service.control import open_writer
from bridge.surveys.recorded_messages import checked_lines
from bridge.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO


MAX_LEFT_OUT_BYTES = 4 * 1024 * 1024  # blank lines, and what is too long for a message


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ingest")(ingest)
    app.command("rebuild")(rebuild)


def ingest(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.ndjson", help="Recorded messages, one per line; - reads standard input.", readable=False
        ),
    ],
    database: Database = DATABASE,
) -> None:
    """Take in recorded messages as if they had arrived by MQTT: all of a file, or nothing."""
    others = OtherLines()
    with ExitStack() as stack:
        source = stack.enter_context(open_input(file))
        messages = stack.enter_context(_checked(source, file, others))
        writer = stack.enter_context(open_writer(database, makes_database=True))
        bar = stack.enter_context(_bar())
        stack.enter_context(_rare_garbage_collection())
        task = bar.add_task("taking in", total=None)
        command = IngestMessages(name=called(file))
        totals = writer.perform(command, lambda done, of: bar.update(task, completed=done, total=of), messages)
    print_line(
        f"{plural(totals.get('messages', 0), 'message')}: {plural(totals.get('stored', 0), 'event')} stored,"
        f" {totals.get('duplicates', 0)} known before, {totals.get('conflicts', 0)} in conflict,"
        f" {totals.get('rejected', 0)} rejected; {plural(totals.get('unreadable', 0), 'message')} could not be read."
    )
    others.warn(file)


class OtherLines:
    """Counts the lines of a recording that are no recorded messages."""

    def __init__(self) -> None:
        self._count = 0
        self._first = ""

    def note(self, number: int, reason: str) -> None:
        """Count a line, with what is wrong with it."""
        self._first = self._first or f"line {number}: {reason}"
        self._count += 1

    def warn(self, file: Path) -> None:
        """Say what became of such lines, if there were any."""
        if self._count:
            warn(
                f"{called(file)}: {plural(self._count, 'line')} of it went among the rejects, as no recorded "
                f"message is there ({self._first}); correct that and take the file in again, which doubles nothing."
            )


@contextmanager
def _checked(source: IO[bytes], file: Path, others: OtherLines) -> Iterator[IO[bytes]]:
    """Read a source to its end and check it; give a file that can be read again, a copy if the source can't.

    So nothing is taken in from a source that fails, and the writer never waits for one, nor for a long stretch of a
    file that holds no messages. Raises TrivoxError.
    """
    if stat.S_ISREG(os.fstat(source.fileno()).st_mode) and source.tell() == 0:
        size = sum(len(line.text) + 1 for line in checked_lines(source, file, others.note))
        is_dense = source.tell() - size < MAX_LEFT_OUT_BYTES
        source.seek(0)
        if is_dense:
            yield source
            return
        others = OtherLines()  # they are told already
    with TemporaryFile(prefix="trivox-") as copy:
        for line in checked_lines(source, file, others.note):
            try:
                copy.write(line.text + b"\n")
            except OSError as error:
                raise TrivoxError(
                    f"There is no room for a copy of {called(file)} in {gettempdir()} ({error.strerror}): make room "
                    "there, name another folder in TMPDIR, or give a file instead of a pipe."
                ) from error
        copy.seek(0)
        yield copy


def rebuild(database: Database = DATABASE) -> None:
    """Recompute all surveys from what was received. Rejects are judged again, by what the running bridge takes."""
    with open_writer(database) as writer, _bar() as bar:
        task = bar.add_task("recomputing", total=None)
        result = writer.perform(Rebuild(), lambda done, of: bar.update(task, completed=done, total=of))
    print_line(f"{plural(result['surveys'], 'survey')} recomputed; {plural(result['taken'], 'reject')} taken in.")


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
    console = RichTerminal(sys.stderr)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
