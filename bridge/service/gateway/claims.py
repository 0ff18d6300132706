"""Give each board to one port: a board has one session, however many ports lead to it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from bridge.log import RateLimiter

if TYPE_CHECKING:
    from bridge.wire.serial_line import Identity


class Claims:
    """The port that serves each board; shared by the threads of all ports, as is `limiter` for their log."""

    def __init__(self) -> None:
        self.limiter = RateLimiter()
        self._lock = threading.Lock()
        self._holders: dict[Identity, str] = {}

    def take(self, identity: Identity, path: str) -> str | None:
        """Claim the board for this port; return the other port if one has it already."""
        with self._lock:
            holder = self._holders.setdefault(identity, path)
            return None if holder == path else holder

    def release(self, path: str) -> None:
        """Give up this port's claim."""
        with self._lock:
            self._holders = {identity: holder for identity, holder in self._holders.items() if holder != path}

    def twin_of(self, identity: Identity) -> str | None:
        """Return the hardware id of another board here that claims to be the same console."""
        with self._lock:
            return next(
                (
                    other.hardware_id
                    for other in self._holders
                    if other.name == identity.name and other.hardware_id != identity.hardware_id
                ),
                None,
            )
