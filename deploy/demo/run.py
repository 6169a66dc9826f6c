"""
The run: post the day, let departments and citizens act, watch the topics, wait until everything agrees.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from typing import Any, Final

import httpx
from kafka.errors import KafkaError

from deploy.demo.agreement import (
    CRISIS,
    TEAM,
    TEAM_OF,
    Differences,
    Reported,
    in_reporting,
    of_the_day,
    on_topics,
)
from deploy.demo.broker import Away, left_out, restart
from deploy.demo.citizens import Call, reaction
from deploy.demo.client import RETRY_SECONDS, Client, DemoError
from deploy.demo.day import ISTANBUL, Line, due
from deploy.demo.departments import OWN_SYSTEMS, Step, answer, update_on_topic
from deploy.demo.journal import Journal, Posted
from deploy.department.talk import update_record
from deploy.observe import DEPARTMENT_TOPICS, Observer, Seen
from deploy.stack.stack import Stack
from services.common.contracts.envelope import Record
from services.common.contracts.events import Lifecycle, NotificationSent, UpdateRefused
from services.common.contracts.ids import family_of
from services.common.contracts.topics import LIFECYCLE, NOTIFICATIONS, RECEIVED
from services.common.kit import letters
from services.common.kit.publisher import KafkaPublisher, PublishFailed
from services.common.kit.settings import KafkaSettings

AT_ONCE: Final = 8
ANSWER_SECONDS: Final = 120.0  # so long a department waits for what becomes of its update, Kafka's restart included
STILL_SECONDS: Final = 45.0  # so long may nothing happen; notify holds a message back for 30 at most
LOOK_EVERY: Final = 10  # of so many requests one is looked for in reporting, to time it
ASK_AGAIN: Final = 10
CRISIS_AT: Final = time_of_day(6)
CRISIS_AT_MOST: Final = timedelta(hours=1)  # if the demo is interrupted before it ends the crisis
BAD_RECORD_AT: Final = time_of_day(11)
BAD_RECORD: Final = b"\x00 no request at all"
READ_BY: Final = ("routing", "reporting")  # the groups that consume requests.received
RESTART_AT: Final = time_of_day(14)
AWAY_SECONDS: Final = 5.0

Show = Callable[[Mapping[str, int]], None]


@dataclass
class Result:
    """
    What a run measured. ``differences`` is empty if everything agrees. ``bad_record``: when one was put on
    requests.received; ``dead_letters``: why, by the group that has it in its dead letters. ``visible``: when a request
    was sent, and how long it took reporting to show it. ``visits``: the visit list of the crisis's first team.
    """

    journal: Journal
    reported: dict[str, Reported] = field(default_factory=dict)
    received_more: int = 0
    visits: list[str] = field(default_factory=list)
    differences: Differences = field(default_factory=dict)
    bad_record: float | None = None
    dead_letters: dict[str, str] = field(default_factory=dict)
    away: Away | None = None
    left_out: str = ""
    visible: list[tuple[float, float]] = field(default_factory=list)
    refused_at_once: list[str] = field(default_factory=list)
    asked_again: int = 0
    mails: int = 0
    files: int = 0
    seconds: float = 0.0


class Run:
    """
    One simulated day on a running stack. ``run`` is the prefix of its external_ids. ``say`` gets a line when
    something out of the ordinary happens.
    """

    def __init__(self, stack: Stack, run: str, day: list[Line], day_seconds: float, say: Callable[[str], None]) -> None:
        self._stack, self._env, self._run, self._say = stack, stack.env, run, say
        self._day, self._day_seconds = day, day_seconds
        self._servers = self._env["KAFKA_BOOTSTRAP_SERVERS"]
        self._publisher = KafkaPublisher(KafkaSettings(bootstrap_servers=self._servers))
        self._result = Result(Journal())
        self._journal = self._result.journal
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._acted: set[str] = set()
        self._waiting: dict[tuple[str, str], asyncio.Future[bool]] = {}
        self._unsent: list[str] = []
        self._work: set[asyncio.Task[None]] = set()
        self._received_before = 0
        self._last_record = 0.0

    async def go(self, show: Show) -> Result:
        """
        Do all of it; ``show`` is called now and then with how far each part is.
        """
        began = time.perf_counter()
        async with Client(self._env, 4 * AT_ONCE) as self._client:
            self._received_before = await self._client.received()
            files_before = self._files()
            departments, watcher = await asyncio.gather(
                asyncio.to_thread(Observer, self._servers, DEPARTMENT_TOPICS, from_now=True),
                asyncio.to_thread(Observer, self._servers, (LIFECYCLE.name, NOTIFICATIONS.name), from_now=True),
            )
            await self._publisher.start((RECEIVED.name,))
            reading = [
                asyncio.create_task(self._read(departments, self._to_departments)),
                asyncio.create_task(self._read(watcher, self._to_everybody)),
                asyncio.create_task(self._show(show)),
            ]
            try:
                await self._post_day()
                await self._wait(reading)
            finally:
                for task in (*reading, *self._work):
                    task.cancel()
                await asyncio.gather(*reading, *self._work, return_exceptions=True)
                await asyncio.gather(asyncio.to_thread(departments.close), asyncio.to_thread(watcher.close))
                await self._publisher.close()
            show(self._progress())
        mails, files = self._files()
        self._result.mails, self._result.files = mails - files_before[0], files - files_before[1]
        self._result.seconds = time.perf_counter() - began
        return self._result

    # -- citizens ----------------------------------------------------------------------------------------------

    async def _post_day(self) -> None:
        began = time.perf_counter()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._at(CRISIS_AT, self._declare_crisis))
                group.create_task(self._at(BAD_RECORD_AT, self._put_bad_record))
                self._result.left_out = left_out(self._stack.config.kind)
                if not self._result.left_out:
                    group.create_task(self._at(RESTART_AT, self._restart))
                for number, line in enumerate(self._day):
                    await asyncio.sleep(max(0.0, began + line.due(self._day_seconds) - time.perf_counter()))
                    await self._slots.acquire()
                    group.create_task(self._post(line, look=number % LOOK_EVERY == 0))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _post(self, line: Line, *, look: bool) -> None:
        try:
            sent = time.perf_counter()
            taken = await self._client.send("/v1/requests", line.body_for(self._run, datetime.now(UTC)))
            if taken.status_code != httpx.codes.ACCEPTED:
                self._result.refused_at_once.append(f"{line.name}: {taken.status_code}")
                return
            request_id = str(taken.json()["request_id"])
            self._journal.accept(request_id, Posted(line, sent, time.perf_counter()))
        finally:
            self._slots.release()
        if look:
            await self._look_for(request_id, sent)

    def _to_everybody(self, seen: Seen, at: float) -> None:
        """
        What stands on the topics without a department; a message that went out is read by its citizen.
        """
        self._journal.add(seen, at)
        event = seen.event.data if seen.event else None
        if isinstance(event, NotificationSent) and not event.late and not event.recipient.startswith("staff:"):
            self._begin(seen, self._react(event))

    def _begin(self, seen: Seen, acting: Coroutine[None, None, None]) -> None:
        """
        Let somebody act on an event, once, however often it is read.
        """
        event_id = f"{seen.topic} {seen.event.meta.id if seen.event else ''}"
        if event_id in self._acted:
            acting.close()
            return
        self._acted.add(event_id)
        task = asyncio.create_task(acting)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _posted(self, request_id: str) -> Posted | None:
        """
        What of ours this is, or a part of it; intake's answer to whoever posted it may still be on its way.
        """
        await asyncio.sleep(0.2)
        return self._journal.accepted.get(family_of(request_id))

    async def _react(self, event: NotificationSent) -> None:
        posted = await self._posted(event.request_id)
        call = reaction(posted.line, event.transition) if posted else None
        if posted is None or call is None:
            return
        await asyncio.sleep(call.after)
        key = f"{self._run}-{posted.line.name}-{call.name}"
        try:
            if call.to == "updates":
                await self._by_http(event.request_id, call.body, key)
            else:
                await self._reply(event.request_id, call, key)
        except DemoError:
            self._unsent.append(event.request_id)

    async def _reply(self, request_id: str, call: Call, key: str) -> None:
        async with self._slots:
            taken = await self._client.send(f"/v1/requests/{request_id}/replies", call.body, key)
        if taken.status_code != httpx.codes.ACCEPTED:
            self._result.refused_at_once.append(f"{request_id} reply: {taken.status_code}")
            return
        self._journal.reply(str(taken.json()["reply_id"]), request_id)

    async def _look_for(self, request_id: str, sent: float) -> None:
        """
        Time how long it takes reporting to show a request. Asks ever more rarely, not to slow down what it measures.
        """
        pause = 0.02
        while time.perf_counter() - sent < STILL_SECONDS:
            if (await self._client.report(f"/v1/requests/{request_id}")).status_code == httpx.codes.OK:
                self._result.visible.append((sent, time.perf_counter() - sent))
                return
            await asyncio.sleep(pause)
            pause *= 1.25

    # -- what is out of the ordinary ---------------------------------------------------------------------------

    async def _at(self, at: time_of_day, do: Callable[[], Coroutine[None, None, None]]) -> None:
        await asyncio.sleep(due(at, self._day_seconds))
        await do()

    async def _put_bad_record(self) -> None:
        await self._publish(Record(RECEIVED.name, self._bad_key, BAD_RECORD, ()))
        self._result.bad_record = time.perf_counter()
        self._say(f"a bad record stands on {RECEIVED.name}")

    async def _declare_crisis(self) -> None:
        body = {"reason": "Salgın: evden çıkamayanlara destek verilecek", "declared_by": "Başkanlık makamı"}
        until = (datetime.now(UTC) + CRISIS_AT_MOST).isoformat()
        await self._crisis(CRISIS, {**body, "ends_at": until})

    async def _end_crisis(self) -> None:
        body = {"reason": "Kısıtlama sona erdi", "declared_by": "Başkanlık makamı"}
        await self._crisis(f"{CRISIS}/end", body)

    async def _crisis(self, path: str, body: dict[str, Any]) -> None:
        taken = await self._client.send(f"/v1/crises/{path}", body)
        if taken.status_code != httpx.codes.ACCEPTED:
            raise DemoError(f"intake did not take the crisis {path} ({taken.status_code})")
        self._say(f"the crisis {CRISIS} is {'over' if path != CRISIS else 'declared'}")

    async def _restart(self) -> None:
        self._say("Kafka is being restarted")
        self._result.away = await asyncio.to_thread(restart, self._stack, AWAY_SECONDS)
        self._say("Kafka is back")

    @property
    def _bad_key(self) -> bytes:
        return f"{self._run}-bad".encode()

    def _dead_letters(self) -> Differences:
        """
        Note the reasons that stand with the bad record in the dead letters; where it is missing, in the form of the
        journal's checks.
        """
        for group in READ_BY:
            for letter in letters.read(self._servers, group):
                if letter.key == self._bad_key and letter.value == BAD_RECORD:
                    self._result.dead_letters[group] = f"{letter.reason}: {letter.detail}"
        return {
            f"the bad record is not in {group}.dlq": [""] for group in READ_BY if group not in self._result.dead_letters
        }

    async def _publish(self, record: Record) -> None:
        """
        Return when it stands on its topic; while Kafka is away, try again, which its ce_id makes harmless.
        """
        deadline = time.perf_counter() + RETRY_SECONDS
        while True:
            try:
                return await self._publisher.publish(record)
            except PublishFailed as error:
                if time.perf_counter() > deadline:
                    raise DemoError(f"Kafka did not take a record for {RETRY_SECONDS:.0f} s ({error})") from None
            await asyncio.sleep(0.5)

    # -- departments -------------------------------------------------------------------------------------------

    def _to_departments(self, seen: Seen, at: float) -> None:
        """
        Each department reads its own topic alone, and answers what it now holds.
        """
        self._journal.add(seen, at)
        department = DEPARTMENT_TOPICS[seen.topic]
        if seen.event is None:
            return
        event = seen.event.data
        if not isinstance(event, Lifecycle):
            return
        if event.update_id is not None and (department, event.update_id) in self._waiting:
            waiting = self._waiting.pop((department, event.update_id))
            if not waiting.done():
                waiting.set_result(not isinstance(event, UpdateRefused))
        self._begin(seen, self._answer(department, event, seen.event.meta.id))

    async def _answer(self, department: str, event: Lifecycle, event_id: str) -> None:
        posted = await self._posted(event.request_id)
        if posted is None:
            return  # somebody else's request
        line, part = posted.line, event.request_id.partition(".")[2]
        master = next((r for r, one in self._journal.accepted.items() if one.line.name == line.again), None)
        today = datetime.now(ISTANBUL).date()
        for number, step in enumerate(answer(department, event, line, today, master)):
            await asyncio.sleep(step.after)
            try:
                if department in OWN_SYSTEMS:
                    done = await self._by_topic(department, event.request_id, event_id, number, step)
                else:
                    key = f"{self._run}-{line.name}-{part}-{event.seq}-{number}"
                    done = await self._by_http(event.request_id, {"department": department, **step.body}, key)
            except DemoError:
                self._unsent.append(event.request_id)
                return
            if not done:
                return

    async def _by_topic(self, department: str, request_id: str, event_id: str, number: int, step: Step) -> bool:
        """
        Write the update on the department's topic, and wait on its other topic for what becomes of it; whether it was
        applied. An answer that does not come is found by the journal.
        """
        update = update_on_topic(request_id, event_id, number, step.body, datetime.now(UTC))
        waiting: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[department, update.update_id] = waiting
        await self._publish(update_record(department, update))
        self._journal.submit(update.update_id, request_id, time.perf_counter(), topic_of=department)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await waiting
        except TimeoutError:
            return False

    async def _by_http(self, request_id: str, body: dict[str, Any], key: str) -> bool:
        """
        Submit what a department decided; whether intake took it. A department that has just got a request may know so
        before intake does and is told 409: it asks again.
        """
        for _ in range(ASK_AGAIN):
            async with self._slots:
                taken = await self._client.send(f"/v1/requests/{request_id}/updates", body, key)
            if taken.status_code != httpx.codes.CONFLICT:
                break
            self._result.asked_again += 1
            await asyncio.sleep(1.0)
        if taken.status_code != httpx.codes.ACCEPTED:
            self._result.refused_at_once.append(f"{request_id} {body['action']}: {taken.status_code}")
            return False
        self._journal.submit(str(taken.json()["update_id"]), request_id, time.perf_counter())
        return True

    # -- looking on --------------------------------------------------------------------------------------------

    async def _read(self, observer: Observer, take: Callable[[Seen, float], None]) -> None:
        def poll() -> tuple[list[Seen], float]:
            try:
                return observer.poll(timeout_ms=200), time.perf_counter()
            except (KafkaError, OSError):  # Kafka is away; a client without a group goes on where it was
                time.sleep(0.2)
                return [], time.perf_counter()

        while True:
            new, at = await asyncio.to_thread(poll)
            self._last_record = at if new else self._last_record
            for seen in new:
                take(seen, at)

    async def _show(self, show: Show) -> None:
        while True:
            with suppress(httpx.HTTPError, DemoError):
                self._result.received_more = await self._client.received() - self._received_before
            for _ in range(6):  # the summary is the dearest question of all
                show(self._progress())
                await asyncio.sleep(0.5)

    def _progress(self) -> dict[str, int]:
        traces = self._journal.ours.values()
        return {
            "posted": len(self._journal.accepted),
            "registered": sum(bool(trace.registered) for trace in traces),
            "assigned": sum(bool(trace.first_assigned) for trace in traces),
            "told": sum(("received", 1) in trace.told for trace in traces),
            "closed": sum(trace.closed for trace in traces),
            "reported": self._result.received_more,
        }

    async def _wait(self, reading: list[asyncio.Task[None]]) -> None:
        """
        Return when departments and citizens have nothing left to do and all parts agree, or when nothing happens any
        more, on the topics or in what is still missing. The crisis ends with the day's work.

        Reporting is asked only when the topics are complete: its figures cost the database more than the day does.
        """
        moved_at, crisis = time.perf_counter(), True
        while True:
            for task in reading:
                if task.done():
                    task.result()
            found = {f"{len(self._work)} departments and citizens still at work": [""]} if self._work else {}
            if self._unsent:
                found["with an update that nobody took"] = list(self._unsent)
            found |= on_topics(self._journal, len(self._day)) | of_the_day(self._journal)
            complete = not found
            over = time.perf_counter() - max(moved_at, self._last_record) > STILL_SECONDS
            if crisis and (complete or over):
                await self._end_crisis()
                crisis = False
            if complete or over:
                result = self._result
                result.received_more = await self._client.received() - self._received_before
                result.reported = await self._client.reported(self._journal.accepted.keys() | self._journal.parts)
                result.visits = await self._client.visits(TEAM_OF, TEAM)
                found |= in_reporting(self._journal, result.reported, result.received_more, result.visits)
                found |= await asyncio.to_thread(self._dead_letters)
                if await self._client.crisis_is_on(CRISIS):
                    found[f"the crisis {CRISIS} is not over"] = [""]
            if complete and found != self._result.differences:
                moved_at, over = time.perf_counter(), False  # reporting is behind, and catching up
            self._result.differences = found
            if not found or over:
                return
            await asyncio.sleep(0.5)

    def _files(self) -> tuple[int, int]:
        run_dir = self._stack.config.run_dir
        mails = sum(1 for _ in (run_dir / "mail").glob("*.eml"))
        return mails, sum(1 for _ in (run_dir / "outbox").rglob("*.json"))
