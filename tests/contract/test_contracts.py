"""
The contracts are data with examples, what is published of them is current, and the checkers themselves are checked.
"""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker

from services.common.contracts import publish
from services.common.contracts.compatibility import incompatibilities
from services.common.contracts.envelope import TYPE_PREFIX, ContractError, decode
from services.common.contracts.ids import family_of
from services.common.contracts.topics import ALL_TOPICS, TOPICS_BY_NAME

TYPES = publish.event_types()
VALID = sorted(publish.EXAMPLES.glob("*/v1/*.json"))
INVALID = sorted(publish.EXAMPLES.glob("*/v1/invalid/*.json"))
HEADERS = {
    "ce_id": "0" * 32,
    "ce_source": "/example",
    "ce_specversion": "1.0",
    "ce_time": "2026-06-01T06:30:00Z",
}


def name_of(path: Path) -> str:
    return str(path.relative_to(publish.EXAMPLES))


def decoded(path: Path) -> Any:
    kind = path.relative_to(publish.EXAMPLES).parts[0]
    topic = next(topic for topic in ALL_TOPICS if kind in topic.by_type)
    value = json.loads(path.read_text(encoding="utf-8"))
    headers = HEADERS | {"ce_type": TYPE_PREFIX + kind}
    key = family_of(str(value.get(TYPES[kind].key_field, "")))
    return decode(topic.name, key.encode(), path.read_bytes(), [(k, v.encode()) for k, v in headers.items()])


def schema(path: Path) -> dict[str, Any]:
    kind = path.relative_to(publish.EXAMPLES).parts[0]
    found: dict[str, Any] = json.loads((publish.SCHEMAS / f"{kind}.v1.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_every_published_example_decodes_and_fits_its_schema(path: Path) -> None:
    decoded(path)
    jsonschema.validate(json.loads(path.read_text()), schema(path), cls=Draft202012Validator)


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_every_invalid_example_is_refused_by_the_model(path: Path) -> None:
    with pytest.raises(ContractError):
        decoded(path)


@pytest.mark.parametrize("path", [p for p in INVALID if p.stem != "time-without-zone"], ids=name_of)
def test_every_invalid_example_is_refused_by_the_schema_too(path: Path) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(path.read_text()), schema(path), cls=Draft202012Validator)


@pytest.mark.parametrize("path", [p for p in INVALID if p.stem == "time-without-zone"], ids=name_of)
def test_a_time_without_a_zone_is_refused_by_the_schema_that_checks_formats(path: Path) -> None:
    validator = Draft202012Validator(schema(path), format_checker=FormatChecker())
    assert not validator.is_valid(json.loads(path.read_text()))


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_every_type_has_valid_and_invalid_examples(kind: str) -> None:
    folder = publish.EXAMPLES / kind / "v1"
    assert list(folder.glob("*.json"))
    assert len(list((folder / "invalid").glob("*.json"))) >= 2


def test_no_example_stands_for_a_type_that_does_not_exist() -> None:
    assert {path.relative_to(publish.EXAMPLES).parts[0] for path in (*VALID, *INVALID)} == set(TYPES)


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_schemas_are_current(kind: str) -> None:
    committed = (publish.SCHEMAS / f"{kind}.v1.json").read_text(encoding="utf-8")
    assert committed == publish.schema_text(TYPES[kind]), "run `make contracts`"


def test_the_asyncapi_document_is_current_and_names_every_topic_once() -> None:
    committed = publish.ASYNCAPI.read_text(encoding="utf-8")
    assert committed == publish.asyncapi_text(), "run `make contracts`"
    assert set(yaml.safe_load(committed)["channels"]) == set(TOPICS_BY_NAME)


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = yaml.safe_load(publish.ASYNCAPI.read_text(encoding="utf-8"))

    def follow(node: Any) -> None:
        if isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str) and reference.startswith("#/"):
                found: Any = document
                for step in reference[2:].split("/"):
                    found = found[step]
            elif isinstance(reference, str):
                assert (publish.HERE / reference).exists()
            for child in node.values():
                follow(child)
        elif isinstance(node, list):
            for child in node:
                follow(child)

    follow(document)


@pytest.mark.parametrize("path", sorted(publish.RELEASED.glob("*.json")), ids=lambda path: path.name)
def test_what_was_written_under_the_released_schema_can_still_be_read(path: Path) -> None:
    released = json.loads(path.read_text(encoding="utf-8"))
    current = json.loads((publish.SCHEMAS / path.name).read_text(encoding="utf-8"))
    assert incompatibilities(released, current) == []


def _require(schema: dict[str, Any]) -> None:
    schema["required"].append("kind")


def _drop_word(schema: dict[str, Any]) -> None:
    schema["$defs"]["Channel"]["enum"].remove("sms")


def _retype(schema: dict[str, Any]) -> None:
    schema["properties"]["text"]["type"] = "integer"


def _repattern(schema: dict[str, Any]) -> None:
    schema["properties"]["request_id"]["pattern"] = "^x$"


def _tighten(schema: dict[str, Any]) -> None:
    schema["properties"]["text"]["maxLength"] = 10


def _tighten_deep(schema: dict[str, Any]) -> None:
    schema["$defs"]["Location"]["properties"]["lat"]["anyOf"][0]["maximum"] = 10


def _new_compulsory(schema: dict[str, Any]) -> None:
    schema["properties"]["new"] = {"type": "string"}
    schema["required"].append("new")


BREAKING = [_require, _drop_word, _retype, _repattern, _tighten, _tighten_deep, _new_compulsory]


@pytest.mark.parametrize("break_it", BREAKING, ids=lambda f: f.__name__)
def test_the_compatibility_check_sees_a_breaking_change(break_it: Callable[[dict[str, Any]], None]) -> None:
    released = publish.schema_of(TYPES["RequestReceived"])
    current = copy.deepcopy(released)
    break_it(current)
    assert incompatibilities(released, current)


def test_a_new_optional_field_and_a_new_word_are_no_breaking_change() -> None:
    released = publish.schema_of(TYPES["RequestReceived"])
    current = copy.deepcopy(released)
    current["properties"]["new"] = {"type": "string"}
    current["$defs"]["Channel"]["enum"].append("fax")
    assert incompatibilities(released, current) == []
