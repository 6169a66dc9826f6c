"""
What Open311 says of our states, in its own words and in those of CitySDK and FixMyStreet; and times as it writes them.
Pure.
"""

from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from services.common.contracts.vocabulary import STATUS_LABELS, Status

ISTANBUL: Final = ZoneInfo("Europe/Istanbul")


class Abroad(NamedTuple):
    """
    A state as CitySDK's ``detailed_status`` and as FixMyStreet's extended status.
    """

    citysdk: str
    fixmystreet: str


ABROAD: Final[dict[Status, Abroad]] = {
    Status.RECEIVED: Abroad("PENDING", "open"),
    Status.TRIAGE: Abroad("RECEIVED", "for_triage"),
    Status.ASSIGNED: Abroad("RECEIVED", "internal_referral"),
    Status.ACCEPTED: Abroad("RECEIVED", "investigating"),
    Status.IN_PROGRESS: Abroad("IN_PROCESS", "in_progress"),
    Status.SCHEDULED: Abroad("IN_PROCESS", "action_scheduled"),
    Status.WAITING_CITIZEN: Abroad("IN_PROCESS", "in_progress"),
    Status.WAITING_EXTERNAL: Abroad("IN_PROCESS", "in_progress"),
    Status.RESOLVED: Abroad("PROCESSED", "fixed"),
    Status.REFERRED: Abroad("PROCESSED", "not_councils_responsibility"),
    Status.REJECTED: Abroad("REJECTED", "no_further_action"),
    Status.DUPLICATE: Abroad("REJECTED", "duplicate"),
    Status.CANCELLED: Abroad("REJECTED", "cancelled"),
    Status.REOPENED: Abroad("RECEIVED", "reopen"),
}
FIXMYSTREET: Final = frozenset({"unchanged", "closed", "planned", *(one.fixmystreet for one in ABROAD.values())})
DETAILED: Final = tuple(dict.fromkeys(one.citysdk for one in ABROAD.values()))


def open_or_closed(status: Status) -> str:
    """
    GeoReport's two words.
    """
    return STATUS_LABELS[status].open311


def statuses(words: frozenset[str], detailed: frozenset[str]) -> tuple[Status, ...]:
    """
    Our states that are meant by ``open``, ``closed`` and by CitySDK's words; what is empty does not narrow.
    """
    return tuple(
        status
        for status in Status
        if (not words or open_or_closed(status) in words) and (not detailed or ABROAD[status].citysdk in detailed)
    )


def written(moment: datetime) -> str:
    """
    A moment in Istanbul's time, to the second.
    """
    return moment.astimezone(ISTANBUL).isoformat(timespec="seconds")
