"""A board that goes at whatever moment of opening or using its port is told as gone, not as a defect."""

import errno
import os
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.ops.flash.console_output import ConsoleOutput
from bridge.ops.flash.errors import BoardGoneError
from bridge.ops.flash.ports import Port
from bridge.ops.flash.repl import Repl
from bridge.service.gateway.tty import PortError, Tty


class Plug:
    """The board's end of a pty at `path`; with `pull` its cable is out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pulled = threading.Event()
        self._master, slave = os.openpty()
        path.symlink_to(os.ttyname(slave))
        os.close(slave)

    def say(self, data: bytes) -> None:
        """Have the board say something."""
        os.write(self._master, data)

    def pull(self) -> None:
        """Pull the cable, once."""
        if not self.pulled.is_set():
            self.pulled.set()
            os.close(self._master)
            self.path.unlink()


@pytest.fixture
def plug(tmp_path: Path) -> Iterator[Plug]:
    plug = Plug(tmp_path / "usb")
    yield plug
    plug.pull()


@pytest.fixture(params=["tcgetattr", "tcsetattr", "tcflush"])
def pulled_in_opening(plug: Plug, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Plug:
    """Pull the cable right before this call of the system."""
    real: Callable[..., Any] = getattr(termios, request.param)

    def call(*given: Any) -> Any:
        plug.pull()
        return real(*given)

    monkeypatch.setattr(termios, request.param, call)
    return plug


def test_a_technician_hears_that_the_board_did_not_come_back(pulled_in_opening: Plug) -> None:
    output = ConsoleOutput(Port(str(pulled_in_opening.path)))
    with pytest.raises(BoardGoneError, match=r"did not come back: check its cable"):
        output.next_line(0.5)
    assert pulled_in_opening.pulled.is_set()


def test_a_board_that_comes_back_after_that_is_heard(pulled_in_opening: Plug, monkeypatch: pytest.MonkeyPatch) -> None:
    output = ConsoleOutput(Port(str(pulled_in_opening.path)))
    with pytest.raises(BoardGoneError):
        output.next_line(0.1)
    monkeypatch.undo()
    back, empty = Plug(pulled_in_opening.path), termios.tcflush

    def empty_and_say(*given: Any) -> None:  # opening a port empties it of what was said before
        empty(*given)
        back.say(b"self_test: boot 7\n")

    monkeypatch.setattr(termios, "tcflush", empty_and_say)
    said = output.next_line(20)
    output.close()
    back.pull()
    assert said is not None
    assert said.boot() == 7


def test_flashing_is_told_that_the_board_is_gone(pulled_in_opening: Plug) -> None:
    with pytest.raises(BoardGoneError, match=r"is gone: plug the cable in again|check that the cable is plugged in"):
        Repl(str(pulled_in_opening.path))
    assert pulled_in_opening.pulled.is_set()


def test_a_gateway_waits_for_the_board(pulled_in_opening: Plug) -> None:
    with pytest.raises(PortError, match=r"the board is gone|check that it belongs to a board"):
        Tty(str(pulled_in_opening.path))
    assert pulled_in_opening.pulled.is_set()


def test_a_prompt_is_waited_for_on_a_board_that_goes(plug: Plug) -> None:
    repl = Repl(str(plug.path))
    plug.pull()
    with pytest.raises(BoardGoneError):
        repl.enter(1)
    repl.close()


def test_the_cause_is_the_systems_word(plug: Plug, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise termios.error(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(termios, "tcflush", refuse)
    with pytest.raises(PortError) as raised:
        Tty(str(plug.path))
    assert raised.value.cause == "Input/output error"
