"""`trivox simulate`: one console on the bench, or a scenario with many consoles and people around them."""

import sys
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from simulator.errors import SimulatorError
from simulator.scenario.file import shipped


class Pace(StrEnum):
    """How fast virtual time goes in a live run."""

    real = "real"
    fast = "fast"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate")(simulate)


def simulate(
    scenario: Annotated[
        str | None,
        typer.Argument(
            help=f"A scenario's TOML file, or one of {', '.join(shipped())}; with --check a run's folder; without: "
            "the bench."
        ),
    ] = None,
    broker: Annotated[
        str | None,
        typer.Option(
            help="A broker that runs already: mqtt://HOST:PORT; for more than a few dozen consoles mosquitto."
        ),
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option(help="Bench: with mqtts://, what the broker's certificate, for localhost, is checked by."),
    ] = None,
    headless: Annotated[  # noqa: FBT002
        bool, typer.Option("--headless", help="Bench: no page: lines from standard input.")
    ] = False,
    board: Annotated[str | None, typer.Option(help="Bench: whose pins it has: unix, esp32, pico_w or pico.")] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Bench: where flash, database, logs and recordings lie; a headless one is else made and removed, "
            "and its recordings come here."
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Bench: where the page is, on loopback, if free; else 8010."),
    ] = None,
    no_open: Annotated[  # noqa: FBT002
        bool, typer.Option("--no-open", help="Bench: open no browser.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(help="Scenario: other people, other days; else the scenario's own.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Scenario: a new folder for its files; else one of its name, here."),
    ] = None,
    database: Annotated[
        Path | None, typer.Option(help="Scenario: prepare this database for it.", readable=False)
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(metavar="DATABASE", help="Hold its reports against what a run's folder expects.", readable=False),
    ] = None,
    speed: Annotated[
        Pace | None,
        typer.Option(help="Scenario, live: by the clock, or as fast as the bridge takes it (the default)."),
    ] = None,
    first_day: Annotated[str | None, typer.Option("--from", metavar="DATE", help="Scenario: the first day.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=3660, help="Scenario: how many days.")] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Scenario: processes for files; else all cores."),
    ] = None,
) -> None:
    """Put one console on the bench: press, break and watch it. Or simulate SCENARIO: shops and their people."""
    of_bench = {"--headless": headless, "--board": board, "--folder": folder, "--port": port, "--no-open": no_open}
    of_bench["--ca-file"] = ca_file
    of_run = {"--seed": seed, "--out": out, "--speed": speed, "--from": first_day, "--days": days, "--jobs": jobs}
    of_run["--database"] = database
    if scenario is None:
        _refuse({**of_run, "--check": check}, "is for scenarios: name one, or leave it away for the bench.")
    elif check is not None:
        _refuse({"--broker": broker, **of_bench, **of_run}, "does not go with --check: leave one of them away.")
    else:
        _refuse(of_bench, "is for the bench: leave it away, or the scenario.")
        _refuse_unlikely(broker, of_run)
    try:
        if scenario is None:
            from simulator.cli.bench import run_bench  # noqa: PLC0415 - a scenario starts faster without it

            fine = run_bench(
                port=port,
                board=board,
                broker=broker,
                ca_file=ca_file,
                folder=folder,
                opens=not no_open,
                headless=headless,
            )
        else:
            from simulator.cli import scenario as scenario_commands  # noqa: PLC0415 - and the bench without it

            if check is not None:
                done = scenario_commands.check(Path(scenario), check)
            else:
                done = scenario_commands.run_scenario(
                    scenario,
                    seed=seed,
                    to=out,
                    broker=broker,
                    database=database,
                    speed=(speed or Pace.fast).value,
                    first_day=_day(first_day),
                    days=days,
                    jobs=jobs,
                )
            sys.stdout.write(f"{done}\n")
            fine = True
    except SimulatorError as error:
        typer.echo(f"trivox simulate: {error}", err=True)
        fine = False
    if not fine:
        raise typer.Exit(1)


def _refuse_unlikely(broker: str | None, options: dict[str, Any]) -> None:
    """Refuse options of a scenario that have nothing to do here."""
    if broker is None:
        _refuse({"--speed": options["--speed"]}, "is for a live run: give it a --broker, or leave it away.")
    else:
        _refuse({"--jobs": options["--jobs"]}, "is for files: leave it away, a live run is one process.")
    if options["--speed"] is Pace.real:
        _refuse({"--from": options["--from"]}, "is for virtual time: by the clock a scenario begins today.")


def _refuse(options: dict[str, Any], why: str) -> None:
    for name, value in options.items():
        if value not in (None, False):
            raise typer.BadParameter(f"{name} {why}")


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date; give it as 2026-11-01.", param_hint="--from") from None
