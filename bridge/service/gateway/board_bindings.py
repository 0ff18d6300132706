"""Bind each console of a file of keys to the board that was first seen under its name, over restarts of the gateway.

Else any board on the gateway could speak as any of these consoles, with that console's login.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from bridge import private_files
from bridge.errors import TrivoxError

if TYPE_CHECKING:
    from bridge.wire.serial_line import Identity

ANY_BOARD = ""  # the next one to be seen
OTHER_THAN = "not "  # … and then the hardware id of the board that is no longer wanted


class BoardBindings:
    """The hardware id of each console's board, by SITE/CONSOLE, in the file KEYS.boards beside the file of keys.

    The file is read each time, as `accept_another` may have changed it meanwhile in another process.
    """

    def __init__(self, keys: Path) -> None:
        self.path = keys.with_name(f"{keys.name}.boards")
        self._keys = keys
        self._lock = threading.Lock()

    def check(self, identity: Identity) -> None:
        """Bind the console to this board if it has none. Raises TrivoxError if the board may not speak for it."""
        name, hardware_id = "/".join(identity.name), identity.hardware_id
        with self._lock:
            boards = self._read()
            bound = boards.get(name)
            if bound == hardware_id:
                return
            other = next((console for console, board in boards.items() if board == hardware_id), None)
            is_free = bound is None and other is None
            if not is_free and not _is_awaited(hardware_id, bound):
                raise TrivoxError(self._refusal(name, hardware_id, bound, other))
            self._write({**boards, name: hardware_id})

    def _refusal(self, name: str, hardware_id: str, bound: str | None, other: str | None) -> str:
        if bound is None:
            was = f"that board is {other}'s"
        elif bound.startswith(OTHER_THAN):
            was = "another board is awaited in its place"
        else:
            was = f"that console's board is {bound}"
        return (
            f"the board {hardware_id} says that it is {name}, but {was}: it is refused; correct its console.json, or, "
            f"if you mean it, run `trivox gateway --keys {self._keys} --accept-board {name}`"
        )

    def accept_another(self, name: str) -> None:
        """Let the next board that is refused now as this console be its board. Raises TrivoxError."""
        with self._lock:
            boards = self._read()
            bound = boards.get(name, ANY_BOARD)
            is_board = bound != ANY_BOARD and not bound.startswith(OTHER_THAN)
            self._write({**boards, name: f"{OTHER_THAN}{bound}" if is_board else ANY_BOARD})

    def _read(self) -> dict[str, str]:
        try:
            if private_files.is_open_to_others(self.path):
                raise TrivoxError(f"others may change {self.path}: check what it says, and run chmod 600 {self.path}")
            boards = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise TrivoxError(f"{self.path} cannot be read ({error.strerror}): run this as its owner") from error
        except (ValueError, RecursionError) as error:
            raise self._damaged() from error
        if not isinstance(boards, dict) or not all(isinstance(board, str) for board in boards.values()):
            raise self._damaged()
        return boards

    def _damaged(self) -> TrivoxError:
        return TrivoxError(f"{self.path} is damaged: delete it, and each console is bound to the next board seen")

    def _write(self, boards: dict[str, str]) -> None:
        private_files.write(self.path, (json.dumps(boards, indent=1, sort_keys=True) + "\n").encode())


def _is_awaited(hardware_id: str, bound: str | None) -> bool:
    """Return whether the binding waits for a board, which may be this one."""
    if bound is None or bound == ANY_BOARD:
        return bound == ANY_BOARD
    return bound.startswith(OTHER_THAN) and bound != f"{OTHER_THAN}{hardware_id}"
