"""Make sure that no event is lost that waits on a board for the bridge, unless a technician wants that."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.ops.flash.board_info import BoardInfo
from bridge.ops.flash.bridge_records import BridgeRecords, Identity
from bridge.ops.flash.errors import BoardRefusedError, FlashingError
from bridge.ops.flash.install import wipe
from bridge.ops.flash.repl import Repl
from bridge.text import plural

# Count the events in the outbox with the board's own firmware, as only that knows its files. Counts as a restart. What
# says that the console started, or knows the time or its settings, is no loss. An acknowledgement stands in flash only
# once more events follow it, so STORED says what the bridge has. A second epoch, which is rare, is not looked through.
OUTBOX_QUERY = """
import sys
slot = SLOT
if slot:
    sys.path.insert(0, slot)
from boards import BOARD as board
from console import events
from console.outbox import Outbox
outbox = Outbox("/outbox", events.encode, events.decode, board.PROG_SIZE)
outbox.open()
epoch, seq, end = outbox.delivery()
seq = max(seq, STORED.get(epoch, 0) + 1)
count = 0
if epoch != outbox.epoch:
    count = max(outbox.next - max(outbox.first, STORED.get(outbox.epoch, 0) + 1), 0)
while seq < end:
    number, event = outbox.event(seq)
    if event is None and number == seq:  # it has read ahead
        continue
    count += number - seq
    seq = number
    if event is not None:
        count += event["type"] not in ("booted", "clock_set", "settings_applied")
        seq += 1
print(count)
"""
OUTBOX_LIMIT_S = 120.0  # a full one


@dataclass(frozen=True)
class WaitingEvents:
    """How many events a board holds that the bridge lacks, None if its firmware can't tell.

    `is_exact` is false if nobody could say what the bridge has: then some may have been delivered.
    """

    count: int | None
    console: str = ""
    is_exact: bool = True

    def __str__(self) -> str:
        if self.count is None:
            return f"an unknown number of events of {self.console}"
        return f"{'' if self.is_exact else 'up to '}{plural(self.count, 'event')} of {self.console}"


NONE = WaitingEvents(0)


def clear_events(
    repl: Repl, board: BoardInfo, identity: Identity, records: BridgeRecords, *, may_wipe: bool
) -> WaitingEvents:
    """Make sure that no events are left of another console than the board becomes. Return what was lost."""
    console = "/".join(board.identity) if board.identity else "an unknown console"
    if board.lost_files:
        return WaitingEvents(None, console)
    if (board.identity == identity and not may_wipe) or "outbox" not in (board.names or ()):
        return NONE
    stored = records.stored_through(board.identity) if board.identity else None
    waiting = WaitingEvents(_count(repl, board, stored or {}), console, is_exact=stored is not None)
    if waiting.count != 0 and not may_wipe:
        ask = "" if waiting.is_exact else "give --database, which tells what the bridge has already, "
        raise FlashingError(
            f"The board on {repl.path} still holds {waiting}: let it deliver what it has where that console stood, "
            f"{ask}or give --wipe to lose it."
        )
    wipe(repl)
    return waiting


def _count(repl: Repl, board: BoardInfo, stored: dict[str, int]) -> int | None:
    """Return how many events wait in its outbox for the bridge, or None if its firmware can't tell.

    `stored` is, by epoch, the number up to which the bridge has them.
    """
    query = OUTBOX_QUERY.replace("SLOT", repr(board.slot)).replace("BOARD", board.kind)
    try:
        return int(repl.run(f"STORED = {stored!r}\n{query}", OUTBOX_LIMIT_S))
    except (BoardRefusedError, ValueError):
        return None
