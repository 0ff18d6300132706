"""`trivox simulate`: one console on the bench, on a page or in the terminal, with a broker and a bridge behind it."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from simulator import micropython
from simulator.bench.session import Session
from simulator.bench.surroundings import Surroundings
from simulator.errors import SimulatorError
from simulator.processes import Children, EndError, lock

FOLDER = Path("trivox-bench")
PORT = 8010
BOARDS = ("unix", "esp32", "pico_w")
SITE, CONSOLE = "bench", "till-1"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate")(command)


def command(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the page is, on loopback, if free.")] = PORT,
    board: Annotated[str, typer.Option(help=f"Whose pins and modules it has: {', '.join(BOARDS)}.")] = "unix",
    broker: Annotated[str | None, typer.Option(help="A broker that runs already: mqtt://HOST:PORT.")] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where flash, database, logs and recordings lie; a headless one is else made and removed."),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser.")] = False,  # noqa: FBT002
    headless: Annotated[bool, typer.Option("--headless", help="No page: lines from standard input.")] = False,  # noqa: FBT002
) -> None:
    """Put one console, which runs the real firmware, on the bench: press, break and watch it."""
    fine = False
    try:
        _check_board(board)
        micropython.command("i386")
        with suppress(EndError), _session(folder, board, broker, temporary=headless) as session:
            fine = _run(session, port, opens=not no_open, headless=headless)
    except SimulatorError as error:
        typer.echo(f"trivox simulate: {error}", err=True)
        raise typer.Exit(1) from None
    if not fine:
        raise typer.Exit(1)


def _check_board(board: str) -> None:
    if board not in BOARDS:
        raise SimulatorError(f"There is no board {board} for the bench; take one of {', '.join(BOARDS)}.")


def _run(session: Session, port: int, *, opens: bool, headless: bool) -> bool:
    if headless:
        from simulator.headless import run  # noqa: PLC0415 - each way starts faster without the other

        return run(session, sys.stdin)
    from simulator.bench.server import serve  # noqa: PLC0415 - see above

    serve(session, port, opens=opens)
    return True


@contextmanager
def _session(folder: Path | None, board: str, broker: str | None, *, temporary: bool) -> Iterator[Session]:
    """A console with power, and what stands around it; all of it ends with the block."""
    with ExitStack() as stack:
        if folder is None and temporary:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trivox-bench-")))
        folder = folder or FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        stack.callback(os.close, lock(folder / "bench.lock", "trivox simulate"))
        children = Children(folder / "logs")
        stack.callback(children.stop)
        surroundings = Surroundings(folder, children, broker)
        session = Session(folder, surroundings, board=board, site_id=SITE, console_id=CONSOLE)
        stack.callback(session.close)
        session.power_on()
        yield session
