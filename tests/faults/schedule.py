"""
Which fault comes when: a seed and a length give a list. Pure.

Two lanes run beside each other. In ``UNDER`` is what all stand on, three brokers, the database and the network to them:
one fault at a time, and time to heal before the next, because two at once can break what is promised (two brokers down
is a fault of its own, with its own expectation). In ``OURS`` are our processes, one at a time too; any of them may meet
anything of the other lane.
"""

import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Final

from deploy.stack.config import SERVICES


class Kind(StrEnum):
    """
    What can happen.
    """

    KILL = "kill -9"
    PAUSE = "SIGSTOP"
    LEADER = "broker lost, leader of a hot partition"
    CONTROLLER = "broker lost, controller"
    TWO_BROKERS = "two of three brokers lost"
    DATABASE = "database lost"
    SLOW = "network slow"
    TORN = "connections torn"
    HELD = "network holds all back"
    CUT = "network cut"
    SPOOL = "Kafka away until the spool is full"
    ROLLING = "rolling restart"
    UPGRADE = "rolling upgrade"
    STORM = "rebalance storm"
    CLOCK = "clock step"


class Lane(StrEnum):
    """
    Faults of one lane never overlap.
    """

    UNDER = "under"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class Fault:
    """
    ``at`` and ``seconds`` (how long it lasts) count from the begin of the run. ``amount``: SLOW seconds for each
    piece, TORN chance of a piece to be the last, CLOCK seconds forward, STORM how often somebody joins.
    """

    at: float
    seconds: float
    lane: Lane
    kind: Kind
    target: str
    amount: float = 0.0

    @property
    def ends(self) -> float:
        """
        When it is to be over.
        """
        return self.at + self.seconds


BROKERS: Final = ("kafka-1", "kafka-2", "kafka-3")
ALL_BROKERS: Final = "kafka"  # a target of the network: the way to all three
DATABASE: Final = "mongo"
GROUPS: Final = ("intake-worker", "routing", "notify", "projector")  # consume in a group, so a second one may join
PROCESSES: Final = tuple(process.name for process in SERVICES)
FIRST_AT: Final = 5.0
_WAYS: Final = (*BROKERS, ALL_BROKERS, DATABASE)

TARGETS: Final[dict[Lane, dict[Kind, tuple[str, ...]]]] = {
    Lane.UNDER: {
        Kind.KILL: (*BROKERS, DATABASE),
        Kind.PAUSE: (*BROKERS, DATABASE),
        Kind.LEADER: ("",),  # which one it is shows only then
        Kind.CONTROLLER: ("",),
        Kind.TWO_BROKERS: ("",),
        Kind.DATABASE: (DATABASE,),
        Kind.SLOW: _WAYS,
        Kind.TORN: _WAYS,
        Kind.HELD: _WAYS,
        Kind.CUT: _WAYS,
        Kind.SPOOL: (ALL_BROKERS,),
    },
    Lane.OURS: {
        Kind.KILL: PROCESSES,
        Kind.PAUSE: PROCESSES,
        Kind.ROLLING: ("",),
        Kind.UPGRADE: ("",),
        Kind.STORM: GROUPS,
        Kind.CLOCK: PROCESSES,
    },
}
LASTS: Final[dict[Kind, tuple[float, float]]] = {
    Kind.KILL: (0, 0),
    Kind.PAUSE: (5, 40),
    Kind.LEADER: (12, 25),
    Kind.CONTROLLER: (12, 25),
    Kind.TWO_BROKERS: (12, 25),
    Kind.DATABASE: (5, 20),
    Kind.SLOW: (10, 25),
    Kind.TORN: (10, 25),
    Kind.HELD: (5, 20),
    Kind.CUT: (5, 20),
    Kind.SPOOL: (25, 25),
    Kind.ROLLING: (40, 40),
    Kind.UPGRADE: (40, 40),
    Kind.STORM: (20, 20),
    Kind.CLOCK: (8, 15),
}
HEALS: Final[dict[Lane, float]] = {Lane.UNDER: 12.0, Lane.OURS: 5.0}
ONCE: Final = frozenset({Kind.UPGRADE})  # there is one commit before


def schedule(
    seed: int,
    seconds: float,
    kinds: Collection[Kind] = tuple(Kind),
    longest: float = 40.0,
    processes: Collection[str] = PROCESSES,
    *,
    again: bool = True,
) -> tuple[Fault, ...]:
    """
    Faults of these kinds that are over after ``seconds``, none of them longer than ``longest`` seconds, in the order of
    their begin. Of our processes only ``processes`` are hit one by one. Not ``again``: each of them once by each kind,
    and each kind once in the lane under them. The same for the same arguments.

    First every kind once in each lane that has it, in an order that the seed draws (but the upgrade is the first of its
    lane, so that nearly all is done to this commit's code); then what else can be its target, again and again. In ten
    minutes every kind has its turn; in less, those that the seed put first.
    """
    chance = random.Random(seed)
    spared = frozenset(PROCESSES) - frozenset(processes)
    faults: list[Fault] = []
    for lane in Lane:
        hit = {kind: [name for name in names if name not in spared] for kind, names in TARGETS[lane].items()}
        targets = {kind: names for kind, names in hit.items() if kind in kinds}
        order = _order(targets, chance)
        if not again:
            once = sum(map(len, targets.values())) if lane is Lane.OURS else len(targets)
            order = islice(order, once)
        faults += _lane(lane, seconds, order, longest, chance)
    return tuple(sorted(faults, key=lambda fault: (fault.at, fault.lane)))


def _lane(
    lane: Lane, seconds: float, order: Iterable[tuple[Kind, str]], longest: float, chance: random.Random
) -> list[Fault]:
    faults: list[Fault] = []
    at = FIRST_AT
    for kind, target in order:
        lasts = round(chance.uniform(*(min(bound, longest) for bound in LASTS[kind])), 1)
        if at + lasts > seconds:
            break
        faults.append(Fault(round(at, 1), lasts, lane, kind, target, _amount(kind, chance)))
        at += lasts + HEALS[lane]
    return faults


def _order(targets: Mapping[Kind, Sequence[str]], chance: random.Random) -> Iterator[tuple[Kind, str]]:
    """
    Without end, unless nothing may come twice.
    """
    first = [(kind, chance.choice(names)) for kind, names in targets.items() if names]
    chance.shuffle(first)
    first.sort(key=lambda one: one[0] is not Kind.UPGRADE)
    yield from first
    every = [(kind, name) for kind, names in targets.items() if kind not in ONCE for name in names]
    turn = [one for one in every if one not in first]
    while turn := turn or every.copy():
        chance.shuffle(turn)
        yield from turn
        turn = []


def _amount(kind: Kind, chance: random.Random) -> float:
    match kind:
        case Kind.SLOW:
            return round(chance.uniform(0.02, 0.3), 3)
        case Kind.TORN:
            return round(chance.uniform(0.005, 0.05), 3)
        case Kind.CLOCK:
            return round(chance.choice((-1, 1)) * chance.uniform(30, 75), 1)
        case Kind.STORM:
            return 3
        case _:
            return 0.0
