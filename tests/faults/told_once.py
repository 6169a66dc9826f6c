"""
What notify published about its messages against what the providers took. Pure; every finding names what is wrong.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.common.contracts.events import (
    Notification,
    NotificationDelivered,
    NotificationQueued,
    NotificationRead,
    NotificationSent,
)
from services.common.contracts.ids import derived_id
from services.common.contracts.vocabulary import NotifyVia
from services.notify.transitions import CLOSING
from tests.faults.check import Finding

TRANSITIONS: Final = "every transition has an outcome"
ATTEMPTS: Final = "every attempt that was queued has an outcome"
Identity = tuple[str, str, str, int]
"""request_id, transition, recipient, attempt."""


@dataclass(frozen=True, slots=True)
class Published:
    """
    One event of notifications.lifecycle, as it stands on the topic.
    """

    id: str
    value: bytes
    data: Notification

    @property
    def identity(self) -> Identity:
        """
        The message that it is about.
        """
        return self.data.request_id, self.data.transition, self.data.recipient, self.data.attempt

    @property
    def kind(self) -> str:
        """
        What it says became of the message: sent, failed, suppressed, queued, delivered, read or failed late.
        """
        kind = type(self.data).__name__.removeprefix("Notification").lower()
        return f"{kind} late" if self.data.late else kind


@dataclass(frozen=True, slots=True)
class Providers:
    """
    What the providers took. By our key on WhatsApp; by number and text in SMS, whose gateway knows no key. ``hashes``
    are those of the ids that they gave. ``last_words`` are the SMS that may be repeated: the closing ones.
    ``fails_as``: what WhatsApp says of a message that it took and could not deliver.
    """

    whatsapp: Counter[str] = field(default_factory=Counter)
    sms: Counter[tuple[str, str]] = field(default_factory=Counter)
    hashes: frozenset[str] = frozenset()
    last_words: frozenset[tuple[str, str]] = frozenset()
    fails_as: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """
    The findings, how the attempts ended, and the class of which nobody knows: how many messages ended as unknown, how
    many of them were taken all the same, and how many were taken twice because they had to be repeated.
    """

    findings: Sequence[Finding]
    ends: Counter[str]
    unknown: int
    unknown_but_taken: int
    repeated: int

    @property
    def ok(self) -> bool:
        """
        Nothing lost, nothing doubled outside the unknown class.
        """
        return all(finding.ok for finding in self.findings)

    @property
    def complete(self) -> bool:
        """
        Every transition and every attempt has its outcome.
        """
        return all(finding.ok for finding in self.findings if finding.name in (TRANSITIONS, ATTEMPTS))


def key_of(identity: Identity) -> str:
    """
    The key under which a provider gets the message (services/notify/domain.py).
    """
    request_id, transition, recipient, attempt = identity
    return derived_id("notify", request_id, transition, recipient, str(attempt))


def count(expected: Iterable[tuple[str, str]], published: Iterable[Published], providers: Providers) -> Count:
    """
    Compare. ``expected`` are the requests and transitions that somebody must have been told of, or not by rule.
    """
    outcomes: dict[Identity, dict[str, Published]] = defaultdict(dict)
    added: dict[tuple[Identity, str], set[str]] = defaultdict(set)
    versions: dict[str, set[bytes]] = defaultdict(set)
    queued: set[Identity] = set()
    for one in published:
        versions[one.id].add(one.value)
        if isinstance(one.data, NotificationQueued):
            queued.add(one.identity)
        elif one.data.late or isinstance(one.data, NotificationDelivered | NotificationRead):
            added[one.identity, one.kind].add(one.id)
        else:
            outcomes[one.identity][one.id] = one
    last = {identity: next(iter(found.values())) for identity, found in outcomes.items()}
    by_key = {key_of(identity): one for identity, one in last.items()}
    unknown = [identity for identity, one in last.items() if one.data.reason == "unknown"]
    told = {(request_id, transition) for request_id, transition, _, attempt in outcomes if attempt == 1}
    doubled = (identity for identity, found in outcomes.items() if len(found) > 1)
    findings = [
        _finding(TRANSITIONS, set(expected) - told),
        _finding("one outcome per (transition, recipient, attempt)", doubled),
        _finding(ATTEMPTS, queued - outcomes.keys()),
        _finding("each addition once an attempt", (name for name, ids in added.items() if len(ids) > 1)),
        _finding("no event in two versions", (name for name, values in versions.items() if len(values) > 1)),
        _finding("what is sent was taken", (i for i, one in last.items() if _not_taken(one, providers))),
        _finding("what was taken is sent, failed by its status, or unknown", _odd_ends(providers, by_key)),
        _finding(
            "seen twice only where it must be repeated",
            [
                *(key for key, n in providers.whatsapp.items() if n > 1 and not _repeatable(by_key.get(key))),
                *(sms for sms, n in providers.sms.items() if n > 1 and sms not in providers.last_words),
            ],
        ),
    ]
    twice = [*providers.whatsapp.values(), *providers.sms.values()]
    return Count(
        findings,
        Counter(_end(one) for one in last.values()),
        len(unknown),
        sum(key_of(identity) in providers.whatsapp for identity in unknown),
        sum(n > 1 for n in twice),
    )


def _finding(name: str, wrong: Iterable[object]) -> Finding:
    return Finding(name, tuple(sorted(map(str, wrong))))


def _end(one: Published) -> str:
    return " ".join(filter(None, (one.kind, one.data.channel, one.data.reason)))


def _not_taken(one: Published, providers: Providers) -> bool:
    """
    Whether it is said to be sent by WhatsApp or SMS, but these never gave it the name that it is said to have.
    """
    if not isinstance(one.data, NotificationSent) or one.data.channel is NotifyVia.EMAIL:
        return False
    return one.data.message_hash not in providers.hashes


def _repeatable(one: Published | None) -> bool:
    return one is not None and one.data.transition.partition(".")[0] == CLOSING


def _odd_ends(providers: Providers, by_key: Mapping[str, Published]) -> list[str]:
    """
    What WhatsApp took and we say otherwise. A last word may be refused at its repeat.
    """
    return [
        key
        for key in providers.whatsapp
        if (one := by_key.get(key)) is None
        or not (one.kind == "sent" or one.data.reason in ("unknown", providers.fails_as) or _repeatable(one))
    ]
