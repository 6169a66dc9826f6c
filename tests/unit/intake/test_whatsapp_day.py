"""
The recorded day of WhatsApp goes through parser and conversations with a clock of its own, twice in a row, and leads to
exactly the requests, replies and sayings that are written down.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

import pytest

from services.common.contracts import ids
from services.common.contracts.envelope import Record, decode
from services.common.contracts.events import MessageReceived
from services.common.contracts.vocabulary import Status
from services.intake.calls.people import OwnRequest
from services.intake.conversations import danger
from services.intake.conversations.domain import absorb
from services.intake.conversations.inbound import contact_of, message_of
from services.intake.conversations.model import Conversation, Known, Rules
from services.intake.conversations.timing import again, fetched, next_at, published, tick
from services.intake.conversations.whatsapp import parse
from tests.unit.intake.whatsapp_day import Day, Moment, bytes_of, numbers_of, outcome, recorded_day, rows_of

SECRET = b"0123456789abcdef"
RULES = Rules(SECRET)


class Play:
    """
    The conversations of a day, as the worker would have them if it were never late.

    A file whose id begins with ``LATER`` comes at the second try; ``GONE`` is not there, sound and film are refused.
    """

    def __init__(self, day: Day) -> None:
        self.day = day
        self.conversations: dict[str, Conversation] = {}
        self.names = numbers_of(day, SECRET)
        self.people: dict[str, str] = {}
        self.closed: dict[str, int] = {}  # by the name of the request
        self.records: list[Record] = []

    def number_of(self, name: str) -> str:
        return next(number for number, known in self.names.items() if known == name)

    def name_of(self, request_id: str) -> str:
        return self.names[request_id]

    def closing_of(self, name: str) -> int | None:
        return self.closed.get(name)

    def ours_of(self, name: str) -> str:
        return "wamid.OURS." + name.removeprefix("wamid.")

    def person_of(self, contact_id: str) -> str:
        return self.people[contact_id]

    def run(self) -> None:
        for moment in self.day.moments:
            self.advance(moment.at)
            self.take(moment)
        self.advance(None)

    def take(self, moment: Moment) -> None:
        if moment.closed is not None:
            self.closed[moment.closed] = moment.seq
            return
        for inbound in parse(bytes_of(moment.body, self), moment.at).messages:
            contact = contact_of(inbound, SECRET, moment.at)
            self.people[contact.contact_id] = contact.name or self.people.get(contact.contact_id, "")
            self.hear(message_of(inbound, SECRET, moment.at), moment.at)

    def hear(self, message: MessageReceived, now: datetime) -> None:
        conversation = self.of(message)
        self.put(absorb(conversation, message, self.known(conversation, message), now, RULES))

    def of(self, message: MessageReceived) -> Conversation | None:
        known_as = {message.person, message.replaces, *message.also}
        return next((one for one in self.conversations.values() if known_as & one.names(message.sent_at)), None)

    def known(self, conversation: Conversation | None, message: MessageReceived) -> Known:
        made = conversation.made if conversation else ()
        requests = {
            one.request_id: OwnRequest(
                one.request_id,
                Status.RESOLVED if self.name_of(one.request_id) in self.closed else Status.ASSIGNED,
                "fen-isleri",
                "yol-cukur",
                one.at,
                self.closing_of(self.name_of(one.request_id)),
            )
            for one in made
        }
        sent = {name: self.about(name) for name in message.reply_to if name.startswith("wamid.OURS.")}
        return Known(
            sent={name: number for name, number in sent.items() if number},
            requests=requests,
            own=frozenset(requests),
            danger=danger.tells_of_danger(message.text),
            place=danger.names_a_place(message.text),
        )

    def about(self, name: str) -> str | None:
        of = "wamid." + name.removeprefix("wamid.OURS.")
        return next((number for number, known in self.names.items() if known == of), None)

    def advance(self, until: datetime | None) -> None:
        """
        Let time pass until then (None: until nothing is due any more).
        """
        while due := min(self.due(), default=None):
            at, key = due
            if until is not None and at > until:
                return
            conversation = tick(self.conversations[key], at, RULES)
            self.put(self.fetch(conversation, at))

    def due(self) -> Iterator[tuple[datetime, str]]:
        for key, one in self.conversations.items():
            moments = list(filter(None, (next_at(one, RULES), one.fetch_at)))
            if moments:
                yield min(moments), key

    def fetch(self, conversation: Conversation, now: datetime) -> Conversation:
        for said in conversation.draft:
            for file in said.files:
                if file.provider_id is None or not file.waits or (file.again_at or now) > now:
                    continue
                if file.provider_id.startswith("LATER") and not file.tries:
                    conversation = again(conversation, said.id, file.provider_id, now)
                    continue
                of_kind = (file.mime_type or "").startswith(("image/", "application/pdf"))
                taken = of_kind and not file.provider_id.startswith("GONE")
                attachment = "a_" + ids.derived_id(file.provider_id) if taken else None
                conversation = fetched(conversation, said.id, file.provider_id, attachment, now, RULES)
        return conversation

    def put(self, conversation: Conversation) -> None:
        self.records += conversation.outbox
        self.conversations[conversation.id] = published(conversation, conversation)

    def outcome(self) -> dict[str, Any]:
        return outcome([decode(one.topic, one.key, one.value, one.headers).data for one in self.records], self)


@cache
def played() -> Play:
    play = Play(recorded_day())
    play.run()
    return play


def test_the_day_has_what_a_day_has() -> None:
    kinds = {row.get("type") for body in played().day.bodies for row in rows_of(body)}
    assert kinds >= {
        "text", "location", "image", "audio", "video", "document", "sticker", "interactive", "button", "reaction",
        "contacts", "order", "system", "edit", "revoke", "unsupported",
    }  # fmt: skip
    assert len(played().day.bodies) >= 80


@pytest.mark.parametrize("person", sorted(recorded_day().expected))
def test_the_day_leads_to_what_is_written_down_for_each_person(person: str) -> None:
    assert played().outcome().get(person) == recorded_day().expected[person]


def test_nobody_else_hears_of_it() -> None:
    assert set(played().outcome()) == set(recorded_day().expected)


def test_the_day_once_more_is_the_same_to_the_byte() -> None:
    again = Play(recorded_day())
    again.run()
    assert again.records == played().records


def test_all_bodies_once_more_behind_it_lead_to_nothing_more() -> None:
    play = Play(recorded_day())
    play.run()
    before = list(play.records)
    last = play.day.moments[-1].at
    for moment in play.day.moments:
        play.take(Moment(last, moment.body, moment.closed, moment.seq))
    play.advance(None)
    assert play.records == before
