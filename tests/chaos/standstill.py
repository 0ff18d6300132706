"""Charge the machine for a main loop that stands still only as far as it says so; the rest is the firmware's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simulator.console.observations import Round, Run

OWN_MS = 2500  # what a firmware may do at a stretch: on a board the watchdog comes after 8.4 s

Stops = Sequence[tuple[float, float]]
"""When the harness had the process stopped (SIGSTOP), as (from, to) by `time.monotonic`."""


def standstills(name: str, runs: Sequence[Run], stops: Stops) -> Iterator[str]:
    """Each long stop of the main loop, and each reset by the watchdog, that nothing outside the firmware explains."""
    for place, run in enumerate(runs):
        for stop in run.stood:
            own_ms = _own_ms(stop, stops)
            if own_ms > OWN_MS:
                yield (
                    f"{name}: its main loop stood still for {stop.stood_ms} ms until {stop.ticks_ms} ms, "
                    f"{own_ms} of them by itself"
                )
        if run.reset == "watchdog" and not _was_stopped(runs[place - 1], stops):
            yield f"{name}: the watchdog started it again, and nobody had stopped it"


def _own_ms(stop: Round, stops: Stops) -> int:
    """Answer how long it stood, less what it was stopped for, or waited for a processor."""
    began_s = stop.at_s - stop.stood_ms / 1000
    stopped_s = sum(max(0.0, min(to_s, stop.at_s) - max(from_s, began_s)) for from_s, to_s in stops)
    return stop.stood_ms - stop.waited_ms - round(stopped_s * 1000)


def _was_stopped(run: Run, stops: Stops) -> bool:
    """Was it stopped after its main loop last came round?"""
    since_s = run.last_round.at_s if run.last_round else run.began_at_s
    return any(to_s > since_s and from_s < (run.ended_at_s or float("inf")) for from_s, to_s in stops)
