"""The AsyncAPI document agrees with the README's table of topics, and all its references resolve."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.wire.bridge_claim import is_claim_topic
from tests.schema import schemas

DOCUMENT = schemas.read(schemas.ROOT / "asyncapi.json")
README = (schemas.ROOT / "README.md").read_text(encoding="utf-8")

# Leaf: what the console (or the source of counts) does with it, QoS, retained.
TOPICS = {
    "events": ("send", 1, False),
    "ack": ("receive", 1, False),
    "status": ("send", 1, True),
    "health": ("send", 0, True),
    "settings": ("receive", 1, True),
    "command": ("receive", 1, False),
    "reply": ("send", 1, False),
    "firmware": ("receive", 1, False),
    "counts": ("send", 1, False),
}


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolve(reference: str, document: Any, folder: Path) -> Any:
    """Return what a reference in a document of this folder refers to. Raises KeyError or FileNotFoundError."""
    file, _, pointer = reference.partition("#")
    node = schemas.read(folder / file) if file else document
    for part in pointer.split("/")[1:]:
        node = node[part]
    return node


@pytest.mark.parametrize(
    "path", [*schemas.schema_files(), schemas.ROOT / "asyncapi.json"], ids=lambda path: str(path.stem)
)
def test_every_reference_resolves(path: Path) -> None:
    document = schemas.read(path)
    for reference in references(document):
        assert resolve(reference, document, path.parent), reference


@pytest.mark.parametrize("leaf", TOPICS)
def test_each_leaf_has_its_channel_operation_and_payload(leaf: str) -> None:
    action, qos, retained = TOPICS[leaf]
    channel = DOCUMENT["channels"][leaf]
    assert channel["address"] == f"trivox/v1/{{site_id}}/{{console_id}}/{leaf}"
    assert set(re.findall(r"\{(\w+)\}", channel["address"])) == set(channel["parameters"])
    operation = DOCUMENT["operations"][f"{action}_{leaf}"]
    assert operation["action"] == action
    assert operation["channel"] == {"$ref": f"#/channels/{leaf}"}
    assert operation["bindings"]["mqtt"] == {"qos": qos, "retain": retained, "bindingVersion": "0.2.0"}
    message = resolve(channel["messages"][leaf]["$ref"], DOCUMENT, schemas.ROOT)
    assert message["payload"]["schema"] == {"$ref": f"./{leaf}.json"}


def test_bridges_have_a_channel_among_themselves() -> None:
    channel = DOCUMENT["channels"]["bridge"]
    assert is_claim_topic(channel["address"].format(identity="5f0c93d2a1b4e687"))
    message = resolve(channel["messages"]["bridge"]["$ref"], DOCUMENT, schemas.ROOT)
    assert message["payload"]["schema"] == {"$ref": "./bridge.json"}


def test_there_are_no_other_leaves() -> None:
    assert list(DOCUMENT["channels"]) == [*TOPICS, "bridge"]
    assert list(DOCUMENT["operations"]) == [f"{action}_{leaf}" for leaf, (action, _, _) in TOPICS.items()]
    assert list(DOCUMENT["components"]["messages"]) == [*TOPICS, "bridge"]
    assert schemas.read(schemas.path_of("serial_line"))["pattern"].startswith(f"^(hello|{'|'.join(TOPICS)})\\t")


def test_the_last_will_is_the_retained_status() -> None:
    binding = DOCUMENT["components"]["serverBindings"]["console"]["mqtt"]
    assert binding["clientId"] == "trivox-{site_id}-{console_id}-{hardware_id}"
    assert (binding["cleanSession"], binding["keepAlive"]) == (True, 30)
    will = binding["lastWill"]
    assert (will["topic"], will["qos"], will["retain"]) == ("trivox/v1/{site_id}/{console_id}/status", 1, True)


def test_the_readme_has_the_same_table_of_topics() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) → \w+ \| (\d) \| (yes|no) \| \[\1\.json\]", README, re.MULTILINE)
    table = {leaf: ("receive" if way == "bridge" else "send", int(qos), kept == "yes") for leaf, way, qos, kept in rows}
    assert table == TOPICS


def test_the_readme_names_every_schema_and_no_other() -> None:
    named = set(re.findall(r"\]\(([\w/]+\.json)\)", README))
    assert named == {str(path.relative_to(schemas.ROOT)) for path in schemas.schema_files()}


def test_the_readme_names_every_rule_beyond_the_schemas() -> None:
    named = set(re.findall(r"`(\w+--wrong_\w+)`", README))
    assert named == {f"{schema}--{name}" for schema, name, _ in schemas.examples("invalid") if name.startswith("wrong")}
