"""Check that each event number of each epoch is stored once, or is missing where that is allowed, and then counted."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.boards import boards_of
from tests.chaos.database import StoredEpoch
from tests.chaos.observations import EpochName, Observations


def check_sequence(epochs: dict[EpochName, StoredEpoch], observations: Observations) -> Iterator[str]:
    """Yield what is wrong with the event numbers."""
    boards = boards_of(epochs, observations)
    for epoch in epochs.values():
        where = "/".join(epoch.name)
        yield from _ranges(epoch, where)
        yield from _ends(epoch, where, observations)
        if boards.get(epoch.name, ("", "", ""))[2] not in observations.overflowed:
            yield from _losses(epoch, where, observations)


def _ranges(epoch: StoredEpoch, where: str) -> Iterator[str]:
    """Check that the ranges that the bridge says it received are those of its rows."""
    stored = sorted({*epoch.events, *epoch.rejected})
    claimed = [seq for low, high in epoch.received for seq in range(low, high + 1)]
    if claimed != stored:
        odd = sorted({*claimed} ^ {*stored})
        yield f"{where}: `received` and the rows differ at numbers {odd[:10]}"
    through = epoch.first - 1
    while through + 1 in epoch.events or through + 1 in epoch.rejected:
        through += 1
    if epoch.through != through:
        yield f"{where}: through is {epoch.through}, and by its rows and first ({epoch.first}) it is {through}"


def _ends(epoch: StoredEpoch, where: str, observations: Observations) -> Iterator[str]:
    """Check the last number against the board's own."""
    counters = observations.counters.get(epoch.name)
    if counters is not None and epoch.through != counters.next - 1:
        yield f"{where}: the board has given out numbers up to {counters.next - 1}, stored is up to {epoch.through}"


def _losses(epoch: StoredEpoch, where: str, observations: Observations) -> Iterator[str]:
    """Check that numbers are missing only if a bridge had them and its database was put back."""
    missing = epoch.missing()
    forgotten = observations.forgotten.get(epoch.name, 0)
    unexplained = [seq for seq in missing if seq > forgotten]
    if unexplained:
        yield f"{where}: {len(unexplained)} numbers are lost, from {unexplained[0]} on, and nothing explains it"
