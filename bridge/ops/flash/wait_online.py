"""Watch the broker for consoles to come online, as the bridge will see them."""

from __future__ import annotations

import json
import secrets
import ssl
import threading
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage

from bridge.broker_login import BrokerLogin
from bridge.errors import UsageError
from bridge.service.broker_protocol import wrong_scheme
from bridge.service.mqtt_client import CONNECT_TIMEOUT_S, make_client
from bridge.text import printable

_STATUSES = "trivox/v1/+/+/status"

Identity = tuple[str, str]


class OnlineWatch:
    """A connection that hears which consoles come online, for all boards of a run; use it as a context.

    `problem` says, as the end of a sentence, why it cannot hear them. All boards share the connection: a broker may let
    each login connect only once at a time.
    """

    def __init__(self, broker: BrokerLogin) -> None:
        self.problem = ""
        self._broker = broker
        self._client: Client | None = None
        self._connecting = threading.Lock()
        self._guard = threading.Lock()
        self._online: set[tuple[str, str]] = set()  # topic and hardware id of each console that said so
        self._users: dict[str, str] = {}  # by topic, the hardware id of the board that is online, as last said
        self._answered = threading.Event()
        self._is_listening = False

    def __enter__(self) -> Self:
        """Connect; whoever cannot only knows less. Raises UsageError if consoles could not connect either."""
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()

    def connect(self) -> None:
        """Connect, unless that was done. Raises UsageError if the broker's port speaks the other protocol."""
        with self._connecting:
            if self._client is None:
                self.problem = self._connect()

    @property
    def address(self) -> str:
        """The broker's address."""
        return self._broker.address

    def expect(self, identity: Identity) -> None:
        """Forget whether a console was online, as its board is about to start."""
        with self._guard:
            self._online = {entry for entry in self._online if entry[0] != _topic(identity)}

    def user_of(self, identity: Identity) -> str | None:
        """Return the hardware id of the board that is online with a console's name."""
        with self._guard:
            return self._users.get(_topic(identity))

    def is_online(self, identity: Identity, hardware_id: str) -> bool:
        """Return whether that board has come online."""
        with self._guard:
            return (_topic(identity), hardware_id) in self._online

    def _connect(self) -> str:
        """Return why the broker cannot be watched, as the end of a sentence; empty if it can."""
        broker = self._broker
        client = make_client(Client, broker, f"trivox-flash-{secrets.token_hex(8)}")
        client.on_connect, client.on_subscribe = self._connected, self._subscribed
        client.on_message, client.on_disconnect = self._status_received, self._disconnected
        self.problem, self._is_listening = "", False
        self._answered.clear()
        try:
            client.connect(broker.host, broker.port)
        except ssl.SSLCertVerificationError as error:
            return f"this machine does not trust the broker's certificate ({error.reason}): see --ca-file"
        except OSError as error:
            self._check_scheme(error)
            return f"{broker.address} does not answer this machine ({error})"
        client.loop_start()
        self._answered.wait(CONNECT_TIMEOUT_S)
        if self._is_listening and not self.problem:
            self._client = client
            return ""
        client.disconnect()
        client.loop_stop()
        if not self.problem:
            self._check_scheme()
        return self.problem or f"{broker.address} does not answer this machine"

    def _check_scheme(self, error: OSError | None = None) -> None:
        reason = wrong_scheme(self._broker, error)
        if reason:
            raise UsageError(f"No console could connect to {self._broker.address}: {reason}.")

    def _connected(self, client: Client, _data: Any, _flags: Any, reason: Any, *_: Any) -> None:
        if reason.is_failure:
            user = self._broker.user
            login = f"this machine's login {printable(user)}" if user else "this machine, which has no login"
            self.problem = (
                f"the broker refuses {login} ({reason}): give a viewer's with --config (`trivox viewer enroll NAME`; "
                "the bridge's is for its own port)"
            )
            self._answered.set()
        else:
            client.subscribe(_STATUSES, 1)

    def _subscribed(self, _client: Client, _data: Any, _mid: int, reasons: list[Any], *_: Any) -> None:
        if reasons and reasons[0].is_failure:
            self.problem = "this machine's login may not read the consoles' topics"
        self._is_listening = True
        self._answered.set()

    def _disconnected(self, *_: Any) -> None:
        self._answered.set()

    def _status_received(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            status = json.loads(message.payload)
            is_online, hardware_id = status["state"] == "online", str(status.get("hardware_id", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # not a console's; the bridge will report it
        with self._guard:
            self._users.pop(message.topic, None)
            if is_online and hardware_id:
                self._users[message.topic] = hardware_id
                if not message.retain:  # a retained status is from before the restart
                    self._online.add((message.topic, hardware_id))


def _topic(identity: Identity) -> str:
    return f"trivox/v1/{identity[0]}/{identity[1]}/status"
