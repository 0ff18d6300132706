"""Pass messages between the board at a port and the broker, for as long as the port is there.

A board's session begins with its hello and lasts while the board is heard. The line is read only as fast as the broker
accepts messages: otherwise the board finds that nobody reads its line, shows that by the seller's lamp, and keeps its
events.
"""

from __future__ import annotations

import ssl
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec

from bridge import log
from bridge.broker_login import BrokerLogin
from bridge.errors import TrivoxError
from bridge.service.broker_protocol import wrong_scheme
from bridge.service.gateway.broker_session import STATUS, BrokerSession, RefusedError
from bridge.service.gateway.tty import PortError, SilentError, Tty
from bridge.service.gateway.waiting import wait
from bridge.wire.contract import LEAVES_TO_BRIDGE, Unreadable, read_status
from bridge.wire.serial_line import HELLO, Identity, LineReader, Message, encode_line, read_hello

if TYPE_CHECKING:
    import socket

    from bridge.service.gateway.claims import Claims
    from bridge.service.gateway.counters import PortCounters

BrokerOf = Callable[[Identity], BrokerLogin]
"""The broker with the login of the console that a board says it is; raises TrivoxError if it may not have it."""

TICK_S = 1.0
STATUS_WAIT_S = 1.0  # after its hello a board sends its status, which the last will needs
SILENT_S = 45.0  # a board says hello every 10 s; the broker gives up any other console after the same time
STUCK_S = 20.0  # how long a board may accept nothing
CHECK_S = 5.0  # how often a board that has a session is checked to be still the console's
# Events that the broker took and no bridge acknowledged: MQTT 3.1.1 does not report missing rights.
UNANSWERED_S = 60.0
RETRY_S = (0.2, 0.5, 1.0, 1.0, 2.0)
REFUSED_RETRY_S = 5.0
BURST = 3  # how often a minute the same normal message is logged for a port
IDENTITY_FACTS = ("site_id", "console_id", "hardware_id")
SAID_ONCE = ("boot", "up_ms", "mac")  # in a status: when it was said, and the proof


class Relay:
    """Relays for the board at a port, whichever that is at the time; ends when the other end of `stop` is closed."""

    def __init__(
        self, path: str, broker_of: BrokerOf, claims: Claims, counters: PortCounters, stop: socket.socket
    ) -> None:
        self._path = path
        self._broker_of = broker_of
        self._claims = claims
        self._counters = counters
        self._stop = stop
        self._tty = Tty(path)
        self._lines = LineReader(counters.bad_lines)
        self._from_board: deque[Message] = deque()  # to be passed on
        self._unconfirmed: list[Message] = []  # by the broker in the last session, to be sent again
        self._identity: Identity | None = None
        self._status: bytes | None = None  # as the board last sent it
        self._published_status: bytes | None = None
        self._is_status_due = self._is_status_repeated = False
        self._session: BrokerSession | None = None
        self._next_attempt_s = 0.0
        self._login: BrokerLogin | None = None  # of the session
        self._next_check_s = 0.0
        self._unanswered_since_s: float | None = None  # events passed on, and no acknowledgement since
        self._last_heard_s = time.monotonic()
        self._attempt = 0
        self._is_board_present = False

    def run(self) -> None:
        """Pass messages on until the port is gone (raises PortError) or it is time to end."""
        with closing(self._tty):
            try:
                while self._wait():
                    self._begin_session()
                    self._pass_up()
                    self._pass_down()
                    self._check_timeouts()
                    self._check_board()
            finally:
                self._end_session()

    # -- waiting and reading -------------------------------------------------------------------------------------

    def _wait(self) -> bool:
        """Wait until there is something to do, and read what arrived; return False when it is time to end."""
        is_reading = not self._from_board
        session = self._session
        ready = wait(self._stop, self._tty, session, self._limit_s(), reads_port=is_reading)
        if ready.is_ending:
            return False
        if ready.port_reads:
            self._read_lines(self._tty.read())
        elif ready.is_port_gone:
            raise PortError("the board is gone")
        if ready.port_writes:
            self._tty.flush()
        if not is_reading:
            self._last_heard_s = time.monotonic()  # nobody reads it, so it is not silent
        if session is not None:
            self._run_session(session, readable=ready.session_reads)
        return True

    def _limit_s(self) -> float:
        if self._session is not None or not self._is_board_present:
            return TICK_S
        return min(TICK_S, max(0.01, self._next_attempt_s - time.monotonic()))

    def _read_lines(self, data: bytes) -> None:
        bad = self._counters.bad_lines
        before = bad.total() - bad["cut_at_start"]
        messages = self._lines.feed(data)
        count = bad.total() - bad["cut_at_start"] - before
        if count:
            self._log("lines from the board are damaged: check the cable", count)
        if messages:
            self._last_heard_s = time.monotonic()
            self._from_board.extend(messages)

    # -- from the board ------------------------------------------------------------------------------------------

    def _pass_up(self) -> None:
        """Pass on messages of the board, as far as the broker accepts them."""
        while self._from_board and self._pass_on(self._from_board[0]):
            self._from_board.popleft()
        self._publish_status()

    def _publish_status(self) -> None:
        session = self._session
        if session is not None and session.has_room() and self._status is not None and self._is_status_due:
            self._published_status, self._is_status_due = self._status, False
            session.publish(Message(STATUS, self._status))

    def _pass_on(self, message: Message) -> bool:
        """Handle one message; return False if it must wait for the broker."""
        if message.leaf == HELLO:
            self._take_hello(message)
            return True
        if self._identity is None:
            self._drop("before_hello")
            return True
        if message.leaf not in LEAVES_TO_BRIDGE:
            self._drop("unknown_leaf")
            return True
        self._is_board_present = True
        if message.leaf == STATUS:
            self._note_status(message.payload)
            return True
        self._publish_status()  # subscribers are to learn that a board is online before its other messages
        if self._session is None or not self._session.has_room():
            return False
        self._session.publish(message)
        self._counters.from_board += 1
        if message.leaf == "events" and self._unanswered_since_s is None:
            self._unanswered_since_s = time.monotonic()
        return True

    def _take_hello(self, message: Message) -> None:
        identity = read_hello(message.payload)
        if identity is None:
            self._drop("hello")
            self._log("a board says hello without a valid identity: correct its console.json")
            return
        if identity != self._identity:
            self._end_session()
            self._identity, self._status, self._published_status, self._unconfirmed = identity, None, None, []
            self._next_attempt_s, self._attempt = time.monotonic() + STATUS_WAIT_S, 0
            self._log("a board is connected", is_normal=True)
        self._is_board_present = True

    def _note_status(self, payload: bytes) -> None:
        """Keep the status, to publish it in each session: the board itself sends it only now and then.

        One that says nothing new is published only after a session has begun with an old one, which proves nothing.
        """
        try:
            is_online = read_status(payload).state == "online"
        except Unreadable:
            is_online = False
        if not is_online:
            self._drop("status")
            return
        if self._status is None and self._session is None:
            self._next_attempt_s = 0.0
        if self._is_status_repeated or self._status is None or _lasting(payload) != _lasting(self._status):
            self._is_status_due, self._is_status_repeated = True, False
        self._status = payload

    # -- to the board --------------------------------------------------------------------------------------------

    def _pass_down(self) -> None:
        session = self._session
        while session is not None and session.arrived and self._tty.has_room():
            message = session.arrived.popleft()
            if message.leaf == "ack":
                self._unanswered_since_s = None
            line = encode_line(message)
            if line is None:
                self._drop("too_long")
                self._log("a message is too long for the console: shorten its key question's text")
            else:
                self._tty.enqueue(line)
                self._counters.to_board += 1

    # -- the session ---------------------------------------------------------------------------------------------

    def _begin_session(self) -> None:
        identity = self._identity
        is_due = self._is_board_present and self._session is None and time.monotonic() >= self._next_attempt_s
        if identity is None or not is_due:
            return
        other = self._claims.take(identity, self._path)
        if other is not None:
            self._next_attempt_s = time.monotonic() + RETRY_S[-1]
            self._log("the same board is at another port too: waiting until that port is silent", other_port=other)
            return
        twin = self._claims.twin_of(identity)
        if twin is not None:
            self._log("two boards have this id: correct the console.json of one", other_hardware_id=twin)
        try:
            broker = self._broker_of(identity)
        except TrivoxError as error:
            self._retry(str(error), REFUSED_RETRY_S)
            return
        self._login = broker
        self._next_check_s = time.monotonic() + CHECK_S
        try:
            self._session = BrokerSession(broker, identity, self._offline_status())
        except ssl.SSLCertVerificationError as error:
            problem = "the certificate of the broker is not trusted: see --ca-file"
            self._retry(problem, broker=broker.address, error=error.reason)
        except OSError as error:
            self._retry_unanswered(broker, "no broker answers: waiting for it", error)

    def _run_session(self, session: BrokerSession, *, readable: bool) -> None:
        was_up = session.is_up
        try:
            session.work(readable=readable)
        except RefusedError as error:
            self._end_session()
            self._retry(str(error), REFUSED_RETRY_S, reason=error.reason)
            return
        except OSError as error:
            self._end_session()
            if was_up or self._login is None:
                self._retry("the broker is gone: waiting for it", error=error)
            else:
                self._retry_unanswered(self._login, "the broker does not answer: trying again", error)
            return
        if session.is_up and not was_up:
            self._attempt, self._is_status_due = 0, True
            self._is_status_repeated = self._status == self._published_status
            self._counters.sessions += 1
            self._counters.console = "/".join(session.identity.name)
            self._log("the console is connected", is_normal=True)
            for message in self._unconfirmed:
                session.publish(message)
            self._unconfirmed = []

    def _retry_unanswered(self, broker: BrokerLogin, message: str, error: OSError) -> None:
        self._retry(wrong_scheme(broker, error) or message, broker=broker.address, error=error)

    def _retry(self, message: str, pause_s: float | None = None, **facts: Any) -> None:
        pause_s = pause_s or RETRY_S[min(self._attempt, len(RETRY_S) - 1)]
        self._attempt += 1
        self._next_attempt_s = time.monotonic() + pause_s
        self._log(message, **facts)

    def _check_timeouts(self) -> None:
        """End the session of a board that is silent, or accepts nothing, until it is heard again."""
        if time.monotonic() - self._last_heard_s > SILENT_S:
            raise SilentError("the port is silent: releasing it for a while; check the board")
        if self._tty.stuck_s() > STUCK_S:
            self._counters.dropped["board_stuck"] += self._tty.discard()
            if self._is_board_present:
                self._log("the board accepts nothing: waiting until it is heard again")
                self._end_session()
                self._is_board_present = False
        if self._unanswered_since_s and time.monotonic() - self._unanswered_since_s > UNANSWERED_S:
            self._log(
                "no bridge acknowledges this console: check that the bridge runs and that the login is this console's"
            )
            self._unanswered_since_s = time.monotonic()
            if self._has_new_login():
                self._end_session()
                self._next_attempt_s = 0.0

    def _check_board(self) -> None:
        """End the session of a board that may no longer speak as this console, as another was accepted meanwhile."""
        if self._session is None or self._identity is None or time.monotonic() < self._next_check_s:
            return
        self._next_check_s = time.monotonic() + CHECK_S
        try:
            self._broker_of(self._identity)
        except TrivoxError as error:
            self._end_session()
            self._retry(str(error), REFUSED_RETRY_S)

    def _has_new_login(self) -> bool:
        try:
            return self._identity is not None and self._broker_of(self._identity) != self._login
        except TrivoxError:
            return False  # logged when the next session begins

    def _end_session(self) -> None:
        session, self._session = self._session, None
        self._claims.release(self._path)
        self._unanswered_since_s = None
        if session is not None:
            self._unconfirmed += session.unconfirmed()
            session.close(self._offline_status())
            self._counters.console = ""

    def _offline_status(self) -> bytes:
        """Make the status that says that the board is offline."""
        status = {} if self._status is None else _lasting(self._status)
        hardware_id = self._identity.hardware_id if self._identity else None
        return msgspec.json.encode({"hardware_id": hardware_id, **status, "state": "offline"})

    # -- logging -------------------------------------------------------------------------------------------------

    def log_facts(self) -> dict[str, str]:
        """Name the console that has said hello, if any, for the log."""
        return {} if self._identity is None else {name: getattr(self._identity, name) for name in IDENTITY_FACTS}

    def _drop(self, reason: str) -> None:
        self._counters.dropped[reason] += 1

    def _log(self, message: str, count: int = 1, *, is_normal: bool = False, **facts: Any) -> None:
        """Log a message unless it was logged lately; counts that were passed over are added to the next one."""
        unlogged = self._claims.limiter.allow((self._path, message), count, burst=BURST if is_normal else 1)
        if unlogged is None:
            return
        write = log.info if is_normal else log.warning
        write(message, port=self._path, **self.log_facts(), **facts, count=unlogged if unlogged > 1 else None)


def _lasting(status: bytes) -> dict[str, msgspec.Raw]:
    """Return what a status says, each value as it was sent, without what changes each time."""
    said = msgspec.json.decode(status, type=dict[str, msgspec.Raw])
    return {name: value for name, value in said.items() if name not in SAID_ONCE}
