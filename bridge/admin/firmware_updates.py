"""Run updates over the air, from the order to the console's report that it runs the new version.

schema/README.md, "An update", describes the messages. All times are those of the transaction.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from bridge.admin.known_names import KnownNames
from bridge.admin.settings import scope_of
from bridge.errors import TrivoxError, UsageError
from bridge.keyring import Keyring
from bridge.store import console_status
from bridge.store import updates as table
from bridge.store.updates import DONE, FAILED, FETCHING, RETURNED, STOPPED, TRIAL, WAITING, UpdateOrder
from bridge.text import printable
from bridge.wire.contract import encode
from bridge.wire.health import read_figures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.admin.commands import OrderUpdate, StopUpdates
    from bridge.admin.firmware_bundle import Bundle
    from bridge.model.console import ConsoleName
    from bridge.store import Store
    from bridge.store.console_status import ConsoleRow
    from bridge.wire.contract import FetchRequest, Reply
    from bridge.wire.health import HealthFigures

Message = tuple[str, bytes]
"""(topic, payload)."""

PIECE_BYTES = 512  # a board's heap holds it three times: as received, as text, and decoded
WINDOW_BYTES = 4 * PIECE_BYTES  # the most that is sent for one request
OFFER_AGAIN_MS = 30_000
RETURNS_THAT_STOP = 2  # consoles that fell back, before the others' updates are stopped


class CheckedBundles:
    """The bundles beside a database, each read and checked again when its file has changed."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._read: dict[str, tuple[tuple[int, int, int] | None, Bundle]] = {}

    def get(self, version: str) -> Bundle:
        """Return the bundle of a version. Raises TrivoxError."""
        from bridge.admin.bundle_folder import Bundles  # noqa: PLC0415 - signatures need a library that nothing else does

        bundles = Bundles(self._database)
        stamp = bundles.stamp(version)
        known = self._read.get(version)
        if known is None or known[0] != stamp:
            known = self._read[version] = stamp, bundles.get(version)
        return known[1]


# -- what people order ---------------------------------------------------------------------------------------------


def order_update(store: Store, command: OrderUpdate) -> dict[str, Any]:
    """Order consoles to update, inside the transaction; return their names by what became of the order.

    The keys are "ordered", "already", "newer", "returned" and "keyless"; each name is SITE/CONSOLE. Raises TrivoxError.
    """
    site_id, console_id = scope_of(command.scope, KnownNames(store))
    version = command.version
    bundle = CheckedBundles(store.path).get(version)
    names: dict[str, list[str]] = {"ordered": [], "already": [], "newer": [], "returned": [], "keyless": []}
    consoles = [
        console
        for console in console_status.consoles(store)
        if console.retired_at_ms is None
        and (not site_id or console.site_id == site_id)
        and (not console_id or console.console_id == console_id)
    ]
    if not consoles:
        raise UsageError("There is no such console in service: see `trivox console list --all`.")
    if command.percent < 100:  # noqa: PLR2004 - a share of the consoles that can be updated
        keys = Keyring(store.path)
        consoles = [console for console in consoles if keys.get(console.site_id, console.console_id) is not None]
    for console in share_of(consoles, version, command.percent):
        group = _eligibility(store, console, version, older=command.older, named=bool(console_id))
        names[group].append(f"{console.site_id}/{console.console_id}")
        if group == "ordered":
            table.put(store, _new_order(store, console, bundle, older=command.older))
    return names


def share_of(consoles: list[ConsoleRow], version: str, percent: int) -> list[ConsoleRow]:
    """Pick a share of the consoles, at least one: the same ones each time, and included in any larger share."""

    def position(console: ConsoleRow) -> bytes:
        return hashlib.sha256(f"{version} {console.site_id}/{console.console_id}".encode()).digest()

    return sorted(consoles, key=position)[: -(-len(consoles) * percent // 100)]


def _eligibility(store: Store, console: ConsoleRow, version: str, *, older: bool, named: bool) -> str:
    """Return "ordered" if a console can be ordered to take a version, else the reason why not: see `order_update`."""
    from bridge.admin.bundle_folder import rank  # noqa: PLC0415 - see CheckedBundles

    running = read_figures(console.health).firmware or ""
    last = table.order_of(store, console.site_id, console.console_id)
    if running == version or (last and last.version == version and last.is_open):
        return "already"
    if rank(running) > rank(version) and not older:
        return "newer"
    if last and last.version == version and last.state == RETURNED and not named:
        return "returned"  # it would only fail again, until somebody has looked at it
    if Keyring(store.path).get(console.site_id, console.console_id) is None:
        return "keyless"
    return "ordered"


def _new_order(store: Store, console: ConsoleRow, bundle: Bundle, *, older: bool) -> UpdateOrder:
    return UpdateOrder(
        console.console_key,
        console.site_id,
        console.console_id,
        order_id=f"u-{secrets.token_hex(8)}",
        version=bundle.version,
        state=WAITING,
        reason="",
        fetched=0,
        size=len(bundle.content),
        older=int(older),
        ordered_at_ms=store.now_ms,
        changed_at_ms=0,
    )


def stop_updates(store: Store, _command: StopUpdates) -> dict[str, Any]:
    """Stop all updates that consoles are not trying out yet, inside the transaction; return how many as `stopped`."""
    return {"stopped": table.stop(store, None, (WAITING, FETCHING), "stopped by command")}


# -- what consoles are sent -----------------------------------------------------------------------------------------


def first_offers(store: Store) -> list[Message]:
    """Make the offers of all new orders, inside the transaction."""
    return [_offer(store, order) for order in table.orders(store) if order.is_open and not order.changed_at_ms]


def _offer(store: Store, order: UpdateOrder) -> Message:
    table.put(store, order._replace(changed_at_ms=store.now_ms))
    return _topic(order), encode({"id": order.order_id, "version": order.version})


def note_online(store: Store, name: ConsoleName) -> None:
    """Have a console that came online offered its update after its next health message: it may have restarted."""
    order = table.order_of(store, *name)
    if order is not None and order.is_open:
        table.put(store, order._replace(changed_at_ms=0))


def note_health(store: Store, name: ConsoleName, figures: HealthFigures, *, is_proved: bool) -> list[Message]:
    """Update a console's order by the version that it reports; return the offer if it is due again."""
    order = table.order_of(store, *name)
    if order is None or not order.is_open:
        return []
    if figures.firmware == order.version:
        _change(store, order, state=TRIAL if figures.on_trial else DONE)
    elif order.state == TRIAL and "update" in figures.faults:
        _give_up(store, order, RETURNED, f"it runs {figures.firmware} again", is_proved=is_proved)
    elif _is_older(order, figures.firmware):  # as after an old database was restored
        _give_up(store, order, STOPPED, f"it runs {figures.firmware}")
    elif abs(store.now_ms - order.changed_at_ms) >= OFFER_AGAIN_MS:  # `abs`, as the clock may have been set back
        return [_offer(store, order)]
    return []


def _is_older(order: UpdateOrder, running: str | None) -> bool:
    from bridge.admin.bundle_folder import rank  # noqa: PLC0415 - see CheckedBundles

    return not order.older and rank(running or "") > rank(order.version)


def take_reply(
    store: Store, bundles: CheckedBundles, name: ConsoleName, reply: Reply, *, is_proved: bool
) -> list[Message]:
    """Handle a console's reply about its update; return the pieces that it asks for."""
    order = table.order_of(store, *name)
    if order is None or order.order_id != reply.id or not order.is_open:
        return []
    is_end_of_trial = reply.trial_failed or (reply.ok and reply.fetch is None)
    if is_end_of_trial and order.state == WAITING:
        return []  # it was sent nothing that it could have tried
    if not reply.ok:
        state = RETURNED if reply.trial_failed else FAILED
        _give_up(store, order, state, printable(reply.reason), is_proved=is_proved)
    elif reply.fetch is None:
        _change(store, order, state=DONE)
    else:
        try:
            messages = list(_answers(store, bundles.get(order.version), order, reply.fetch))
        except TrivoxError as error:
            _give_up(store, order, FAILED, str(error))
            return []
        end = min(reply.fetch.from_ + reply.fetch.bytes_, order.size)
        _change(store, order, state=FETCHING, fetched=max(order.fetched, end))
        return messages
    return []


def _answers(store: Store, bundle: Bundle, order: UpdateOrder, request: FetchRequest) -> Iterator[Message]:
    content = bundle.content
    if request.nonce is not None:
        yield _topic(order), encode(_manifest_proof(store, bundle, order, request.nonce))
    end = min(request.from_ + min(request.bytes_, WINDOW_BYTES), len(content))
    for start in range(request.from_, end, PIECE_BYTES):
        data = b64encode(content[start : min(start + PIECE_BYTES, end)]).decode()
        yield _topic(order), encode({"id": order.order_id, "from": start, "data": data})


def _manifest_proof(store: Store, bundle: Bundle, order: UpdateOrder, nonce: str) -> dict[str, Any]:
    """Prove to the console, for this nonce only, that the manifest comes from somebody who has its key."""
    credentials = Keyring(store.path).get(order.site_id, order.console_id)
    if credentials is None:
        raise TrivoxError("the console's key is no longer here: enrol it again")
    manifest = bundle.manifest
    text = b"firmware\n" + nonce.encode() + b"\n" + manifest
    mac = hmac.new(bytes.fromhex(credentials.key), text, hashlib.sha256).hexdigest()
    return {"id": order.order_id, "nonce": nonce, "manifest_bytes": len(manifest), "mac": mac}


def _topic(order: UpdateOrder) -> str:
    return f"trivox/v1/{order.site_id}/{order.console_id}/firmware"


def _change(store: Store, order: UpdateOrder, **changes: Any) -> None:
    table.put(store, order._replace(changed_at_ms=store.now_ms, **changes))


def _give_up(store: Store, order: UpdateOrder, state: str, reason: str, *, is_proved: bool = False) -> None:
    """Close an order; if several consoles have proved that they fell back, stop the others that have not begun."""
    counts = state == RETURNED and is_proved
    _change(store, order, state=state, reason=reason, return_is_proved=int(counts))
    if counts and (returns := table.proved_returns(store, order.version)) >= RETURNS_THAT_STOP:
        last = f"{order.site_id}/{order.console_id}"
        reason = f"stopped, because {returns} consoles fell back to their old version, the last of them {last}"
        table.stop(store, order.version, (WAITING,), reason)
