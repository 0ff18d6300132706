"""Plain words for change and target, each with a sign of its own: a shape and a letter, so that colour is not needed.

After *Making Data Count* of the NHS. Pure.
"""

from __future__ import annotations

from typing import NamedTuple


class PlainWords(NamedTuple):
    """What is said, with its sign and its identifier."""

    name: str
    words: str
    sign: str

    @property
    def letter(self) -> str:
        """The letter of its sign."""
        return self.sign[-1]


USUAL = PlainWords("usual", "usual variation", "▬ U")
BETTER = PlainWords("better", "better than usual", "▲ B")
WORSE = PlainWords("worse", "worse than usual", "▼ W")
TOO_FEW = PlainWords("too_few", "too few to say", "□ F")
CHANGES = (USUAL, BETTER, WORSE, TOO_FEW)

RELIABLY_MET = PlainWords("reliably_met", "reliably met", "● M")
SOMETIMES_MET = PlainWords("sometimes_met", "met some weeks and missed others", "◐ S")
RELIABLY_MISSED = PlainWords("reliably_missed", "reliably missed", "✕ X")
CANNOT_BE_TOLD = PlainWords("cannot_be_told", "cannot be told", "◌ ?")
TARGETS = (RELIABLY_MET, SOMETIMES_MET, RELIABLY_MISSED, CANNOT_BE_TOLD)

BY_NAME = {words.name: words for words in (*CHANGES, *TARGETS)}


def in_unit(words: str, unit: str) -> str:
    """Return the words with the chart's unit in place of weeks."""
    return words.replace("weeks", f"{unit}s")
