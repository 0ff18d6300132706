"""What a console says about itself moves nothing unless its own key proves it: through files of recorded messages."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bridge.wire.signature import verify_word
from tests.bridge.office import Office
from tests.support import facts, planted, words
from tests.support.words import batch, booted, health, status

EXAMPLES = Path(__file__).parents[3] / "schema" / "examples" / "valid"
TILL = "demo/till-1"
OTHER_KEY = "ab" * 32
NOBODYS = 2_147_483_646  # a revision that leaves room for no more than one
SECOND_MS = 1000


def key_of(office: Office) -> str:
    """Return the key of the console."""
    path = office.folder / f"{office.database.name}-keys" / f"{TILL}.json"
    return str(json.loads(path.read_text())["key"])


class Shop(NamedTuple):
    """An office with the console demo/till-1, and its key."""

    office: Office
    key: str

    def hear(self, *said: tuple[str, str], ago_s: int = 0) -> None:
        """Take in words, each (leaf, payload), received a second after each other, the last of them `ago_s` ago."""
        end_ms = time.time_ns() // 1_000_000 - ago_s * SECOND_MS
        self.office.take_messages(
            [
                {
                    "topic": f"trivox/v1/demo/till-1/{leaf}",
                    "payload": payload,
                    "received_at_ms": end_ms - (len(said) - place) * SECOND_MS,
                }
                for place, (leaf, payload) in enumerate(said, 1)
            ]
        )

    def listed(self) -> dict[str, Any]:
        """Return the console as `console list` shows it."""
        consoles: list[dict[str, Any]] = json.loads(self.office.do("console", "list", "--json"))
        return consoles[0]

    def rules(self) -> dict[str, str]:
        return {found["rule"]: found["health"] for found in self.listed()["signs"]}

    def sent(self) -> list[int]:
        return facts.settings_sent(self.office.database, "revision")


@pytest.fixture
def shop(office: Office) -> Shop:
    office.do("console", "enroll", TILL)
    return Shop(office, key_of(office))


@pytest.mark.parametrize("leaf", ["status", "health", "reply"])
def test_the_vectors_of_the_schema_hold(leaf: str) -> None:
    payload, key = (EXAMPLES / f"{leaf}--with_mac.json").read_bytes(), bytes(range(32))
    assert verify_word(leaf, payload, key)
    assert words.word(leaf, {k: v for k, v in json.loads(payload).items() if k != "mac"}, key.hex()) == payload.decode()
    assert not verify_word(leaf, payload.replace(b'"boot": 17', b'"boot": 18'), key)
    assert not verify_word("events", payload, key)
    assert not verify_word(leaf, payload, key[::-1])


FORGERIES: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "unsigned": lambda _key, said: health(None, **said),
    "signed with another key": lambda _key, said: health(OTHER_KEY, **said),
    "the MAC of another leaf": lambda key, said: words.word("status", words.HEALTH | said, key),
    "the MAC of another message": lambda key, said: health(key, **said).replace('"rssi": -61', '"rssi": -62'),
    "a MAC that is not last": lambda key, said: health(key, **said)[:-1] + ', "more": 1}',
    "a MAC that is no text": lambda _key, said: health(None, **said)[:-1] + ', "mac": 1}',
    "not later than the last": lambda key, said: health(key, **said | {"boot": 2, "up_ms": 5000}),
    "of an earlier start": lambda key, said: health(key, **said | {"boot": 1, "up_ms": 900_000}),
    "of an epoch that nothing proves": lambda key, said: health(key, **said | {"epoch": "00000001", "boot": 1}),
    "without a place": lambda key, said: words.word("health", {**said, "boot": None, "epoch": words.EPOCH}, key),
}


@pytest.mark.parametrize("forged", FORGERIES.values(), ids=list(FORGERIES))
def test_a_word_without_proof_moves_nothing(shop: Shop, forged: Callable[[str, dict[str, Any]], str]) -> None:
    shop.hear(
        ("status", status(shop.key, boot=2, up_ms=4000)), ("health", health(shop.key, boot=2, up_ms=5000)), ago_s=3600
    )
    before = shop.listed()
    assert before["firmware"] == "1.0.0"
    assert before["words_proved_at_ms"]
    said = {"boot": 9, "up_ms": 2**50, "firmware": "6.6.6", "faults": ["flash"], "settings_revision": 900}
    said |= {"hardware_id": "another", "at_ms": 5, "outbox": {"first": 1, "next": 4000}}
    shop.hear(("health", forged(shop.key, said)), ("status", status(None, boot=9, up_ms=2**50)))
    after = shop.listed()
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"health", "rule", "reason", "signs"}
    assert after["health"] == "red"
    assert {"silent", "words_not_proved"} <= shop.rules().keys(), "the forgery keeps nobody green, and is told"
    assert "which its key does not prove" in shop.office.do("doctor")
    shop.office.do("settings", "set", "--all", "survey_window_ms=9000")
    assert shop.sent() == [1]
    shop.hear(("health", health(shop.key, boot=2, up_ms=65_000, rssi=-50)))
    assert shop.listed()["rssi_dbm"] == -50, "nobody locks the console itself out"
    assert "silent" not in shop.rules()


def test_a_will_that_somebody_forged_holds_until_the_console_is_heard(shop: Shop) -> None:
    shop.hear(("health", health(shop.key)), ("status", status(None, state="offline")))
    assert shop.listed()["online"] is False
    shop.hear(("health", health(shop.key, up_ms=61_000)))
    assert shop.listed()["online"] is True


def test_a_reply_follows_the_order_of_the_console_it_comes_from(shop: Shop) -> None:
    shop.hear(("health", health(shop.key, boot=3)), ("reply", words.reply(shop.key, id="c", ok=True, boot=2, up_ms=1)))
    assert facts.word_macs(shop.office.database, "mac", "words") == [(1, 1), (4, 1)]
    shop.hear(("reply", words.reply(shop.key, id="c", ok=True, boot=3, up_ms=2000)))
    assert facts.word_macs(shop.office.database, "mac", "words") == [(1, 2), (4, 1)]


def test_a_wiped_console_is_believed_once_it_has_signed_an_event_of_its_new_epoch(shop: Shop) -> None:
    new = {"epoch": "0000000b", "boot": 1}
    shop.hear(("health", health(shop.key, boot=17, up_ms=9000)), ("health", health(shop.key, **new, up_ms=1, rssi=-11)))
    assert shop.listed()["rssi_dbm"] == -61
    shop.hear(
        ("events", batch(shop.key, 1, booted(), epoch="0000000b")),
        ("health", health(shop.key, **new, up_ms=2, rssi=-12)),
    )
    assert shop.listed()["rssi_dbm"] == -12
    shop.hear(("health", health(shop.key, boot=17, up_ms=9000)), ("health", health(shop.key, boot=16, up_ms=99_000)))
    assert shop.listed()["rssi_dbm"] == -12, "what was recorded under the old epoch proves nothing"
    shop.hear(("health", health(shop.key, boot=18, up_ms=1, rssi=-13)))
    assert shop.listed()["rssi_dbm"] == -13, "but the old epoch may go on, as after flash that failed for a while"


def test_the_first_word_after_a_wipe_is_believed_with_the_first_proved_event(shop: Shop) -> None:
    shop.hear(("health", health(shop.key, boot=17)), ("events", batch(shop.key, 1, booted(17))), ago_s=60)
    shop.hear(("status", status(None, state="offline")))
    new = {"epoch": "0000000b", "boot": 1, "up_ms": 1}
    shop.hear(("status", status(shop.key, **new)), ("events", batch(shop.key, 1, booted(), epoch="0000000b")))
    assert (shop.listed()["online"], shop.rules()) == (True, {})
    assert facts.word_macs(shop.office.database, "mac", "words") == [(1, 2), (4, 1)]


def test_who_had_a_key_cannot_blind_the_console_that_gets_a_new_one(shop: Shop) -> None:
    highest = {"boot": 2**53, "up_ms": 2**53}
    shop.hear(("events", batch(shop.key, 1, booted())), ("health", health(shop.key, **highest)), ago_s=60)
    shop.hear(("health", health(shop.key, boot=7)))
    assert shop.rules()["words_not_proved"] == "red"
    assert f"`trivox console enroll --renew {TILL}`" in shop.office.do("doctor")
    shop.office.do("console", "enroll", TILL)
    assert shop.listed()["words_proved_at_ms"], "the same key proves what it proved"
    shop.office.do("console", "enroll", "--renew", TILL)
    assert shop.listed()["words_proved_at_ms"] is None
    renewed = key_of(shop.office)
    shop.hear(("health", health(shop.key, **highest)), ("health", health(renewed, boot=7, firmware="1.2.0")))
    assert (shop.listed()["firmware"], shop.rules()) == ("1.2.0", {"words_not_proved": "red"})


def test_a_recording_of_events_shows_nobody_to_be_there(shop: Shop) -> None:
    shop.hear(("events", batch(shop.key, 1, booted())), ("health", health(shop.key)), ago_s=3600)
    shop.hear(("events", batch(shop.key, 1, booted())), ("events", batch(None, 2, booted())))
    assert "silent" in shop.rules()
    shop.hear(("events", batch(shop.key, 3, booted(2))))
    assert "silent" not in shop.rules()


def test_older_firmware_is_shown_and_told_but_proves_nothing(shop: Shop) -> None:
    shop.hear(("events", batch(shop.key, 1, booted())), ("health", health(None, settings_revision=7, rssi=-50)))
    assert (shop.listed()["rssi_dbm"], shop.listed()["health"]) == (-50, "amber")
    assert shop.rules() == {"words_not_signed": "amber"}
    assert "so its health is not proved" in shop.office.do("doctor")
    shop.office.do("settings", "set", "--all", "survey_window_ms=9000")
    assert shop.sent() == [1], "what nobody proves moves no settings"
    shop.hear(("health", health(shop.key, firmware="1.2.0", settings_revision=7)))
    assert (shop.listed()["health"], shop.sent()) == ("green", [1, 8])


def test_a_console_that_goes_back_to_older_firmware_is_shown_again(shop: Shop) -> None:
    shop.hear(("health", health(shop.key, boot=2, firmware="1.2.0")), ("events", batch(shop.key, 1, booted(2))))
    assert shop.rules() == {}
    shop.hear(("health", health(None, boot=3)), ("events", batch(None, 2, booted(3))))
    assert shop.listed()["firmware"] == "1.2.0", "nobody else can say that it went back"
    shop.hear(("events", batch(shop.key, 3, booted(3))), ("health", health(None, boot=3, firmware="1.0.0")))
    assert shop.listed()["firmware"] == "1.0.0"
    assert "words_not_signed" in shop.rules()
    shop.hear(("health", health(shop.key, boot=3, up_ms=9000, firmware="1.2.0")))
    shop.hear(("health", health(None, boot=3)))
    assert shop.listed()["firmware"] == "1.2.0", "it signs again"


@pytest.mark.parametrize("revision", [NOBODYS, NOBODYS + 1, 1_002, 2**40])
@pytest.mark.parametrize("enrolled", [True, False])
def test_a_revision_far_above_those_sent_is_ignored_and_told(shop: Shop, revision: int, *, enrolled: bool) -> None:
    if not enrolled:
        shop.office.do("console", "revoke", "demo/till-1")
    key = shop.key if enrolled else None
    shop.hear(("health", health(key)))
    shop.office.do("settings", "set", "--all", "survey_window_ms=9000")
    shop.hear(("health", health(key, up_ms=2000, settings_revision=revision)))
    assert "revision_ignored" in shop.rules()
    assert f"Settings revision {revision} was reported" in shop.office.do("doctor")
    shop.office.do("settings", "set", "--all", "survey_window_ms=8000")
    assert shop.sent() == [1, 2]
    shop.hear(("health", health(key, up_ms=3000, settings_revision=1_002)))
    shop.office.do("settings", "set", "--all", "survey_window_ms=7000")
    assert shop.sent() == [1, 2, 1_003, 1_004], "within 1,000 of the highest sent, settings count on"


@pytest.mark.parametrize("proof", [None, OTHER_KEY])
def test_settings_applied_without_proof_move_nothing(shop: Shop, proof: str | None) -> None:
    applied = {"boot": 1, "up_ms": 400, "at_ms": None, "type": "settings_applied", "revision": 900}
    shop.hear(("events", batch(proof, 1, booted(), applied)))
    shop.office.do("settings", "set", "--all", "survey_window_ms=9000")
    assert shop.sent() == [1]
    shop.hear(("events", batch(shop.key, 3, applied)), ("health", health(shop.key)))
    assert shop.sent() == [1, 901]


@pytest.mark.parametrize("sent", [[], [12], [12, NOBODYS + 1]])
def test_a_database_in_which_somebody_ended_settings_recovers(office: Office, sent: list[int]) -> None:
    planted.settings_ended(office.database, NOBODYS, sent)
    office.do("settings", "set", "--all", "survey_window_ms=9000")
    office.do("settings", "set", "--all", "survey_window_ms=8000")
    found = facts.settings_sent(office.database, "revision", "payload", published=0)
    assert [(revision, json.loads(payload)["survey_window_ms"]) for revision, payload in found] == [
        (min(max([*sent, 0]) + 2, NOBODYS + 1), 8000)
    ], "where a console was sent the highest revision of all, it takes other content under the same"
    assert json.loads(found[0][1])["revision"] == found[0][0]
