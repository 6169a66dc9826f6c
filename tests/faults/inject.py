"""
How each fault is done to a rig, how it is undone, and how long it took until all was well again.
"""

import asyncio
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx

from deploy.stack.config import StackError
from tests.faults.network import FAIR, Network, Weather
from tests.faults.rig import Rig
from tests.faults.schedule import BROKERS, DATABASE, PROCESSES, Fault, Kind, Lane
from tests.faults.stand import until

WELL_AGAIN_SECONDS: Final = 120.0
ITSELF: Final = frozenset({Kind.ROLLING, Kind.UPGRADE, Kind.STORM})  # last as long as what is done takes
_BESIDE_PORT: Final = 60


@dataclass
class Injected:
    """
    A fault that was done, to whom; ``back`` seconds after it was over its target served again, None: it did not.
    """

    fault: Fault
    target: str
    at: float
    back: float | None = None


class Injector:
    """
    Does faults to a rig, one lane beside the other.
    """

    def __init__(self, rig: Rig, ways: Network, say: Callable[[Injected], None]) -> None:
        self._rig = rig
        self._ways = ways
        self._say = say
        self._began = time.monotonic()
        self.done: list[Injected] = []

    async def run(self, faults: Sequence[Fault]) -> None:
        """
        All of them; a lane waits until what it did is healed, so it may come to its next one late.
        """
        self._began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for lane in Lane:
                group.create_task(self._lane([fault for fault in faults if fault.lane is lane]))

    async def _lane(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            await asyncio.sleep(max(0.0, self._began + fault.at - time.monotonic()))
            if fault.lane is Lane.UNDER and await self._well_after(fault) is None:
                return  # a second fault on top of one that does not heal would prove nothing
            target = await asyncio.to_thread(self._find, fault)
            injected = Injected(fault, target, time.monotonic() - self._began)
            self.done.append(injected)
            async with self._doing(fault, target):
                await asyncio.sleep(0 if fault.kind in ITSELF else fault.seconds)
            injected.back = await self._well_after(fault)
            self._say(injected)

    async def _well_after(self, fault: Fault) -> float | None:
        """
        How long until what the fault hits serves: for what is under, the brokers (in sync) and the database.
        """
        began = time.monotonic()
        names = (*BROKERS, DATABASE) if fault.lane is Lane.UNDER else fault.target.split()

        async def well() -> bool:
            return all([await asyncio.to_thread(self._rig.ready, name) for name in names])

        return time.monotonic() - began if await until(well, WELL_AGAIN_SECONDS, 0.5) else None

    def _find(self, fault: Fault) -> str:
        match fault.kind:
            case Kind.LEADER:
                return self._rig.hot_leader()
            case Kind.CONTROLLER:
                return self._rig.controller()
            case Kind.TWO_BROKERS:
                return " ".join([*dict.fromkeys((self._rig.controller(), self._rig.hot_leader(), *BROKERS))][:2])
            case _:
                return fault.target

    @asynccontextmanager
    async def _doing(self, fault: Fault, target: str) -> AsyncIterator[None]:
        """
        The fault lasts as long as the block.
        """
        rig = self._rig
        match fault.kind:
            case Kind.KILL:
                rig.kill(target)
                yield
            case Kind.PAUSE:
                pid = rig.pause(target)
                try:
                    yield
                finally:
                    rig.go_on(pid)
            case Kind.LEADER | Kind.CONTROLLER | Kind.TWO_BROKERS | Kind.DATABASE:
                for name in target.split():
                    await asyncio.to_thread(rig.lose, name)
                try:
                    yield
                finally:
                    for name in target.split():
                        await asyncio.to_thread(rig.start, name, wait=False)
            case Kind.SLOW | Kind.TORN | Kind.HELD | Kind.CUT | Kind.SPOOL:
                self._ways.set(target, _weather(fault))
                try:
                    yield
                finally:
                    self._ways.set(target, FAIR)
            case Kind.CLOCK:
                rig.step_clock(target, fault.amount)
                try:
                    yield
                finally:
                    rig.step_clock(target, 0)
            case Kind.ROLLING | Kind.UPGRADE:
                for name in PROCESSES:
                    await asyncio.to_thread(self._roll, name, upgrade=fault.kind is Kind.UPGRADE)
                yield
            case Kind.STORM:
                for number in range(int(fault.amount)):
                    await self._join_and_leave(target, killed=bool(number % 2))
                yield

    def _roll(self, name: str, *, upgrade: bool) -> None:
        self._rig.stop(name)
        if upgrade:
            self._rig.upgrade(name)
        self._rig.start(name, wait=False)
        try:
            self._rig.wait_ready(name, WELL_AGAIN_SECONDS)
        except StackError:  # what it stands on is away, by the other lane; that it serves in the end is asked later
            return

    async def _join_and_leave(self, group: str, *, killed: bool) -> None:
        port = self._rig.config.port_base + _BESIDE_PORT
        process = await asyncio.to_thread(self._rig.another, group, port)
        try:
            await until(lambda: _ready(port), 15)
            await asyncio.sleep(2)
        finally:
            process.send_signal(signal.SIGKILL if killed else signal.SIGTERM)
            await asyncio.to_thread(_ended, process)


def _weather(fault: Fault) -> Weather:
    match fault.kind:
        case Kind.SLOW:
            return Weather(delay=fault.amount)
        case Kind.TORN:
            return Weather(torn=fault.amount)
        case Kind.HELD:
            return Weather(held=True)
        case _:
            return Weather(cut=True)


def _ended(process: "subprocess.Popen[Any]") -> None:
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


async def _ready(port: int) -> bool:
    async with httpx.AsyncClient(timeout=2) as http:
        try:
            return (await http.get(f"http://127.0.0.1:{port}/readyz")).is_success
        except httpx.HTTPError:
            return False
