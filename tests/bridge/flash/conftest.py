"""Boards on a desk, without power until they are plugged in."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from simulator.bare import BareBoard


@pytest.fixture
def plugged(tmp_path: Path) -> Iterator[Callable[..., BareBoard]]:
    """Plugs in a new board of that kind; all are unplugged at the end, and must not have broken a rule."""
    with ExitStack() as desk:

        def plug_in(kind: str, name: str = "", **others: object) -> BareBoard:
            name = name or kind
            board = BareBoard(tmp_path / "boards" / name, kind, console_id=name.replace("/", "-"), **others)
            return desk.enter_context(board)

        yield plug_in
