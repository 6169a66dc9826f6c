"""
What comes behind what in a backup that is made while everything runs, and what a restore makes of it. Pure.

A backup has no single moment. What makes its parts one state is their order:

1. what each group has acknowledged; whatever a copied database does not know yet comes again then;
2. intake's and reporting's databases, which know what routing said; then routing's. So nobody knows anything of
   routing's that routing has not;
3. the topics, each after the database of its writer: what a database calls published is in the copy. Effects before
   causes: the topic of a cause is copied after that of its effect, and so has it;
4. notify's database and then its topic, when it has caught up: whoever was told is known to have been told;
5. files, which nobody changes: what a copied record names was there before it.

Everything that comes again sets and never counts, so it has no second effect (design.md 4). What remains is what
routing published between step 2 and 3: its database does not know it, its cause comes again and is decided again, at
another time and so in other bytes. These records are left out (``orphans``).
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from deploy.recovery.archive import Copied
from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import TYPE_PREFIX
from services.common.contracts.topics import (
    ALL_TOPICS,
    COMMANDS,
    CONTACTS,
    LIFECYCLE,
    NOTIFICATIONS,
    Topic,
    department_topic,
)
from services.common.kit.letters import NOTE_KEY, NOTE_OF

DATABASES: Final = ("intake", "reporting", "routing", "notify")

FIRST: Final[Mapping[str, Sequence[str]]] = {"reporting": ("sheet_marks",)}
"""Collections that go first: a mark goes when its sheet is written, so a sheet may be newer than its mark, no older."""

LAST: Final[Mapping[str, Sequence[str]]] = {"intake": ("files.files", "files.chunks")}
"""Collections of step 5."""

MADE_AGAIN: Final[Mapping[str, Collection[str]]] = {"reporting": ("requests_next",)}
"""Collections that are left out: a rebuild that was running begins again."""

OF_ROUTING: Final = (LIFECYCLE, COMMANDS, *map(department_topic, catalogue().departments))

_NOT_IN_A_CASE: Final = frozenset({"TimerDue", "RerouteAsked"})
"""What routing says without writing it down: the same again has the same ce_id and no second effect."""


def topics_in_order() -> tuple[Topic, ...]:
    """
    The topics of step 3.
    """
    ours = (*OF_ROUTING, NOTIFICATIONS, CONTACTS)
    return (*OF_ROUTING, *(topic for topic in ALL_TOPICS if topic not in ours), CONTACTS)


def collections_in_order(database: str, names: Iterable[str]) -> tuple[list[str], list[str]]:
    """
    The collections of a database that are copied with it, in their order, and those of step 5.
    """
    first, last = FIRST.get(database, ()), LAST.get(database, ())
    skipped = {*first, *last, *MADE_AGAIN.get(database, ())}
    names = sorted(name for name in names if not name.startswith("system."))
    begin = [name for name in first if name in names]
    return [*begin, *(name for name in names if name not in skipped)], [name for name in last if name in names]


def stored_id(topic: str, record: Copied) -> str | None:
    """
    The ce_id of a record that a case of routing's must know; None if it need not.
    """
    if topic not in _NAMES_OF_ROUTING:
        return None
    headers = {name: value.decode() for name, value in record.headers if name in ("ce_id", "ce_type") and value}
    kind = headers.get("ce_type", "").removeprefix(TYPE_PREFIX)
    return None if kind in _NOT_IN_A_CASE else headers.get("ce_id")


_NAMES_OF_ROUTING: Final = frozenset(topic.name for topic in OF_ROUTING)


def orphans(candidates: Mapping[tuple[str, int], str], known: Collection[str]) -> dict[str, tuple[int, ...]]:
    """
    By partition (``topic/number``), the offsets of those candidates whose ce_id no case knows.
    """
    found: dict[str, list[int]] = {}
    for (partition, offset), event_id in sorted(candidates.items()):
        if event_id not in known:
            found.setdefault(partition, []).append(offset)
    return {partition: tuple(offsets) for partition, offsets in found.items()}


def moved(kept: Sequence[int], committed: int) -> int:
    """
    The offset, in a partition that is filled from 0 with the records that stood at ``kept`` (ascending), from which a
    group goes on that had acknowledged everything before ``committed``.
    """
    return bisect_left(kept, committed)


def renumbered(record: Copied, kept: Sequence[int]) -> Copied:
    """
    The record of a dead-letter topic as it is brought back: a note that a letter was sent back names the letter by its
    offset. A note on a letter that is no more names none.
    """
    if record.key != NOTE_KEY:
        return record

    def place(value: bytes | None) -> bytes:
        old = int(value or b"-1")
        new = moved(kept, old)
        return str(new if new < len(kept) and kept[new] == old else -1).encode()

    headers = tuple((name, place(value) if name == NOTE_OF else value) for name, value in record.headers)
    return record._replace(headers=headers)
