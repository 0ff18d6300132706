"""Simulate the radio between a console and its broker: relay TCP streams, cut or refuse them, or let them hang."""

import contextlib
import selectors
import socket
import threading
from collections import deque

HOST = "127.0.0.1"
_PIECE = 65536


class RadioRelay:
    """A relay from a loopback port, `port`, to the broker's `host:port`, between `open` and `close`.

    While the radio is down, no other program can take its port. When opened again, it takes the same port, unless
    another program has taken it since `close`.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._peers: dict[socket.socket, socket.socket] = {}
        self._orders: deque[str] = deque()
        self._keeper: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._hung = False
        self.port = 0
        self._done = threading.Condition()
        self._thread: threading.Thread | None = None

    def open(self, *, up: bool = True) -> None:
        """Begin to relay; without `up`, streams are refused until `up` is called."""
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        self._keep_port()
        self._listen()
        if not up:
            self._obey("down")
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def up(self) -> None:
        """Accept streams again."""
        self._order("up")

    def down(self) -> None:
        """Cut all streams, and refuse new ones."""
        self._order("down")

    def cut(self) -> None:
        """Cut all streams; new ones are accepted."""
        self._order("cut")

    def hang(self, *, on: bool) -> None:
        """Accept streams, but let nothing through; what is sent meanwhile goes through afterwards."""
        self._hung = on
        self._order("watch")

    def close(self) -> None:
        """Cut all streams and stop."""
        if self._thread:
            self._order("close")
            self._thread.join(10)
            self._thread = None

    def _order(self, order: str) -> None:
        if not self._thread:
            return
        with self._done:
            self._orders.append(order)
            self._waker.send(b"!")
            self._done.wait_for(lambda: not self._orders, 10)

    def _keep_port(self) -> None:
        """Reserve a port, also for while nothing listens there: the console knows no other."""
        self._keeper = socket.socket()
        try:
            self._keeper.bind((HOST, self.port))
        except OSError:  # another program has taken it meanwhile
            self._keeper.bind((HOST, 0))
        # Set only now: the port is ours alone, and our listener may share it.
        self._keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port = self._keeper.getsockname()[1]

    def _listen(self) -> None:
        listener = socket.create_server((HOST, self.port))
        listener.settimeout(0)
        self._selector.register(listener, selectors.EVENT_READ)
        self._listener = listener

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    self._woken.recv(100)
                elif key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._peers:
                    self._pass_on(key.fileobj)
            with self._done:
                while self._orders:
                    order = self._orders.popleft()
                    self._obey(order)
                    if order == "close":
                        self._done.notify_all()
                        return
                self._done.notify_all()

    def _obey(self, order: str) -> None:
        if order in {"down", "cut", "close"}:
            for end in list(self._peers):
                self._drop(end)
        if order in {"down", "close"} and self._listener:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None
        if order == "up" and not self._listener:
            self._listen()
        if order == "watch":
            for end in self._peers:
                self._watch(end)
        if order == "close":
            self._selector.close()
            self._woken.close()
            self._waker.close()
            if self._keeper:
                self._keeper.close()

    def _watch(self, end: socket.socket) -> None:
        """Read from `end`, unless the network hangs."""
        known = end in self._selector.get_map()
        if self._hung and known:
            self._selector.unregister(end)
        elif not self._hung and not known:
            self._selector.register(end, selectors.EVENT_READ)

    def _accept(self) -> None:
        assert self._listener is not None  # noqa: S101 - its own event brought us here
        try:
            console, _ = self._listener.accept()
        except OSError:  # closed again already
            return
        try:
            broker = socket.create_connection(self._target, timeout=2)
        except OSError:
            _reset(console)
            return
        for end, other in ((console, broker), (broker, console)):
            end.settimeout(2)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._peers[end] = other
            self._watch(end)

    def _pass_on(self, end: socket.socket) -> None:
        try:
            piece = end.recv(_PIECE)
            if piece:
                self._peers[end].sendall(piece)
                return
        except OSError:  # cut, or the other end takes nothing for long
            self._drop(end)
            return
        self._drop(end, reset=False)

    def _drop(self, end: socket.socket, *, reset: bool = True) -> None:
        if end not in self._peers:  # dropped with its other end
            return
        other = self._peers[end]
        for each in (end, other):
            del self._peers[each]
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(each)
            if reset:
                _reset(each)
            else:
                each.close()


def _reset(end: socket.socket) -> None:
    """Close with a reset, as a cut stream ends."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    end.close()
