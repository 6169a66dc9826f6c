"""
What processes cost: memory that is theirs (PSS: shared pages count by share) and seconds of processor.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psutil

from deploy.stack.stack import Stack


@dataclass(frozen=True, slots=True)
class Cost:
    """
    Of one process with its children: processor seconds since it began, and MB now.
    """

    seconds: float
    megabytes: float


def cost_of(pid: int) -> Cost:
    """
    Raises ``psutil.Error`` if there is no such process.
    """
    process = psutil.Process(pid)
    seconds, megabytes = 0.0, 0.0
    for one in (process, *process.children(recursive=True)):
        times = one.cpu_times()
        seconds += times.user + times.system
        megabytes += one.memory_full_info().pss / 2**20
    return Cost(seconds, megabytes)


def costs(stack: Stack, names: Iterable[str]) -> dict[str, Cost]:
    """
    Of those processes of the stack that run.
    """
    return {name: cost_of(pid) for name in names if (pid := stack.pid(name)) is not None}


def spent(before: Mapping[str, Cost], after: Mapping[str, Cost]) -> dict[str, float]:
    """
    Processor seconds between two looks; a process that was not there before is left out.
    """
    return {name: cost.seconds - before[name].seconds for name, cost in after.items() if name in before}
