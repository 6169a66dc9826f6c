"""
The persons behind contacts, by keyed hash: when they last wrote on WhatsApp, whether they want no more messages, and
what they were told lately.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.notify.domain import Contact, Person, Rules, Told

_DAY: Final = timedelta(days=1)


class Crowd:
    """
    The persons behind some contacts, as they were found, and what they are being told since.
    """

    def __init__(self, found: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._found = found or {}
        self._told: dict[str, dict[str, Told]] = {
            name: {key: _told_from(key, raw) for key, raw in one.get("told", {}).items()}
            for name, one in self._found.items()
        }

    def person(self, contact: Contact, now: datetime, rules: Rules) -> Person:
        """
        Who stands behind the contact, without what is too old to matter.
        """
        ones = [self._found[name] for name in contact.hashes if name in self._found]
        told = {key: one for name in contact.hashes for key, one in self._told.get(name, {}).items()}
        matters = (one for one in told.values() if now - one.at < (rules.survey_every if one.survey else _DAY))
        return Person(
            last_in_at=max((one["last_in_at"].astimezone(UTC) for one in ones if "last_in_at" in one), default=None),
            stopped=any(_stopped(one) for one in ones),
            told=tuple(sorted(matters, key=lambda one: (one.at, one.key))),
        )

    def tell(self, contact: Contact, told: Told | None) -> None:
        """
        Remember what the person is being told, if it matters.
        """
        if told is None:
            return
        for name in contact.hashes:
            self._told.setdefault(name, {})[told.key] = told

    def past(self, names: Iterable[str], now: datetime, rules: Rules) -> list[str]:
        """
        The keys of what was told so long ago that it need not be kept.
        """
        old = (one for name in names for one in self._told.get(name, {}).values())
        return sorted({one.key for one in old if now - one.at > max(_DAY, rules.survey_every)})


def _told_from(key: str, raw: Mapping[str, Any]) -> Told:
    return Told(key, raw["at"].astimezone(UTC), raw.get("survey", False), raw.get("counts", True))


def _stopped(one: Mapping[str, Any]) -> bool:
    stop, start = one.get("stop_at"), one.get("start_at")
    return stop is not None and (start is None or stop > start)
