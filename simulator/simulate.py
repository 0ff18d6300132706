"""`trivox simulate SCENARIO`: many consoles with people around them, to files or live against a broker."""

import sys
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from simulator.commands_scenario import run_scenario
from simulator.errors import SimulatorError
from simulator.scenario import find, shipped


class Pace(StrEnum):
    """How fast virtual time goes in a live run."""

    real = "real"
    fast = "fast"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate")(simulate)


def simulate(
    scenario: Annotated[
        str | None, typer.Argument(help=f"A scenario's TOML file, or one of {', '.join(shipped())}.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Other people, other days; else the scenario's own.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write files there, for trivox ingest.")] = None,
    broker: Annotated[str | None, typer.Option(help="Run live against a broker: mqtt://HOST:PORT.")] = None,
    speed: Annotated[Pace, typer.Option(help="Live: by the clock, or as fast as the bridge takes it.")] = Pace.fast,
    first_day: Annotated[str | None, typer.Option("--from", metavar="DATE", help="The first day.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=3660, help="How many days.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, max=64, help="Processes for files; else all cores.")] = None,
) -> None:
    """Simulate a scenario: its messages, the true diary and the expected KPIs to check a bridge with."""
    if scenario is None:
        raise typer.BadParameter(f"Give a scenario: a TOML file, or one of {', '.join(shipped())}.")
    try:
        done = run_scenario(
            find(scenario),
            seed=seed,
            to=out,
            broker=broker,
            speed=speed.value,
            first_day=_day(first_day),
            days=days,
            jobs=jobs,
        )
    except SimulatorError as error:
        typer.echo(f"trivox simulate: {error}", err=True)
        raise typer.Exit(1) from None
    sys.stdout.write(f"{done}\n")


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date; give it as 2026-11-01.", param_hint="--from") from None
