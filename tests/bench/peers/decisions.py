"""
What a peer does with a record, the same for all of them.

``core``: routing's own pure core, as our worker has it: decode and check, decide, encode three records. ``constant``:
read the JSON, look into a dictionary, write one record: what the framework passes when deciding costs nothing.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import orjson

from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import decode
from services.common.contracts.topics import RECEIVED
from services.common.contracts.vocabulary import TRIAGE_DEPARTMENT
from services.routing.__main__ import rules_of
from services.routing.case import Case
from services.routing.domain import decide
from services.routing.opinions import read_classifier
from services.routing.settings import RoutingSettings

SOURCE: Final = RECEIVED.name
OUT: Final = "bench.out"

Headers = Sequence[tuple[str, bytes]]
Out = tuple[bytes, bytes, Headers]
"""Key, value, headers."""
Decide = Callable[[bytes, bytes, Headers], Iterable[Out]]


def core() -> Decide:
    """
    Routing's core with the rules and the model that are in use; every request is one that nobody has seen before.
    """
    settings = RoutingSettings()
    rules = replace(rules_of(settings), model=read_classifier(settings.model_file))

    def decided(key: bytes, value: bytes, headers: Headers) -> Iterable[Out]:
        received = decode(SOURCE, key, value, headers)
        case = decide(Case(received.data.key), received, at=datetime.now(UTC), rules=rules)
        return [(record.key, record.value or b"", record.headers) for record in case.to_publish()]

    return decided


def constant() -> Decide:
    """
    The department of the service that the sender names, else the desk.
    """
    departments = {code: service.department for code, service in catalogue().services.items()}

    def decided(key: bytes, value: bytes, headers: Headers) -> Iterable[Out]:
        body = orjson.loads(value)
        department = departments.get(body.get("service_code", ""), TRIAGE_DEPARTMENT)
        return [(key, orjson.dumps({"request_id": body["request_id"], "department": department}), ())]

    return decided


DECISIONS: Final = {"core": core, "constant": constant}


def arguments() -> tuple[str, Decide, str]:
    """
    The brokers, the decision, and a name for the group, from the command line.
    """
    servers, decision = sys.argv[1:]
    return servers, DECISIONS[decision](), f"bench-{sys.argv[0].rpartition('/')[2]}-{decision}"
