"""
The steps of one call to what became of it. Pure; whatever came twice or in another order, it is the same call.

Nothing of the caller is kept: no number, no person, no contact.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.common.contracts.events import Call as CallEvent
from services.common.contracts.events import CallAnswered, CallEnded, CallMissed, CallStarted

Step = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """
    A call as far as it is known. ``at``: its first step. ``talked`` and ``rang``: seconds, of one that was answered and
    ended, and of one that nobody took. ``extension`` and ``by``: who took it.
    """

    at: datetime
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    missed_at: datetime | None = None
    talked: int | None = None
    rang: int | None = None
    queue: str | None = None
    extension: str | None = None
    by: str | None = None

    @property
    def answered(self) -> bool:
        """
        Somebody took it.
        """
        return self.answered_at is not None or self.ended_at is not None

    @property
    def missed(self) -> bool:
        """
        Nobody did, and the caller is gone.
        """
        return self.missed_at is not None and not self.answered

    @property
    def waited(self) -> float | None:
        """
        Seconds until somebody took it; None unless both moments are known.
        """
        if self.started_at is None or self.answered_at is None:
            return None
        return max(0.0, (self.answered_at - self.started_at).total_seconds())


def step_of(event: CallEvent) -> Step:
    """
    What is kept of an event.
    """
    kept = ("queue", "extension", "by", "seconds")
    told = {name: value for name in kept if (value := getattr(event, name, None)) is not None}
    return {"type": type(event).__name__, "at": event.occurred_at, **told}


def call_of(steps: Iterable[Step]) -> Call:
    """
    The call that these steps, at least one, are of. Of steps of one type the first counts, of endings the last.
    """
    ordered = sorted(steps, key=lambda step: (step["at"], step["type"], repr(sorted(step.items()))))

    def of(*types: type[CallEvent]) -> list[Step]:
        names = {one.__name__ for one in types}
        return [step for step in ordered if step["type"] in names]

    def first(found: list[Step], name: str) -> Any:
        return next((step[name] for step in found if name in step), None)

    started, answered, missed, ended = of(CallStarted), of(CallAnswered), of(CallMissed), of(CallEnded)
    taken = of(CallAnswered, CallEnded)
    return Call(
        at=ordered[0]["at"],
        started_at=first(started, "at"),
        answered_at=first(answered, "at"),
        ended_at=ended[-1]["at"] if ended else None,
        missed_at=first(missed, "at"),
        talked=ended[-1].get("seconds") if ended else None,
        rang=first(missed, "seconds"),
        queue=first(ordered, "queue"),
        extension=first(taken, "extension"),
        by=first(taken, "by"),
    )
