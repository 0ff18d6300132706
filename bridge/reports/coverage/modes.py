"""The ways in which reports group surveys and counts by place and person: each has its own surveys in known time. Pure.

A count of a whole site tells of all its surveys in the site's row, and of none in a seller's: so what is known depends
on what a report groups by. Times make no difference to that.
"""

from __future__ import annotations

from typing import NamedTuple


class Mode(NamedTuple):
    """A way to group, apart from sites: by these columns; `bit` stands for it in sums."""

    bit: int
    of_console: bool = False
    of_checkout_point: bool = False
    of_seller: bool = False

    def group(self, console_id: str, checkout_point_id: str, seller_id: str) -> tuple[int, str, str, str]:
        """Return the group that a survey or count belongs to."""
        return (
            self.bit,
            console_id if self.of_console else "",
            checkout_point_id if self.of_checkout_point else "",
            seller_id if self.of_seller else "",
        )


SITE = Mode(1)
CHECKOUT_POINT = Mode(2, of_checkout_point=True)
CONSOLE = Mode(4, of_console=True)
SELLER = Mode(8, of_seller=True)
SELLER_AT_CHECKOUT_POINT = Mode(16, of_checkout_point=True, of_seller=True)
SELLER_AT_CONSOLE = Mode(32, of_console=True, of_seller=True)
MODES = (SITE, CHECKOUT_POINT, CONSOLE, SELLER, SELLER_AT_CHECKOUT_POINT, SELLER_AT_CONSOLE)


def mode_of(columns: tuple[str, ...], *, by_seller: bool) -> Mode:
    """Return the mode of a report with these columns; a console stands at one checkout point at a time.

    With `by_seller`, counts are shared out among sellers even if no column names them.
    """
    by_console = "console_id" in columns
    by_point = "checkout_point_id" in columns and not by_console
    wanted = by_console, by_point, by_seller
    return next(mode for mode in MODES if mode[1:] == wanted)
