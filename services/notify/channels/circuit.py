"""
How fast a provider is asked, and when it is left alone. Pure: every function gets the present moment.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

_NONE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Bucket:
    """
    A token bucket: ``rate`` messages a second, and ``burst`` at once after a quiet time. ``tokens`` are below nothing
    while turns are taken in advance.
    """

    rate: float
    burst: float
    tokens: float
    at: datetime

    @classmethod
    def full(cls, rate: float, now: datetime) -> "Bucket":
        """
        One that lets a second's worth go at once.
        """
        burst = max(rate, 1.0)
        return cls(rate, burst, burst, now)

    def take(self, now: datetime, longest: timedelta) -> tuple["Bucket", timedelta]:
        """
        Take a turn: the bucket after it, and how long to wait for it. If that is longer than ``longest``, no turn is
        taken.
        """
        passed = max((now - self.at).total_seconds(), 0.0)
        tokens = min(self.tokens + passed * self.rate, self.burst) - 1
        wait = timedelta(seconds=max(-tokens / self.rate, 0.0))
        if wait > longest:
            return self, wait
        return replace(self, tokens=tokens, at=max(now, self.at)), wait


@dataclass(frozen=True, slots=True)
class Circuit:
    """
    A breaker: opens after ``most`` failures in a row, lets one probe through when its pause is over, doubles the pause
    (up to ``longest``) as long as probes fail, and closes with the first success. ``since``: the first of the failures.
    """

    most: int = 5
    shortest: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(seconds=60)
    failures: int = 0
    since: datetime | None = None
    pause: timedelta = _NONE
    open_until: datetime | None = None
    probing: bool = False

    @property
    def open(self) -> bool:
        """
        Whether the provider is left alone, but for probes.
        """
        return self.open_until is not None

    def left(self, now: datetime) -> timedelta | None:
        """
        How long to stay away, or None if a message may go now.
        """
        if self.open_until is None:
            return None
        if self.probing:
            return self.shortest
        return self.open_until - now if self.open_until > now else None

    def entered(self) -> "Circuit":
        """
        A message goes; while it is open, this is the probe.
        """
        return replace(self, probing=self.open)

    def unasked(self) -> "Circuit":
        """
        The message did not come as far as the provider: if it was the probe, the next one is.
        """
        return replace(self, probing=False)

    def succeeded(self) -> "Circuit":
        """
        The provider answered.
        """
        return Circuit(self.most, self.shortest, self.longest)

    def failed(self, now: datetime, probe: bool, after: timedelta | None = None) -> "Circuit":
        """
        It did not. What was under way when the circuit opened says nothing new. ``after``: how long the provider wants
        to be left alone.
        """
        if self.open and not probe:
            return self
        failures, since = self.failures + 1, self.since or now
        if failures < self.most and not self.open:
            return replace(self, failures=failures, since=since)
        pause = min(self.pause * 2 if self.open else self.shortest, self.longest)
        until = now + min(max(pause, after or _NONE), self.longest)
        return replace(self, failures=failures, since=since, pause=pause, open_until=until, probing=False)
