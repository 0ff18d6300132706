"""`trivox simulate`: one console on the bench, or a scenario with many consoles and their people."""

from datetime import date
from pathlib import Path
from typing import Any

import typer

from simulator.cli import simulate_options as options
from simulator.cli.output import print_error, print_line
from simulator.cli.simulate_options import Pace
from simulator.errors import SimulatorError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate")(simulate)


def simulate(
    scenario: options.ScenarioName = None,
    broker: options.BrokerUrl = None,
    ca_file: options.CaFile = None,
    headless: options.Headless = False,  # noqa: FBT002
    board: options.Board = None,
    folder: options.Folder = None,
    port: options.Port = None,
    no_open: options.NoOpen = False,  # noqa: FBT002
    seed: options.Seed = None,
    out: options.Out = None,
    database: options.Database = None,
    check: options.Check = None,
    speed: options.Speed = None,
    first_day: options.FirstDay = None,
    days: options.Days = None,
    jobs: options.Jobs = None,
) -> None:
    """Put one console on the bench: press, break and watch it. Or simulate SCENARIO: shops and their people."""
    for_bench = {"--headless": headless, "--board": board, "--folder": folder, "--port": port, "--no-open": no_open}
    for_bench["--ca-file"] = ca_file
    for_scenario = {"--seed": seed, "--out": out, "--speed": speed, "--from": first_day, "--days": days}
    for_scenario |= {"--jobs": jobs, "--database": database}
    _refuse_misplaced(scenario, check, broker, for_bench, for_scenario)
    has_succeeded = True
    try:
        if scenario is None:
            from simulator.cli.bench import run_bench  # noqa: PLC0415 - a scenario starts faster without it

            has_succeeded = run_bench(
                port=port,
                board=board,
                broker=broker,
                ca_file=ca_file,
                folder=folder,
                opens=not no_open,
                headless=headless,
            )
        else:
            from simulator.cli import scenario as scenario_commands  # noqa: PLC0415 - the bench starts faster without it

            if check is not None:
                result = scenario_commands.check(Path(scenario), check)
            else:
                result = scenario_commands.run_scenario(
                    scenario,
                    seed=seed,
                    folder=out,
                    broker=broker,
                    database=database,
                    speed=(speed or Pace.fast).value,
                    first_day=_date(first_day),
                    days=days,
                    jobs=jobs,
                )
            print_line(result)
    except SimulatorError as error:
        print_error(error)
        has_succeeded = False
    if not has_succeeded:
        raise typer.Exit(1)


def _refuse_misplaced(
    scenario: str | None,
    check: Path | None,
    broker: str | None,
    for_bench: dict[str, Any],
    for_scenario: dict[str, Any],
) -> None:
    """Raise BadParameter for an option that does not fit what the command is to do."""
    if scenario is None:
        _refuse({**for_scenario, "--check": check}, "is for scenarios: give a scenario, or leave this option out.")
        return
    if check is not None:
        _refuse({"--broker": broker, **for_bench, **for_scenario}, "cannot be used with --check: leave one out.")
        return
    _refuse(for_bench, "is for the bench: leave this option out, or the scenario.")
    if broker is None:
        _refuse({"--speed": for_scenario["--speed"]}, "is for a live run: add --broker, or leave this option out.")
    else:
        _refuse({"--jobs": for_scenario["--jobs"]}, "is for files: leave it out, since a live run is one process.")
    if for_scenario["--speed"] is Pace.real:
        _refuse({"--from": for_scenario["--from"]}, "cannot be used with --speed real: such a run begins today.")


def _refuse(given: dict[str, Any], why: str) -> None:
    for name, value in given.items():
        if value not in (None, False):
            raise typer.BadParameter(f"{name} {why}")


def _date(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date; write it as 2026-11-01.", param_hint="--from") from None
