"""
Several requests with news for one morning: one message, the others say which.
"""

from dataclasses import replace
from datetime import timedelta

from services.common.contracts.vocabulary import Language, NotifyVia
from services.notify import gathering, sending
from services.notify.domain import Carried, Contact, Reason, Row, State, Telling
from services.notify.gathering import Plan
from services.notify.samples import HOUSE
from services.notify.sending import Handed, Refused
from tests.unit.notify.lives import CONTACT, closed, scheduled
from tests.unit.notify.mornings import IDS, MORNING, TEXTS, held
from tests.unit.notify.tellings import AYSE, RULES, after, row

HERS = {CONTACT: AYSE}
NAME = f"{IDS[0]}/closed"


def planned(tellings: list[Telling], contact: Contact = AYSE) -> Plan:
    return gathering.plan(tellings, {CONTACT: contact}, MORNING)


def carrying() -> Telling:
    """
    The first request's closing, as it might carry the two others.
    """
    tellings = [held(key) for key in IDS]
    return gathering.carry(tellings[0], planned(tellings), MORNING)


def promised(request_id: str) -> Telling:
    """
    The closing of a request, promised to the first's.
    """
    return gathering.promise(held(request_id), gathering.carriers([carrying()]), MORNING)


def on_its_way() -> Telling:
    """
    The first request's closing in hand, with what the second is.
    """
    taken = sending.take(carrying(), HERS, "t", MORNING, RULES)
    return gathering.keep(taken, "t", {IDS[1]: promised(IDS[1]), IDS[2]: held(IDS[2])})


def followed(carrier: Telling, request_id: str = IDS[1]) -> Row:
    """
    What becomes of a promised closing.
    """
    return row(gathering.follow(promised(request_id), {IDS[0]: carrier}, MORNING), "closed")


def test_the_oldest_carries_the_others() -> None:
    tellings = {key: held(key, minutes) for key, minutes in zip(IDS, (5, 0, 9), strict=True)}
    plan = planned(list(tellings.values()))
    assert plan.keys() == {IDS[1]}
    carrier = gathering.carry(tellings[IDS[1]], plan, MORNING)
    assert [one.request_id for one in row(carrier, "closed").carries] == [IDS[0], IDS[2]]
    assert gathering.carry(carrier, plan, MORNING) is carrier
    assert planned([carrier, tellings[IDS[0]], tellings[IDS[2]]]) == {}


def test_before_its_time_and_alone_nothing_is_put_together() -> None:
    tellings = [held(key) for key in IDS]
    assert gathering.plan(tellings, HERS, MORNING - timedelta(seconds=1)) == {}
    assert planned(tellings[:1]) == {}


def test_only_what_goes_to_one_address_in_one_language_is_put_together() -> None:
    other = "c_" + "1" * 32
    mine, theirs = held(IDS[0]), held(IDS[1])
    theirs = replace(theirs, rows=(replace(row(theirs, "closed"), recipient=other),))
    for contact in (
        replace(AYSE, email="ali@example.com"),
        replace(AYSE, language=Language.EN),
        replace(AYSE, notify_via=NotifyVia.PHONE),
        replace(AYSE, notify_via=NotifyVia.NONE),
        Contact(other, MORNING, erased=True),
    ):
        assert gathering.plan([mine, theirs], {CONTACT: AYSE, other: contact}, MORNING) == {}
    assert gathering.plan([mine, theirs], {CONTACT: AYSE}, MORNING) == {}
    assert gathering.plan([mine, theirs], {CONTACT: AYSE, other: replace(AYSE, id=other)}, MORNING) != {}


def test_what_the_law_wants_told_goes_by_itself() -> None:
    lawful = [replace(held(key), rows=(replace(row(held(key), "closed"), statutory=True),)) for key in IDS]
    assert planned(lawful) == {}


def test_the_newest_state_of_a_request_is_carried_and_the_older_one_ends() -> None:
    night = MORNING - timedelta(hours=6)
    older = after(scheduled(request_id=IDS[1], occurred_at=night), telling=Telling(IDS[1]))
    both = after(closed(request_id=IDS[1], occurred_at=night), telling=older)
    for claim in "ab":
        both = sending.take(both, HERS, claim, night, RULES)
    plan = planned([held(IDS[0]), both])
    assert [one.transition for one in plan[IDS[0]][1]] == ["closed"]
    one = gathering.promise(both, {f"{IDS[1]}/closed": NAME}, MORNING)
    assert (row(one, "scheduled.6").reason, row(one, "closed").carried_by) == (Reason.SUPERSEDED, NAME)


def test_what_is_promised_is_not_sent_by_itself_nor_planned_nor_superseded() -> None:
    one = promised(IDS[1])
    later = MORNING + gathering.LOOK_AGAIN
    assert sending.take(one, HERS, "t", later, RULES) is one
    assert gathering.plan([one, held(IDS[2])], HERS, later) == {}
    newer = after(scheduled(seq=30, request_id=IDS[1]), telling=one)
    assert row(sending.take(newer, HERS, "t", later, RULES), "closed").state is State.WAITING
    assert gathering.promise(one, {f"{IDS[1]}/closed": "x/closed"}, later) is one


def test_what_has_left_or_changed_meanwhile_is_neither_promised_nor_carries() -> None:
    tellings = [held(key) for key in IDS]
    begun = sending.take(tellings[0], HERS, "t", MORNING, RULES)
    assert gathering.carry(begun, planned(tellings), MORNING) is begun
    sent = sending.take(tellings[1], HERS, "t", MORNING, RULES)
    assert gathering.promise(sent, {f"{IDS[1]}/closed": NAME}, MORNING) is sent


def test_taken_it_keeps_what_is_promised_to_it_for_ever() -> None:
    carrier = on_its_way()
    assert [one.request_id for one in row(carrier, "closed").carries] == [IDS[1]]
    assert not row(carrier, "closed").survey
    assert gathering.keep(carrier, "another", {}) is carrier
    again = sending.take(carrier, HERS, "u", MORNING + RULES.lease, RULES)
    assert gathering.keep(again, "u", {}) is again
    alone = gathering.keep(sending.take(carrying(), HERS, "t", MORNING, RULES), "t", {})
    assert (row(alone, "closed").carries, row(alone, "closed").survey) == ((), True)


def test_what_is_promised_ends_only_after_its_carrier_was_sent() -> None:
    carrier = on_its_way()
    for waits in (carrying(), carrier):
        assert followed(waits).state is State.WAITING
        assert followed(waits).carried_by == NAME
    ended = followed(sending.settle(carrier, "t", Handed("x"), MORNING, RULES, AYSE))
    assert (ended.state, ended.reason, ended.superseded_by) == (State.SUPPRESSED, Reason.DIGEST, NAME)


def test_what_waits_is_found_by_its_person_until_it_ends() -> None:
    person = AYSE.hashes[0]
    assert held(IDS[1]).held_for == promised(IDS[1]).held_for == [person]
    ended = gathering.follow(
        promised(IDS[1]), {IDS[0]: sending.settle(on_its_way(), "t", Handed("x"), MORNING, RULES)}, MORNING
    )
    assert ended.held_for == []


def test_it_is_free_again_if_its_carrier_failed_or_left_without_it() -> None:
    carrier = on_its_way()
    for gone in (
        sending.settle(carrier, "t", Refused("no"), MORNING, RULES, AYSE),
        sending.take(carrying(), {CONTACT: Contact(CONTACT, MORNING, erased=True)}, "t", MORNING, RULES),
    ):
        free = followed(gone)
        assert (free.state, free.carried_by, free.due_at) == (State.WAITING, None, MORNING)
    assert followed(carrier, IDS[2]).carried_by is None


def test_on_the_next_channel_it_is_carried_on() -> None:
    phone = replace(AYSE, phone="+905321112233", notify_via=NotifyVia.EMAIL)
    again = sending.settle(on_its_way(), "t", Refused("no", elsewhere=True), MORNING, RULES, phone)
    assert followed(again).carried_by == NAME
    taken = sending.take(again, {CONTACT: phone}, "u", MORNING, RULES)
    assert gathering.keep(taken, "u", {}) is taken
    assert followed(sending.settle(taken, "u", Handed("x"), MORNING, RULES, phone)).reason == Reason.DIGEST


def test_of_what_nobody_knows_whether_it_was_told_the_last_word_is_told_and_all_else_failed() -> None:
    carrier = on_its_way()
    lost = replace(row(carrier, "closed"), state=State.FAILED, reason="refused", doubtful=True)
    gone = {IDS[0]: replace(carrier, rows=(lost,))}
    assert row(gathering.follow(promised(IDS[1]), gone, MORNING), "closed").carried_by is None
    news = replace(row(promised(IDS[1]), "closed"), transition="scheduled.6", channel=NotifyVia.SMS)
    told = {**gone, IDS[0]: replace(gone[IDS[0]], rows=(replace(lost, carries=(_as_carried(news),)),))}
    ended = gathering.follow(replace(promised(IDS[1]), rows=(news,)), told, MORNING).rows[0]
    assert (ended.state, ended.reason) == (State.FAILED, Reason.UNKNOWN)


def _as_carried(news: Row) -> Carried:
    return Carried(IDS[1], news.transition, news.facts, news.at)


def test_a_newer_state_of_its_own_request_does_not_take_away_what_a_message_carries() -> None:
    newer = after(scheduled(seq=30, request_id=IDS[0]), telling=carrying(), late=60)
    taken = sending.take(newer, HERS, "t", MORNING, RULES)
    assert row(taken, "closed").state is State.SENDING


def test_the_message_tells_of_each_request_by_its_number() -> None:
    message = TEXTS.render(HOUSE, IDS[0], row(carrying(), "closed"), Language.TR)
    assert message.subject == "Başvurularınız hakkında 3 haber"
    for number in ("7XK2-9MQ4-T3BD-M", "8XK2-9MQ4-T3BD-M", "9XK2-9MQ4-T3BD-M"):
        assert number in message.text
        assert number in message.short
        assert number in message.html
    assert message.text.count("İLKİM 444 55 01") == 1
