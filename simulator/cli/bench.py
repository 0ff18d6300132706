"""Run the bench of `trivox simulate`: one console, on a page or in the terminal, with a broker and a bridge."""

import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from simulator.bench.services import BenchServices
from simulator.bench.session import BenchSession
from simulator.console import micropython
from simulator.errors import SimulatorError
from simulator.programs.children import Children, EndError, chosen_port, lock, run

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
    """Put one console on the bench until its user ends it; return False if a line of a headless bench failed."""
    board = board or BOARDS[0]
    if board not in BOARDS:
        raise SimulatorError(f"There is no board {board} for the bench; use one of {', '.join(BOARDS)}.")
    page_port = 0 if headless else chosen_port(port, _PORT)
    micropython.command("i386")
    try:
        with _session(folder, board, broker, ca_file, temporary=headless) as session:
            if headless:
                from simulator.cli.headless import obey  # noqa: PLC0415 - page and terminal start faster without each other

                return obey(session, sys.stdin)
            from simulator.bench.server import serve  # noqa: PLC0415 - see above

            serve(session, page_port, opens=opens)
    except EndError:
        if headless and not sys.stdin.isatty():  # a script was interrupted
            raise
    return True


@contextmanager
def _session(
    folder: Path | None, board: str, broker: str | None, ca_file: Path | None, *, temporary: bool
) -> Iterator[BenchSession]:
    """Yield the session of a console that is switched on, with its broker and bridge; end all of it with the block."""
    with ExitStack() as stack:
        recordings = (folder or _FOLDER) / "recordings"
        if folder is None and temporary:
            recordings = Path.cwd()  # a recording stays when the temporary folder is deleted
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trivox-bench-")))
        folder = folder or _FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        stack.callback(os.close, lock(folder / "bench.lock", "trivox simulate"))
        compiling = stack.enter_context(ThreadPoolExecutor(1)).submit(_compile_firmware, folder / "firmware")
        children = Children(folder / "logs")
        stack.callback(children.stop)
        services = BenchServices(folder, children, broker, ca_file)
        firmware = compiling.result()
        session = BenchSession(
            folder,
            services,
            board=board,
            firmware=firmware,
            site_id=SITE,
            console_id=CONSOLE,
            recordings=recordings,
        )
        stack.callback(session.close)
        session.power_on()
        yield session


def _compile_firmware(folder: Path) -> Path:
    """Compile the firmware into `folder` as boards get it, so that its use of the heap is the same as theirs."""
    run([sys.executable, "-m", "bridge.ops.flash.compile", str(folder)])
    return folder
