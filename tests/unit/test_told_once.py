"""
The count of the chaos run finds what it is there to find.
"""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from services.common.contracts.events import (
    Notification,
    NotificationDelivered,
    NotificationFailed,
    NotificationQueued,
    NotificationSent,
    NotificationSuppressed,
)
from services.common.contracts.ids import message_hash
from services.common.contracts.vocabulary import NotifyVia
from tests.faults.told_once import Providers, Published, count, key_of
from tests.unit.notify.lives import CONTACT, NOON, REQUEST

RECEIVED = (REQUEST, "received", CONTACT, 1)
CLOSED = (REQUEST, "closed", CONTACT, 1)
EXPECTED = {(REQUEST, "received"), (REQUEST, "closed")}


def event(
    kind: type[Notification], number: str, identity: tuple[str, str, str, int] = RECEIVED, **more: Any
) -> Published:
    """
    An event about a message on WhatsApp.
    """
    request_id, transition, recipient, attempt = identity
    names = {"request_id": request_id, "transition": transition, "recipient": recipient, "attempt": attempt}
    data = kind(**({**names, "channel": NotifyVia.WHATSAPP, "occurred_at": NOON} | more))
    return Published(number, number.encode(), data)


W1, W2, W9 = (message_hash(NotifyVia.WHATSAPP, name) for name in ("w1", "w2", "w9"))
GOOD = [
    event(NotificationQueued, "q"),
    event(NotificationSent, "s", message_hash=W1),
    event(NotificationSent, "s", message_hash=W1),
    event(NotificationDelivered, "d"),
    event(NotificationFailed, "c", CLOSED, reason="unknown"),
]
TAKEN = Providers(
    Counter({key_of(RECEIVED): 1, key_of(CLOSED): 2}),
    hashes=frozenset({W1, W2}),
)


def wrong(*published: Published, providers: Providers = TAKEN) -> list[str]:
    """
    The findings that are not good.
    """
    return [finding.name for finding in count(EXPECTED, published, providers).findings if not finding.ok]


def test_what_is_well_is_found_well_and_the_unknown_class_is_counted() -> None:
    found = count(EXPECTED, GOOD, TAKEN)
    assert found.ok
    assert (found.unknown, found.unknown_but_taken, found.repeated) == (1, 1, 1)
    assert found.ends == {"sent whatsapp": 1, "failed whatsapp unknown": 1}


@pytest.mark.parametrize(
    ("published", "finding"),
    [
        ([*GOOD, event(NotificationSuppressed, "x")], "one outcome per (transition, recipient, attempt)"),
        ([*GOOD, event(NotificationQueued, "x", (*RECEIVED[:3], 2))], "every attempt that was queued has an outcome"),
        ([*GOOD, event(NotificationDelivered, "x")], "each addition once an attempt"),
        ([*GOOD, replace(GOOD[3], value=b"other")], "no event in two versions"),
        (
            [*GOOD[3:], event(NotificationSent, "s", message_hash=W9)],
            "what is sent was taken",
        ),
        (
            [*GOOD[3:], event(NotificationFailed, "s", reason="131026")],
            "what was taken is sent, failed by its status, or unknown",
        ),
    ],
)
def test_what_is_wrong_is_named(published: list[Published], finding: str) -> None:
    assert wrong(*published) == [finding]


def test_a_transition_that_nobody_was_told_of_is_named() -> None:
    one = replace(TAKEN, whatsapp=Counter({key_of(RECEIVED): 1}))
    assert wrong(*GOOD[:-1], providers=one) == ["every transition has an outcome"]
    assert not count(EXPECTED, GOOD[:-1], one).complete


def test_a_message_that_may_not_be_repeated_and_was_is_named() -> None:
    assert wrong(*GOOD, providers=replace(TAKEN, whatsapp=Counter({key_of(RECEIVED): 2}))) == [
        "seen twice only where it must be repeated"
    ]
    twice = Counter({("5321112233", "Başvurunuz alındı"): 2, ("5321112233", "Son söz"): 2})
    texted = replace(TAKEN, sms=twice, last_words=frozenset({("5321112233", "Son söz")}))
    (finding,) = [one for one in count(EXPECTED, GOOD, texted).findings if not one.ok]
    assert finding.wrong == ("('5321112233', 'Başvurunuz alındı')",)


def test_what_whatsapp_took_and_then_could_not_deliver_has_failed() -> None:
    undelivered = [*GOOD[3:], event(NotificationFailed, "s", reason="131026")]
    assert wrong(*undelivered, providers=replace(TAKEN, fails_as="131026")) == []


def test_what_was_taken_of_which_nothing_is_known_is_named() -> None:
    stray = replace(TAKEN, whatsapp=TAKEN.whatsapp + Counter({"nobody": 1}))
    assert wrong(*GOOD, providers=stray) == ["what was taken is sent, failed by its status, or unknown"]
