"""Read the schemas and examples as an outsider would, with a validator that knows nothing of Trivox."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

ROOT = Path(__file__).parents[2] / "schema"
EXAMPLES = ROOT / "examples"


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def schema_files() -> list[Path]:
    return sorted(path for path in [*ROOT.glob("*.json"), *ROOT.glob("events/*.json")] if path.name != "asyncapi.json")


@cache
def _registry() -> Registry:
    """Return all schemas by their files, with the references within them resolved once and not at each look-up."""
    return Registry().with_resources((p.as_uri(), Resource.from_contents(read(p))) for p in schema_files()).crawl()


def event_types() -> list[str]:
    return sorted(path.stem for path in ROOT.glob("events/*.json"))


def path_of(name: str) -> Path:
    """Return the file of a schema by the name that its examples use."""
    return ROOT / "events" / f"{name}.json" if name in event_types() else ROOT / f"{name}.json"


@cache
def validator(name: str) -> Draft202012Validator:
    """Return a validator of payloads; references are resolved from the schema's own folder."""
    return Draft202012Validator({"$ref": path_of(name).as_uri()}, registry=_registry())


def examples(kind: str) -> list[tuple[str, str, Any]]:
    """Return (name of schema, name of example, content) of all examples, `kind` being `valid` or `invalid`."""
    all_examples = []
    for path in sorted((EXAMPLES / kind).glob("*.json")):
        schema, _, name = path.stem.partition("--")
        all_examples.append((schema, name, read(path)))
    return all_examples
