"""Write and read the true diary: what people did and truly wanted, one JSON object per line.

It knows nothing of any bridge.
"""

from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Literal, Self

import msgspec

Wanted = Literal["yes", "no", "cant_say", "silent"]
Ends = Literal["answered", "expired", "superseded", "not_asked", "cut_off", "unfinished"]
Kind = Literal["customer", "ghost", "force_majeure", "stray", "shift", "rewritten_shift"]


class Press(msgspec.Struct, frozen=True):
    """One press by a finger, by this machine's clock (ms since 1970 UTC).

    The first contact was between `at_ms` and `until_ms - held_ms`; the button was up again at `until_ms`.
    `why` is ask, again (within the guard time), answer, answer_by_seller (the seller pressed for a customer who kept
    silent), late_answer (after the answer), force_majeure or stray; or power_cut: the plug, as button `power`, was
    pulled and put back.
    """

    button: str
    why: str
    held_ms: int
    planned_ms: int
    at_ms: int
    until_ms: int

    @property
    def latest_ms(self) -> int:
        """The latest possible instant of the first contact."""
        return self.until_ms - self.held_ms


class DiaryEntry(msgspec.Struct, frozen=True):
    """One thing that happened at a console, from beginning to end, with its presses.

    Instants are ms since 1970 UTC; `planned_ms` counts from the plan's start. A `customer` was served at `at_ms` and,
    unless `ends` is not_asked, asked by the first press; `ends` is cut_off if the power was cut meanwhile, unfinished
    if people were told to stop. A `ghost` is nobody: the seller opened a survey and answered it himself. In a `shift`
    the seller worked there from `at_ms` to `until_ms`; in a `rewritten_shift` somebody said later, untruly, that this
    seller had. `visitors` is how many people came through the door, the customer included. `cheat` says by which habit
    the seller cheated here (SellerHabits in `simulator/scenario/file.py`), or is empty.
    """

    kind: Kind
    site_id: str
    console_id: str
    at_ms: int
    until_ms: int
    planned_ms: int = 0
    wanted: Wanted = "silent"
    ends: Ends = "not_asked"
    question_id: str = ""
    question_revision: int = 0
    ask_every: int = 1
    seller_id: str = ""
    bought: bool = False
    visitors: int = 0
    presses: tuple[Press, ...] = ()
    cheat: str = ""

    @property
    def opens_survey(self) -> bool:
        """Whether a survey was opened for this customer, or for nobody."""
        return self.kind == "ghost" or (self.kind == "customer" and self.ends != "not_asked")

    @property
    def is_shift(self) -> bool:
        """Whether this is a shift, true or rewritten."""
        return self.kind in {"shift", "rewritten_shift"}

    @classmethod
    def read(cls, line: str) -> Self:
        """Return the entry in one line of a diary."""
        return msgspec.json.decode(line, type=cls)

    def line(self) -> bytes:
        """Return the entry as a line of a diary."""
        return msgspec.json.encode(self) + b"\n"


class Diary:
    """Entries in the order in which they ended; threads may share it. With a file, each entry is added there too."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._entries: list[DiaryEntry] = []
        self._lock = Lock()

    def write(self, entry: DiaryEntry) -> None:
        """Add an entry, to the file too."""
        with self._lock:
            self._entries.append(entry)
            if self._file is not None:
                with self._file.open("ab") as lines:
                    lines.write(entry.line())

    def entries(self) -> list[DiaryEntry]:
        """Return all entries so far."""
        with self._lock:
            return list(self._entries)

    @staticmethod
    def read(lines: Iterable[str]) -> list[DiaryEntry]:
        """Return the entries in a diary's lines."""
        return [DiaryEntry.read(line) for line in lines]
