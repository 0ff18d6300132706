"""Run `trivox run`: broker, bridge, live table and a shop of simulated consoles, all on this machine, until Ctrl-C.

It only supervises: everything that it needs from the bridge it does with the bridge's own commands.
"""

import csv
import os
import random
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlsplit

import typer

from simulator.cli.output import print_error, print_line
from simulator.console import micropython
from simulator.errors import SimulatorError
from simulator.people.demo_shop import RULES, SITE, DemoShop, demo_posts
from simulator.programs.children import Children, EndError, chosen_port, free_port, lock, run, wait_for_port
from simulator.programs.program import shown
from simulator.text import plural

DATABASE = Path("trivox-data/trivox.db")
PORT = 1883
METRICS_PORT = 9883  # the bridge's default, used if it is free
SHIFT_MINUTES = 15
SHIFTS_DAYS = 2
HEARTBEAT_MS = 2000
CHECK_S = 0.2  # between two checks of the programs


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(command)


def command(
    broker: Annotated[str | None, typer.Option(help="Use a running broker: mqtt://HOST:PORT.")] = None,
    database: Annotated[
        Path, typer.Option(help="The database for the results; logs and flash files go into its folder.")
    ] = DATABASE,
    consoles: Annotated[int, typer.Option(min=1, max=50, help="The number of simulated consoles.")] = 3,
    seed: Annotated[int | None, typer.Option(help="Make people behave as in an earlier run with this seed.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="End after this many seconds.")] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help=f"The embedded broker's port. [default: {PORT}, or any if that is in use]"),
    ] = None,
) -> None:
    """Run broker, bridge and busy simulated consoles here. Everything is on this machine."""
    if broker is not None and port is not None:
        raise typer.BadParameter("--port is for the embedded broker: leave it out, or leave out --broker.")
    seed = random.randrange(1_000_000) if seed is None else seed
    try:
        port = None if broker else chosen_port(port, PORT)
        micropython.prepare("amd64", print_line)
        with _supervised(database.parent) as children:
            shop = _start(children, database, broker, consoles, seed, port)
            try:
                shop.open()
                _watch(children, shop, database, seconds)
            finally:
                shop.close()
        _retire(database, consoles)
    except SimulatorError as error:
        print_error(error)
        raise typer.Exit(1) from None
    _say_what_next(database)


@contextmanager
def _supervised(folder: Path) -> Iterator[Children]:
    """Lock the data folder and yield children that end with the block; the user may end the block without an error."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = lock(folder / "run.lock")
    children = Children(folder / "logs")
    try:
        with suppress(EndError):
            yield children
    finally:
        children.stop()
        os.close(descriptor)


def _start(
    children: Children, database: Path, broker: str | None, consoles: int, seed: int, port: int | None
) -> DemoShop:
    if broker is None:
        print_line(f"Starting the embedded broker at 127.0.0.1:{port} ...")
        children.start("broker", [*_trivox(), "broker", "--port", str(port)])
        broker = f"mqtt://127.0.0.1:{port}"
    address = urlsplit(broker)
    if address.username or address.scheme != "mqtt" or not address.hostname:
        raise SimulatorError(
            f"{broker} is not a broker's address: give mqtt://HOST:PORT, with TRIVOX_MQTT_USER and "
            "TRIVOX_MQTT_PASSWORD in the environment if the broker needs a login."
        )
    wait_for_port(address.hostname, address.port or PORT, children)
    print_line("Setting up key questions, short survey windows and shifts ...")
    _prepare(database, consoles)
    children.check()
    print_line("Starting the bridge ...")
    options = ["--broker", broker, "--database", str(database), "--metrics-port", str(free_port(METRICS_PORT))]
    bridge = children.start("bridge", [*_trivox(), "bridge", *options])
    children.wait_for_words(bridge, "connected to")
    print_line(f"Starting {plural(consoles, 'console')}; people are coming in (--seed {seed}) ...")
    return DemoShop(database.parent / "consoles", consoles, _with_login(broker), seed)


def _with_login(broker: str) -> str:
    """Return the broker's URL for consoles, with the login that the bridge takes from the environment."""
    user, password = os.environ.get("TRIVOX_MQTT_USER"), os.environ.get("TRIVOX_MQTT_PASSWORD")
    login = ":".join(quote(part, safe="") for part in (user, password) if part)
    return broker.replace("://", f"://{login}@", 1) if login else broker


def _watch(children: Children, shop: DemoShop, database: Path, seconds: float | None) -> None:
    """Show the live table until the user, the time limit or a failure ends it."""
    children.start("watch", [*_trivox(), "watch", "--database", str(database)], shown=True)
    end_s = None if seconds is None else time.monotonic() + seconds
    while end_s is None or time.monotonic() < end_s:
        children.check()
        shop.check()
        time.sleep(CHECK_S)


def _prepare(database: Path, consoles: int) -> None:
    """Set up settings, key questions and shifts with the commands that a user would run."""
    settings = {
        "survey_window_ms": RULES.survey_window_ms,
        "long_press_ms": RULES.long_press_ms,
        "reopen_guard_ms": RULES.reopen_guard_ms,
        "heartbeat_ms": HEARTBEAT_MS,
        "force_majeure_scope_s": RULES.force_majeure_scope_s,
    }
    database_option = ["--database", str(database)]
    was_there = database.exists()
    run(
        [
            *_trivox(),
            "settings",
            "set",
            "--all",
            "--new",
            *(f"{name}={value}" for name, value in settings.items()),
            *database_option,
        ]
    )
    run([*_trivox(), "site", "set", SITE, "--timezone", "UTC", *database_option])
    for post in demo_posts(consoles):
        console = f"{SITE}/{post.console_id}"
        question = ["--console", console, "--new", f"question_id={post.question_id}"]
        run([*_trivox(), "settings", "set", *question, *database_option])
    if was_there:
        run([*_trivox(), "console", "retire", "--undo", *_names(consoles), *database_option])
    file = database.parent / "shifts.csv"
    write_shifts(file, consoles, datetime.now(UTC))
    run([*_trivox(), "shift", "import", str(file), *database_option])


def _retire(database: Path, consoles: int) -> None:
    """Take the consoles out of service, so that nobody misses them until the next run."""
    run([*_trivox(), "console", "retire", *_names(consoles), "--database", str(database)])


def _names(consoles: int) -> list[str]:
    return [f"{SITE}/{post.console_id}" for post in demo_posts(consoles)]


def write_shifts(file: Path, consoles: int, now: datetime) -> None:
    """Write shifts in which two sellers per console take turns on a fixed grid, so that those of two runs agree."""
    length = timedelta(minutes=SHIFT_MINUTES)
    first = int(now.timestamp() // length.total_seconds())
    with file.open("w", encoding="utf-8", newline="") as output:
        rows = csv.writer(output)
        rows.writerow(["site_id", "console_id", "seller_id", "seller_name", "started_at", "ended_at"])
        for number, post in enumerate(demo_posts(consoles)):
            for turn in range(first, first + SHIFTS_DAYS * 24 * 60 // SHIFT_MINUTES):
                seller = 2 * number + turn % 2 + 1
                start = datetime.fromtimestamp(turn * length.total_seconds(), UTC)
                times = [start.isoformat(), (start + length).isoformat()]
                rows.writerow([SITE, post.console_id, f"seller-{seller}", f"Seller {seller}", *times])


def _trivox() -> list[str]:
    """Return the command `trivox` that is installed with this Python."""
    return [str(Path(sys.executable).with_name("trivox"))]


def _say_what_next(database: Path) -> None:
    today = datetime.now(UTC).date()
    where = f"--database {shlex.quote(str(database))}"
    trivox = shown("trivox")
    print_line(f"Everything has ended. The results are in {database}; look at them with:")
    print_line(f"  {trivox} report {where} --from {today} --to {today + timedelta(days=1)} --by seller")
    print_line(f"  {trivox} doctor {where}")
    query = "select outcome, cause, count(*) from survey group by 1, 2"
    print_line(f"  {shown('sqlite-utils')} {shlex.quote(str(database))} {shlex.quote(query)} --table")
