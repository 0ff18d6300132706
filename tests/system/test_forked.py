"""Forked programs end with the test process that started them, however that ends."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.support.programs import wait_until

ROOT = Path(__file__).parents[2]
PROGRAM = """
import signal, sys
from pathlib import Path
from tests.support import forked
from tests.support.programs import free_port
print(forked.start("broker", "--port", str(free_port()), log=Path(sys.argv[1])).pid, flush=True)
signal.pause()
"""


def test_a_forked_trivox_ends_when_the_test_process_is_killed(tmp_path: Path) -> None:
    words = [sys.executable, "-c", PROGRAM, str(tmp_path / "broker.log")]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout
        forked = Path("/proc") / program.stdout.readline().strip()
        wait_until("it runs", lambda: "listens on" in (tmp_path / "broker.log").read_text())
        assert forked.exists()
        program.send_signal(signal.SIGKILL)
    wait_until("it has ended", lambda: not forked.exists())
