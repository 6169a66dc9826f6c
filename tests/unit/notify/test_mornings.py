"""
One message for a morning, whatever dies and whoever is faster: every request's news is told once and ends once.
"""

import asyncio
from collections import Counter
from datetime import timedelta

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from services.common.contracts.ids import grouped
from services.common.kit.clock import FrozenClock
from services.notify import gathering
from services.notify.channels.base import PermanentError, TemporaryError
from tests.unit.notify.lives import CONTACT
from tests.unit.notify.mornings import MORNING, Memory, Provider, held, work
from tests.unit.notify.tellings import AYSE

NUMBERS = "3456789ABCDE"
ERRORS = st.sampled_from([None, PermanentError("refused"), TemporaryError("busy"), TimeoutError()])


def asleep(number: int) -> Memory:
    """
    So many requests that were closed at night.
    """
    return Memory([held(f"{NUMBERS[n]}XK29MQ4T3BDM", n % 3) for n in range(number)], [AYSE])


async def test_one_message_tells_all_and_the_others_say_which() -> None:
    memory, provider = asleep(3), Provider()
    await work(memory, provider, FrozenClock(MORNING))
    (letter,) = provider.taken
    assert all(grouped(request) in letter.message.text for request in memory.kept)
    first, *others = sorted(memory.kept)
    assert memory.outcomes() == [
        (first, "closed", "Sent", None, None),
        *((other, "closed", "Suppressed", "digest", f"{first}/closed") for other in others),
    ]


async def test_if_it_is_refused_the_next_one_carries_the_others() -> None:
    memory, provider = asleep(3), Provider([PermanentError("refused")])
    await work(memory, provider, FrozenClock(MORNING))
    first, second, third = sorted(memory.kept)
    assert memory.outcomes() == [
        (first, "closed", "Failed", "refused", None),
        (second, "closed", "Sent", None, None),
        (third, "closed", "Suppressed", "digest", f"{second}/closed"),
    ]


async def test_whose_contact_was_erased_is_not_told_of_by_another() -> None:
    memory, provider = asleep(2), Provider()
    memory.known[CONTACT] = type(AYSE)(CONTACT, MORNING, erased=True)
    await work(memory, provider, FrozenClock(MORNING))
    assert provider.taken == []
    assert {reason for _, _, _, reason, _ in memory.outcomes()} == {"erased"}


async def test_more_than_one_message_can_hold_are_several() -> None:
    memory, provider = asleep(2 * gathering.MOST + 1), Provider()
    await work(memory, provider, FrozenClock(MORNING))
    assert len(provider.taken) == 3


@settings(max_examples=100, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    st.integers(2, 7),
    st.lists(ERRORS, max_size=6),
    st.lists(st.integers(0, 4), max_size=120),
    st.lists(st.booleans(), max_size=30),
)
def test_whatever_dies_and_whoever_is_faster_all_is_told_once_and_ends_once(
    number: int, errors: list[Exception | None], turns: list[int], dies: list[bool]
) -> None:
    memory, provider = asleep(number), Provider(errors)
    memory.turns, memory.dies = iter(turns), iter(dies)
    asyncio.run(work(memory, provider, FrozenClock(MORNING + timedelta(seconds=1))))
    outcomes = {request: (kind, by) for request, _, kind, _, by in memory.outcomes()}
    assert Counter(request for request, *_ in memory.outcomes()) == Counter(list(memory.kept))
    told = {
        request: {letter.key for letter in provider.taken if grouped(request) in letter.message.text}
        for request in memory.kept
    }
    doubtful = {
        name
        for request, telling in memory.kept.items()
        for one in telling.rows
        if one.doubtful
        for name in (request, *(each.request_id for each in one.carries))
    }
    for request, (kind, by) in outcomes.items():
        if kind != "Failed":
            assert told[request], request
        if request not in doubtful:  # of the others nobody knows whether a try was taken: they may be told again
            assert len(told[request]) == (kind != "Failed"), (request, kind, told)
        if kind == "Suppressed":
            assert by is not None
            carrier = by.partition("/")[0]
            assert outcomes[carrier][0] == "Sent"
            assert told[carrier] <= told[request]
