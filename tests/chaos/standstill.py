"""Find stops of a board's main loop that neither the harness nor a busy machine explains, but only the firmware."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simulator.console.observations import ConsoleRun, Round

OWN_MS = 2500  # how long the firmware may keep the main loop busy: on a board the watchdog resets it after 8.4 s

Stops = Sequence[tuple[float, float]]
"""When the harness had the process stopped (SIGSTOP), as (from, to) by `time.monotonic`."""


def standstills(name: str, runs: Sequence[ConsoleRun], stops: Stops) -> Iterator[str]:
    """Yield each long stop and each reset by the watchdog that nothing outside the firmware explains."""
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
    """Return how long the loop stood still, less the time for which it was stopped or waited for a processor."""
    began_s = stop.at_s - stop.stood_ms / 1000
    stopped_s = sum(max(0.0, min(to_s, stop.at_s) - max(from_s, began_s)) for from_s, to_s in stops)
    return stop.stood_ms - stop.waited_ms - round(stopped_s * 1000)


def _was_stopped(run: ConsoleRun, stops: Stops) -> bool:
    """Return whether the board was stopped after its main loop last came round."""
    since_s = run.last_round.at_s if run.last_round else run.began_at_s
    return any(to_s > since_s and from_s < (run.ended_at_s or float("inf")) for from_s, to_s in stops)
