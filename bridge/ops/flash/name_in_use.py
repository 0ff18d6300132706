"""Tell whether the name that a board is to get is in use, was mistyped, or leaves another one behind."""

from __future__ import annotations

from bridge.ops.flash.assignments import Assignment
from bridge.ops.flash.board_info import BoardInfo
from bridge.ops.flash.bridge_records import BridgeRecords
from bridge.ops.flash.console_json import WITHOUT_RADIO
from bridge.ops.flash.errors import FlashingError
from bridge.ops.flash.wait_online import OnlineWatch
from bridge.text import ago, printable


def check_name_is_free(
    assignment: Assignment, board: BoardInfo, records: BridgeRecords, watch: OnlineWatch | None
) -> None:
    """Raise FlashingError if another board is in service under that name."""
    heard = _heard_from_another(assignment, board, records, watch)
    if heard:
        raise FlashingError(f"{assignment.name} {heard}: unplug that one first, or give --replace.")


def _heard_from_another(
    assignment: Assignment, board: BoardInfo, records: BridgeRecords, watch: OnlineWatch | None
) -> str | None:
    online = watch.user_of(assignment.identity) if watch else None
    if online and online != board.hardware_id:
        return f"is online from another board ({printable(online)})"
    user = records.user_of(assignment.identity)
    if user and user[0] != board.hardware_id:
        return f"was heard {ago(user[1])} from another board ({printable(user[0])})"
    return None


def remarks(assignment: Assignment, board: BoardInfo, records: BridgeRecords) -> list[str]:
    """Return what a technician should know about the new name and the old one."""
    said = []
    near = records.near_console(assignment.identity)
    if near:
        said.append(f"{assignment.name} is a new name; did you mean {near}?")
    if board.identity and board.identity != assignment.identity:
        old = "/".join(board.identity)
        said.append(
            f"This board was {old}: unless another board takes that name, run `trivox console retire {old}` where the "
            "bridge is."
        )
        if board.kind == WITHOUT_RADIO:
            name = assignment.name
            said.append(
                f"Its gateway, if it has --keys, needs {name} in that file (`trivox console keys FILE …`), and `trivox "
                f"gateway --keys FILE --accept-board {name}` once."
            )
    return said
