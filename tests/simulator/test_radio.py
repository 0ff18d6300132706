"""The relay between a console and its broker cuts streams, refuses them, lets them hang, and works again."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from simulator.console.radio import RadioRelay


class Echo(socketserver.ThreadingTCPServer):
    """A server that sends back what comes; on request it sends `bye` and closes."""

    daemon_threads = True
    block_on_close = False

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(ConnectionResetError):
                self.echo()

        def echo(self) -> None:
            for line in self.rfile:
                self.wfile.write(b"bye\n" if line == b"close\n" else line)
                if line == b"close\n":
                    return


@pytest.fixture
def radio() -> Iterator[RadioRelay]:
    with Echo(("127.0.0.1", 0), Echo.Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        radio = RadioRelay(*server.server_address[:2])
        radio.open()
        yield radio
        radio.close()
        server.shutdown()


def joined(radio: RadioRelay) -> socket.socket:
    return socket.create_connection(("127.0.0.1", radio.port), timeout=60)


def echoed(stream: socket.socket, words: bytes) -> bytes:
    stream.sendall(words)
    return stream.recv(100)


def heard(radio: RadioRelay) -> bytes:
    with joined(radio) as stream:
        return stream.recv(100)


def test_both_directions_are_relayed(radio: RadioRelay) -> None:
    with joined(radio) as one, joined(radio) as other:
        assert echoed(one, b"one\n") == b"one\n"
        assert echoed(other, b"other\n") == b"other\n"


def test_the_end_of_a_stream_comes_after_its_last_bytes(radio: RadioRelay) -> None:
    with joined(radio) as stream:
        stream.sendall(b"close\n")
        with stream.makefile("rb") as lines:
            assert lines.read() == b"bye\n"


def test_without_radio_streams_are_cut_and_refused(radio: RadioRelay) -> None:
    with joined(radio) as stream:
        assert echoed(stream, b"one\n") == b"one\n"
        radio.down()
        with pytest.raises(ConnectionResetError):
            stream.recv(100)
    with pytest.raises(ConnectionRefusedError):
        joined(radio)
    radio.up()
    with joined(radio) as stream:
        assert echoed(stream, b"two\n") == b"two\n"


def test_no_other_program_gets_the_port_while_the_radio_is_down(radio: RadioRelay) -> None:
    radio.down()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", radio.port))
    radio.up()
    with joined(radio) as stream:
        assert echoed(stream, b"one\n") == b"one\n"


def test_a_cut_leaves_the_network_up(radio: RadioRelay) -> None:
    with joined(radio) as stream, joined(radio) as again:
        assert echoed(stream, b"one\n") == b"one\n"
        radio.cut()
        with pytest.raises(ConnectionResetError):
            stream.recv(100)
        with pytest.raises(ConnectionResetError):
            again.recv(100)
    with joined(radio) as stream:
        assert echoed(stream, b"two\n") == b"two\n"


def test_a_hung_network_takes_streams_but_lets_nothing_through(radio: RadioRelay) -> None:
    with joined(radio) as stream:
        assert echoed(stream, b"one\n") == b"one\n"
        radio.hang(on=True)
        with joined(radio) as another:
            for each in (stream, another):
                each.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    echoed(each, b"two\n")
                each.settimeout(60)
            radio.hang(on=False)
            assert stream.recv(100) == b"two\n"
            assert another.recv(100) == b"two\n"


def test_opened_again_it_has_the_same_port(radio: RadioRelay) -> None:
    port = radio.port
    radio.close()
    with pytest.raises(ConnectionRefusedError):
        joined(radio)
    radio.open()
    assert radio.port == port
    with joined(radio) as stream:
        assert echoed(stream, b"one\n") == b"one\n"


def test_opened_again_it_takes_another_port_if_its_own_is_taken(radio: RadioRelay) -> None:
    port = radio.port
    radio.close()
    with socket.create_server(("127.0.0.1", port)):
        radio.open()
        assert radio.port != port
        with joined(radio) as stream:
            assert echoed(stream, b"one\n") == b"one\n"


def test_a_broker_that_is_away_cuts_the_stream() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    radio = RadioRelay("127.0.0.1", port)
    radio.open()
    with pytest.raises(ConnectionResetError):  # at once, or with the first bytes
        heard(radio)
    radio.close()
