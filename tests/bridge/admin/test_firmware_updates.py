"""Test firmware bundles and update orders by their commands, and what the bridge sends to consoles."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bridge.admin.firmware_bundle import make_key
from bridge.admin.firmware_updates import CheckedBundles
from bridge.keyring import Keyring
from bridge.store import open_store
from tests.bridge.office import Office, at
from tests.schema import schemas
from tests.support import facts, words
from tests.support.bundles import FILES, bundle
from tests.support.intake import take_in

NINE = at("2026-11-02T09:00+00:00")
CONSOLES = 20


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Make consoles demo/till-1 to till-20 with keys and firmware 1.0.0, a trusted key, and bundles 1.1.0 and 1.2.0."""
    office = Office(tmp_path)
    office.take_messages([health(f"till-{number}") for number in range(1, CONSOLES + 1)])
    for number in range(1, CONSOLES + 1):
        Keyring(office.database).issue("demo", f"till-{number}")
    office.do("firmware", "trust", make_key(tmp_path / "release.key"))
    for version in ("1.1.0", "1.2.0"):
        office.do("firmware", "add", bundle(tmp_path, version))
    return office


def health(console: str, firmware: str = "1.0.0", at_ms: int = NINE, **more: Any) -> dict[str, Any]:
    payload = {"epoch": "0000abcd", "hardware_id": "c0ffee", "firmware": firmware, "faults": [], **more}
    return {"topic": f"trivox/v1/demo/{console}/health", "payload": payload, "received_at_ms": at_ms}


def states(office: Office) -> dict[str, str]:
    """Return each console's state, from the table of `trivox console update`."""
    rows = [line.split("│") for line in office.do("console", "update").splitlines() if "till-" in line]
    return {row[2].strip(): row[4].strip() for row in rows}


def say(office: Office, console: str, leaf: str, payload: dict[str, Any] | str, at_ms: int = NINE) -> list[Any]:
    """Have the bridge take in a message (a text as it is); return what it publishes about updates (topic, message)."""
    store = open_store(office.database, writing=True)
    try:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        message = (f"trivox/v1/demo/{console}/{leaf}", text.encode(), at_ms)
        found = take_in(store, [message], at_ms)[1].publications
    finally:
        store.close()
    for one in found:
        schemas.validator("firmware").validate(json.loads(one.payload))
    return [(one.topic, json.loads(one.payload)) for one in found]


def offered(office: Office, console: str) -> dict[str, Any]:
    """Bring a console with an order online; return the offer that it gets."""
    assert say(office, console, "status", {"state": "online", "epoch": "0000abcd", "hardware_id": "c0ffee"}) == []
    ((topic, offer),) = say(office, console, "health", health(console)["payload"])
    assert topic == f"trivox/v1/demo/{console}/firmware"
    return dict(offer)


def test_a_share_grows_and_is_the_same_each_time(office: Office) -> None:
    found: list[set[str]] = []
    for percent in (1, 10, 25, 100):
        office.do("console", "update", "--to", "1.1.0", "--percent", percent)
        found.append(set(states(office)))
    assert [len(names) for names in found] == [1, 2, 5, CONSOLES]
    assert found == sorted(found, key=len)
    assert all(small <= large for small, large in pairwise(found))
    assert "0 consoles to be updated" in office.do("console", "update", "--to", "1.1.0", "--percent", 10)


def test_watching_ends_where_only_absent_consoles_are_left(office: Office) -> None:
    office.do("console", "update", "--to", "1.1.0", "--all")
    watched = office.run("console", "update", "--watch")
    assert watched.status == 1
    assert "Not online: " in watched.err
    assert "demo/till-1" in watched.err


def test_another_version_begins_with_other_consoles(office: Office) -> None:
    office.do("console", "update", "--to", "1.1.0", "--percent", 25)
    first = set(states(office))
    office.do("console", "update", "--to", "1.2.0", "--percent", 25)
    rows = [line for line in office.do("console", "update").splitlines() if "1.2.0" in line]
    assert {row.split("│")[2].strip() for row in rows} != first


def test_a_console_gets_the_bundle_under_its_own_mac(office: Office) -> None:
    office.do("console", "update", "--to", "1.1.0", "--console", "demo/till-3")
    offer = offered(office, "till-3")
    assert offer["version"] == "1.1.0"
    wish = {"from": 0, "bytes": 1_000_000, "nonce": "5f5f"}
    answers = [message for _, message in say(office, "till-3", "reply", {"id": offer["id"], "ok": True, "fetch": wish})]
    code, content = answers[0], b""
    while len(content) < 10_000 and (pieces := answers[1:] if not content else fetch(office, offer, len(content))):
        assert sum(len(b64decode(piece["data"])) for piece in pieces) <= 4096
        for piece in pieces:
            assert piece["from"] == len(content)
            content += b64decode(piece["data"])
    manifest = content[: code["manifest_bytes"]]
    key = Keyring(office.database).get("demo", "till-3")
    assert key is not None
    expected = hmac.new(bytes.fromhex(key.key), b"firmware\n5f5f\n" + manifest, hashlib.sha256).hexdigest()
    assert code == {"id": offer["id"], "nonce": "5f5f", "manifest_bytes": len(manifest), "mac": expected}
    lines = manifest.decode().splitlines()
    assert lines[0] == "trivox-firmware 1.1.0"
    rest = content[len(manifest) :]
    for line in lines[1:]:
        digits, size, path = line.split()
        data, rest = rest[: int(size)], rest[int(size) :]
        assert (data, hashlib.sha256(data).hexdigest()) == (FILES[path], digits)
    assert not rest


def fetch(office: Office, offer: dict[str, Any], start: int) -> list[dict[str, Any]]:
    wish = {"from": start, "bytes": 4096}
    return [message for _, message in say(office, "till-3", "reply", {"id": offer["id"], "ok": True, "fetch": wish})]


def test_only_who_has_an_order_is_answered(office: Office) -> None:
    office.do("console", "update", "--to", "1.1.0", "--console", "demo/till-3")
    offer = offered(office, "till-3")
    ask = {"id": offer["id"], "ok": True, "fetch": {"from": 0, "bytes": 10}}
    assert say(office, "till-4", "reply", ask) == []
    assert say(office, "till-3", "reply", {**ask, "id": "u-other"}) == []
    assert len(say(office, "till-3", "reply", ask)) == 1
    assert say(office, "till-3", "reply", {**ask, "fetch": {"from": 1 << 40, "bytes": 10}}) == []
    assert "1 update stopped" in office.do("console", "update", "--stop")
    assert say(office, "till-3", "reply", ask) == []


def test_a_bundle_that_was_replaced_is_read_again(office: Office, tmp_path: Path) -> None:
    bundles = CheckedBundles(office.database)
    before = bundles.get("1.1.0").content
    assert bundles.get("1.1.0").content is before
    (office.database.with_name(f"{office.database.name}-firmware") / "1.1.0.bundle").unlink()
    office.do("firmware", "add", bundle(tmp_path, "1.1.0", {**FILES, "console/new.mpy": b"M"}))
    assert bundles.get("1.1.0").content != before


def test_orders_follow_health_messages_and_replies(office: Office) -> None:
    office.do("console", "update", "--to", "1.1.0", "--all")
    three, four, five = (offered(office, f"till-{number}") for number in (3, 4, 5))
    say(office, "till-3", "health", health("till-3", "1.1.0", on_trial=True)["payload"])
    assert states(office)["till-3"] == "trial"
    say(office, "till-3", "reply", {"id": three["id"], "ok": True})
    say(office, "till-4", "health", health("till-4", "1.1.0")["payload"])
    say(office, "till-5", "reply", {"id": five["id"], "ok": False, "reason": "no room in\x1b flash"})
    found = states(office)
    assert (found["till-3"], found["till-4"], found["till-5"], found["till-6"]) == ("done", "done", "failed", "waiting")
    assert "\x1b" not in office.do("console", "update")
    assert four["id"] != three["id"]


BACK = {"ok": False, "reason": "1.0.0 runs again", "trial_failed": True}


def fall_back(office: Office, console: str, *, is_asked: bool = True, is_signed: bool = True) -> str:
    """Have a console that was offered its update, and may have asked for a piece, say that its trial failed.

    Returns the state of its order.
    """
    offer = offered(office, console)
    if is_asked:
        say(office, console, "reply", {"id": offer["id"], "ok": True, "fetch": {"from": 0, "bytes": 10}})
    credentials = Keyring(office.database).get("demo", console)
    assert credentials is not None
    place = {"epoch": "0000abcd", "boot": 2, "up_ms": 900}
    said = words.reply(credentials.key if is_signed else None, id=offer["id"], **BACK, **place)
    say(office, console, "reply", said)
    return states(office)[console]


def test_only_consoles_that_prove_that_they_fell_back_stop_the_others(office: Office) -> None:
    office.do("console", "update", "--to", "1.1.0", "--all")
    assert fall_back(office, "till-3", is_asked=False) == "waiting", "it was sent nothing that it could have tried"
    for console in ("till-4", "till-5", "till-6"):
        assert fall_back(office, console, is_signed=False) == "returned"
    assert states(office)["till-9"] == "waiting", "what nobody proves stops nobody else"
    assert fall_back(office, "till-7") == "returned"
    assert states(office)["till-9"] == "waiting", "one console stops no other"
    say(office, "till-7", "reply", words.reply(None, id="u-0", **BACK))
    assert states(office)["till-9"] == "waiting"
    assert fall_back(office, "till-8") == "returned"
    assert states(office)["till-9"] == "stopped"
    assert "stopped, because 2 consoles fell back to their old version, the last of them demo/till-8" in facts.updates(
        office.database, "reason", console_id="till-9"
    )
    again = office.do("console", "update", "--to", "1.1.0", "--all")
    assert f"{CONSOLES - 5} consoles to be updated" in again
    assert "demo/till-7" in again


def test_what_a_console_says_moves_its_order_only_if_proved_once_it_proves_anything(office: Office) -> None:
    office.do("console", "update", "--to", "1.1.0", "--all")
    offer = offered(office, "till-3")
    say(office, "till-3", "reply", {"id": offer["id"], "ok": True, "fetch": {"from": 0, "bytes": 10}})
    key = Keyring(office.database).issue("demo", "till-3").key
    trial = {"epoch": "0000abcd", "boot": 2, "firmware": "1.1.0", "on_trial": True}
    say(office, "till-3", "health", words.health(key, **trial))
    for leaf, forged in (
        ("reply", words.reply(None, id=offer["id"], ok=True)),
        ("reply", words.reply("ab" * 32, id=offer["id"], **BACK, epoch="0000abcd", boot=3, up_ms=1)),
        ("health", words.health(None, **trial | {"firmware": "1.0.0", "faults": ["update"], "boot": 3})),
        ("health", words.health(None, **trial | {"on_trial": False, "boot": 3})),
    ):
        say(office, "till-3", leaf, forged)
        assert states(office)["till-3"] == "trial"
    say(office, "till-3", "reply", words.reply(key, id=offer["id"], ok=True, boot=2, up_ms=9000))
    assert states(office)["till-3"] == "done"


def test_an_offer_is_repeated_while_the_console_does_nothing(office: Office) -> None:
    office.do("console", "update", "--to", "1.1.0", "--console", "demo/till-3")
    offer = offered(office, "till-3")
    said = health("till-3")["payload"]
    assert say(office, "till-3", "health", said, NINE + 10_000) == []
    assert [message for _, message in say(office, "till-3", "health", said, NINE + 40_000)] == [offer]


def test_no_older_version_unasked_and_no_update_without_a_key(office: Office) -> None:
    office.take_messages([health("till-3", "2.0.0", NINE + 1), health("till-4", "1.1.0", NINE + 1)])
    Keyring(office.database).remove("demo", "till-5")
    told = office.do("console", "update", "--to", "1.1.0", "--all")
    assert f"{CONSOLES - 3} consoles to be updated" in told
    assert "Not demo/till-3: they run a newer version" in told
    assert "Not demo/till-4: they run it" in told
    assert "Not demo/till-5: they have no key" in told
    assert "1 console to be" in office.do("console", "update", "--to", "1.1.0", "--console", "demo/till-3", "--older")


def test_an_order_in_an_old_copy_of_the_database_takes_no_console_back(office: Office) -> None:
    office.do("console", "update", "--to", "1.1.0", "--all")
    said = health("till-3", "1.2.0")["payload"]
    assert say(office, "till-3", "health", said, NINE + 3_600_000) == []
    assert states(office)["till-3"] == "stopped"


def test_doctor_names_the_console_that_did_not_take_it(office: Office) -> None:
    office.do("console", "update", "--to", "1.1.0", "--console", "demo/till-3")
    assert "did not take" not in office.run("doctor").out
    say(office, "till-3", "reply", {"id": offered(office, "till-3")["id"], "ok": False, "reason": "no room in flash"})
    assert "Console demo/till-3 did not take firmware 1.1.0 (no room in flash)" in office.run("doctor").out


def test_a_bundle_that_is_gone_fails_only_the_order(office: Office) -> None:
    office.do("console", "update", "--to", "1.1.0", "--console", "demo/till-3")
    offer = offered(office, "till-3")
    (office.folder / "trivox.db-firmware" / "1.1.0.bundle").unlink()
    assert fetch(office, offer, 0) == []
    assert states(office) == {"till-3": "failed"}


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["--to", "9.9.9", "--all"], 1, "There is no firmware 9.9.9 here (1.1.0, 1.2.0)"),
        (["--to", "../1.1.0", "--all"], 1, "There is no firmware ../1.1.0 here"),
        (["--to", "1.1.0"], 2, "Say which consoles"),
        (["--all"], 2, "Give --to VERSION"),
        (["--to", "1.1.0", "--stop"], 2, "--to or --stop"),
        (["--to", "1.1.0", "--site", "nowhere"], 2, "There is no site nowhere"),
        (["--to", "1.1.0", "--percent", "0"], 2, "--percent"),
    ],
)
def test_wrong_usage_is_reported_in_one_sentence(words: list[str], status: int, sentence: str, office: Office) -> None:
    result = office.run("console", "update", *words)
    assert (result.status, result.err.count("\n")) == (status, 1)
    assert sentence in result.err
