"""
Several requests with news for one morning: one message, the others say which, whatever dies in between.
"""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.vocabulary import Language, NotifyVia
from services.notify import gathering, sending, together
from services.notify.domain import Row, Rules, State, Telling
from services.notify.messages import House
from services.notify.templates import load_templates
from tests.unit.notify.lives import CONTACT, NOON, closed, extended, scheduled
from tests.unit.notify.tellings import AYSE, RULES, after, row

NIGHT = NOON.replace(hour=20)  # 23:00 in Istanbul
MORNING = NOON.replace(day=2, hour=5)
IDS = ("7XK29MQ4T3BDM", "8XK29MQ4T3BDM", "9XK29MQ4T3BDM")
HOUSE = House({Language.TR: "İlkadım Belediyesi", Language.EN: "İlkadım Municipality"}, "444 55 01", "http://x.example")


def held(request_id: str, minutes: float = 0, rules: Rules = RULES) -> Telling:
    """
    A closing that waits for the morning.
    """
    event = closed(request_id=request_id, occurred_at=NIGHT + timedelta(minutes=minutes))
    telling = after(event, telling=Telling(request_id))
    return sending.take(telling, {CONTACT: AYSE}, "t", NIGHT + timedelta(hours=1), rules)


def everything(_: Row) -> bool:
    """
    Every channel lets one message tell of several requests.
    """
    return True


def test_the_oldest_carries_the_others_and_these_say_so() -> None:
    tellings = {key: held(key, minutes) for key, minutes in zip(IDS, (5, 0, 9), strict=True)}
    plan = gathering.plan(tellings.values(), MORNING, everything)
    assert plan.keys() == {IDS[1]}
    carrier = gathering.carry(tellings[IDS[1]], plan, MORNING)
    assert [one.request_id for one in row(carrier, "closed").carries] == [IDS[0], IDS[2]]
    by = gathering.carriers([carrier])
    for key in (IDS[0], IDS[2]):
        ended = row(gathering.give_way(tellings[key], by, MORNING), "closed")
        assert (ended.state, ended.reason, ended.superseded_by) == (State.SUPPRESSED, "digest", f"{IDS[1]}/closed")
    assert gathering.give_way(carrier, by, MORNING) is carrier
    taken = sending.take(carrier, {CONTACT: AYSE}, "t", MORNING, RULES)
    assert row(taken, "closed").state is State.SENDING


def test_before_its_time_and_alone_nothing_is_put_together() -> None:
    tellings = [held(key) for key in IDS]
    assert gathering.plan(tellings, MORNING - timedelta(seconds=1), everything) == {}
    assert gathering.plan(tellings[:1], MORNING, everything) == {}
    assert gathering.plan(tellings, MORNING, lambda one: one.channel is NotifyVia.SMS) == {}


def test_what_the_law_wants_told_goes_by_itself() -> None:
    lawful = [replace(held(key), rows=(replace(row(held(key), "closed"), statutory=True),)) for key in IDS]
    assert gathering.plan(lawful, MORNING, everything) == {}
    assert extended().contact_id == CONTACT


def test_what_has_left_or_changed_meanwhile_neither_carries_nor_gives_way() -> None:
    tellings = {key: held(key) for key in IDS}
    plan = gathering.plan(tellings.values(), MORNING, everything)
    begun = sending.take(tellings[IDS[0]], {CONTACT: AYSE}, "t", MORNING, RULES)
    assert gathering.carry(begun, plan, MORNING) is begun
    sent = sending.take(tellings[IDS[1]], {CONTACT: AYSE}, "t", MORNING, RULES)
    assert gathering.give_way(sent, {f"{IDS[1]}/closed": "x/closed"}, MORNING) is sent


def test_a_newer_state_of_its_own_request_does_not_take_away_what_a_message_carries() -> None:
    tellings = {key: held(key) for key in IDS}
    carrier = gathering.carry(tellings[IDS[0]], gathering.plan(tellings.values(), MORNING, everything), MORNING)
    newer = after(scheduled(seq=30, request_id=IDS[0]), telling=carrier, late=60)
    taken = sending.take(newer, {CONTACT: AYSE}, "t", MORNING, RULES)
    assert row(taken, "closed").state is State.SENDING


@given(st.sets(st.integers(0, 9), min_size=2, max_size=10))
def test_everything_is_told_once_by_itself_or_by_another(numbers: set[int]) -> None:
    tellings = {f"{n}XK29MQ4T3BDM": held(f"{n}XK29MQ4T3BDM", n % 3) for n in numbers}
    for _ in tellings:
        plan = gathering.plan(tellings.values(), MORNING, everything)
        tellings |= {key: gathering.carry(tellings[key], plan, MORNING) for key in plan}
        by = gathering.carriers(tellings.values())
        tellings = {key: gathering.give_way(one, by, MORNING) for key, one in tellings.items()}
    rows = [row(one, "closed") for one in tellings.values()]
    open_rows = [one for one in rows if one.state is State.WAITING]
    carried = [key for one in open_rows for key in one.carries]
    assert len(open_rows) == -(-len(numbers) // gathering.MOST)
    assert len(open_rows) + len(carried) == len(numbers)


def test_the_message_tells_of_each_request_by_its_number() -> None:
    tellings = {key: held(key) for key in IDS}
    carrier = gathering.carry(tellings[IDS[0]], gathering.plan(tellings.values(), MORNING, everything), MORNING)
    message = together.render(load_templates(), HOUSE, IDS[0], row(carrier, "closed"), Language.TR)
    assert message.subject == "Başvurularınız hakkında 3 haber"
    for key in ("7XK2-9MQ4-T3BD-M", "8XK2-9MQ4-T3BD-M", "9XK2-9MQ4-T3BD-M"):
        assert key in message.text
        assert key in message.short
        assert key in message.html
    assert message.text.count("İLKİM 444 55 01") == 1
    assert message.template is None
