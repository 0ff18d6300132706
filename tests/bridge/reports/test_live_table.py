"""Test the live table: what it shows, that it only reads, and its picture."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from bridge.cli.watch import register
from bridge.reports import live_table
from bridge.store import Store, open_store
from bridge.store.watch_queries import WatchedConsole, WatchFigures, figures, live_consoles
from tests.bridge.shop import batch
from tests.support.facts import through
from tests.support.intake import take_messages
from tests.support.programs import TRIVOX

NOW_MS = 1_763_812_800_000
HEALTH = {"outbox": {"first": 41, "next": 57}, "faults": ["clock"], "firmware": "1.0.0", "board": "unix"}


def index(**fields: float) -> dict[str, float]:
    return {"value": 0.25, "low": 0.18, "high": 0.34, "at_k0": 0.05, "at_k1": 0.45} | fields


def row(**fields: Any) -> dict[str, Any]:
    counts = {"surveys": 60, "yes": 30, "no": 5, "cant_say": 4, "silent": 21, "error": 1, "force_majeures": 2}
    names = {"site_id": "demo", "question_id": "staff", "question_revision": 1, "kind": "personnel", "assessable": True}
    shares = dict.fromkeys(("response_rate", "answered_no_share", "silent_part", "index_with", "index_without"))
    counts |= {"left_out": 3, "transactions": None, "visitors": None}
    indices = {"dissatisfaction_index": index(), "emotional_loyalty_index": None}
    return names | counts | shares | indices | {"settings": {"silent_weight_origin": "not estimated"}} | fields


STORED = WatchFigures(1234, 2, 0)


def console(number: int = 0, **fields: Any) -> WatchedConsole:
    return WatchedConsole("demo", f"till-{number}", 0, NOW_MS - 3000, 1, json.dumps(HEALTH))._replace(**fields)


def snapshot(
    rows: list[dict[str, Any]], *consoles: WatchedConsole, figures: WatchFigures = STORED
) -> live_table.Snapshot:
    return live_table.Snapshot(NOW_MS, [*consoles] or [console()], rows, figures, rate=3.5)


def shown(seen: live_table.Snapshot, width: int = 100, height: int | None = None) -> str:
    return re.sub("\x1b[^m]*m", "", "\n".join(live_table.draw(seen, width, height)))


def test_a_console_is_shown_with_its_outbox_and_faults() -> None:
    text = shown(snapshot([]))
    for word in ("demo/till-0", "online", "3 s ago", "16", "clock", "1.0.0"):
        assert word in text


@pytest.mark.parametrize(
    ("online", "silent_s", "state"),
    [(1, 170, "online"), (1, 190, "no contact"), (1, 273 * 86_400, "no contact"), (0, 190, "offline")],
)
def test_a_console_that_is_not_heard_is_not_called_online(online: int, silent_s: int, state: str) -> None:
    heard = console(online=online, last_seen_at_ms=NOW_MS - silent_s * 1000)
    text = shown(snapshot([], heard))
    assert state in text
    assert ("online" in text) is (state == "online")
    known = live_table.status_line(snapshot([], heard))
    assert ("1 of 1 console online" in known) is (state == "online")
    hourly = shown(snapshot([], heard._replace(heartbeat_ms=3_600_000)))
    assert (" online" in hourly) is (online == 1 and silent_s < 3 * 3600)


def test_a_long_list_of_consoles_is_cut() -> None:
    text = shown(snapshot([], *map(console, range(30))))
    assert "and 10 more" in text
    assert "till-19" in text
    assert "till-20" not in text


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_an_index_is_shown_whole_at_any_width(width: int) -> None:
    text = shown(snapshot([row()]), width)
    assert "0.18 to 0.34" in text
    assert ("0.05 to 0.45" in text) is (width > 50)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= width


@pytest.mark.parametrize("height", [15, 17, 24, 50])
def test_a_low_terminal_shows_fewer_consoles_then_fewer_surveys(height: int) -> None:
    rows = [row(site_id=f"s{number}") for number in range(3)]
    text = shown(snapshot(rows, *map(console, range(15))), 80, height)
    surveys = {15: 1, 17: 2}.get(height, 3)
    assert text.count("0.18 to 0.34") == surveys
    assert ("and 2 more: make" in text, "and 1 more: make" in text) == (surveys == 1, surveys == 2)
    assert text.count("demo/till") == {24: 9, 50: 15}.get(height, 3)
    assert len(text.splitlines()) <= height


def test_a_row_is_shown_whole_or_not_at_all() -> None:
    rows = [row(site_id=f"s{number}", assessable=False) for number in range(9)]
    for height in range(12, 30):
        text = shown(snapshot(rows), 60, height)
        assert len(text.splitlines()) <= height
        assert (
            text.count("(0.18 to 0.34)")
            == text.count("not assessable")
            == sum(f"s{number} " in text for number in range(9))
        )


def test_too_few_and_not_assessable_are_shown() -> None:
    loyalty = row(
        kind="loyalty", dissatisfaction_index=None, emotional_loyalty_index=index(value=-0.1), assessable=False
    )
    text = shown(snapshot([row(surveys=29, dissatisfaction_index=None), loyalty]), width=140)
    assert "too few" in text
    assert "not assessable" in text
    assert "-0.10" in text


def test_losses_and_rejects_are_never_hidden() -> None:
    text = shown(snapshot([], figures=WatchFigures(10, 3, 7)))
    assert "rejects: 3" in text
    assert "7 lost" in text


def test_a_status_line_says_the_same() -> None:
    line = live_table.status_line(snapshot([row()]))
    assert "1 of 1 console online, 60 surveys (30 yes, 5 no, 4 can't say, 21 silent), 1234 events stored" in line
    assert line.endswith("2 rejects, 0 lost, 16 waiting")


def test_losses_are_the_numbers_below_through_that_never_came(store: Store) -> None:
    batches = ((1, 3, 1), (7, 14, 7), (30, 11, 7))  # base, how many, the first number that the console still holds
    messages = [("trivox/v1/demo/till-1/events", batch(base, count, first), 0) for base, count, first in batches]
    take_messages(store, messages, NOW_MS)
    assert through(store, "till-1") == 20
    assert figures(store).losses == 3
    assert [console.console_id for console in live_consoles(store)] == ["till-1"]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    open_store(tmp_path / "trivox.db", writing=True).close()
    return tmp_path / "trivox.db"


def test_once_prints_the_table_and_saves_a_picture(database: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    register(app)
    picture = tmp_path / "watch.svg"
    done = CliRunner().invoke(app, ["--database", str(database), "--once", "--svg", str(picture)])
    assert done.exit_code == 0, done.output
    assert "Events stored: 0" in done.output
    drawn = picture.read_text(encoding="utf-8")
    assert drawn.startswith("<svg")
    assert "url(http" not in drawn.replace('"', "")


def test_the_rate_is_that_of_the_last_snapshots(database: Path) -> None:
    store = open_store(database)
    watcher = live_table.Watcher(store)
    assert watcher.read().rate is None
    assert watcher.read().rate == 0
    store.close()


class DrawnTerminal:
    """A terminal that understands what `FullScreen` sends; its second screen forgets what is drawn over."""

    def __init__(self) -> None:
        self.screens: list[list[str]] = [[], []]
        self._rest = ""

    @property
    def text(self) -> str:
        """What the second screen shows."""
        return "\n".join(self.screens[1])

    def take(self, output: bytes) -> None:
        """Take what a program wrote: whole drawings only, the rest with the next."""
        self._rest += output.decode()
        *drawings, self._rest = self._rest.split("\x1b[J")
        for drawing in drawings:
            lines = drawing.split("\x1b[H", 1)[1].replace("\x1b[K", "").split("\r\n")
            self.screens[1] = [re.sub("\x1b[^m]*m", "", line) for line in lines]


def resize(terminal: int, columns: int, lines: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_terminal_is_resized_and_left_tidy(database: Path, number: signal.Signals) -> None:
    ours, theirs = pty.openpty()
    resize(ours, 100, 30)
    words = [TRIVOX, "watch", "--database", str(database)]
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    terminal, shown = DrawnTerminal(), b""
    sizes, asked = [(40, 10), (120, 12), (70, 24)], False
    try:
        while chunk := read(ours):
            shown += chunk
            terminal.take(chunk)
            if "Events stored" not in terminal.text:
                continue
            assert terminal.text.count("Events stored") == 1
            if sizes:
                terminal.screens[1] = []
                resize(ours, *sizes.pop())
                process.send_signal(signal.SIGWINCH)  # as the kernel does where this is the process's own terminal
            elif not asked:
                process.send_signal(number)
                asked = True
        assert process.wait(60) == 0, shown
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")  # the cursor is back
    before, after = shown.split(b"\x1b[?1049l")
    assert b"\x1b[?1049h" in before
    assert after.count(b"Events stored") == 1  # the last table stays


def read(terminal: int) -> bytes:
    """Return what the program wrote; nothing once it has ended."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


def test_without_a_terminal_it_prints_lines(database: Path) -> None:
    process = subprocess.Popen([TRIVOX, "watch", "--database", str(database)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert b"0 of 0 consoles online" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()


def test_an_index_that_rests_on_few_surveys_says_so_where_no_note_can() -> None:
    few = row(surveys=30, yes=0)
    assert "few surveys" in shown(snapshot([few, row(surveys=60)]))
    assert "few surveys" not in shown(snapshot([row(surveys=60)]))
