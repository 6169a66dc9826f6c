"""
What routing reads from a department's own topic: the topic says whose it is, not the payload.
"""

import pytest

from services.common.contracts.envelope import Received, Record, encode
from services.common.contracts.events import UpdateSubmitted
from services.common.contracts.ids import random_request_id
from services.common.contracts.topics import UPDATES, Topic, department_updates_topic
from services.common.kit.errors import Rejected
from services.common.kit.worker import Delivery
from services.routing.handler import MAX_UPDATE_BYTES, decode
from tests.builders import meta_of, update

OWN = department_updates_topic("zabita")


def delivered(topic: Topic, data: UpdateSubmitted) -> Received:
    record = encode(topic, meta_of(data), data)
    return decode(Delivery(record.topic, 0, 0, record.key, record.value, record.headers))


@pytest.mark.parametrize("claimed", [None, "fen-isleri", "zabita", "yok-boyle"])
def test_the_department_is_the_topics_whatever_the_payload_claims(claimed: str | None) -> None:
    data = delivered(OWN, update(random_request_id(), "accept", claimed)).data
    assert isinstance(data, UpdateSubmitted)
    assert data.department == "zabita"


def test_an_id_used_on_one_departments_topic_is_not_used_up_for_another() -> None:
    one = update(random_request_id(), "accept")
    ids = {delivered(department_updates_topic(slug), one).meta.id for slug in ("zabita", "fen-isleri")}
    assert len(ids | {delivered(UPDATES, one).meta.id}) == 3


def test_what_a_small_system_leaves_out_of_the_envelope_is_made_up_for() -> None:
    one = update(random_request_id(), "accept")
    meta = decode(bare(encode(OWN, meta_of(one), one))).meta
    assert (meta.subject, meta.correlation_id) == (one.request_id, one.request_id)


def bare(record: Record) -> Delivery:
    needed = {"ce_id", "ce_type", "ce_source", "ce_specversion", "ce_time"}
    headers = tuple((name, value) for name, value in record.headers if name in needed)
    return Delivery(record.topic, 0, 0, record.key, record.value, headers)


def test_an_update_that_would_burst_its_case_is_refused_before_it_gets_there() -> None:
    with pytest.raises(Rejected, match="at most"):
        delivered(OWN, update(random_request_id(), "resolve", note_public="x" * MAX_UPDATE_BYTES))
