"""The bridge accepts each valid example of events, and rejects each invalid one."""

import json
from typing import Any

import msgspec
import pytest

from bridge.wire import bridge_claim, contract
from tests.schema import schemas

SEQ = 100  # an event's own number, above the number of every survey in the examples
# Invalid only for consoles: the bridge accepts them.
ONLY_FOR_CONSOLES = {"events--too_many_events"}
ONLY_FOR_CONSOLES_REPLIES = {"reply--missing_reason", "reply--missing_up_ms"}

VALID = {f"{schema}--{name}": (schema, content) for schema, name, content in schemas.examples("valid")}
INVALID = {f"{schema}--{name}": (schema, content) for schema, name, content in schemas.examples("invalid")}


def of_kind(cases: dict[str, tuple[str, Any]], kinds: set[str]) -> list[Any]:
    return [pytest.param(content, id=name) for name, (schema, content) in cases.items() if schema in kinds]


def take(batch: Any) -> list[contract.AnyEvent]:
    """Judge a whole message as the bridge does. Raises Unreadable or Impossible if any part is invalid."""
    envelope = contract.read_batch(json.dumps(batch).encode())
    return [contract.parse_event(event, envelope.base + place) for place, event in enumerate(envelope.events)]


@pytest.mark.parametrize("content", of_kind(VALID, set(schemas.event_types())))
def test_the_bridge_accepts_a_valid_event(content: Any) -> None:
    event = contract.parse_event(json.dumps(content).encode(), SEQ)
    read = msgspec.to_builtins(event)
    assert {field: content[field] for field in content if field in read} == read


@pytest.mark.parametrize("content", of_kind(INVALID, set(schemas.event_types())))
def test_the_bridge_rejects_an_invalid_event(content: Any) -> None:
    with pytest.raises(contract.Impossible) as caught:
        contract.parse_event(json.dumps(content).encode(), SEQ)
    assert str(caught.value)


@pytest.mark.parametrize("content", of_kind(VALID, {"events"}))
def test_the_bridge_accepts_a_valid_batch(content: Any) -> None:
    assert len(take(content)) == len(content["events"])


@pytest.mark.parametrize(
    "content", of_kind({name: case for name, case in INVALID.items() if name not in ONLY_FOR_CONSOLES}, {"events"})
)
def test_the_bridge_rejects_an_invalid_batch_or_event_in_it(content: Any) -> None:
    with pytest.raises((contract.Unreadable, contract.Impossible)):
        take(content)


def test_the_bridge_accepts_a_longer_batch_than_consoles_send() -> None:
    for name in ONLY_FOR_CONSOLES:
        assert take(INVALID[name][1])


@pytest.mark.parametrize("content", of_kind(VALID, {"status"}))
def test_the_bridge_accepts_a_valid_status(content: Any) -> None:
    assert contract.read_status(json.dumps(content).encode()).state == content["state"]


@pytest.mark.parametrize("content", of_kind(VALID, {"health"}))
def test_the_bridge_accepts_valid_health(content: Any) -> None:
    health = contract.read_health(json.dumps(content).encode())
    assert health.settings_revision == content["settings_revision"]


@pytest.mark.parametrize("content", of_kind(VALID, {"reply"}))
def test_the_bridge_accepts_a_valid_reply(content: Any) -> None:
    reply = contract.read_reply(json.dumps(content).encode())
    assert (reply.id, reply.ok, reply.reason) == (content["id"], content["ok"], content.get("reason", ""))
    assert (reply.fetch is not None, reply.trial_failed) == ("fetch" in content, content.get("trial_failed", False))


@pytest.mark.parametrize(
    "content",
    of_kind({name: case for name, case in INVALID.items() if name not in ONLY_FOR_CONSOLES_REPLIES}, {"reply"}),
)
def test_the_bridge_rejects_an_invalid_reply(content: Any) -> None:
    with pytest.raises(contract.Unreadable):
        contract.read_reply(json.dumps(content).encode())


@pytest.mark.parametrize("content", of_kind(VALID, {"bridge"}))
def test_the_bridge_accepts_and_writes_a_valid_claim(content: Any) -> None:
    claim = bridge_claim.read_claim(json.dumps(content).encode())
    assert claim is not None
    assert json.loads(bridge_claim.write_claim(claim)) == content


@pytest.mark.parametrize("content", of_kind(INVALID, {"bridge"}))
def test_the_bridge_rejects_an_invalid_claim(content: Any) -> None:
    with pytest.raises(contract.Unreadable):
        bridge_claim.read_claim(json.dumps(content).encode())


def test_the_bridges_ack_obeys_its_schema() -> None:
    ack = json.loads(contract.ack_payload("9f2c1ab0", 42, 1763780009100))
    schemas.validator("ack").validate(ack)
    assert ack == {"epoch": "9f2c1ab0", "through": 42, "at_ms": 1763780009100}


def test_the_bridge_reads_the_topics_that_the_document_says() -> None:
    document = schemas.read(schemas.ROOT / "asyncapi.json")
    sent = {
        operation["channel"]["$ref"].rpartition("/")[2]
        for operation in document["operations"].values()
        if operation["action"] == "send"
    }
    assert sent == set(contract.LEAVES_TO_BRIDGE)
    for leaf in sent:
        topic = document["channels"][leaf]["address"].format(site_id="sofia-1", console_id="till_2")
        assert contract.read_topic(topic) == ("sofia-1", "till_2", leaf)
