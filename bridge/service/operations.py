"""Everything that writes besides the events themselves: by name, so that a command can hand it to a running bridge.

`control.perform` runs an operation inside one transaction, in the process that holds the writer's lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.admin.firmware_updates import order_update, stop_updates
from bridge.admin.questions import set_question
from bridge.admin.settings import set_settings
from bridge.admin.shifts import import_shifts
from bridge.admin.sites import (
    enroll_consoles,
    import_checkout_points,
    import_sites,
    revoke_consoles,
    set_checkout_point,
    set_site,
)
from bridge.surveys.counts import import_counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.store import Store


OPERATIONS: dict[str, Callable[[Store, dict[str, Any], int], dict[str, Any]]] = {
    "set_question": set_question,
    "set_settings": set_settings,
    "set_site": set_site,
    "enroll_consoles": enroll_consoles,
    "revoke_consoles": revoke_consoles,
    "set_checkout_point": set_checkout_point,
    "import_sites": import_sites,
    "import_checkout_points": import_checkout_points,
    "import_shifts": import_shifts,
    "import_counts": import_counts,
    "order_update": order_update,
    "stop_updates": stop_updates,
}
"""(store, args, now_ms) -> result, all JSON; each raises TrivoxError with the sentence for the user."""
