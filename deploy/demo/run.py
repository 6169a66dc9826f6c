"""
The run: post the day, let the departments work, watch the topics, wait until everything agrees.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from deploy.demo.day import Line
from deploy.demo.departments import answer
from deploy.demo.journal import Journal, Posted, Reported, in_reporting, on_topics
from deploy.observe import DEPARTMENT_TOPICS, Observer, Seen
from services.common.contracts.events import RequestAssigned
from services.common.contracts.topics import LIFECYCLE, NOTIFICATIONS

AT_ONCE: Final = 8
RETRY_SECONDS: Final = 30.0
STILL_SECONDS: Final = 45.0  # so long may nothing happen; notify holds a message back for 30 at most
LOOK_EVERY: Final = 10  # of so many requests one is looked for in reporting, to time it
PAGE: Final = 200
ASK_AGAIN: Final = 10

Show = Callable[[Mapping[str, int]], None]


class DemoError(Exception):
    """
    The run cannot go on; the message says why.
    """


@dataclass
class Result:
    """
    What a run measured. ``differences`` is empty if everything agrees.
    """

    journal: Journal
    reported: dict[str, Reported] = field(default_factory=dict)
    received_more: int = 0
    differences: dict[str, list[str]] = field(default_factory=dict)
    visible: list[float] = field(default_factory=list)
    refused_at_once: list[str] = field(default_factory=list)
    asked_again: int = 0
    mails: int = 0
    files: int = 0
    seconds: float = 0.0


class Run:
    """
    One simulated day on a running stack. ``run`` is the prefix of its external_ids.
    """

    def __init__(self, env: Mapping[str, str], run_dir: Path, run: str, day: list[Line], day_seconds: float) -> None:
        self._env, self._run_dir, self._run, self._day, self._day_seconds = env, run_dir, run, day, day_seconds
        self._result = Result(Journal())
        self._journal = self._result.journal
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._answered: set[str] = set()
        self._work: set[asyncio.Task[None]] = set()
        self._received_before = 0
        self._last_record = 0.0

    async def go(self, show: Show) -> Result:
        """
        Do all of it; ``show`` is called now and then with how far each part is.
        """
        began = time.perf_counter()
        headers = {"X-API-Key": self._env["API_KEY"]}
        limits = httpx.Limits(max_connections=4 * AT_ONCE, max_keepalive_connections=4 * AT_ONCE)
        servers = self._env["KAFKA_BOOTSTRAP_SERVERS"]
        async with httpx.AsyncClient(headers=headers, limits=limits, timeout=10) as self._http:
            self._received_before = await self._received()
            files_before = self._files()
            departments, watcher = await asyncio.gather(
                asyncio.to_thread(Observer, servers, DEPARTMENT_TOPICS, from_now=True),
                asyncio.to_thread(Observer, servers, (LIFECYCLE.name, NOTIFICATIONS.name), from_now=True),
            )
            reading = [
                asyncio.create_task(self._read(departments, self._to_departments)),
                asyncio.create_task(self._read(watcher, self._journal.add)),
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
                for number, line in enumerate(self._day):
                    await asyncio.sleep(max(0.0, began + line.due(self._day_seconds) - time.perf_counter()))
                    await self._slots.acquire()
                    group.create_task(self._post(line, look=number % LOOK_EVERY == 0))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _post(self, line: Line, *, look: bool) -> None:
        try:
            sent = time.perf_counter()
            taken = await self._send("/v1/requests", line.body_for(self._run), None)
            if taken.status_code != httpx.codes.ACCEPTED:
                self._result.refused_at_once.append(f"{line.name}: {taken.status_code}")
                return
            request_id = str(taken.json()["request_id"])
            self._journal.accept(request_id, Posted(line, sent, time.perf_counter()))
        finally:
            self._slots.release()
        if look:
            await self._look_for(request_id, sent)

    async def _send(self, path: str, body: dict[str, Any], key: str | None) -> httpx.Response:
        """
        Post until intake says yes or no: a 503 or a broken connection is tried again, which the key makes harmless.
        """
        deadline = time.perf_counter() + RETRY_SECONDS
        while True:
            try:
                headers = {"Idempotency-Key": key} if key else {}
                response = await self._http.post(self._env["INTAKE_URL"] + path, json=body, headers=headers)
                if response.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    return response
                why = f"status {response.status_code}"
            except httpx.TransportError as error:
                why = type(error).__name__
            if time.perf_counter() > deadline:
                raise DemoError(f"intake did not take {path} for {RETRY_SECONDS:.0f} s ({why})")
            await asyncio.sleep(0.5)

    async def _look_for(self, request_id: str, sent: float) -> None:
        """
        Time how long it takes reporting to show a request. Asks ever more rarely, not to slow down what it measures.
        """
        pause = 0.02
        while time.perf_counter() - sent < STILL_SECONDS:
            if (await self._report(f"/v1/requests/{request_id}")).status_code == httpx.codes.OK:
                self._result.visible.append(time.perf_counter() - sent)
                return
            await asyncio.sleep(pause)
            pause *= 1.25

    # -- departments -------------------------------------------------------------------------------------------

    def _to_departments(self, seen: Seen, at: float) -> None:
        """
        Each department reads its own topic alone, and answers what it now holds.
        """
        self._journal.add(seen, at)
        department = DEPARTMENT_TOPICS[seen.topic]
        if seen.event is None or seen.event.meta.id in self._answered:
            return
        event = seen.event.data
        if isinstance(event, RequestAssigned) and event.department == department:
            self._answered.add(seen.event.meta.id)
            task = asyncio.create_task(self._answer(department, event))
            self._work.add(task)
            task.add_done_callback(self._work.discard)

    async def _answer(self, department: str, event: RequestAssigned) -> None:
        await asyncio.sleep(0.2)  # intake's answer to whoever posted it may still be on its way
        posted = self._journal.accepted.get(event.request_id)
        if posted is None:
            return  # somebody else's request
        for number, step in enumerate(answer(department, event, posted.line)):
            await asyncio.sleep(step.after)
            key = f"{self._run}-{posted.line.name}-{event.seq}-{number}"
            if not await self._update(event.request_id, {"department": department, **step.body}, key):
                return

    async def _update(self, request_id: str, body: dict[str, Any], key: str) -> bool:
        """
        Submit what a department decided; whether intake took it. A department that has just got a request may know so
        before intake does and is told 409: it asks again.
        """
        for _ in range(ASK_AGAIN):
            async with self._slots:
                taken = await self._send(f"/v1/requests/{request_id}/updates", body, key)
            if taken.status_code != httpx.codes.CONFLICT:
                break
            self._result.asked_again += 1
            await asyncio.sleep(1.0)
        if taken.status_code != httpx.codes.ACCEPTED:
            self._result.refused_at_once.append(f"{request_id} {body['action']}: {taken.status_code}")
            return False
        self._journal.submit(str(taken.json()["update_id"]), request_id)
        return True

    # -- looking on --------------------------------------------------------------------------------------------

    async def _read(self, observer: Observer, take: Callable[[Seen, float], None]) -> None:
        def poll() -> tuple[list[Seen], float]:
            return observer.poll(timeout_ms=200), time.perf_counter()

        while True:
            new, at = await asyncio.to_thread(poll)
            self._last_record = at if new else self._last_record
            for seen in new:
                take(seen, at)

    async def _show(self, show: Show) -> None:
        while True:
            with suppress(httpx.HTTPError, DemoError):
                self._result.received_more = await self._received() - self._received_before
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
        Return when the departments have nothing left to do and all parts agree, or when nothing happens any more.

        Reporting is asked only when the topics are complete: its figures cost the database more than the day does.
        """
        began = time.perf_counter()
        while True:
            for task in reading:
                if task.done():
                    task.result()
            found = {f"{len(self._work)} departments still at work": [""]} if self._work else {}
            found |= on_topics(self._journal, len(self._day))
            over = time.perf_counter() - max(began, self._last_record) > STILL_SECONDS
            if not found or over:
                self._result.received_more = await self._received() - self._received_before
                self._result.reported = await self._reported()
                found |= in_reporting(self._journal, self._result.reported, self._result.received_more)
            self._result.differences = found
            if not found or over:
                return
            await asyncio.sleep(0.5)

    async def _report(self, path: str, query: Mapping[str, str | int] | None = None) -> httpx.Response:
        """
        Ask reporting; a connection that it closed just then, and a 503, are tried again.
        """
        for pause in (0.2, 0.5, 1.0, 2.0, 4.0):
            with suppress(httpx.TransportError):
                answered = await self._http.get(self._env["REPORTING_URL"] + path, params=query)
                if answered.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    return answered
            await asyncio.sleep(pause)
        raise DemoError(f"reporting does not answer {path}")

    async def _received(self) -> int:
        answered = await self._report("/v1/reports/summary")
        answered.raise_for_status()
        return int(answered.json()["rows"][0]["received"])

    async def _reported(self) -> dict[str, Reported]:
        """
        This run's requests as the list shows them, newest first; stops where the run began.
        """
        found: dict[str, Reported] = {}
        query: dict[str, str | int] = {"limit": PAGE}
        for _ in range(3 + 2 * len(self._day) // PAGE):
            answered = await self._report("/v1/requests", query)
            answered.raise_for_status()
            page = answered.json()
            for row in page["items"]:
                if row["request_id"] in self._journal.accepted:
                    found[row["request_id"]] = Reported(row["status"], row["department"], row["channel"])
            if len(found) == len(self._journal.accepted) or page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        return found

    def _files(self) -> tuple[int, int]:
        mails = sum(1 for _ in (self._run_dir / "mail").glob("*.eml"))
        return mails, sum(1 for _ in (self._run_dir / "outbox").rglob("*.json"))
