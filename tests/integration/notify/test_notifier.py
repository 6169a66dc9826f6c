"""
Notify on the real database: repeats, crashes and races end in one outcome a message.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.common.contracts.ids import random_request_id
from services.common.contracts.vocabulary import Outcome, Status
from services.common.kit.mongo import Client
from services.common.kit.publisher import PublishFailed
from services.common.kit.worker import Delivery
from services.notify.channels.base import PermanentError, TemporaryError
from tests.integration.notify.scene import Scene
from tests.unit.notify.lives import (
    CONTACT,
    EVENTS,
    NOON,
    REQUEST,
    TOLD,
    assigned,
    closed,
    contact,
    delivery,
    escalated,
    registered,
    tombstone,
)

pytestmark = pytest.mark.integration


async def test_a_request_is_told_once_with_its_department(house: Scene) -> None:
    batch = [delivery(event) for event in (contact(), registered(), assigned())]
    await house.notifier.handle(batch)
    await house.run_dry()
    ((_, to, message),) = house.provider.taken
    assert to == "ayse@example.com"
    assert "Temizlik İşleri Müdürlüğü" in message.text
    assert {t: {kind for kind, _, _ in o} for t, o in house.outcomes().items()} == {
        "received": {"Sent"},
        "assigned": {"Suppressed"},
    }
    await house.notifier.handle(batch)
    await house.run_dry()
    assert len(house.provider.taken) == 1


async def test_a_contact_that_comes_late_releases_its_message_at_once(house: Scene) -> None:
    await house.notifier.handle([delivery(registered()), delivery(assigned())])
    assert await house.repository.parked() == 1
    assert (await house.notifier.take())[1] == []
    await house.notifier.handle([delivery(contact())])
    _, hands = await house.notifier.take()
    await house.notifier.fly(hands)
    assert len(house.provider.taken) == 1
    assert await house.repository.parked() == 0


async def test_an_erased_contact_is_gone_from_the_database_and_an_older_one_does_not_bring_it_back(
    house: Scene, client: Client, database: str
) -> None:
    await house.notifier.handle([delivery(contact(name="Ayşe", phone="+905321112233"))])
    await house.notifier.handle([tombstone()])
    await house.notifier.handle([delivery(contact())])
    stored = await client[database]["contacts"].find_one({"_id": CONTACT})
    assert stored is not None
    assert set(stored) == {"_id", "at", "erased"}
    await house.notifier.handle([delivery(contact(changed_at=NOON + timedelta(hours=2)))])
    assert (await house.repository.contacts([CONTACT]))[CONTACT].email == "ayse@example.com"


async def test_a_newer_contact_stays_when_an_older_one_is_repeated(house: Scene) -> None:
    newer = contact(changed_at=NOON + timedelta(minutes=1), email="new@example.com")
    await house.notifier.handle([delivery(newer)])
    await house.notifier.handle([delivery(contact())])
    assert (await house.repository.contacts([CONTACT]))[CONTACT].email == "new@example.com"


async def test_a_lost_answer_of_kafka_repeats_the_same_bytes(house: Scene) -> None:
    await house.notifier.handle([delivery(event) for event in (contact(), registered(), assigned())])
    house.kafka.lose = 1
    with pytest.raises(PublishFailed):
        await house.notifier.outbox.publish_once()
    await house.run_dry()
    assert len(house.kafka.records) > len({record.headers for record in house.kafka.records})
    assert len({record.headers for record in house.kafka.records}) == len(set(house.kafka.records))
    assert all(len(found) == 1 for found in house.outcomes().values())


@pytest.mark.parametrize(
    ("errors", "kind", "taken"),
    [
        ([TemporaryError("smtp_451")], "Sent", 1),
        ([PermanentError("refused")], "Failed", 0),
        ([RuntimeError("a bug")], "Sent", 1),
        ([TemporaryError("away")] * 100, "Failed", 0),
    ],
)
async def test_what_a_provider_does_ends_in_one_outcome(
    house: Scene, errors: list[Exception], kind: str, taken: int
) -> None:
    house.provider.fail_with = list(errors)
    await house.notifier.handle([delivery(event) for event in (contact(), registered(), assigned())])
    await house.run_dry()
    ((found, _, _),) = house.outcomes()["received"]
    assert (found, len(house.provider.taken)) == (kind, taken)


async def test_staff_are_written_to_by_mail_from_the_file_and_need_no_contact(house: Scene) -> None:
    await house.notifier.handle([delivery(registered(contact_id="contact:none")), delivery(escalated())])
    await house.run_dry()
    ((_, to, message),) = house.provider.taken
    assert to == "mudur.temizlik-isleri@example.org"
    assert "Temizlik İşleri Müdürlüğü aşağıdaki başvuruyu henüz üstlenmedi" in message.text
    assert {t: {kind for kind, _, _ in o} for t, o in house.outcomes().items()} == {
        "received": {"Suppressed"},
        "escalated.15": {"Sent"},
    }


async def test_staff_of_an_unknown_department_are_a_failure_and_the_rest_goes_on(house: Scene) -> None:
    events = [contact(), registered(), assigned(), escalated(department="uzay-isleri"), escalated(seq=16)]
    await house.notifier.handle([delivery(event) for event in events])
    await house.run_dry()
    assert {t: {kind for kind, _, _ in o} for t, o in house.outcomes().items()} == {
        "received": {"Sent"},
        "assigned": {"Suppressed"},
        "escalated.15": {"Failed"},
        "escalated.16": {"Sent"},
    }


async def test_two_writers_of_one_telling_lose_nothing(house: Scene) -> None:
    await house.notifier.handle([delivery(contact())])
    await asyncio.gather(*(house.notifier.handle([delivery(event)]) for event in EVENTS))
    telling = await house.telling()
    assert {row.transition for row in telling.rows} == TOLD
    assert telling.rev == len(TOLD)


async def test_two_processes_never_have_one_message_in_hand(house: Scene) -> None:
    ids = [random_request_id() for _ in range(20)]
    events = [event.model_copy(update={"request_id": key}) for key in ids for event in (registered(), assigned())]
    await house.notifier.handle([delivery(contact()), *(delivery(event) for event in events)])
    taken = await asyncio.gather(*(house.notifier.take() for _ in range(4)))
    hands = [hand.telling.request_id for _, some in taken for hand in some]
    assert sorted(hands) == sorted(ids)


async def test_the_loops_send_and_publish_by_themselves(client: Client, database: str) -> None:
    house = Scene(client, database)
    await house.repository.prepare()
    loops = [asyncio.create_task(one()) for one in (house.notifier.deliver, house.notifier.outbox.run)]
    try:
        await house.notifier.handle([delivery(event) for event in (contact(), registered(), assigned())])
        house.clock.advance(timedelta(seconds=2))
        async with asyncio.timeout(10):
            while len(house.outcomes()) < 2 or (await house.telling()).outbox:  # noqa: ASYNC110 - it lies in the database
                await asyncio.sleep(0.01)
    finally:
        for loop in loops:
            loop.cancel()
    assert len(house.provider.taken) == 1


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("handle"), st.lists(st.sampled_from([*EVENTS, contact()]), min_size=1, max_size=4)),
        st.tuples(st.just("send"), st.sampled_from(["well", "crash", "away", "refused"])),
        st.tuples(st.just("publish"), st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from([1, 60])),
    ),
    max_size=8,
)


async def test_any_order_any_crash_on_the_real_database(client: Client, database: str) -> None:
    """
    50 lives, each of its own request, on one database: one outcome a transition, in one version.
    """
    house = Scene(client, database)
    await house.repository.prepare()
    lives: list[list[tuple[str, object]]] = []

    @settings(max_examples=25, database=None, suppress_health_check=list(HealthCheck))
    @given(STEPS)
    def collect(steps: list[tuple[str, object]]) -> None:
        lives.append(steps)

    collect()
    for steps in lives:
        await live(house, steps, random_request_id())


async def live(house: Scene, steps: list[tuple[str, object]], request_id: str) -> None:
    who = "c_" + request_id.lower().encode().hex()[:26] + "0" * 6
    names = {"request_id": request_id, "contact_id": who}

    def mine(event: object) -> Delivery:
        data = event.model_copy(update={k: v for k, v in names.items() if k in type(event).model_fields})  # type: ignore[attr-defined]
        return delivery(data)

    house.clock.now = NOON
    for step in steps:
        match step:
            case ("handle", list(events)):
                await house.notifier.handle([mine(event) for event in events])
            case ("send", how):
                _, hands = await house.notifier.take()
                if how == "crash":  # nobody wrote down what became of it
                    continue
                errors: dict[str, list[Exception]] = {"away": [TemporaryError("a")], "refused": [PermanentError("b")]}
                house.provider.fail_with = errors.get(str(how), [])
                await house.notifier.fly(hands)
                house.provider.fail_with = []
            case ("publish", lost):
                house.kafka.lose = int(bool(lost))
                with suppress(PublishFailed):
                    await house.notifier.outbox.publish_once()
                house.kafka.lose = 0
            case ("wait", seconds):
                house.clock.advance(timedelta(seconds=int(str(seconds))))
    await house.notifier.handle([mine(event) for event in [contact(), *EVENTS]])
    await house.run_dry(request_id)
    outcomes = house.outcomes(request_id)
    assert outcomes.keys() == TOLD, steps
    assert all(len(found) == 1 for found in outcomes.values()), steps
    assert (await house.telling(request_id)).outbox == ()


async def test_a_row_read_back_is_the_row_that_was_written(house: Scene) -> None:
    referral = {"body": "SASKİ", "on": "2026-06-01", "reference": "2026/4411"}
    referred = closed(3, status=Status.REFERRED, outcome=Outcome.REFERRED, referred_to=referral)
    await house.notifier.handle([delivery(contact()), *(delivery(event) for event in [*EVENTS, referred])])
    stored = await house.telling()
    again = replace(stored, rev=stored.rev)
    await house.repository.change([REQUEST], lambda _: replace(again, publish_at=NOON))
    assert (await house.telling()).rows == stored.rows
    (row,) = (row for row in stored.rows if row.transition == "closed.3")
    assert str(row.facts.written_on) == "2026-06-01"
    assert (await house.telling()).outbox == stored.outbox
