"""
The gate before a provider: pace, breaker, alarm.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from services.common.contracts.vocabulary import DeliveryStatus, NotifyVia
from services.common.kit.clock import FrozenClock
from services.notify.channels.base import Letter, PermanentError, Report, Reports, TemporaryError
from services.notify.channels.circuit import Bucket, Circuit
from services.notify.channels.gate import OPEN, PATIENCE, SAID_AGAIN, TURN, Gate, Pace, PolledGate
from services.notify.messages import Message

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
LETTER = Letter("905320001122", Message("", "", "", "kısa"), "k")
DOWN = TemporaryError("http_503")


class Provider:
    """
    Answers by a list; with the name of the message when that is at its end.
    """

    def __init__(self, *answers: Exception) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.under_way = 0
        self.most_under_way = 0
        self.held: asyncio.Event | None = None
        self.reached = asyncio.Event()
        self.closed = False

    async def send(self, letter: Letter, /) -> str | None:
        self.asked += 1
        self.under_way += 1
        self.most_under_way = max(self.under_way, self.most_under_way)
        try:
            if self.held is not None:
                self.reached.set()
                await self.held.wait()
            if self.answers:
                raise self.answers.pop(0)
        finally:
            self.under_way -= 1
        return letter.key

    async def reports(self, provider_ids: Sequence[str], /) -> Mapping[str, Report]:
        return {name: Report(DeliveryStatus.DELIVERED) for name in provider_ids}

    async def close(self) -> None:
        self.closed = True


class World:
    """
    A gate, its provider, its clock, and what staff heard.
    """

    def __init__(self, *answers: Exception, rate: float = 1_000, at_once: int = 32) -> None:
        self.provider, self.clock = Provider(*answers), FrozenClock(NOW)
        self.alarms: list[tuple[str, str, datetime]] = []
        self.gate = Gate(
            self.provider, NotifyVia.SMS, Pace(rate, at_once), self._hear, clock=self.clock, sleep=self._sleep
        )

    async def _hear(self, channel: str, code: str, since: datetime, /) -> None:
        self.alarms.append((channel, code, since))

    async def _sleep(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    async def send(self) -> str | None:
        """
        Send; gives the error's code instead of raising it.
        """
        try:
            return await self.gate.send(LETTER)
        except (TemporaryError, PermanentError) as error:
            return str(error)

    @property
    def up(self) -> float | None:
        return REGISTRY.get_sample_value("notify_provider_up", {"channel": "sms"})


# --- the breaker ---


async def test_five_failures_in_a_row_open_it_and_one_success_closes_it() -> None:
    world = World(*[DOWN] * 4)
    assert [await world.send() for _ in range(5)] == ["http_503"] * 4 + ["k"]
    world.provider.answers = [DOWN] * 5
    assert [await world.send() for _ in range(6)] == ["http_503"] * 5 + [OPEN]
    assert world.up == 0
    assert world.provider.asked == 10
    world.clock.advance(timedelta(seconds=1))
    assert await world.send() == "k"
    assert world.up == 1
    assert await world.send() == "k"


async def probing() -> tuple[World, asyncio.Task[str]]:
    """
    A provider that was down and is asked again: the one that asks, and waits for its answer.
    """
    world = World(*[DOWN] * 5)
    for _ in range(5):
        await world.send()
    world.clock.advance(timedelta(seconds=1))
    world.provider.held = asyncio.Event()
    probe = asyncio.create_task(world.send())
    await world.provider.reached.wait()
    return world, probe


async def test_one_probe_at_a_time() -> None:
    world, probe = await probing()
    assert await world.send() == OPEN
    world.provider.held.set()
    assert await probe == "k"
    assert await world.send() == "k"


async def test_the_error_says_how_long_to_stay_away() -> None:
    world = World(*[DOWN] * 5)
    for _ in range(5):
        await world.send()
    with pytest.raises(TemporaryError, match=OPEN) as error:
        await world.gate.send(LETTER)
    assert error.value.after == timedelta(seconds=1)


@pytest.mark.parametrize("answer", [PermanentError("refused"), TemporaryError("whatsapp_131056", alone=True)])
async def test_a_provider_that_refuses_is_up(answer: Exception) -> None:
    world = World(*[answer] * 9)
    assert [await world.send() for _ in range(9)] == [str(answer)] * 9
    assert world.up == 1


async def test_who_never_came_to_the_provider_says_nothing_of_it() -> None:
    unasked = PermanentError("bad_address", asked=False)
    world = World(DOWN, DOWN, unasked, DOWN, DOWN, unasked, DOWN)
    told = [await world.send() for _ in range(8)]
    assert told == ["http_503", "http_503", "bad_address", "http_503", "http_503", "bad_address", "http_503", OPEN]
    world.clock.advance(timedelta(seconds=1))
    world.provider.answers = [unasked, DOWN]
    assert [await world.send() for _ in range(3)] == ["bad_address", "http_503", OPEN]


async def test_no_answer_is_a_failure_and_still_unknown() -> None:
    world = World(*[TimeoutError("ReadTimeout")] * 5)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await world.gate.send(LETTER)
    assert await world.send() == OPEN


async def test_a_probe_whose_time_was_over_makes_room_for_the_next() -> None:
    world, probe = await probing()
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    world.provider.held = None
    assert await world.send() == OPEN
    world.clock.advance(timedelta(seconds=2))
    assert await world.send() == "k"


STEPS = st.lists(st.one_of(st.just("ok"), st.just("fail"), st.integers(0, 90)), max_size=200)


@given(STEPS)
def test_the_circuit_keeps_its_promises(steps: list[str | int]) -> None:
    circuit, now, in_a_row, opened = Circuit(), NOW, 0, False
    for step in steps:
        if isinstance(step, int):
            now += timedelta(seconds=step)
            continue
        left = circuit.left(now)
        assert (left is None) or opened  # nothing is held back before the fifth failure
        if left is not None:
            assert timedelta(0) < left <= timedelta(seconds=60)
            continue
        entered = circuit.entered()
        assert not entered.probing or entered.left(now) is not None  # nobody passes beside a probe
        in_a_row = 0 if step == "ok" else in_a_row + 1
        opened = in_a_row >= 5
        circuit = entered.succeeded() if step == "ok" else entered.failed(now, probe=circuit.open)
        assert circuit.open is opened


def test_pauses_double_up_to_a_minute_and_the_provider_may_ask_for_more() -> None:
    circuit, pauses = Circuit(), []
    for _ in range(5):
        circuit = circuit.failed(NOW, probe=False)
    for _ in range(8):
        pauses.append(circuit.left(NOW))
        circuit = circuit.entered().failed(NOW, probe=True)
    assert pauses == [timedelta(seconds=seconds) for seconds in (1, 2, 4, 8, 16, 32, 60, 60)]
    opened = Circuit(failures=4, since=NOW).failed(NOW, probe=False, after=timedelta(seconds=30))
    assert opened.left(NOW) == timedelta(seconds=30)


def test_what_was_under_way_when_it_opened_says_nothing_new() -> None:
    circuit = Circuit(failures=4, since=NOW).failed(NOW, probe=False)
    assert circuit.failed(NOW, probe=False) == circuit


# --- the pace ---
@given(st.floats(0.5, 200), st.lists(st.floats(0, 3), max_size=150))
def test_no_second_has_more_than_the_rate_and_a_burst(rate: float, gaps: list[float]) -> None:
    bucket, now, starts = Bucket.full(rate, NOW), NOW, []
    for gap in gaps:
        now += timedelta(seconds=gap)
        bucket, wait = bucket.take(now, TURN)
        if wait <= TURN:
            starts.append((now + wait).timestamp())
    for first in starts:
        for seconds in (1, 5):
            within = [start for start in starts if first <= start < first + seconds]
            assert len(within) <= max(rate, 1) + rate * seconds + 1.01


@given(st.floats(0.5, 200), st.integers(1, 400))
def test_who_would_wait_too_long_takes_no_turn(rate: float, count: int) -> None:
    bucket = Bucket.full(rate, NOW)
    for _ in range(count):
        after, wait = bucket.take(NOW, TURN)
        assert (after == bucket) is (wait > TURN)
        bucket = after


async def test_a_turn_that_is_too_far_off_is_said_to_be_and_nothing_is_sent() -> None:
    provider, waited = Provider(), []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    gate = Gate(provider, NotifyVia.SMS, Pace(1), clock=FrozenClock(NOW), sleep=sleep)
    assert [await gate.send(LETTER) for _ in range(4)] == ["k"] * 4
    assert waited == [1, 2, 3]
    with pytest.raises(TemporaryError, match="busy") as error:
        await gate.send(LETTER)
    assert error.value.alone
    assert error.value.after == timedelta(seconds=4)
    assert provider.asked == 4


async def test_no_more_at_once_than_the_provider_takes() -> None:
    world = World(at_once=3)
    await asyncio.gather(*(world.send() for _ in range(40)))
    assert world.provider.asked == 40
    assert world.provider.most_under_way <= 3


async def test_who_finds_no_seat_in_time_has_not_been_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.notify.channels.gate.WAIT", timedelta(seconds=0.02))
    world = World(at_once=1)
    world.provider.held = asyncio.Event()
    first = asyncio.create_task(world.send())
    await world.provider.reached.wait()
    assert await world.send() == "busy"
    world.provider.held.set()
    assert await first == "k"
    assert await world.send() == "k"
    assert world.provider.asked == 2


# --- staff ---


async def test_staff_hear_once_of_an_outage_after_five_minutes() -> None:
    world = World(*[DOWN] * 200)
    while world.clock() < NOW + PATIENCE - timedelta(seconds=60):
        await world.send()
        world.clock.advance(timedelta(seconds=1))
    assert world.alarms == []
    while world.clock() < NOW + PATIENCE * 3:
        await world.send()
        world.clock.advance(timedelta(seconds=1))
    await world.gate.close()
    assert world.alarms == [(NotifyVia.SMS, "http_503", NOW)]
    assert world.provider.closed


async def test_the_next_outage_is_another() -> None:
    world = World()
    for _ in range(2):
        world.provider.answers = [DOWN] * 40
        began = world.clock()
        while world.clock() < began + PATIENCE * 2:
            await world.send()
            world.clock.advance(timedelta(seconds=30))
        world.provider.answers = []
        world.clock.advance(timedelta(minutes=2))
        assert await world.send() == "k"
    await world.gate.close()
    assert len(world.alarms) == 2


async def test_what_a_person_has_to_mend_is_said_at_once() -> None:
    world = World(*[TemporaryError("netgsm_30", timedelta(minutes=5), alert=True)] * 3)
    for _ in range(3):
        await world.send()
    await world.gate.close()
    assert [code for _, code, _ in world.alarms] == ["netgsm_30"]


async def test_a_template_that_is_missing_is_said_once_a_day() -> None:
    world = World(*[PermanentError("whatsapp_132001", alert=True)] * 3)
    for _ in range(2):
        await world.send()
    world.clock.advance(SAID_AGAIN)
    await world.send()
    await world.gate.close()
    assert [code for _, code, _ in world.alarms] == ["whatsapp_132001"] * 2


async def test_an_alarm_that_fails_stops_nobody() -> None:
    async def broken(channel: str, code: str, since: datetime, /) -> None:
        raise ConnectionError

    provider = Provider(*[TemporaryError("netgsm_30", alert=True)] * 2)
    gate = Gate(provider, NotifyVia.SMS, Pace(100), broken, clock=FrozenClock(NOW))
    with pytest.raises(TemporaryError):
        await gate.send(LETTER)
    await gate.close()
    assert provider.closed


# --- reports ---


async def test_reports_pass_by_the_gate_where_there_are_any() -> None:
    polled = PolledGate(Provider(), NotifyVia.SMS, Pace(1))
    assert isinstance(polled, Reports)
    assert await polled.reports(["1"]) == {"1": Report(DeliveryStatus.DELIVERED)}
    assert not isinstance(World().gate, Reports)
