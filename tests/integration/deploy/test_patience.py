"""
A stack whose patience is short: parked updates are refused after 2 s, a worker stops after 3 dead letters in a row.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from kafka import KafkaProducer

from deploy.department import talk
from deploy.stack.stack import Stack
from services.common.contracts.envelope import encode
from services.common.contracts.ids import random_request_id
from services.common.contracts.topics import RECEIVED
from tests.builders import meta_of, request, update
from tests.conftest import KIND
from tests.ports import free_port_base
from tests.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.long]
PATIENCE = {"ROUTING_PARKING": "PT2S", "ROUTING_SWEEP": "PT0.2S", "WORKER_MAX_CONSECUTIVE_DEAD_LETTERS": "3"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("run"), free_port_base(), KIND)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in PATIENCE.items():
                patch.setenv(name, value)
            stack.up()
        yield stack
    finally:
        stack.down(wipe=True)


def asked(stack: Stack, method: str, path: str, **body: Any) -> httpx.Response:
    return httpx.request(
        method,
        f"{stack.env['INTAKE_URL']}{path}",
        headers={"X-API-Key": stack.env["API_KEY"]},
        json=body or None,
        timeout=15,
    )


def result(stack: Stack, request_id: str, update_id: str) -> dict[str, Any]:
    answer = asked(stack, "GET", f"/v1/requests/{request_id}/updates/{update_id}")
    return dict(answer.json()) if answer.is_success else {"result": answer.status_code}


def test_an_update_of_an_unknown_request_waits_is_refused_and_says_so_over_http(stack: Stack) -> None:
    number = random_request_id()
    taken = asked(stack, "POST", f"/v1/requests/{number}/updates", action="accept", department="zabita")
    assert taken.status_code == 202
    over_http = taken.json()["update_id"]
    assert result(stack, number, over_http)["result"] == "pending"
    refused = eventually(lambda: _settled(result(stack, number, over_http)))
    assert (refused["result"], refused["reason"], refused["seq"]) == ("refused", "unknown_request", 0)


def test_an_update_by_a_departments_own_system_is_unknown_to_http_until_routing_has_decided(stack: Stack) -> None:
    number, servers = random_request_id(), stack.env["KAFKA_BOOTSTRAP_SERVERS"]
    with talk.Inbox(servers, "zabita") as inbox:
        inbox.begin_at_the_end()
        own = update(number, "accept", None, update_id="1")
        talk.publish(servers, talk.update_record("zabita", own))
        assert result(stack, number, "1")["result"] in (404, "refused")
        answer = talk.wait_for_answer(inbox, own, 45)
    assert answer is not None
    assert talk.verdict(answer) == (False, "refused: unknown_request: no such request came in")
    assert eventually(lambda: result(stack, number, "1")["result"] == "refused")


def test_a_request_that_comes_in_time_takes_the_update_that_waited(stack: Stack) -> None:
    number, servers = random_request_id(), stack.env["KAFKA_BOOTSTRAP_SERVERS"]
    talk.publish(servers, talk.update_record("fen-isleri", update(number, "accept", None, update_id="1")))
    data = request(number, received_at=datetime.now(UTC))
    record = encode(RECEIVED, meta_of(data), data)
    with KafkaProducer(bootstrap_servers=servers) as producer:
        producer.send(record.topic, record.value, record.key, list(record.headers)).get(30)
    assert eventually(lambda: _settled(result(stack, number, "1")))["result"] == "applied"


def test_a_worker_that_gets_nothing_but_junk_stops_and_its_health_says_why(stack: Stack) -> None:
    health = f"http://127.0.0.1:{stack.config.port('routing')}"
    with KafkaProducer(bootstrap_servers=stack.env["KAFKA_BOOTSTRAP_SERVERS"]) as producer:
        for _ in range(4):
            producer.send(RECEIVED.name, value=b"junk", key=b"k").get(30)
    answer = eventually(lambda: _not_ready(health))
    assert answer["stopped_because"] == "3 dead letters in a row"
    assert answer["ready"] is False
    assert httpx.get(f"{health}/healthz", timeout=15).status_code == 200, "a restart in a loop would help nobody"
    os.kill(stack.pid("routing") or 0, 15)  # a person looked, and restarts it: the junk is still there
    assert eventually(lambda: _not_ready(health))["stopped_because"] == "3 dead letters in a row"


def _settled(found: dict[str, Any]) -> dict[str, Any] | None:
    return found if found["result"] in ("applied", "refused") else None


def _not_ready(health: str) -> dict[str, Any] | None:
    try:
        answer = httpx.get(f"{health}/readyz", timeout=15)
    except httpx.TransportError:
        return None
    found = dict(answer.json())
    return found if answer.status_code == 503 and "stopped_because" in found else None
