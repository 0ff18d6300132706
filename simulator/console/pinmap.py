"""Read a board's pins from the firmware's own `boards/NAME.py`, which holds only constants."""

import ast
from dataclasses import dataclass
from pathlib import Path

from simulator.console.files import project_folder
from simulator.errors import ConsoleError

FIRMWARE = project_folder("firmware")
BUTTONS = ("yes", "no", "cant_say", "seller")


@dataclass(frozen=True)
class PinMap:
    """A board's pin numbers, by button; the player's UART; where flash is mounted, and its page size in bytes."""

    buttons: dict[str, int]
    lamps: dict[str, int]
    sounder: int
    player: int
    flash: str
    prog_size: int


def pin_map(board: str, firmware: Path) -> PinMap:
    """Return the pins of `board`, from `firmware` if it has them as source, else from the project's own firmware.

    Raises ConsoleError if there is no such board.
    """
    paths = [folder / "boards" / f"{board}.py" for folder in (firmware, FIRMWARE)]
    path = next((path for path in paths if path.exists()), None)
    if not FIRMWARE.exists():
        raise ConsoleError(
            f"There is no firmware in {FIRMWARE}: install trivox again, from a wheel that `make wheel` has made."
        )
    if path is None:
        raise ConsoleError(f"There is no board {board}; choose one of firmware/boards.")
    values = {}
    for statement in ast.parse(path.read_text("utf-8")).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            values[statement.targets[0].id] = ast.literal_eval(statement.value)
    return PinMap(
        buttons=dict(zip(BUTTONS, values["BUTTONS"], strict=True)),
        lamps=dict(zip(BUTTONS, values["LAMPS"], strict=True)),
        sounder=values["SOUNDER"],
        player=values["PLAYER"][0],
        flash=values["FLASH"],
        prog_size=values["PROG_SIZE"],
    )
