"""
The published form of the contracts: one JSON Schema a type, one AsyncAPI 3 document. Tests prove both current.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from services.common.contracts.envelope import CONTENT_TYPE, TYPE_PREFIX
from services.common.contracts.events import Event
from services.common.contracts.topics import ALL_TOPICS, Topic

HERE = Path(__file__).parent
SCHEMAS = HERE / "schemas"
RELEASED = SCHEMAS / "released"
EXAMPLES = HERE / "examples"
ASYNCAPI = HERE / "asyncapi.yaml"

_SENDERS = {
    "requests.received": "intake",
    "requests.updates": "intake",
    "contacts": "intake",
    "crises": "intake",
    "calls": "intake",
    "messages.inbound": "intake",
    "messages.outbound": "intake",
    "requests.commands": "routing",
    "requests.lifecycle": "routing",
    "requests.dept": "routing",
    "notifications.lifecycle": "notify",
    "updates.dept": "a department's own system",
}


def event_types() -> dict[str, type[Event]]:
    """
    Every event type that some topic carries, by its plain name.
    """
    return {name: model for topic in ALL_TOPICS for name, model in topic.by_type.items()}


def schema_of(model: type[Event]) -> dict[str, Any]:
    """
    The JSON Schema a consumer may rely on. Unknown fields are allowed: a later producer may add some.
    """

    def opened(node: Any) -> Any:
        if isinstance(node, dict):
            closed = node.get("additionalProperties") is False
            return {k: opened(v) for k, v in node.items() if not (closed and k == "additionalProperties")}
        return [opened(item) for item in node] if isinstance(node, list) else node

    schema: dict[str, Any] = opened(model.model_json_schema())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{TYPE_PREFIX}{model.__name__}",
        **schema,
    }


def schema_text(model: type[Event]) -> str:
    """
    The schema as it stands in the file.
    """
    return json.dumps(schema_of(model), ensure_ascii=False, indent=2) + "\n"


def _channel(topic: Topic) -> dict[str, Any]:
    kafka: dict[str, Any] = {"topic": topic.name, "partitions": topic.partitions}
    config: dict[str, Any] = {"cleanup.policy": [topic.cleanup], "max.message.bytes": topic.max_message_bytes}
    if topic.retention_ms is not None:
        config["retention.ms"] = topic.retention_ms
    return {
        "address": topic.name,
        "title": topic.title,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in topic.by_type},
        "bindings": {"kafka": {**kafka, "topicConfiguration": config}},
    }


def _message(name: str, model: type[Event]) -> dict[str, Any]:
    names = ("ce_id", "ce_type", "ce_source", "ce_specversion", "ce_time", "ce_subject", "traceparent")
    headers: dict[str, Any] = {header: {"type": "string"} for header in (*names, "correlation-id", "causation-id")}
    headers["ce_type"] = {"type": "string", "const": TYPE_PREFIX + name}
    headers["ce_specversion"] = {"type": "string", "const": "1.0"}
    return {
        "name": name,
        "title": name,
        "summary": " ".join((model.__doc__ or "").strip().split("\n\n")[0].split()),
        "contentType": CONTENT_TYPE,
        "headers": {"type": "object", "properties": headers, "required": list(headers)[:5]},
        "bindings": {"kafka": {"key": {"type": "string", "description": model.key_field}}},
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./schemas/{name}.v1.json"},
        },
    }


def asyncapi() -> dict[str, Any]:
    """
    The AsyncAPI 3 document of all topics, with who writes each.
    """
    operations = {}
    for topic in ALL_TOPICS:
        sender = next((who for prefix, who in _SENDERS.items() if topic.name.startswith(prefix)), None)
        if sender is not None:
            operations[f"send.{topic.name}"] = {
                "action": "send",
                "channel": {"$ref": f"#/channels/{topic.name}"},
                "summary": f"Written by {sender} alone.",
            }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "İLKİM events",
            "version": "1.0.0",
            "description": "CloudEvents 1.0, Kafka binary content mode. A topic may hold an event twice (same ce_id, "
            "same bytes), never in two versions. Consumers ignore unknown fields.",
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {"kafka": {"host": "127.0.0.1:8092", "protocol": "kafka", "description": "development"}},
        "channels": {topic.name: _channel(topic) for topic in ALL_TOPICS},
        "operations": operations,
        "components": {"messages": {name: _message(name, model) for name, model in event_types().items()}},
    }


def asyncapi_text() -> str:
    """
    The document as it stands in the file.
    """
    return yaml.safe_dump(asyncapi(), allow_unicode=True, sort_keys=False, width=110)


def write_all() -> None:
    """
    Write schemas and AsyncAPI; released schemas are never touched (copy them by hand on a release).
    """
    for name, model in event_types().items():
        (SCHEMAS / f"{name}.v1.json").write_text(schema_text(model), encoding="utf-8")
    ASYNCAPI.write_text(asyncapi_text(), encoding="utf-8")
