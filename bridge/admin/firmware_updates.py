"""Updates over the air, from the order to the console's word that it runs the new version.

What goes over the wire stands in schema/README.md, "An update". All times are those of the transaction.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64encode
from typing import TYPE_CHECKING, Any

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
    from bridge.wire.contract import Reply, Wish
    from bridge.wire.health import HealthFigures

Message = tuple[str, bytes]
"""(topic, payload)."""

PIECE_BYTES = 512  # a board's heap has it three times: as it came, as text, and decoded
WINDOW_BYTES = 4 * PIECE_BYTES  # at most what is sent for one request
OFFER_AGAIN_MS = 30_000


class CheckedBundles:
    """The bundles beside a database, each read and checked once."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._read: dict[str, Bundle] = {}

    def get(self, version: str) -> Bundle:
        """Return the bundle of a version. Raises TrivoxError."""
        from bridge.admin.bundle_folder import Bundles  # noqa: PLC0415 - signatures take a library that nothing else does

        if version not in self._read:
            self._read[version] = Bundles(self._database).get(version)
        return self._read[version]


# -- what people order ---------------------------------------------------------------------------------------------


def order_update(store: Store, command: OrderUpdate) -> dict[str, Any]:
    """Order consoles to update, inside the transaction. Raises TrivoxError.

    The result names the consoles ("ordered", "already", "newer", "returned", "keyless"), each as SITE/CONSOLE.
    """
    site_id, console_id = scope_of(command.scope)
    version = command.version
    bundle = CheckedBundles(store.path).get(version)
    names: dict[str, list[str]] = {"ordered": [], "already": [], "newer": [], "returned": [], "keyless": []}
    consoles = [
        console
        for console in console_status.consoles(store)
        if (not site_id or console.site_id == site_id) and (not console_id or console.console_id == console_id)
    ]
    if not consoles:
        raise UsageError("There is no such console: see `trivox console list`.")
    if command.percent < 100:  # noqa: PLR2004 - a share of those that can take it
        keys = Keyring(store.path)
        consoles = [console for console in consoles if keys.get(console.site_id, console.console_id) is not None]
    for console in share_of(consoles, version, command.percent):
        found = _standing(store, console, version, older=command.older, named=bool(console_id))
        names[found].append(f"{console.site_id}/{console.console_id}")
        if found == "ordered":
            table.put(store, _new_order(store, console, bundle, older=command.older))
    return names


def share_of(consoles: list[ConsoleRow], version: str, percent: int) -> list[ConsoleRow]:
    """So many of the consoles, at least one; the same ones each time, and all of them among any larger share."""

    def place(console: ConsoleRow) -> bytes:
        return hashlib.sha256(f"{version} {console.site_id}/{console.console_id}".encode()).digest()

    return sorted(consoles, key=place)[: -(-len(consoles) * percent // 100)]


def _standing(store: Store, console: ConsoleRow, version: str, *, older: bool, named: bool) -> str:
    """Whether a console can be ordered to take a version, or why not."""
    from bridge.admin.bundle_folder import rank  # noqa: PLC0415 - see CheckedBundles

    runs = read_figures(console.health).firmware or ""
    last = table.order_of(store, console.site_id, console.console_id)
    if runs == version or (last and last.version == version and last.is_open):
        return "already"
    if rank(runs) > rank(version) and not older:
        return "newer"
    if last and last.version == version and last.state == RETURNED and not named:
        return "returned"  # it would only do so again, until somebody has seen to it
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
    """Stop all that are not on trial yet, inside the transaction."""
    return {"stopped": table.stop(store, None, (WAITING, FETCHING), "stopped by command")}


# -- what consoles are told ----------------------------------------------------------------------------------------


def first_offers(store: Store) -> list[Message]:
    """The offers of all orders that are new, inside the transaction."""
    return [_offer(store, order) for order in table.orders(store) if order.is_open and not order.changed_at_ms]


def _offer(store: Store, order: UpdateOrder) -> Message:
    table.put(store, order._replace(changed_at_ms=store.now_ms))
    return _topic(order), encode({"id": order.order_id, "version": order.version})


def note_online(store: Store, name: ConsoleName) -> None:
    """A console has come (again): its next health message brings an offer, for it may have started anew."""
    order = table.order_of(store, *name)
    if order is not None and order.is_open:
        table.put(store, order._replace(changed_at_ms=0))


def note_health(store: Store, name: ConsoleName, said: HealthFigures) -> list[Message]:
    """A console has told what it runs: its order follows; an offer, if it should be made again."""
    order = table.order_of(store, *name)
    if order is None or not order.is_open:
        return []
    if said.firmware == order.version:
        _change(store, order, state=TRIAL if said.on_trial else DONE)
    elif order.state == TRIAL and "update" in said.faults:
        _give_up(store, order, RETURNED, f"it runs {said.firmware} again")
    elif _is_older(order, said.firmware):  # as after the restoring of an old database
        _give_up(store, order, STOPPED, f"it runs {said.firmware}")
    elif abs(store.now_ms - order.changed_at_ms) >= OFFER_AGAIN_MS:  # … or the clock was set
        return [_offer(store, order)]
    return []


def _is_older(order: UpdateOrder, runs: str | None) -> bool:
    from bridge.admin.bundle_folder import rank  # noqa: PLC0415 - see CheckedBundles

    return not order.older and rank(runs or "") > rank(order.version)


def take_reply(store: Store, bundles: CheckedBundles, name: ConsoleName, reply: Reply) -> list[Message]:
    """A console's word about its update: the pieces that it asks for, if it does."""
    order = table.order_of(store, *name)
    if order is None or order.order_id != reply.id or not order.is_open:
        return []
    if not reply.ok:
        _give_up(store, order, RETURNED if reply.trial_failed else FAILED, printable(reply.reason))
    elif reply.fetch is None:
        _change(store, order, state=DONE)
    else:
        try:
            messages = list(_answers(store, bundles.get(order.version), order, reply.fetch))
        except TrivoxError as error:
            _give_up(store, order, FAILED, str(error))
            return []
        reached = min(reply.fetch.from_ + reply.fetch.bytes_, order.size)
        _change(store, order, state=FETCHING, fetched=max(order.fetched, reached))
        return messages
    return []


def _answers(store: Store, bundle: Bundle, order: UpdateOrder, wish: Wish) -> Iterator[Message]:
    content = bundle.content
    if wish.nonce is not None:
        yield _topic(order), encode(_code(store, bundle, order, wish.nonce))
    end = min(wish.from_ + min(wish.bytes_, WINDOW_BYTES), len(content))
    for start in range(wish.from_, end, PIECE_BYTES):
        data = b64encode(content[start : min(start + PIECE_BYTES, end)]).decode()
        yield _topic(order), encode({"id": order.order_id, "from": start, "data": data})


def _code(store: Store, bundle: Bundle, order: UpdateOrder, nonce: str) -> dict[str, Any]:
    """What proves to the console, and for this nonce alone, that the manifest comes from who has its key."""
    credentials = Keyring(store.path).get(order.site_id, order.console_id)
    if credentials is None:
        raise TrivoxError("the console has no key here any more: enrol it again")
    manifest = bundle.manifest
    text = b"firmware\n" + nonce.encode() + b"\n" + manifest
    mac = hmac.new(bytes.fromhex(credentials.key), text, hashlib.sha256).hexdigest()
    return {"id": order.order_id, "nonce": nonce, "manifest_bytes": len(manifest), "mac": mac}


def _topic(order: UpdateOrder) -> str:
    return f"trivox/v1/{order.site_id}/{order.console_id}/firmware"


def _change(store: Store, order: UpdateOrder, **changes: Any) -> None:
    table.put(store, order._replace(changed_at_ms=store.now_ms, **changes))


def _give_up(store: Store, order: UpdateOrder, state: str, reason: str) -> None:
    """It is not to be; where a console has come back to its old version, no other is to try that one unasked."""
    _change(store, order, state=state, reason=reason)
    if state == RETURNED:
        why = f"stopped, because {order.site_id}/{order.console_id} came back from it"
        table.stop(store, order.version, (WAITING,), why)
