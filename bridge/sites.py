"""Sites and the checkout points at which consoles stand."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from bridge import counts
from bridge.console_settings import refresh_console
from bridge.errors import UsageError
from bridge.fold import refold_console, refold_site
from bridge.identifiers import check_id, check_name
from bridge.local_time import day_starts_ms, today_starts_ms, zone
from bridge.store import admin, consoles

if TYPE_CHECKING:
    from typing import Any

    from bridge.store import Store

MAX_CHECKOUT_POINT_ID = 64


def set_site(store: Store, args: dict[str, Any], _now_ms: int) -> dict[str, Any]:
    """Set a site's time zone (args `site_id`, `timezone`); local hours and days are made anew."""
    site_id = check_id("site", args["site_id"])
    zone(args["timezone"])
    if admin.ensure_site(store, site_id) != args["timezone"]:
        admin.set_timezone(store, site_id, args["timezone"])
        store.forget()
        refold_site(store, site_id)
        counts.derive(store, site_id)
    return {}


def enroll_consoles(store: Store, args: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """Mark consoles as enrolled, all or none: args `consoles`, each SITE/CONSOLE; they may be new here."""
    for name in args["consoles"]:
        site_id, console_id = check_name("console", name)
        admin.set_enrolled(store, admin.ensure_console(store, site_id, console_id), enrolled=True)
        store.forget()
        refresh_console(store, site_id, console_id, now_ms)
    return {}


def revoke_consoles(store: Store, args: dict[str, Any], _now_ms: int) -> dict[str, Any]:
    """Mark consoles as not enrolled, all or none: args `consoles`, each SITE/CONSOLE; `revoked` are those that were."""
    revoked = []
    for name in args["consoles"]:
        site_id, console_id = check_name("console", name)
        known = consoles.find_console(store, site_id, console_id)
        if known is not None and known.enrolled:
            admin.set_enrolled(store, known.key, enrolled=False)
            revoked.append(name)
    store.forget()
    return {"revoked": revoked}


def set_checkout_point(store: Store, args: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """Say that a console stands at a checkout point (args `site_id`, `checkout_point_id`, `console_id`, `from`).

    `from` is a local date or None: since its first event if the console stood nowhere before, else since today's
    local midnight.
    """
    site_id, console_id = check_id("site", args["site_id"]), check_id("console", args["console_id"])
    checkout_point_id = args["checkout_point_id"].strip()
    if not 0 < len(checkout_point_id) <= MAX_CHECKOUT_POINT_ID or not checkout_point_id.isprintable():
        raise UsageError(f"A checkout point's id must be 1 to {MAX_CHECKOUT_POINT_ID} printable characters.")
    timezone = admin.ensure_site(store, site_id)
    console_key = admin.ensure_console(store, site_id, console_id)
    if args["from"] is not None:
        from_ms = day_starts_ms(date.fromisoformat(args["from"]), timezone)
    elif admin.stands_somewhere(store, console_key):
        from_ms = today_starts_ms(now_ms, timezone)
    else:
        from_ms = 0  # nothing lies before its first event, wherever late clocks and late events may move that
    admin.place(store, console_key, checkout_point_id, from_ms)
    store.forget()
    refresh_console(store, site_id, console_id, now_ms)  # the console may be new here
    refold_console(store, site_id, console_id, from_ms)
    counts.derive(store, site_id)
    return {"from_ms": from_ms}
