"""
What the worker says of the senders beside its own health: which provider is down, and how much waits.
"""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from services.common.contracts.vocabulary import NotifyVia
from services.common.kit.clock import Clock, system_clock
from services.common.kit.health import Duty, Health
from services.notify.channels.base import Sender
from services.notify.channels.gate import Gate
from services.notify.channels.webhook import PartnersSender
from services.notify.loops import persistently
from services.notify.repository import NotifyRepository

SECONDS: Final = 5.0


async def watch(
    repository: NotifyRepository,
    senders: Mapping[NotifyVia, Sender],
    health: Health,
    duties: Mapping[str, Duty],
    clock: Clock = system_clock,
) -> None:
    """
    For ever: put it into what the worker says of itself (``senders``, ``messages``), and tell those whose duty it is
    how much waits for them (``duties``: by the name that it has among the messages).
    """
    health.duties.extend(duties.values())
    while True:
        health.details["senders"] = states(senders)
        health.details["messages"] = waiting = await persistently(lambda: repository.waiting(clock()))
        for name, duty in duties.items():
            duty.waits(waiting[name])
        await asyncio.sleep(SECONDS)


def states(senders: Mapping[NotifyVia, Sender]) -> dict[str, dict[str, object]]:
    """
    By channel, and by partner (``webhook:<name>``): ``up``, ``down_since``, and the kind and time of the last failure.
    What has no provider (files, for development) is up.
    """
    return {name: _state(sender) for name, sender in _all(senders)}


def _all(senders: Mapping[NotifyVia, Sender]) -> Iterable[tuple[str, Sender]]:
    for channel, sender in senders.items():
        if isinstance(sender, PartnersSender):
            yield from ((f"{channel}:{name}", one) for name, one in sender.partners.items())
        else:
            yield str(channel), sender


def _state(sender: Sender) -> dict[str, object]:
    if not isinstance(sender, Gate):
        return {"up": True, "down_since": None, "last_error": None, "last_error_at": None}
    state = sender.state
    return {
        "up": state.down is None,
        "down_since": _iso(state.down),
        "last_error": state.last_error,
        "last_error_at": _iso(state.last_error_at),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
