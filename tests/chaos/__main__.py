"""`make chaos`: breaks everything in a seeded order, and proves that nothing is lost, double or wrong.

The seed is printed first and last; the same seed makes the same plan of faults. Without one, all runs that are kept
(`kept.py`) happen one after the other, and each has a line in the end. Ends with 1 if anything is found.
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

from tests.chaos.kept import KEPT, Kept, shifted
from tests.chaos.plan import ALL_KINDS
from tests.chaos.run import Result, run

INTERRUPTED = 130
UNASKED = Kept(seed=0, minutes=3.0, consoles=5, picos=2, words="")


def main(
    seed: Annotated[int | None, typer.Option(help="The plan's seed; without it all runs that are kept.")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.2, help="How long faults come (3); quiet comes after.")] = None,
    consoles: Annotated[int | None, typer.Option(min=1, max=50, help="How many, each with its people (5).")] = None,
    picos: Annotated[int | None, typer.Option(min=0, max=50, help="More without radio, with a gateway (2).")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only these kinds of fault.")] = None,
    record: Annotated[Path | None, typer.Option(help="Append the result to this file, a line of JSON.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder also when all is well.")] = False,  # noqa: FBT002
) -> None:
    """Break everything, in a seeded order, and prove that nothing is lost, double or wrong."""
    unknown = {*(kind or [])} - {one.name for one in ALL_KINDS}
    if unknown:
        raise typer.BadParameter(
            f"there is no fault {', '.join(unknown)}: there are {', '.join(k.name for k in ALL_KINDS)}"
        )
    if record is not None and not record.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {record.absolute().parent}: make it first")
    given = {"minutes": minutes, "consoles": consoles, "picos": picos}
    changes = {name: value for name, value in given.items() if value is not None}
    runs = [shifted(kept) for kept in KEPT] if seed is None else [UNASKED._replace(seed=seed)]
    signal.signal(signal.SIGTERM, _end)
    statuses, lines = [0], []
    for number, asked in enumerate(runs, 1):
        if len(runs) > 1:
            _say(f"Run {number} of {len(runs)}: {asked.words}")
        status, line = _happen(asked._replace(**changes), frozenset(kind or []), record, keep=keep)
        statuses.append(status)
        lines.append(line)
        if status == INTERRUPTED:
            break
    for line in lines:
        _say(line)
    sys.exit(max(statuses))


def _happen(asked: Kept, kinds: frozenset[str], record: Path | None, *, keep: bool) -> tuple[int, str]:
    """One run; its exit status, and what came of it in a line that begins with how to have it again."""
    seed, minutes, consoles, picos, _ = asked
    name = f"SEED={seed} MINUTES={minutes:g} CONSOLES={consoles} PICOS={picos}"
    name += "".join(f" --kind {one}" for one in sorted(kinds))
    _say(name)
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-"))
    status, said = INTERRUPTED, "ended before its time"
    try:
        began_s = time.monotonic()
        result = run(folder, seed, minutes, consoles, _say, kinds, picos)
        _tell(result, time.monotonic() - began_s)
        _record(record, {**vars(result), "minutes": minutes, "consoles": consoles, "picos": picos})
        status = 1 if result.findings else 0
        said = f"{len(result.findings)} WRONG" if result.findings else "nothing is lost, double or wrong"
    except KeyboardInterrupt:
        _say("Ended before its time.")
    finally:
        if status or keep:
            _say(f"Database, logs and flash files are kept in {folder}.")
        else:
            shutil.rmtree(folder)
    return status, f"{name}: {said}"


def _record(file: Path | None, result: dict[str, Any]) -> None:
    if file is not None:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(result) + "\n")


def _end(*_: object) -> None:
    """SIGTERM ends it as Ctrl-C does: with all that it has started."""
    raise KeyboardInterrupt


def _tell(result: Result, seconds: float) -> None:
    for kind in ALL_KINDS:
        if result.faults[kind.name]:
            _say(f"{result.faults[kind.name]:5}  {kind.words}")
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
