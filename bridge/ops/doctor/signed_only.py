"""Lead an installation to a bridge that takes only signed events: which consoles do not sign, and what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.keyring import Keyring
from bridge.ops.doctor.database import Diagnosis
from bridge.store import console_status, gone_consoles
from bridge.text import plural
from bridge.wire.signature import Mac, MacCount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store import Store

NAMED = 5


def consoles_that_do_not_sign(store: Store) -> list[str] | None:
    """Return the consoles (SITE/CONSOLE) in use whose last events no key proves; None if no console has a key.

    None, too, if we may not see which have one.
    """
    if not Keyring(store.path).visible_consoles():
        return None
    macs, gone = console_status.macs(store), set(gone_consoles.gone(store))
    return [
        f"{console.site_id}/{console.console_id}"
        for console in console_status.consoles(store)
        if console.was_heard
        and (console.site_id, console.console_id) not in gone
        and not _signs_now(macs.get(console.console_key, {}))
    ]


def _signs_now(events_by_mac: dict[Mac, MacCount]) -> bool:
    valid = events_by_mac.get(Mac.VALID)
    others = [came.last_at_ms for mac, came in events_by_mac.items() if mac is not Mac.VALID]
    return valid is not None and valid.last_at_ms > max(others, default=0)


def check_signed_only(unsigned: list[str] | None, *, is_signed_only: bool) -> Iterator[Diagnosis]:
    """Say what is to be done until the running bridge takes only signed events; nothing if no console has a key."""
    if unsigned is None:
        return
    if is_signed_only:
        yield Diagnosis("The bridge takes only events that are signed by their console's key.", needs_action=False)
    elif unsigned:
        names = ", ".join(unsigned[:NAMED]) + (", …" if unsigned[NAMED:] else "")
        need = "needs" if len(unsigned) == 1 else "need"
        yield Diagnosis(
            f"The bridge also takes events that no key proves, which {plural(len(unsigned), 'console')} still {need} "
            f"({names}): give each its credentials with `trivox console flash`, or revoke it if it is gone; then "
            "let the bridge take only signed events."
        )
    else:
        yield Diagnosis(
            "Every console signs its events, but the bridge also takes events that no key proves: run `trivox "
            "broker-config` again, whose unit has --signed-only, and do what it says; or run the bridge with that "
            "option."
        )
