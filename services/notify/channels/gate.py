"""
What stands before each provider: not too fast, not too many at once, left alone while it is down; and staff hear of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from services.common.kit import metrics
from services.common.kit.clock import Clock, system_clock
from services.common.kit.logs import logger
from services.notify.channels.base import Letter, PermanentError, PolledSender, Report, Sender, TemporaryError
from services.notify.channels.circuit import Bucket, Circuit

log = logger(__name__)
BUSY: Final = "busy"
OPEN: Final = "breaker_open"
TURN: Final = timedelta(seconds=3)  # how far off one's turn by the rate may be
WAIT: Final = timedelta(seconds=4)  # for it and for a seat; with what a sender takes it is below NOTIFY_SEND_TIMEOUT
PATIENCE: Final = timedelta(minutes=5)  # how long a provider may be down before staff hear of it
SAID_AGAIN: Final = timedelta(days=1)  # how soon the same fault of one message is said again
Sleep = Callable[[float], Awaitable[None]]


class Alarm(Protocol):
    """
    Tells staff that a channel needs them.
    """

    async def __call__(self, channel: str, code: str, since: datetime, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """
    What a provider can take: messages a second, and how many at once. More at once are not faster: what httpx does for
    one request grows with the number of its open connections.
    """

    rate: float
    at_once: int = 16


@dataclass(frozen=True, slots=True)
class State:
    """
    How a provider is: ``down`` since when, if it is left alone because it fails, and of what kind its last failure was.
    """

    down: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None


class Gate:
    """
    A sender with its gate. Whatever the gate itself refuses has not been sent: ``TemporaryError`` busy or breaker_open.

    A provider that answers, even with a refusal, is up; five failures in a row open the breaker (circuit.py). After
    five minutes down, or at once if somebody has to mend something, there is one log line and one alarm an outage.
    """

    def __init__(
        self,
        sender: Sender,
        channel: str,
        pace: Pace,
        alarm: Alarm | None = None,
        clock: Clock = system_clock,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._sender = sender
        self._channel = channel
        self._bucket = Bucket.full(pace.rate, clock())
        self._seats = asyncio.Semaphore(pace.at_once)
        self._circuit = Circuit()
        self._last: tuple[str, datetime] | None = None
        self._alarm = alarm
        self._clock = clock
        self._sleep = sleep
        self._down_said = False
        self._said: dict[str, datetime] = {}
        self._alarms: set[asyncio.Task[None]] = set()
        metrics.notify_provider_up.labels(channel).set(1)

    @property
    def state(self) -> State:
        """
        How the provider is now.
        """
        code, at = self._last or (None, None)
        return State(self._circuit.since if self._circuit.open else None, code, at)

    async def send(self, letter: Letter, /) -> str | None:
        """
        Wait for a turn and send. Raises what the sender raises, and ``TemporaryError`` of its own.
        """
        self._check()
        self._bucket, wait = self._bucket.take(self._clock(), TURN)
        if wait > TURN:
            raise TemporaryError(BUSY, wait, alone=True)
        await self._turn(wait)
        try:
            return await self._ask(letter)
        finally:
            self._seats.release()

    async def _turn(self, wait: timedelta) -> None:
        try:
            async with asyncio.timeout(WAIT.total_seconds()):
                if wait:
                    await self._sleep(wait.total_seconds())
                await self._seats.acquire()
        except TimeoutError:
            raise TemporaryError(BUSY, timedelta(seconds=1), alone=True) from None

    async def _ask(self, letter: Letter) -> str | None:
        self._check()
        probe = self._circuit.open
        self._circuit = self._circuit.entered()
        try:
            sent = await self._sender.send(letter)
        except PermanentError as error:
            if error.asked:
                self._up()
            elif probe:
                self._circuit = self._circuit.unasked()
            if error.alert:
                self._last = (str(error), self._clock())
                self._say_once(str(error))
            raise
        except TemporaryError as error:
            if error.alone:
                self._up()
            else:
                self._failed(str(error), probe, error.after, urgent=error.alert)
            raise
        except (TimeoutError, asyncio.CancelledError):  # cancelled: its time was over before the sender's own
            self._failed("timeout", probe)
            raise
        except Exception as error:
            self._failed(type(error).__name__, probe)
            raise
        self._up()
        return sent

    def _check(self) -> None:
        left = self._circuit.left(self._clock())
        if left is not None:
            raise TemporaryError(OPEN, left)

    def _up(self) -> None:
        if self._circuit.open:
            log.info("a provider is back", channel=self._channel, since=self._circuit.since)
        self._circuit = self._circuit.succeeded()
        self._down_said = False
        metrics.notify_provider_up.labels(self._channel).set(1)

    def _failed(self, code: str, probe: bool, after: timedelta | None = None, *, urgent: bool = False) -> None:
        now = self._clock()
        self._circuit = self._circuit.failed(now, probe, after)
        self._last = (code, now)
        since = self._circuit.since or now
        if self._circuit.open:
            metrics.notify_provider_up.labels(self._channel).set(0)
        if not self._down_said and (urgent or (self._circuit.open and now - since >= PATIENCE)):
            self._down_said = True
            self._say("a provider is down", code, since)

    def _say_once(self, code: str) -> None:
        """
        Staff hear of a fault that is in single messages, a template that Meta does not know for instance.
        """
        now = self._clock()
        if code not in self._said or now - self._said[code] >= SAID_AGAIN:
            self._said[code] = now
            self._say("a provider refuses what only a person can mend", code, now)

    def _say(self, what: str, code: str, since: datetime) -> None:
        log.error(what, channel=self._channel, reason=code, since=since)
        if self._alarm is not None:
            task = asyncio.create_task(self._raise_alarm(self._alarm, code, since))
            self._alarms.add(task)
            task.add_done_callback(self._alarms.discard)

    async def _raise_alarm(self, alarm: Alarm, code: str, since: datetime) -> None:
        try:
            await alarm(self._channel, code, since)
        except Exception as error:  # nobody waits for it; the log line above is there in any case
            log.error("staff could not be told by mail", channel=self._channel, error=type(error).__name__)

    async def close(self) -> None:
        """
        Let alarms go out, then close the sender.
        """
        await asyncio.gather(*self._alarms)
        await self._sender.close()


class PolledGate(Gate):
    """
    A gate before a provider that has to be asked for reports; these pass by it.
    """

    def __init__(
        self,
        sender: PolledSender,
        channel: str,
        pace: Pace,
        alarm: Alarm | None = None,
        clock: Clock = system_clock,
    ) -> None:
        super().__init__(sender, channel, pace, alarm, clock)
        self._polled = sender

    async def reports(self, provider_ids: Sequence[str], /) -> Mapping[str, Report]:
        """
        What the provider says of these.
        """
        return await self._polled.reports(provider_ids)
