"""
A small world around routing's core: several families, a clock, and, purely, what Kafka, MongoDB and the alarm clock do.

It promises what the real ones promise (``services/routing/handler.py``): the commands that one family sends to another
arrive in order, those of different senders in any; whatever came may come again at any time; every case is stored and
read again between two inputs; an alarm that is due is said again and again until it is gone.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.common.contracts.crises import Declared
from services.common.contracts.envelope import Received
from services.common.contracts.events import CrisisDeclared, Event, Lifecycle
from services.common.contracts.topics import COMMANDS, LIFECYCLE
from services.routing.case import Case, Rules, timer_command
from services.routing.domain import decide
from services.routing.repository import case_from, row_of
from tests.builders import NOON, read, received

CLOCK = "the alarm clock"
ENOUGH = 400  # rounds of alarms; a weekly need has 99 turns at most, and each other clock a handful of steps


class Restless(AssertionError):
    """
    Alarms rang on and on although nobody did anything.
    """


@dataclass(frozen=True)
class Handled:
    """
    One input, and what was in force when it was decided. ``entries``: how many events came of it.
    """

    item: Received
    at: datetime
    rules: Rules
    entries: int


@dataclass(frozen=True)
class Given:
    """
    One record that was given out: decoded, its value's bytes, and the input that caused it.
    """

    item: Received
    value: bytes
    cause: Received


@dataclass
class World:
    """
    The cases by family; everything that was handled and given out so far; the commands that are still under way.
    ``lives`` is what requests.lifecycle says of each request and part that is known, in order; ``watch`` sees each case
    before and after each input.
    """

    rules: Rules
    watch: Callable[[Case, Case, Handled], None] = lambda before, after, step: None
    now: datetime = NOON
    cases: dict[str, Case] = field(default_factory=dict)
    journal: list[Handled] = field(default_factory=list)
    given: list[Given] = field(default_factory=list)
    lives: dict[str, list[Lifecycle]] = field(default_factory=dict)
    under_way: dict[tuple[str, str], deque[Received]] = field(default_factory=dict)

    def case(self, family: str) -> Case:
        """
        What is known of a family.
        """
        return self.cases.get(family, Case(family))

    def say(self, data: Event) -> None:
        """
        A new input for the family it is about; or the last word on a crisis, for all of them.
        """
        if isinstance(data, CrisisDeclared):
            self.rules = replace(self.rules, declared=Declared.of((*self.rules.declared.latest, data)))
        else:
            self.hand_in(received(data))

    def hand_in(self, item: Received) -> None:
        """
        Decide, store, read again, and send the commands on their way.
        """
        key = item.data.key
        before = self.case(key)
        after = decide(before, item, at=self.now, rules=self.rules)
        stored = case_from(row_of(after, before.rev))
        assert stored == after, "a case comes back from its store as it was"
        assert after.events[: len(before.events)] == before.events, "what was said stays said"
        new = after.events[len(before.events) :]
        self.journal.append(Handled(item, self.now, self.rules, len(new)))
        self.watch(before, stored, self.journal[-1])
        self.cases[key] = stored
        for entry in new:
            for record in entry.records:
                given = Given(read(record), record.value or b"", item)
                self.given.append(given)
                event = given.item.data
                if record.topic == LIFECYCLE.name and isinstance(event, Lifecycle) and event.seq:
                    self.lives.setdefault(event.request_id, []).append(event)
                if record.topic == COMMANDS.name:
                    self._send(key, given.item)

    def _send(self, sender: str, item: Received) -> None:
        self.under_way.setdefault((sender, item.data.key), deque()).append(item)

    def repeat(self, number: int) -> None:
        """
        An earlier input comes once more.
        """
        if self.journal:
            self.hand_in(self.journal[number % len(self.journal)].item)

    def deliver(self, number: int) -> None:
        """
        The next command of one sender to one family arrives, if any is under way.
        """
        waiting = [channel for channel, items in self.under_way.items() if items]
        if waiting:
            self.hand_in(self.under_way[waiting[number % len(waiting)]].popleft())

    def ring(self) -> bool:
        """
        The alarm clock says all that is due; whether anything was.
        """
        due = [pair for case in self.cases.values() for pair in case.alarms if pair[1].due_at <= self.now]
        for number, alarm in due:
            self._send(CLOCK, read(timer_command(number, alarm)))
        return bool(due)

    def settle(self) -> None:
        """
        Go on until no command is under way and no alarm is due. Raises ``Restless`` if that does not end.
        """
        for _ in range(ENOUGH):
            while any(self.under_way.values()):
                self.deliver(0)
            if not self.ring():
                return
        raise Restless([pair for case in self.cases.values() for pair in case.alarms if pair[1].due_at <= self.now])

    def wait(self, time: timedelta) -> None:
        """
        Time goes by and nothing happens.
        """
        self.now += time


def replayed(journal: list[Handled]) -> dict[str, Case]:
    """
    The cases that come of the same inputs at the same times, with no store in between.
    """
    cases: dict[str, Case] = {}
    for step in journal:
        key = step.item.data.key
        cases[key] = decide(cases.get(key, Case(key)), step.item, at=step.at, rules=step.rules)
    return cases
