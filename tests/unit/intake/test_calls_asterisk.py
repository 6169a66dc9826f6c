"""
What ARI says, in our webhook's words; and the bridge against a stand-in that breaks off, comes back and is replaced.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from aiohttp import web

from services.intake.calls import asterisk, webhook
from services.intake.calls.asterisk import Action, Ask, Channels, Plan, Stop, Tell, adopt, follow
from services.intake.calls.bridge import AsteriskBridge, Replaced
from tests.standins.asterisk import StandInAsterisk, channel, stand_in_asterisk
from tests.standins.running import serving
from tests.waiting import until

PLAN = Plan("ilkim", queue="ilkim")
SPOKEN = Plan("ilkim", announcement="sound:ilkim/kvkk")
ID = "1717223400.42"
OURS = Channels(frozenset({ID}))
AT = "2026-06-01T09:30:00.123+0300"


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "application": "ilkim", "timestamp": AT, **fields}


def told(actions: list[Action]) -> list[dict[str, str]]:
    return [dict(action.body) for action in actions if isinstance(action, Tell)]


def asked(actions: list[Action]) -> list[str]:
    return [action.path.rpartition("/")[2] for action in actions if isinstance(action, Ask)]


def test_a_time_without_a_colon_in_its_zone_is_read() -> None:
    istanbul = timezone(timedelta(hours=3))
    assert asterisk.moment(AT) == datetime(2026, 6, 1, 9, 30, 0, 123000, tzinfo=istanbul)
    assert asterisk.moment("2026-06-01T09:30:00") is None
    assert asterisk.moment(None) is None


def test_a_call_that_comes_in_is_told_and_goes_on_to_the_queue() -> None:
    channels, actions = follow(Channels(), event("StasisStart", channel=channel()), PLAN)
    assert channels == OURS
    (body,) = told(actions)
    assert body == {
        "event": "newCall", "direction": "in", "callId": ID, "from": "05321112233", "to": "4445501", "queue": "ilkim",
        "at": "2026-06-01T09:30:00.123+03:00",
    }  # fmt: skip
    assert webhook.event_of(body).number == "05321112233"
    assert asked(actions) == ["subscription", "continue"]


def test_the_privacy_notice_is_played_before_the_queue() -> None:
    channels, actions = follow(Channels(), event("StasisStart", channel=channel()), SPOKEN)
    assert asked(actions) == ["subscription", "answer", "play"]
    ours = event("PlaybackFinished", playback={"target_uri": f"channel:{ID}"})
    other = event("PlaybackFinished", playback={"target_uri": "channel:9"})
    assert asked(follow(channels, ours, SPOKEN)[1]) == ["continue"]
    assert follow(channels, other, SPOKEN)[1] == []


def test_a_withheld_number_is_anonymous() -> None:
    _, actions = follow(Channels(), event("StasisStart", channel=channel(caller={"number": ""})), PLAN)
    assert told(actions)[0]["from"] == "anonymous"


@pytest.mark.parametrize(
    ("peer", "extension"),
    [({"name": "PJSIP/42-0000002b", "caller": {"number": ""}}, "42"), ({"caller": {"number": "43"}}, "43")],
)
def test_who_takes_it_is_told_once(peer: dict[str, Any], extension: str) -> None:
    dial = event("Dial", caller=channel(), peer=peer, dialstatus="ANSWER")
    channels, actions = follow(OURS, dial, SPOKEN)
    assert [body["answeringNumber"] for body in told(actions)] == [extension]
    assert follow(channels, dial, SPOKEN)[1] == []
    assert follow(OURS, dial | {"dialstatus": "RINGING"}, SPOKEN)[1] == []


def test_up_is_an_answer_only_if_we_did_not_answer_ourselves_to_speak() -> None:
    up = event("ChannelStateChange", channel=channel(state="Up", connected={"number": "42"}))
    assert told(follow(OURS, up, PLAN)[1])[0]["answeringNumber"] == "42"
    assert follow(OURS, up, SPOKEN)[1] == []
    assert follow(OURS, event("ChannelStateChange", channel=channel(state="Ringing")), PLAN)[1] == []


@pytest.mark.parametrize(("cause", "word"), [(16, "normalClearing"), (17, "busy"), (19, "noAnswer"), (127, "unknown")])
def test_the_cause_of_a_hang_up_is_told_in_our_words(cause: int, word: str) -> None:
    channels, actions = follow(OURS, event("ChannelDestroyed", channel=channel(), cause=cause, cause_txt="x"), PLAN)
    assert channels == Channels()
    (body,) = told(actions)
    assert (body["event"], body["cause"]) == ("hangup", word)
    assert webhook.event_of(body).cause in asterisk._CAUSES.values() or word == "unknown"


@pytest.mark.parametrize(
    "other",
    [
        event("ChannelDestroyed", channel=channel("9"), cause=16),
        event("Dial", caller=channel("9"), peer={"name": "PJSIP/42-1"}, dialstatus="ANSWER"),
        event("Dial", peer={"name": "PJSIP/42-1"}, dialstatus="ANSWER"),
        event("StasisEnd", channel=channel()),
        event("ChannelDtmfReceived", channel=channel(), digit="1", duration_ms=100),
        event("ChannelHangupRequest", channel=channel(), cause=16),
        event("SomethingNew"),
    ],
)
def test_what_is_not_ours_or_says_nothing_changes_nothing(other: dict[str, Any]) -> None:
    assert follow(OURS, other, PLAN) == (OURS, [])


def test_who_is_replaced_stops() -> None:
    assert follow(OURS, event("ApplicationReplaced"), PLAN) == (OURS, [Stop()])


def test_after_an_interruption_waiting_calls_are_adopted_and_vanished_ones_are_over() -> None:
    waits, queued = channel("2"), channel("3", dialplan={"app_name": "Queue", "app_data": "ilkim"})
    foreign = channel("4", dialplan={"app_name": "Stasis", "app_data": "another,1"})
    before = Channels(frozenset({"1", "3"}), frozenset({"1", "3"}))
    channels, actions = adopt(before, [waits, queued, foreign], PLAN)
    assert channels == Channels(frozenset({"2", "3"}), frozenset({"3"}))
    assert [(body["event"], body["callId"]) for body in told(actions)] == [("hangup", "1"), ("newCall", "2")]
    sources = [action.query["eventSource"] for action in actions if isinstance(action, Ask) and action.query]
    assert sources == ["channel:2", "channel:3"]


# --- the bridge ---


class Webhook:
    """
    Our webhook; answers what ``answers`` says, then 200.
    """

    def __init__(self) -> None:
        self.bodies: list[dict[str, str]] = []
        self.answers: list[int] = []
        self._more = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.bodies.append(await request.json())
        async with self._more:
            self._more.notify_all()
        return web.json_response({}, status=status)

    async def heard(self, *events: str) -> None:
        async with asyncio.timeout(30), self._more:
            await self._more.wait_for(lambda: [body["event"] for body in self.bodies] == list(events))


Start = Callable[[], "asyncio.Task[None]"]


@asynccontextmanager
async def world(plan: Plan = PLAN) -> AsyncIterator[tuple[StandInAsterisk, Webhook, Start]]:
    hook, running = Webhook(), []
    app = web.Application()
    app.add_routes([web.post("/hook", hook.take)])
    async with stand_in_asterisk() as pbx, serving(app) as url:

        def start() -> "asyncio.Task[None]":
            bridge = AsteriskBridge(
                url=pbx.url, user="ilkim", password="secret", plan=plan, webhook=f"{url}/hook", first_pause=0.01
            )
            running.append(asyncio.create_task(bridge.run()))
            return running[-1]

        try:
            yield pbx, hook, start
        finally:
            for task in running:
                task.cancel()
                with suppress(asyncio.CancelledError, Replaced):
                    await task


async def test_a_call_from_ring_to_hang_up_with_the_notice() -> None:
    async with world(SPOKEN) as (pbx, hook, start):
        start()
        await pbx.connected(1)
        await pbx.ring()
        await until(lambda: pbx.asked == ["answer", "play", "continue"])
        assert pbx.subscribed == {f"channel:{ID}"}
        await pbx.say("Dial", caller=channel(), peer={"name": "PJSIP/42-0000002b"}, dialstatus="ANSWER")
        await pbx.say("ChannelDestroyed", channel=channel(), cause=16, cause_txt="Normal Clearing")
        await hook.heard("newCall", "answer", "hangup")
        assert {body["callId"] for body in hook.bodies} == {ID}


async def test_a_broken_connection_is_opened_again_and_what_was_missed_is_read() -> None:
    async with world() as (pbx, hook, start):
        start()
        await pbx.connected(1)
        await pbx.ring()
        await hook.heard("newCall")
        await until(lambda: pbx.asked == ["continue"])
        del pbx.channels[ID]
        pbx.channels["7"] = channel("7")
        await pbx.cut()
        await hook.heard("newCall", "hangup", "newCall")
        assert [body["callId"] for body in hook.bodies] == [ID, ID, "7"]


async def test_what_the_webhook_cannot_take_now_is_told_later_in_order_and_what_it_refuses_is_left() -> None:
    async with world() as (pbx, hook, start):
        hook.answers = [503, 503, 200, 422]
        start()
        await pbx.connected(1)
        await pbx.ring()
        await pbx.say("Dial", caller=channel(), peer={"name": "PJSIP/42-1"}, dialstatus="ANSWER")
        await pbx.say("ChannelDestroyed", channel=channel(), cause=16, cause_txt="x")
        await hook.heard("newCall", "hangup")


async def test_something_odd_stops_nothing() -> None:
    async with world() as (pbx, hook, start):
        start()
        await pbx.connected(1)
        await pbx.say("StasisStart")
        await pbx.ring()
        await hook.heard("newCall")


async def test_the_bridge_that_is_replaced_stops_and_the_other_goes_on() -> None:
    async with world() as (pbx, hook, start):
        first = start()
        await pbx.connected(1)
        start()
        with pytest.raises(Replaced):
            await asyncio.wait_for(first, 30)
        await pbx.ring()
        await hook.heard("newCall")


async def test_an_asterisk_that_is_away_is_tried_again() -> None:
    async with world() as (pbx, _, start):
        good, pbx.authorization = pbx.authorization, "Basic other"
        task = start()
        await asyncio.sleep(0)
        pbx.authorization = good
        await asyncio.wait_for(pbx.connected(1), 30)
        assert not task.done()
