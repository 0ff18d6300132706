"""Test firmware bundles and update orders by their commands, and what the bridge sends to consoles."""

from __future__ import annotations

import hashlib
import hmac
import json
import zipfile
from base64 import b64decode
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bridge.admin.firmware_bundle import make_bundle, make_key, read_bundle, read_key
from bridge.admin.firmware_updates import CheckedBundles
from bridge.cli import main
from bridge.errors import TrivoxError
from bridge.keyring import Keyring
from bridge.store import open_store
from tests.bridge.office import Office, at
from tests.schema import schemas
from tests.support import facts, words
from tests.support.intake import take_in
from tests.support.seeds import seeded

NINE = at("2026-11-02T09:00+00:00")
FILES = {"console/app.mpy": b"app" * 1000, "console/version.mpy": b"v", "boards/pico_w.mpy": b"pins"}
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


def bundle(folder: Path, version: str, files: dict[str, bytes] | None = None, key: str = "release.key") -> Path:
    path = folder / f"{version}.bundle"
    path.write_bytes(make_bundle(version, files or FILES, read_key(folder / key)))
    return path


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


def refusal(office: Office, path: Path) -> str:
    result = office.run("firmware", "add", path)
    assert (result.status, result.err.count("\n")) == (1, 1)
    return result.err


def test_bad_bundles_are_refused(office: Office) -> None:
    folder = office.folder
    assert "A different firmware 1.1.0" in refusal(office, bundle(folder, "1.1.0", {"console/app.mpy": b"other"}))
    make_key(folder / "other.key")
    assert "not signed by a key" in refusal(office, bundle(folder, "1.3.0", key="other.key"))
    (folder / "text").write_text("no bundle", "utf-8")
    assert "is not a bundle, or is damaged" in refusal(office, folder / "text")
    assert "does not belong on a console" in refusal(office, bundle(folder, "1.3.0", {"main.py": b"print()"}))
    assert "cannot be read" in refusal(office, folder / "nothing")


MANIFESTS = [
    b"",
    b"trivox-firmware",
    b"trivox-firmware 1.3.0\nno digest\n",
    b"trivox-firmware 1.3.0\n" + b"0" * 64 + b" -1 console/app.mpy\n",
    b"trivox-firmware 1.3.0\n" + b"0" * 64 + b" 3000  console/app.mpy\n",
    "trivox-firmware 1.3.0\n\u202econsole/app.mpy\n".encode(),
    b"\xff\xfe",
]


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_a_malformed_manifest_is_damaged_though_it_is_signed(office: Office, manifest: bytes) -> None:
    path = office.folder / "malformed"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest", manifest)
        archive.writestr("signature", read_key(office.folder / "release.key").sign(manifest))
    assert "damaged" in refusal(office, path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_damaged_compressed_data_is_told(office: Office, compression: int) -> None:
    path = office.folder / "damaged"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("manifest", "trivox-firmware 1.3.0\n" * 100)
    data = bytearray(path.read_bytes())
    data[40:60] = bytes(20)
    path.write_bytes(data)
    assert "is not a bundle, or is damaged" in refusal(office, path)


def test_no_damage_to_a_bundle_goes_beyond_a_sentence(office: Office) -> None:
    path = bundle(office.folder, "1.3.0")
    whole = path.read_bytes()
    key = read_key(office.folder / "release.key").public_key()
    chance = seeded(12)
    for _ in range(2_000):
        data = bytearray(whole[: chance.choice([len(whole), chance.randrange(len(whole))])])
        for _ in range(chance.randrange(1, 8) if data else 0):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            found = read_bundle(path, bytes(data), [key])
        except TrivoxError:
            continue
        assert found == read_bundle(path, whole, [key])  # the damage lay where nothing is read


def test_a_bundle_with_another_file_in_it_is_damaged(office: Office) -> None:
    good = bundle(office.folder, "1.3.0")
    altered = office.folder / "altered"
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(altered, "w") as target:
        for name in source.namelist():
            target.writestr(name, b"other" if name == "console/version.mpy" else source.read(name))
    assert "console/version.mpy differs from its manifest" in refusal(office, altered)
    assert "1.3.0" in office.do("firmware", "add", good)
    assert office.do("firmware", "list").split() == ["1.1.0", "1.2.0", "1.3.0"]


def test_only_its_owner_may_read_a_key_and_it_is_never_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "release.key"
    assert main.run(["firmware", "key", str(key)]) == 0
    assert key.stat().st_mode & 0o777 == 0o600
    assert main.run(["firmware", "key", str(key)]) == 1
    assert "is there already" in capsys.readouterr().err
    key.chmod(0o644)
    assert main.run(["firmware", "build", "--key", str(key)]) == 1
    assert "can be read by others" in capsys.readouterr().err
    key.chmod(0o600)
    assert main.run(["firmware", "build", "--key", f"{key}.pub"]) == 1
    assert "is the public key, which bridges trust" in capsys.readouterr().err
    assert main.run(["firmware", "build", "--key", str(key), "--source", str(tmp_path)]) == 1
    assert "give the folder `firmware` of a clone" in capsys.readouterr().err


def test_a_bundle_of_this_clone_holds_the_firmware_except_what_starts_it(tmp_path: Path) -> None:
    make_key(tmp_path / "release.key")
    out = tmp_path / "it.bundle"
    assert main.run(["firmware", "build", "--key", str(tmp_path / "release.key"), "--out", str(out)]) == 0
    with zipfile.ZipFile(out) as file:
        names = set(file.namelist())
    assert {"console/app.mpy", "console/update.mpy", "boards/pico_w.mpy", "manifest", "signature"} <= names
    assert not any(name.startswith(("main", "boot", "slots")) for name in names)
