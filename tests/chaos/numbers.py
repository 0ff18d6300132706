"""Every number of every epoch is there once, or missing where that is allowed, and then counted."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.table import Epoch
from tests.chaos.witness import Testimony


def check_numbers(epochs: list[Epoch], testimony: Testimony) -> Iterator[str]:
    """What is wrong with the numbers."""
    for epoch in epochs:
        where = "/".join(epoch.name)
        yield from _ranges(epoch, where)
        yield from _ends(epoch, where, testimony)
        yield from _losses(epoch, where, testimony)


def _ranges(epoch: Epoch, where: str) -> Iterator[str]:
    """What the bridge thinks it received is what it has."""
    there = sorted({*epoch.events, *epoch.rejected})
    claimed = [seq for low, high in epoch.received for seq in range(low, high + 1)]
    if claimed != there:
        odd = sorted({*claimed} ^ {*there})
        yield f"{where}: `received` and the rows differ at numbers {odd[:10]}"
    through = epoch.first - 1
    while through + 1 in epoch.events or through + 1 in epoch.rejected:
        through += 1
    if epoch.through != through:
        yield f"{where}: through is {epoch.through}, and by its rows and first ({epoch.first}) it is {through}"


def _ends(epoch: Epoch, where: str, testimony: Testimony) -> Iterator[str]:
    """The last number is what the board says it is."""
    counters = testimony.counters.get(epoch.name)
    if counters is not None and epoch.through != counters.next - 1:
        yield f"{where}: the board has given out numbers up to {counters.next - 1}, stored is up to {epoch.through}"


def _losses(epoch: Epoch, where: str, testimony: Testimony) -> Iterator[str]:
    """Numbers are missing only where flash was full, or where a bridge had them and forgot them."""
    missing = epoch.missing()
    forgotten = testimony.forgotten.get(epoch.name, 0)
    if missing and not epoch.hardware_ids() & testimony.overflowed:
        unexplained = [seq for seq in missing if seq > forgotten]
        if unexplained:
            yield f"{where}: {len(unexplained)} numbers are lost, from {unexplained[0]} on, and nothing explains it"
