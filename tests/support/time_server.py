"""Serve the time (NTP) from a clock that may be wrong."""

import struct
import time
from collections.abc import Callable

from tests.support.udp_server import UdpServer

NTP_MINUS_UNIX_S = 2208988800
NTP_ERA_S = 1 << 32
STRATUM_UNKNOWN = 16  # the server's answer that it does not know the time
STRATUM_KNOWN = 2


class TimeServer(UdpServer):
    """A server on `port` of loopback until `close`, whose clock is `ahead_ms` ahead of this machine's.

    It answers `fixed_ms` (ms since 1970) instead if that is set. For its first `unknowing` questions it does not know
    the time. `questions` has the packets received. `alter`, if set, makes of the right answer those that are sent.
    """

    def __init__(self, ahead_ms: int = 0, unknowing: int = 0) -> None:
        self.ahead_ms = ahead_ms
        self.fixed_ms: int | None = None
        self.questions: list[bytes] = []
        self.alter: Callable[[bytes], list[bytes]] | None = None
        self._unknowing = unknowing
        super().__init__()

    def answers(self, question: bytes) -> list[bytes]:
        """Return the time, as the server believes it to be."""
        stratum = STRATUM_UNKNOWN if len(self.questions) < self._unknowing else STRATUM_KNOWN
        self.questions.append(question)
        fixed_ms = self.fixed_ms
        now_ms = int(time.time() * 1000) + self.ahead_ms if fixed_ms is None else fixed_ms
        seconds, ms = divmod(now_ms, 1000)
        stamp = struct.pack(">II", (seconds + NTP_MINUS_UNIX_S) % NTP_ERA_S, (ms << 32) // 1000)
        answer = bytes((0x24, stratum)) + bytes(22) + question[40:48] + stamp + stamp
        return self.alter(answer) if self.alter else [answer]
