"""Check the broker, in plain sentences: the login, who else serves there, settings, certificate, dropped messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.broker_login import RENEW_DAYS
from bridge.errors import TrivoxError
from bridge.keyring import Keyring
from bridge.ops.doctor.broker_probe import probe
from bridge.ops.doctor.client_ids import check_client_ids
from bridge.ops.doctor.database import Diagnosis
from bridge.ops.doctor.file_rights import check_authority
from bridge.service.claim import describe, file_name
from bridge.text import plural, printable
from bridge.wire.bridge_claim import BridgeClaim, read_claim
from bridge.wire.contract import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from bridge.broker_login import BrokerLogin
    from bridge.ops.doctor.broker_probe import ProbeResult

DAY_S = 86_400


def check_broker(
    database: Path,
    retained: dict[str, bytes],
    vitals: dict[str, Any],
    chosen_broker: BrokerLogin | None,
    read_login: Callable[[str], BrokerLogin],
    now_ms: int,
) -> Iterator[Diagnosis]:
    """Check `chosen_broker`, or else the running bridge's, of which `vitals` tell (empty: none is running).

    `retained` is what the broker is to retain, by topic; where the payload is empty, nothing.
    """
    if chosen_broker is None and not vitals.get("broker"):
        yield Diagnosis("The broker was not checked: give --broker, or start the bridge.", needs_action=False)
        return
    broker = chosen_broker or read_login(vitals["broker"])
    sites = vitals.get("sites", [])
    ours = {topic: payload for topic, payload in retained.items() if not sites or topic.split("/")[2] in sites}
    yield from check_authority(broker)
    result = probe(broker, [topic for topic, payload in ours.items() if not payload])
    is_cut_off = bool(vitals) and not (vitals["is_connected"] or vitals["refused"] or vitals["write_error"])
    if is_cut_off and chosen_broker is None and result.problem:
        yield Diagnosis(f"The bridge has no connection to the broker at {broker.address}, which {result.problem}.")
        return
    if is_cut_off:
        yield Diagnosis(f"The bridge has no connection to the broker at {vitals['broker']}: read the bridge's log.")
    if result.problem:
        # The bridge is connected and only this command lacks the login, or the refusal was reported above.
        is_covered = chosen_broker is None and (vitals["is_connected"] or vitals["refused"])
        yield Diagnosis(f"The broker at {broker.address} {result.problem}.", needs_action=not is_covered)
        return
    yield Diagnosis(
        f"The broker at {broker.address} answers{f' ({printable(result.version)})' if result.version else ''}.",
        needs_action=False,
    )
    yield from _other_bridges(result.claims, vitals, database)
    yield from check_client_ids(broker, result, Keyring(database))
    yield from _retained(ours, result)
    yield from _certificate(result.certificate_ends_s, now_ms)
    if result.dropped:
        yield Diagnosis(
            f"The broker has dropped {plural(result.dropped, 'message')} since it started (consoles send theirs "
            "again): set max_queued_messages 1000000 and max_inflight_messages 1000 in its configuration."
        )


def _other_bridges(claims: Iterable[bytes], vitals: dict[str, Any], database: Path) -> Iterator[Diagnosis]:
    """Name each bridge that serves at the broker besides the one on this database."""
    own_file = _own_file(database)
    for payload in claims:
        other = _claim(payload)
        if other is None or other.instance == vitals.get("instance") or other.file == own_file:
            continue  # nobody's, the running bridge's, or left behind by an earlier run here
        advice = ""
        if not vitals:
            advice = ": a bridge on this database would end; stop the other one first, or give each its own --site"
        yield Diagnosis(f"Another bridge is at the broker ({describe(other)}){advice}.", needs_action=not vitals)
    if vitals and not vitals["can_claim"]:
        yield Diagnosis(
            "The broker does not let the bridge write and read trivox/v1/bridge/+, so a second bridge would not be "
            "noticed: run `trivox broker-config` again and restart the broker, or give its user that right."
        )


def _own_file(database: Path) -> str | None:
    try:
        session = Keyring(database).bridge_session()
    except TrivoxError:
        return None  # only the bridge's user may read it
    return None if session is None else file_name(session, database)


def _claim(payload: bytes) -> BridgeClaim | None:
    try:
        return read_claim(payload)
    except Unreadable:
        return None


def _retained(ours: dict[str, bytes], result: ProbeResult) -> Iterator[Diagnosis]:
    wrong = sorted(topic for topic, payload in ours.items() if result.retained.get(topic, b"") != payload)
    missing = [topic for topic in wrong if ours[topic]]
    if missing:
        consoles_affected = f"{plural(len(missing), 'console')} (for example {missing[0]})"
        yield Diagnosis(
            f"The broker does not hold the newest settings of {consoles_affected}: restart the bridge, "
            "and let the broker keep retained messages (`persistence true`)."
        )
    left = [topic for topic in wrong if not ours[topic]]
    if left:
        yield Diagnosis(
            f"The broker still retains {plural(len(left), 'message')} of consoles that are gone (for example "
            f"{left[0]}): run `trivox broker-config` again and reload the broker, or give the bridge's login the right "
            "to write there; then restart the bridge."
        )


def _certificate(ends_s: float | None, now_ms: int) -> Iterator[Diagnosis]:
    if ends_s is None:
        return
    days_left = int(ends_s - now_ms / 1000) // DAY_S
    yield Diagnosis(
        f"The broker's certificate is valid for {plural(days_left, 'more day')}"
        + (": run `trivox broker-config` again, and reload the broker." if days_left < RENEW_DAYS else "."),
        needs_action=days_left < RENEW_DAYS,
    )
