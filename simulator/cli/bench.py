"""The bench of `trivox simulate`: one console on a page or in the terminal, with a broker and a bridge behind it."""

import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from simulator.bench.services import Surroundings
from simulator.bench.session import Session
from simulator.console import micropython
from simulator.errors import SimulatorError
from simulator.programs.children import Children, EndError, lock, run

SITE, CONSOLE = "bench", "till-1"
BOARDS = ("unix", "esp32", "pico_w", "pico")
_FOLDER = Path("trivox-bench")
_PORT = 8010


def run_bench(
    *,
    port: int | None,
    board: str | None,
    broker: str | None,
    ca_file: Path | None,
    folder: Path | None,
    opens: bool,
    headless: bool,
) -> bool:
    """Put one console on the bench until its user ends it; False if a line of a headless one failed."""
    board = board or BOARDS[0]
    if board not in BOARDS:
        raise SimulatorError(f"There is no board {board} for the bench; take one of {', '.join(BOARDS)}.")
    micropython.command("i386")
    try:
        with _session(folder, board, broker, ca_file, temporary=headless) as session:
            if headless:
                from simulator.cli.headless import obey  # noqa: PLC0415 - each way starts faster without the other

                return obey(session, sys.stdin)
            from simulator.bench.server import serve  # noqa: PLC0415 - see above

            serve(session, port or _PORT, opens=opens)
    except EndError:
        if headless and not sys.stdin.isatty():  # a script that did not come to its end
            raise
    return True


@contextmanager
def _session(
    folder: Path | None, board: str, broker: str | None, ca_file: Path | None, *, temporary: bool
) -> Iterator[Session]:
    """A console with power, and what stands around it; all of it ends with the block."""
    with ExitStack() as stack:
        recordings = (folder or _FOLDER) / "recordings"
        if folder is None and temporary:
            recordings = Path.cwd()  # a recording stays, though the folder goes
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trivox-bench-")))
        folder = folder or _FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        stack.callback(os.close, lock(folder / "bench.lock", "trivox simulate"))
        firmware = stack.enter_context(ThreadPoolExecutor(1)).submit(_compiled, folder / "firmware")
        children = Children(folder / "logs")
        stack.callback(children.stop)
        surroundings = Surroundings(folder, children, broker, ca_file)
        compiled = firmware.result()
        session = Session(
            folder,
            surroundings,
            board=board,
            firmware=compiled,
            site_id=SITE,
            console_id=CONSOLE,
            recordings=recordings,
        )
        stack.callback(session.close)
        session.power_on()
        yield session


def _compiled(folder: Path) -> Path:
    """The firmware as boards get it, so that the heap is theirs too."""
    run([sys.executable, "-m", "bridge.ops.flash.compile", str(folder)])
    return folder
