"""`trivox run`: broker, bridge, live table and a shop of simulated consoles, all on this machine, until Ctrl-C.

It only supervises: whatever it wants of the bridge it asks by the bridge's own commands.
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

from simulator.console import micropython
from simulator.errors import SimulatorError
from simulator.people.demo_shop import RULES, SITE, Shop, tills
from simulator.programs.children import Children, EndError, free_port, lock, run, wait_for_port

DATABASE = Path("trivox-data/trivox.db")
PORT = 1883
METRICS_PORT = 9883  # the bridge's own, if it is free
SHIFT_MINUTES = 15
SHIFTS_DAYS = 2
HEARTBEAT_MS = 2000
LOOK_S = 0.2  # how often the supervisor looks around


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(command)


def command(
    broker: Annotated[str | None, typer.Option(help="A broker that runs already: mqtt://HOST:PORT.")] = None,
    database: Annotated[Path, typer.Option(help="Where results go; logs and flash files lie beside it.")] = DATABASE,
    consoles: Annotated[int, typer.Option(min=1, max=50, help="How many consoles are simulated.")] = 3,
    seed: Annotated[int | None, typer.Option(help="Makes people behave the same again.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="End by itself after so long.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the embedded broker listens, if free.")] = PORT,
) -> None:
    """Run everything on this machine: broker, bridge, and simulated consoles with busy people."""
    seed = random.randrange(1_000_000) if seed is None else seed
    try:
        _say("Getting MicroPython ready (the first time it is fetched) ...")
        micropython.command()
        with _supervised(database.parent) as children:
            shop = _start(children, database, broker, consoles, seed, port)
            try:
                shop.open()
                _watch(children, shop, database, seconds)
            finally:
                shop.close()
    except SimulatorError as error:
        typer.echo(f"trivox run: {error}", err=True)
        raise typer.Exit(1) from None
    _say_how_to_ask(database)


@contextmanager
def _supervised(folder: Path) -> Iterator[Children]:
    """The data folder, ours alone, and children that end with the block, which the user's wish ends in peace."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = lock(folder / "run.lock")
    children = Children(folder / "logs")
    try:
        with suppress(EndError):
            yield children
    finally:
        children.stop()
        os.close(descriptor)


def _start(children: Children, database: Path, broker: str | None, consoles: int, seed: int, port: int) -> Shop:
    if broker is None:
        port = free_port(port)
        _say(f"Starting the embedded broker at 127.0.0.1:{port} ...")
        children.start("broker", [*_trivox(), "broker", "--port", str(port)])
        broker = f"mqtt://127.0.0.1:{port}"
    address = urlsplit(broker)
    if address.username or address.scheme != "mqtt" or not address.hostname:
        raise SimulatorError(
            f"{broker} is no broker for this; give mqtt://HOST:PORT, with TRIVOX_MQTT_USER and TRIVOX_MQTT_PASSWORD in "
            "the environment if it wants a login."
        )
    wait_for_port(address.hostname, address.port or PORT, children)
    _say("Setting key questions, short windows and shifts ...")
    _prepare(database, consoles)
    children.check()
    _say("Starting the bridge ...")
    words = ["bridge", "--broker", broker, "--database", str(database), "--metrics-port", str(free_port(METRICS_PORT))]
    bridge = children.start("bridge", [*_trivox(), *words])
    children.wait_for_words(bridge, "connected to")
    _say(f"Starting {consoles} consoles; people come in (--seed {seed}) ...")
    return Shop(database.parent / "consoles", consoles, _with_login(broker), seed)


def _with_login(broker: str) -> str:
    """The broker as consoles want it, with the login that the bridge takes from the environment."""
    user, password = os.environ.get("TRIVOX_MQTT_USER"), os.environ.get("TRIVOX_MQTT_PASSWORD")
    login = ":".join(quote(part, safe="") for part in (user, password) if part)
    return broker.replace("://", f"://{login}@", 1) if login else broker


def _watch(children: Children, shop: Shop, database: Path, seconds: float | None) -> None:
    """The live table in the foreground until the user, the clock or a failure ends it."""
    children.start("watch", [*_trivox(), "watch", "--database", str(database)], shown=True)
    end_s = None if seconds is None else time.monotonic() + seconds
    while end_s is None or time.monotonic() < end_s:
        children.check()
        shop.check()
        time.sleep(LOOK_S)


def _prepare(database: Path, consoles: int) -> None:
    """Settings, key questions and shifts, by the commands that anybody would use."""
    settings = {
        "survey_window_ms": RULES.survey_window_ms,
        "long_press_ms": RULES.long_press_ms,
        "reopen_guard_ms": RULES.reopen_guard_ms,
        "heartbeat_ms": HEARTBEAT_MS,
        "force_majeure_scope_s": RULES.force_majeure_scope_s,
    }
    where = ["--database", str(database)]
    run([*_trivox(), "settings", "set", "--all", *(f"{name}={value}" for name, value in settings.items()), *where])
    for till in tills(consoles):
        console = f"{SITE}/{till.console_id}"
        run([*_trivox(), "settings", "set", "--console", console, f"question_id={till.question_id}", *where])
    file = database.parent / "shifts.csv"
    write_shifts(file, consoles, datetime.now(UTC))
    run([*_trivox(), "shift", "import", str(file), *where])


def write_shifts(file: Path, consoles: int, now: datetime) -> None:
    """Two sellers a console take turns on a fixed grid, so that a later run crosses no earlier shift."""
    length = timedelta(minutes=SHIFT_MINUTES)
    first = int(now.timestamp() // length.total_seconds())
    with file.open("w", encoding="utf-8", newline="") as output:
        rows = csv.writer(output)
        rows.writerow(["site_id", "console_id", "seller_id", "seller_name", "started_at", "ended_at"])
        for number, till in enumerate(tills(consoles)):
            for turn in range(first, first + SHIFTS_DAYS * 24 * 60 // SHIFT_MINUTES):
                seller = 2 * number + turn % 2 + 1
                start = datetime.fromtimestamp(turn * length.total_seconds(), UTC)
                times = [start.isoformat(), (start + length).isoformat()]
                rows.writerow([SITE, till.console_id, f"seller-{seller}", f"Seller {seller}", *times])


def _trivox() -> list[str]:
    """The command as it stands beside this Python."""
    return [str(Path(sys.executable).with_name("trivox"))]


def _shown(program: str) -> str:
    """A program beside this Python, as one would type it from here."""
    path = Path(sys.executable).with_name(program)
    return shlex.quote(str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path))


def _say(sentence: str) -> None:
    typer.echo(sentence)
    sys.stdout.flush()


def _say_how_to_ask(database: Path) -> None:
    today = datetime.now(UTC).date()
    where = f"--database {shlex.quote(str(database))}"
    trivox = _shown("trivox")
    _say(f"Everything has ended. The results are in {database}; ask it by:")
    _say(f"  {trivox} report {where} --from {today} --to {today + timedelta(days=1)} --by seller")
    _say(f"  {trivox} doctor {where}")
    query = "select outcome, cause, count(*) from survey group by 1, 2"
    _say(f"  {_shown('sqlite-utils')} {shlex.quote(str(database))} {shlex.quote(query)} --table")
