"""`make chaos`: break everything in a seeded order, and prove that nothing is lost, double or wrong.

The seed is printed first and last; the same seed makes the same plan of faults. Without a seed, all saved runs
(`saved_runs.py`) are made one after the other, each with a line at the end. Exit status 1 if anything is found.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from tests.chaos.plan import ALL_KINDS
from tests.chaos.run import ChaosResult, run
from tests.chaos.saved_runs import SAVED_RUNS, SavedRun, with_shifted_seed

INTERRUPTED = 130
DEFAULTS = SavedRun(seed=0, minutes=3.0, consoles=5, picos=2, description="")


def main(
    seed: Annotated[int | None, typer.Option(help="The plan's seed; without it, make all saved runs.")] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.2, help="How long faults happen (3); a quiet time follows.")
    ] = None,
    consoles: Annotated[
        int | None, typer.Option(min=1, max=50, help="How many consoles, each with its own people (5).")
    ] = None,
    picos: Annotated[
        int | None, typer.Option(min=0, max=50, help="How many more consoles without radio, at a gateway (2).")
    ] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only faults of these kinds.")] = None,
    record: Annotated[Path | None, typer.Option(help="Append the result to this file as a line of JSON.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder even if nothing is wrong.")] = False,  # noqa: FBT002
) -> None:
    """Break everything in a seeded order, and prove that nothing is lost, double or wrong."""
    unknown = {*(kind or [])} - {known.name for known in ALL_KINDS}
    if unknown:
        raise typer.BadParameter(
            f"there is no fault {', '.join(unknown)}: choose from {', '.join(k.name for k in ALL_KINDS)}"
        )
    if record is not None and not record.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {record.absolute().parent}: create it first")
    given = {"minutes": minutes, "consoles": consoles, "picos": picos}
    changes = {name: value for name, value in given.items() if value is not None}
    runs = [with_shifted_seed(saved) for saved in SAVED_RUNS] if seed is None else [DEFAULTS._replace(seed=seed)]
    signal.signal(signal.SIGTERM, _end)
    statuses, lines = [0], []
    for number, saved in enumerate(runs, 1):
        if len(runs) > 1:
            _say(f"Run {number} of {len(runs)}: {saved.description}")
        status, line = _run_once(saved._replace(**changes), frozenset(kind or []), record, keep=keep)
        statuses.append(status)
        lines.append(line)
        if status == INTERRUPTED:
            break
    for line in lines:
        _say(line)
    sys.exit(max(statuses))


def _run_once(saved: SavedRun, kinds: frozenset[str], record: Path | None, *, keep: bool) -> tuple[int, str]:
    """Make one run; return its exit status, and its result in a line that begins with how to repeat it."""
    seed, minutes, consoles, picos, _ = saved
    name = f"SEED={seed} MINUTES={minutes:g} CONSOLES={consoles} PICOS={picos}"
    name += "".join(f" --kind {kind}" for kind in sorted(kinds))
    _say(name)
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-"))
    status, verdict = INTERRUPTED, "interrupted"
    try:
        began_s = time.monotonic()
        result = run(folder, seed, minutes, consoles, _say, kinds, picos)
        _print_result(result, time.monotonic() - began_s)
        _record(record, {**vars(result), "minutes": minutes, "consoles": consoles, "picos": picos})
        status = 1 if result.findings else 0
        verdict = f"{len(result.findings)} WRONG" if result.findings else "nothing is lost, double or wrong"
    except KeyboardInterrupt:
        _say("Interrupted.")
    finally:
        if status or keep:
            _say(f"Database, logs and flash files are saved in {folder}.")
        else:
            shutil.rmtree(folder)
    return status, f"{name}: {verdict}"


def _record(file: Path | None, result: dict[str, Any]) -> None:
    if file is not None:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(result) + "\n")


def _end(*_: object) -> None:
    """End on SIGTERM as on Ctrl-C: with all processes that were started."""
    raise KeyboardInterrupt


def _print_result(result: ChaosResult, seconds: float) -> None:
    for kind in ALL_KINDS:
        if result.faults[kind.name]:
            _say(f"{result.faults[kind.name]:5}  {kind.description}")
    figures = ", ".join(f"{count} {name}" for name, count in result.figures.items())
    _say(f"{sum(result.faults.values())} faults in {seconds:.0f} s: {figures}.")
    for sentence in result.findings:
        _say(f"WRONG: {sentence}")
    _say(f"{len(result.findings)} things are wrong." if result.findings else "Nothing is lost, double or wrong.")


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    typer.run(main)
