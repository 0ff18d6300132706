"""What passes between a port's board and the broker, as long as the port is there.

A board's session begins with its hello and lasts while it is heard. It is read only as far as the broker takes what it
says: else it finds that nobody reads its line, says so by the seller's lamp, and keeps its events.
"""

from __future__ import annotations

import json
import select
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bridge import log
from bridge.broker_login import BrokerLogin
from bridge.errors import TrivoxError
from bridge.service.gateway.broker_session import STATUS, BrokerSession, RefusedError
from bridge.service.gateway.tty import PortError, SilentError, Tty
from bridge.wire.contract import LEAVES_TO_BRIDGE, Unreadable, read_status
from bridge.wire.serial_line import HELLO, Identity, LineReader, Message, line_of, read_hello

if TYPE_CHECKING:
    from bridge.service.gateway.claims import Claims
    from bridge.service.gateway.counters import Counters

BrokerOf = Callable[[str, str], BrokerLogin]
"""(site, console) -> the broker, with the login that this console has there; raises TrivoxError."""

TICK_S = 1.0
STATUS_WAIT_S = 1.0  # after hello a board says its status, which the last will repeats
SILENT_S = 45.0  # a board says hello every 10 s; the broker holds any other console for gone after as long
STUCK_S = 20.0  # a board that takes nothing for so long
UNANSWERED_S = (
    60.0  # events that the broker took, and no bridge acknowledged: MQTT 3.1.1 tells nobody of missing rights
)
RETRY_S = (0.2, 0.5, 1.0, 1.0, 2.0)
REFUSED_RETRY_S = 5.0
BURST = 3  # how often a minute the same is told of a port
WHO = ("site_id", "console_id", "hardware_id")


class Relay:
    """The board at a port, whoever that is at the time. `stop` is a file that hangs up when it is time to end."""

    def __init__(self, path: str, broker_of: BrokerOf, claims: Claims, counters: Counters, stop: int) -> None:
        self._path = path
        self._broker_of = broker_of
        self._claims = claims
        self._counters = counters
        self._stop = stop
        self._tty = Tty(path)
        self._lines = LineReader(counters.bad_lines)
        self._said: deque[Message] = deque()  # taken from the line, to be passed on
        self._again: list[Message] = []  # what the last session was not confirmed
        self._identity: Identity | None = None
        self._status: bytes | None = None  # as the board last said it
        self._published: bytes | None = None
        self._session: BrokerSession | None = None
        self._try_at_s = 0.0
        self._login: BrokerLogin | None = None  # of the session
        self._unanswered_since_s: float | None = None  # events were passed on, and no acknowledgement has come since
        self._heard_s = time.monotonic()
        self._attempt = 0
        self._is_there = False

    def run(self) -> None:
        """Pass on until the port is gone (raises PortError) or it is time to end."""
        try:
            while self._wait():
                self._begin_session()
                self._pass_up()
                self._pass_down()
                self._look_after()
        finally:
            self._end_session()
            self._tty.close()

    # -- waiting and reading -------------------------------------------------------------------------------------

    def _wait(self) -> bool:
        """Wait until there is something to do, and read what came; False when it is time to end."""
        poll = select.poll()
        poll.register(self._stop, 0)
        is_reading = not self._said
        writes = select.POLLOUT if self._tty.is_waiting() else 0
        poll.register(self._tty.fileno(), (select.POLLIN if is_reading else 0) | writes)
        session = self._session
        if session is not None and session.fileno() >= 0:
            reads = select.POLLIN if self._tty.has_room() else 0
            poll.register(session.fileno(), reads | (select.POLLOUT if session.wants_write() else 0))
        ready = dict(poll.poll(self._patience_s() * 1000))
        if self._stop in ready:
            return False
        events = ready.get(self._tty.fileno(), 0)
        if events & select.POLLIN:
            self._take(self._tty.read())
        elif events & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
            raise PortError("the board is gone")
        if events & select.POLLOUT:
            self._tty.flush()
        if not is_reading:
            self._heard_s = time.monotonic()  # it may say what it likes
        if session is not None:
            self._work(session, readable=bool(ready.get(session.fileno(), 0) & ~select.POLLOUT))
        return True

    def _patience_s(self) -> float:
        if self._session is not None or not self._is_there:
            return TICK_S
        return min(TICK_S, max(0.01, self._try_at_s - time.monotonic()))

    def _take(self, data: bytes) -> None:
        bad = self._counters.bad_lines
        before = bad.total() - bad["cut_at_start"]
        messages = self._lines.take(data)
        count = bad.total() - bad["cut_at_start"] - before
        if count:
            self._tell("lines of the board do not check: see to the cable", count)
        if messages:
            self._heard_s = time.monotonic()
            self._said.extend(messages)

    # -- from the board ------------------------------------------------------------------------------------------

    def _pass_up(self) -> None:
        """Pass on what it said, as far as the broker takes it."""
        while self._said and self._takes(self._said[0]):
            self._said.popleft()
        self._publish_status()

    def _publish_status(self) -> None:
        session = self._session
        if session is not None and session.has_room() and self._status not in {None, self._published}:
            self._published = self._status
            session.publish(Message(STATUS, self._status or b""))

    def _takes(self, message: Message) -> bool:
        """Whether this is done with."""
        if message.leaf == HELLO:
            self._meet(message)
            return True
        if self._identity is None:
            self._drop("before_hello")
            return True
        if message.leaf not in LEAVES_TO_BRIDGE:
            self._drop("unknown_leaf")
            return True
        self._is_there = True
        if message.leaf == STATUS:
            self._note_status(message.payload)
            return True
        self._publish_status()  # who listens hears that a board is there before he hears what it says
        if self._session is None or not self._session.has_room():
            return False
        self._session.publish(message)
        self._counters.from_board += 1
        if message.leaf == "events" and self._unanswered_since_s is None:
            self._unanswered_since_s = time.monotonic()
        return True

    def _meet(self, message: Message) -> None:
        said = read_hello(message.payload)
        if said is None:
            self._drop("hello")
            self._tell("a board says hello, and not who it is: correct its console.json")
            return
        if said != self._identity:
            self._end_session()
            self._identity, self._status, self._again = said, None, []
            self._try_at_s, self._attempt = time.monotonic() + STATUS_WAIT_S, 0
            self._tell("a board is there", is_well=True)
        self._is_there = True

    def _note_status(self, payload: bytes) -> None:
        """Repeated to the broker in each session: the board says it but once in a while."""
        try:
            is_online = read_status(payload).state == "online"
        except Unreadable:
            is_online = False
        if not is_online:
            self._drop("status")
            return
        if self._status is None and self._session is None:
            self._try_at_s = 0.0
        self._status = payload

    # -- to the board --------------------------------------------------------------------------------------------

    def _pass_down(self) -> None:
        session = self._session
        while session is not None and session.arrived and self._tty.has_room():
            message = session.arrived.popleft()
            if message.leaf == "ack":
                self._unanswered_since_s = None
            line = line_of(message)
            if line is None:
                self._drop("too_long")
                self._tell("a message for the console is longer than it takes: shorten its key question's text")
            else:
                self._tty.put(line)
                self._counters.to_board += 1

    # -- the session ---------------------------------------------------------------------------------------------

    def _begin_session(self) -> None:
        identity = self._identity
        is_due = self._is_there and self._session is None and time.monotonic() >= self._try_at_s
        if identity is None or not is_due:
            return
        other = self._claims.take(identity, self._path)
        if other is not None:
            self._try_at_s = time.monotonic() + RETRY_S[-1]
            self._tell("the same board is at another port too: waiting until that one is silent", other_port=other)
            return
        twin = self._claims.twin_of(identity)
        if twin is not None:
            self._tell("two boards have this id: correct the console.json of one", other_hardware_id=twin)
        try:
            broker = self._broker_of(*identity.name)
        except TrivoxError as error:
            self._retry(str(error), REFUSED_RETRY_S)
            return
        self._login = broker
        try:
            self._session = BrokerSession(broker, identity, self._offline())
        except ssl.SSLCertVerificationError as error:
            why = "the certificate of the broker is not trusted: see --ca-file"
            self._retry(why, broker=broker.address, error=error.reason)
        except OSError as error:
            self._retry("no broker answers: waiting for it", broker=broker.address, error=error)

    def _work(self, session: BrokerSession, *, readable: bool) -> None:
        was_up = session.is_up
        try:
            session.work(readable=readable)
        except RefusedError as error:
            self._end_session()
            self._retry(str(error), REFUSED_RETRY_S, reason=error.reason)
            return
        except OSError as error:
            self._end_session()
            self._retry("the broker is gone: waiting for it", error=error)
            return
        if session.is_up and not was_up:
            self._attempt, self._published = 0, None
            self._counters.sessions += 1
            self._counters.console = "/".join(session.identity.name)
            self._tell("the console is at the broker", is_well=True)
            for message in self._again:
                session.publish(message)
            self._again = []

    def _retry(self, message: str, pause_s: float | None = None, **facts: Any) -> None:
        pause_s = pause_s or RETRY_S[min(self._attempt, len(RETRY_S) - 1)]
        self._attempt += 1
        self._try_at_s = time.monotonic() + pause_s
        self._tell(message, **facts)

    def _look_after(self) -> None:
        """A board that is not heard, or takes nothing, is gone for the broker too, until it is heard again."""
        if time.monotonic() - self._heard_s > SILENT_S:
            raise SilentError("the port is silent: letting go of it for a while; see to the board")
        if self._tty.stuck_s() > STUCK_S:
            self._counters.dropped["board_stuck"] += self._tty.forget()
            if self._is_there:
                self._tell("the board takes nothing: waiting until it is heard again")
                self._end_session()
                self._is_there = False

        if self._unanswered_since_s and time.monotonic() - self._unanswered_since_s > UNANSWERED_S:
            self._tell("no bridge acknowledges this console: see that it runs, and that the login is this console's")
            self._unanswered_since_s = time.monotonic()
            if self._has_new_login():
                self._end_session()
                self._try_at_s = 0.0

    def _has_new_login(self) -> bool:
        try:
            return self._identity is not None and self._broker_of(*self._identity.name) != self._login
        except TrivoxError:
            return False  # told when the next session is to begin

    def _end_session(self) -> None:
        session, self._session = self._session, None
        self._unanswered_since_s = None
        if session is not None:
            self._again += session.unconfirmed()
            session.close(self._offline())
            self._counters.console = ""
        self._claims.let_go(self._path)

    def _offline(self) -> bytes:
        """Its status once it is gone."""
        said = {} if self._status is None else json.loads(self._status)
        hardware_id = self._identity.hardware_id if self._identity else None
        return json.dumps({"hardware_id": hardware_id, **said, "state": "offline"}, separators=(",", ":")).encode()

    # -- telling -------------------------------------------------------------------------------------------------

    def who(self) -> dict[str, str]:
        """For the log: who has said hello, if anybody."""
        return {} if self._identity is None else {name: getattr(self._identity, name) for name in WHO}

    def _drop(self, reason: str) -> None:
        self._counters.dropped[reason] += 1

    def _tell(self, message: str, count: int = 1, *, is_well: bool = False, **facts: Any) -> None:
        """Log, limiter; a count is that of what was not told before."""
        told = self._claims.limiter.allow((self._path, message), count, burst=BURST if is_well else 1)
        if told is None:
            return
        tell = log.info if is_well else log.warning
        tell(message, port=self._path, **self.who(), **facts, count=told if told > 1 else None)
