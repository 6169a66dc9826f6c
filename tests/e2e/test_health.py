"""
The page of health on the whole stack: what runs is seen, what stops is told, and a dead letter sent back from the page
is handled.
"""

import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest
from kafka import KafkaProducer

from deploy.stack.stack import Stack
from services.common.contracts.envelope import encode
from services.common.contracts.ids import random_request_id
from services.common.contracts.topics import GROUPS, RECEIVED
from services.common.kit.dead_letters import dead_letter
from services.common.kit.worker import Delivery
from tests.builders import meta_of, request
from tests.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def admin(stack: Stack) -> Iterator[httpx.Client]:
    """
    The browser of the administrator.
    """
    with httpx.Client(base_url=stack.env["REPORTING_URL"], timeout=20) as browser:
        mark = re.search(r'name="_form" value="([^"]+)"', browser.get("/sign-in").text)
        assert mark
        fields = {"user": "admin", "password": stack.env["PEOPLE_PASSWORD"], "_form": mark[1]}
        assert browser.post("/sign-in", data=fields).status_code == 303
        yield browser


def texts(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text[:300]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def test_all_processes_groups_and_senders_are_seen(admin: httpx.Client) -> None:
    def look() -> str | None:
        seen = texts(admin.get("/health/now?lang=en"))
        return seen if "not ready" not in seen and "No process is in" not in seen else None

    seen = eventually(look)
    for name in ("intake", "notify-api", "intake-worker", "intake-mail", "routing", "notify", "projector"):
        assert f"{name} Ready" in seen
    for group in GROUPS:
        assert re.search(rf"\b{group} 1 \d+ ", seen), group
    for sender in ("email", "sms", "whatsapp"):
        assert f"{sender} Up" in seen
    assert "Figures complete until –" not in seen


def test_a_letter_sent_back_from_the_page_is_handled(stack: Stack, admin: httpx.Client) -> None:
    data = request(random_request_id())
    record = encode(RECEIVED, meta_of(data), data)
    delivery = Delivery(record.topic, 0, 0, record.key, record.value, record.headers)
    letter = dead_letter("routing.dlq", delivery, ValueError("of an older version"))
    with KafkaProducer(bootstrap_servers=stack.env["KAFKA_BOOTSTRAP_SERVERS"]) as producer:
        sent = producer.send(letter.topic, value=letter.value, key=letter.key, headers=list(letter.headers))
        offset = sent.get(30).offset
    assert eventually(lambda: re.search(r"routing 1 .*?\d+ waiting", texts(admin.get("/health/now?lang=en"))))
    page = admin.get(f"/health/letters/routing/{offset}")
    csrf = re.search(r'name="_csrf" value="([^"]+)"', page.text)
    assert csrf
    answer = admin.post("/health/letters/routing/replay", data={"offset": offset, "_csrf": csrf[1]})
    assert answer.status_code == 303
    path = f"/v1/requests/{data.request_id}"
    key = {"X-API-Key": stack.env["API_KEY"]}
    assert eventually(lambda: httpx.get(stack.env["REPORTING_URL"] + path, headers=key, timeout=15).is_success)
    audit = texts(admin.get("/audit?what=letters_sent_back&lang=en"))
    assert "Dead letters sent back" in audit
    assert f"routing.dlq {offset}" in audit
