"""The argument and the options of `trivox simulate`; most belong either to the bench or to a scenario."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from simulator.scenario.file import shipped


class Pace(StrEnum):
    """The pace of a live run."""

    real = "real"
    fast = "fast"


ScenarioName = Annotated[
    str | None,
    typer.Argument(
        help=f"A scenario's TOML file, or one of {', '.join(shipped())}; with --check the folder of a run. Without it, "
        "the bench starts."
    ),
]
BrokerUrl = Annotated[
    str | None,
    typer.Option(
        help="Use a running broker: mqtt://HOST:PORT. For more than a few dozen consoles it should be mosquitto."
    ),
]
Check = Annotated[
    Path | None,
    typer.Option(
        metavar="DATABASE",
        help="Compare the reports on this database with what the run's folder expects.",
        readable=False,
    ),
]

# The bench.
CaFile = Annotated[
    Path | None,
    typer.Option(
        help="Bench: the authority's certificate, with mqtts://; the broker's own certificate must be for localhost."
    ),
]
Headless = Annotated[bool, typer.Option("--headless", help="Bench: read commands from standard input, without a page.")]
Board = Annotated[
    str | None, typer.Option(help="Bench: the board whose pins it has: unix (the default), esp32, pico_w or pico.")
]
Folder = Annotated[
    Path | None,
    typer.Option(
        help="Bench: the folder for flash, database, logs and recordings; [default: trivox-bench]. With --headless, "
        "the default is a temporary folder, and recordings are written into the current one."
    ),
]
Port = Annotated[
    int | None,
    typer.Option(
        min=1, max=65535, help="Bench: the page's port on loopback. [default: 8010, or any if that is in use]"
    ),
]
NoOpen = Annotated[bool, typer.Option("--no-open", help="Bench: do not open a browser.")]

# A scenario.
Seed = Annotated[
    int | None, typer.Option(help="Scenario: draw other people and other days. [default: the scenario's seed]")
]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Scenario: a new folder for its files. [default: the scenario's name, in the current folder]",
    ),
]
Database = Annotated[
    Path | None, typer.Option(help="Scenario: prepare this database for the scenario's messages.", readable=False)
]
Speed = Annotated[
    Pace | None,
    typer.Option(help="Scenario, with --broker: by the clock, or as fast as the bridge can take it (the default)."),
]
FirstDay = Annotated[str | None, typer.Option("--from", metavar="DATE", help="Scenario: the first day.")]
Days = Annotated[int | None, typer.Option(min=1, max=3660, help="Scenario: the number of days.")]
Jobs = Annotated[
    int | None,
    typer.Option(min=1, max=64, help="Scenario: the number of processes that write files. [default: one per core]"),
]
