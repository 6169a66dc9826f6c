"""
How late alarms are, as Prometheus hears it: of those that nobody has acted on, said or not.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import cast

from prometheus_client import REGISTRY

from services.common.contracts.envelope import Record
from services.common.contracts.vocabulary import Timer
from services.common.kit.health import Duty
from services.routing.case import Alarm
from services.routing.handler import AlarmClock
from services.routing.repository import CaseRepository
from tests.builders import NOON

NUMBER = "7K3MQ9XV2HTBA"


class Cases:
    """
    One case with alarms that nothing takes off.
    """

    def __init__(self, *alarms: Alarm) -> None:
        self.alarms = list(alarms)

    async def due(self, moment: datetime) -> AsyncIterator[tuple[str, list[tuple[str, Alarm]]]]:
        if any(alarm.due_at <= moment for alarm in self.alarms):
            yield NUMBER, [(NUMBER, alarm) for alarm in self.alarms]


class Kafka:
    """
    Takes everything.
    """

    async def publish(self, records: Sequence[Record]) -> None:
        self.published = len(records)


def late(timer: Timer) -> float | None:
    return REGISTRY.get_sample_value("alarm_late_seconds", {"timer": timer})


async def test_the_latest_of_each_clock_counts_until_it_is_gone_and_what_is_not_due_is_not_late() -> None:
    cases = Cases(
        Alarm(timer=Timer.RESOLUTION, step=1, due_at=NOON - timedelta(minutes=9)),
        Alarm(timer=Timer.RESOLUTION, step=2, due_at=NOON - timedelta(minutes=2)),
        Alarm(timer=Timer.LEGAL, step=1, due_at=NOON + timedelta(days=3)),
    )
    clock = AlarmClock(cast(CaseRepository, cases), Kafka(), clock=lambda: NOON)
    assert await clock.sweep() == 2
    assert await clock.sweep() == 0, "both were said just now; nothing has become of it yet"
    assert (late(Timer.RESOLUTION), late(Timer.LEGAL)) == (540, 0)
    cases.alarms.clear()
    await clock.sweep()
    assert late(Timer.RESOLUTION) == 0


async def test_who_reads_through_many_cases_that_are_due_gets_on_although_all_was_said() -> None:
    longest, seconds = 0.0, 0.0

    class Many(Cases):
        async def due(self, moment: datetime) -> AsyncIterator[tuple[str, list[tuple[str, Alarm]]]]:
            nonlocal longest, seconds
            for _ in range(5):
                seconds += 50
                longest = max(longest, clock.duty.unattended)
                yield NUMBER, []

    clock = AlarmClock(cast(CaseRepository, Many()), Kafka(), clock=lambda: NOON)
    clock.duty = Duty("alarms", lambda: seconds)
    clock.duty.waits(1)
    await clock.sweep()
    assert longest == 50
