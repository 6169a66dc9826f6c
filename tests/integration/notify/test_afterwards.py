"""
After a message left the house, on the real database: what providers report, asked or not, early, twice and late.
"""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from services.common.contracts.envelope import decode, encode
from services.common.contracts.events import DeliveryReported, Event, MessageReceived, MessageWanted, Option
from services.common.contracts.ids import grouped, random_request_id
from services.common.contracts.topics import MESSAGES_IN, MESSAGES_OUT
from services.common.contracts.vocabulary import Channel, DeliveryStatus, MessageKind, NotifyVia, Saying, Wish
from services.common.kit.mongo import Client
from services.common.kit.worker import Delivery
from services.notify import gathering
from services.notify.channels.base import PermanentError, Report
from services.notify.domain import State
from services.notify.ledger import key_of
from tests.integration.notify.scene import AskedProvider, Scene
from tests.unit.notify.lives import CONTACT, NOON, REQUEST, assigned, closed, contact, delivery, meta, registered

pytestmark = pytest.mark.integration
PERSON = "7" * 32
WHATSAPP = contact(email=None, whatsapp_id="905321112233", phone="+905321112233", whatsapp_hash=PERSON)


def message(event: Event) -> Delivery:
    """
    The event as the worker's loop hands it on.
    """
    topic = MESSAGES_IN if isinstance(event, MessageReceived) else MESSAGES_OUT
    record = encode(topic, meta(event), event)
    received = decode(record.topic, record.key, record.value, record.headers)
    return Delivery(record.topic, 0, 0, record.key, record.value, record.headers, received)


def reported(status: DeliveryStatus, key: str | None, provider_id: str = "wamid.1") -> Delivery:
    """
    What WhatsApp says of a message.
    """
    return message(
        DeliveryReported(
            person=PERSON,
            channel=Channel.WHATSAPP,
            provider_id=provider_id,
            key_sent=key,
            status=status,
            reported_at=NOON,
        )
    )


def received(number: int = 1, wish: Wish | None = None, minutes: float = 0) -> Delivery:
    """
    What the citizen wrote on WhatsApp.
    """
    return message(
        MessageReceived(
            message_id=f"{number:032x}",
            provider_id=f"wamid.in.{number}",
            channel=Channel.WHATSAPP,
            person=PERSON,
            contact_id=CONTACT,
            kind=MessageKind.TEXT,
            text="DUR" if wish else "Çöp alınmadı",
            wish=wish,
            sent_at=NOON + timedelta(minutes=minutes),
            received_at=NOON + timedelta(minutes=minutes),
            adapter="whatsapp",
        )
    )


def wanted(number: int = 9, say: Saying = Saying.WHICH) -> Delivery:
    """
    What intake wants said.
    """
    return message(
        MessageWanted(
            wanted_id=f"{number:032x}",
            person=PERSON,
            contact_id=CONTACT,
            channel=Channel.WHATSAPP,
            say=say,
            options=(Option(id=f"req:{REQUEST}", request_id=REQUEST, service_code="cop-alinmadi"), Option(id="new")),
            answers="wamid.in.1",
            wanted_at=NOON,
            until=NOON + timedelta(minutes=10),
        )
    )


def kinds(house: Scene, transition: str = "received", request_id: str = REQUEST) -> list[str]:
    """
    What was published of a transition.
    """
    return sorted(kind for kind, _, _ in house.outcomes(request_id).get(transition, ()))


async def test_statuses_come_twice_and_out_of_order_and_are_said_once(house: Scene) -> None:
    await house.notifier.handle([delivery(WHATSAPP), delivery(registered()), delivery(assigned())])
    await house.run_dry()
    ((key, _, _),) = house.provider.taken
    for status in (DeliveryStatus.READ, DeliveryStatus.SENT, DeliveryStatus.READ, DeliveryStatus.DELIVERED):
        await house.notifier.handle([reported(status, key)])
    await house.run_dry()
    assert kinds(house) == ["Read", "Sent"]


async def test_a_report_that_is_faster_than_our_own_note_waits_for_its_message(house: Scene) -> None:
    await house.notifier.handle([delivery(WHATSAPP), delivery(registered()), delivery(assigned())])
    _, hands = await house.notifier.take()
    own = key_of(REQUEST, hands[0].row)
    await house.notifier.handle(
        [reported(DeliveryStatus.DELIVERED, None, own), reported(DeliveryStatus.READ, None, "x")]
    )
    assert len(await house.repository.early_reports(10)) == 2
    await house.notifier.fly(hands)
    await house.notifier.afterwards.again()
    assert [one.provider_id for one in (await house.repository.early_reports(10)).values()] == ["x"]
    await house.run_dry()
    assert kinds(house) == ["Delivered", "Sent"]


async def test_early_reports_are_found_page_by_page_each_once(house: Scene) -> None:
    for minutes in (0, 1):
        house.clock.now = NOON + timedelta(minutes=minutes)
        await house.notifier.handle([reported(DeliveryStatus.READ, None, f"{minutes}.{n}") for n in range(5)])
    found, last = [], None
    while page := await house.repository.early_reports(3, last):
        found += [one.provider_id for one in page.values()]
        *_, last = page
    assert [name[0] for name in found] == ["0"] * 5 + ["1"] * 5
    assert len(set(found)) == 10


async def test_a_late_failure_goes_on_by_sms_as_attempt_two(house: Scene) -> None:
    await house.notifier.handle([delivery(WHATSAPP), delivery(registered()), delivery(assigned())])
    await house.run_dry()
    ((key, _, _),) = house.provider.taken
    await house.notifier.handle([reported(DeliveryStatus.FAILED, key)] * 2)
    await house.run_dry()
    rows = [row for row in (await house.telling()).rows if row.transition == "received"]
    assert [(row.attempt, row.channel, row.state) for row in rows] == [
        (1, NotifyVia.WHATSAPP, State.SENT),
        (2, NotifyVia.SMS, State.SENT),
    ]
    assert len({key for key, _, _ in house.provider.taken}) == len(house.provider.taken) == 2
    assert kinds(house) == ["Failed", "Sent", "Sent"]


async def test_what_whatsapp_refuses_for_good_goes_on_by_sms(house: Scene) -> None:
    house.provider.fail_with = [PermanentError("131026", elsewhere=True)]
    await house.notifier.handle([delivery(WHATSAPP), delivery(registered()), delivery(assigned())])
    await house.run_dry()
    assert [to for _, to, _ in house.provider.taken] == ["+905321112233"]
    assert kinds(house) == ["Failed", "Sent"]


async def test_a_provider_that_has_to_be_asked_is_asked(client: Client, database: str) -> None:
    house = Scene(client, database, AskedProvider())
    await house.repository.prepare()
    await house.notifier.handle([delivery(WHATSAPP), delivery(registered()), delivery(assigned())])
    await house.run_dry()
    ((key, _, _),) = house.provider.taken
    house.clock.advance(timedelta(minutes=1))
    assert await house.notifier.afterwards.ask_once()
    assert not await house.notifier.afterwards.ask_once()
    house.provider.knows[key] = Report(DeliveryStatus.DELIVERED)
    house.clock.advance(timedelta(minutes=2))
    await house.notifier.afterwards.ask_once()
    await house.run_dry()
    assert kinds(house) == ["Delivered", "Sent"]
    assert (await house.telling()).ask_at is None


async def test_what_is_said_in_a_conversation_is_sent_once_and_nothing_is_published(
    house: Scene, client: Client, database: str
) -> None:
    await house.notifier.handle([delivery(WHATSAPP), received(), wanted(), wanted()])
    await house.notifier.handle([wanted()])
    telling = f"m_{9:032x}"
    await house.run_dry(telling)
    (letter,) = house.provider.letters
    assert (letter.free, letter.answers) == (True, "wamid.in.1")
    assert [choice.id for choice in letter.message.choices] == [f"req:{REQUEST}", "new"]
    assert house.kafka.records == []
    stored = await client[database]["tellings"].find_one({"_id": telling})
    assert stored is not None
    assert stored["gone_on"] - datetime.now(UTC) < timedelta(days=8), "it is kept for a week, not for three months"


async def test_who_wrote_stop_is_not_written_to_until_they_write_start(house: Scene) -> None:
    await house.notifier.handle([delivery(WHATSAPP), received(1, Wish.STOP), delivery(closed())])
    await house.run_dry()
    assert (await house.telling()).rows[0].reason == "stopped"
    await house.notifier.handle([received(2, Wish.START, minutes=1), received(1, Wish.STOP), delivery(closed(2))])
    await house.run_dry()
    assert len(house.provider.taken) == 1


async def test_the_window_is_open_for_a_day_after_the_last_message(house: Scene) -> None:
    await house.notifier.handle([delivery(WHATSAPP), received(), delivery(closed())])
    await house.run_dry()
    house.clock.advance(timedelta(hours=25))
    await house.notifier.handle([delivery(closed(2))])
    await house.run_dry()
    assert [letter.free for letter in house.provider.letters] == [True, False]
    assert house.provider.letters[1].thread == (house.provider.letters[0].key,)


async def test_the_days_number_holds_for_the_person_whatever_the_request_and_the_batch(house: Scene) -> None:
    ids = [random_request_id() for _ in range(6)]
    await house.notifier.handle([delivery(WHATSAPP), *(delivery(closed(request_id=key)) for key in ids)])
    for _ in range(2):
        _, hands = await house.notifier.take()
        await house.notifier.fly(hands)
    rows = [row for one in (await house.repository.tellings(ids)).values() for row in one.rows]
    assert sorted(row.held or "" for row in rows) == ["", "", "", "", "daily_limit", "daily_limit"]
    assert len(house.provider.taken) == 4


@pytest.mark.parametrize("died_after", ["nothing", "carry", "promise", "take"])
async def test_what_waited_for_one_morning_is_one_message_wherever_we_died(house: Scene, died_after: str) -> None:
    ids = await morning(house)
    tellings = await house.repository.tellings(ids)
    now, contacts = house.clock.now, await house.repository.contacts([CONTACT])
    plan = gathering.plan(tellings.values(), contacts, now)
    if died_after in ("carry", "promise"):
        tellings |= await house.repository.change(plan, partial(gathering.carry, plan=plan, now=now))
    if died_after == "promise":
        by = gathering.carriers(tellings.values())
        await house.repository.change(ids[1:2], partial(gathering.promise, by=by, now=now))
    if died_after == "take":
        while not (await house.notifier.take())[1]:
            pass
    for key in ids:
        await house.run_dry(key)
    ((_, _, text),) = house.provider.taken
    assert all(grouped(key) in text.text for key in ids)
    assert [kinds(house, "closed", key) for key in ids] == [["Sent"], ["Suppressed"], ["Suppressed"]]
    rows = [(await house.telling(key)).rows[0] for key in ids]
    assert [row.superseded_by for row in rows] == [None, f"{ids[0]}/closed", f"{ids[0]}/closed"]


async def test_what_a_refused_message_would_have_told_is_told_by_the_next(house: Scene) -> None:
    ids = await morning(house)
    house.provider.fail_with = [PermanentError("refused")]
    for key in ids:
        await house.run_dry(key)
    assert [kinds(house, "closed", key) for key in ids] == [["Failed"], ["Sent"], ["Suppressed"]]
    ((_, _, text),) = house.provider.taken
    assert [grouped(key) in text.text for key in ids] == [False, True, True]


async def morning(house: Scene) -> list[str]:
    """
    Three requests of one person that were closed at night, when the quiet hours are over.
    """
    night = NOON + timedelta(hours=11)
    house.clock.now = night
    ids = sorted(random_request_id() for _ in range(3))
    closings = [delivery(closed(request_id=key, occurred_at=night)) for key in ids]
    await house.notifier.handle([delivery(contact()), *closings])
    await house.notifier.take()
    house.clock.now = NOON + timedelta(hours=20)
    return ids
