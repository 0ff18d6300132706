"""Every schema is valid, every valid example passes, every invalid one fails for the reason in its name."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from tests.schema import schemas

# The first words of an invalid example's name, and the JSON Schema keywords that it may break.
FAULTS = {
    "missing": {"required"},
    "ill_typed": {"type"},
    "unknown": {"enum"},
    "malformed": {"pattern", "not"},
    "too_low": {"minimum"},
    "too_high": {"maximum"},
    "too_short": {"minLength"},
    "too_long": {"maxLength"},
    "too_few": {"minItems", "minProperties"},
    "too_many": {"maxItems", "maxProperties"},
    "contradicted": {"const", "enum"},
    "wrong": set(),  # breaks a rule that JSON Schema can't express: see the table in the README
}
VALID = schemas.examples("valid")
INVALID = schemas.examples("invalid")


def name_of(example: tuple[str, str, Any]) -> str:
    return f"{example[0]}--{example[1]}"


def fault_of(name: str) -> tuple[str, str]:
    """Return the kind of fault and the field, both from an example's name."""
    fault = next(fault for fault in FAULTS if name == fault or name.startswith(f"{fault}_"))
    return fault, name.removeprefix(fault).removeprefix("_")


def field_of(error: ValidationError) -> list[str]:
    """Return the field that an error is about, as a list of names."""
    path = [part for part in error.absolute_path if isinstance(part, str)]
    if error.validator == "required":
        path.append(next(field for field in error.validator_value if field not in error.instance))
    return path


@pytest.mark.parametrize("path", schemas.schema_files(), ids=lambda path: path.stem)
def test_a_schema_obeys_the_meta_schema_and_says_what_it_is(path: Path) -> None:
    schema = schemas.read(path)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(schema)
    assert schema["title"]
    assert schema["description"]


@pytest.mark.parametrize("path", schemas.schema_files(), ids=lambda path: path.stem)
def test_each_schema_but_the_shared_parts_has_examples_of_both_kinds(path: Path) -> None:
    if path.stem in {"common", "event"}:  # the examples of the others cover these
        return
    assert path.stem in {schema for schema, _, _ in VALID}
    assert path.stem in {schema for schema, _, _ in INVALID}


@pytest.mark.parametrize("example", VALID, ids=name_of)
def test_a_valid_example_passes(example: tuple[str, str, Any]) -> None:
    schema, _, content = example
    schemas.validator(schema).validate(content)
    if schema in schemas.event_types():
        schemas.validator("event").validate(content)


@pytest.mark.parametrize("example", INVALID, ids=name_of)
def test_an_invalid_example_fails_only_for_the_reason_in_its_name(example: tuple[str, str, Any]) -> None:
    schema, name, content = example
    fault, field = fault_of(name)
    errors = list(schemas.validator(schema).iter_errors(content))
    if fault == "wrong":
        assert not errors, "the schema can express this rule after all: name the example after it"
        return
    assert len(errors) == 1, errors
    assert errors[0].validator in FAULTS[fault]
    path = field_of(errors[0])
    endings = {"_".join(path[start:]) for start in range(len(path))} or {""}
    assert any(field.startswith(ending) for ending in endings), (field, path)


def test_each_required_field_of_an_event_has_an_example_without_it() -> None:
    shared = {"boot", "up_ms", "at_ms", "type"}
    for event_type in schemas.event_types():
        for field in set(schemas.read(schemas.path_of(event_type))["required"]) - shared:
            assert (event_type, f"missing_{field}") in {(schema, name) for schema, name, _ in INVALID}
