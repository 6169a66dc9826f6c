"""
What Asterisk's REST interface (ARI) says about calls, in the words of our webhook, and what it is asked to do. Pure.

A call comes into our Stasis application, hears the privacy notice if there is one, and goes on in the dialplan, where
its queue rings the operators. We stay subscribed to the channel, so we hear who takes it and when it is over.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

# Q.850 causes, https://docs.asterisk.org/Configuration/Miscellaneous/Hangup-Cause-Mappings/
_CAUSES: Final = {
    1: "notFound",
    3: "notFound",
    16: "normalClearing",
    17: "busy",
    18: "noAnswer",
    19: "noAnswer",
    21: "rejected",
    26: "cancel",
    28: "notFound",
    34: "congestion",
    38: "congestion",
    42: "congestion",
}
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?[+-]\d\d:?\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Which application is ours, what callers hear first (an ARI media URI such as ``sound:ilkim/kvkk``) and the queue's
    name.
    """

    app: str
    announcement: str | None = None
    queue: str | None = None


@dataclass(frozen=True, slots=True)
class Tell:
    """
    An event for the webhook.
    """

    body: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ask:
    """
    A request to ARI. Asterisk answers 404 if the caller has hung up meanwhile: that is no error.
    """

    method: str
    path: str
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stop:
    """
    Another process took the application over: two would tell everything twice and fight for it.
    """


Action = Tell | Ask | Stop


@dataclass(frozen=True, slots=True)
class Channels:
    """
    The incoming channels that we know of; those of ``answered`` somebody took.
    """

    known: frozenset[str] = frozenset()
    answered: frozenset[str] = frozenset()


def moment(text: object) -> datetime | None:
    """
    A time as Asterisk writes it (the zone without a colon); None for anything else.
    """
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def follow(channels: Channels, event: Mapping[str, Any], plan: Plan) -> tuple[Channels, list[Action]]:
    """
    What follows from an event of ARI. What is not ours or says nothing changes nothing.
    """
    at = moment(event.get("timestamp"))
    match event.get("type"):
        case "ApplicationReplaced":
            return channels, [Stop()]
        case "StasisStart":
            return _start(channels, event["channel"], at, plan)
        case "PlaybackFinished":
            channel_id = str(event["playback"].get("target_uri", "")).removeprefix("channel:")
            return channels, [_go_on(channel_id)] if channel_id in channels.known else []
        case "Dial":
            caller, peer = event.get("caller") or {}, event["peer"]
            if event.get("dialstatus") != "ANSWER":
                return channels, []
            return _answer(channels, caller.get("id", ""), _extension(peer), at)
        case "ChannelStateChange":
            channel = event["channel"]
            if plan.announcement is not None or channel.get("state") != "Up":
                return channels, []  # with an announcement it was we who answered
            return _answer(channels, channel["id"], _number(channel.get("connected")), at)
        case "ChannelDestroyed":
            return _destroy(channels, event["channel"], event.get("cause"), at)
    return channels, []


def adopt(channels: Channels, there: Iterable[Mapping[str, Any]], plan: Plan) -> tuple[Channels, list[Action]]:
    """
    What follows from the list of all channels after we were away: those that wait in our application begin (again, if
    we do not know how far they came), those that are gone are over.
    """
    found = {str(channel["id"]): channel for channel in there}
    actions: list[Action] = []
    for channel_id in sorted(channels.known - found.keys()):
        actions.append(_tell("hangup", {"id": channel_id}, None, cause="unknown"))
    known = channels.known & found.keys()
    channels = Channels(known, channels.answered & known)
    for channel_id, channel in sorted(found.items()):
        dialplan = channel.get("dialplan") or {}
        if dialplan.get("app_name") == "Stasis" and str(dialplan.get("app_data", "")).split(",")[0] == plan.app:
            channels, more = _start(channels, channel, moment(channel.get("creationtime")), plan)
            actions += more
        elif channel_id in known:
            actions.append(_subscribe(channel_id, plan))
    return channels, actions


def _start(
    channels: Channels, channel: Mapping[str, Any], at: datetime | None, plan: Plan
) -> tuple[Channels, list[Action]]:
    channel_id = str(channel["id"])
    number = _number(channel.get("caller")) or "anonymous"
    called = (channel.get("dialplan") or {}).get("exten") or ""
    fields = {"from": number, "to": str(called)} | ({"queue": plan.queue} if plan.queue else {})
    actions: list[Action] = [_tell("newCall", channel, at, **fields), _subscribe(channel_id, plan)]
    if plan.announcement is None:
        actions.append(_go_on(channel_id))
    else:
        actions.append(Ask("POST", f"/channels/{channel_id}/answer", {}))
        actions.append(Ask("POST", f"/channels/{channel_id}/play", {"media": plan.announcement}))
    return replace(channels, known=channels.known | {channel_id}), actions


def _answer(
    channels: Channels, channel_id: str, extension: str | None, at: datetime | None
) -> tuple[Channels, list[Action]]:
    if channel_id not in channels.known or channel_id in channels.answered:
        return channels, []
    fields = {"answeringNumber": extension} if extension else {}
    after = replace(channels, answered=channels.answered | {channel_id})
    return after, [_tell("answer", {"id": channel_id}, at, **fields)]


def _destroy(
    channels: Channels, channel: Mapping[str, Any], cause: object, at: datetime | None
) -> tuple[Channels, list[Action]]:
    channel_id = str(channel["id"])
    if channel_id not in channels.known:
        return channels, []
    word = _CAUSES.get(cause, "unknown") if isinstance(cause, int) else "unknown"
    fields = {"cause": word}
    if number := _number(channel.get("caller")):
        fields["from"] = number
    after = Channels(channels.known - {channel_id}, channels.answered - {channel_id})
    return after, [_tell("hangup", channel, at, **fields)]


def _tell(event: str, channel: Mapping[str, Any], at: datetime | None, **fields: str) -> Tell:
    body = {"event": event, "direction": "in", "callId": str(channel["id"]), **fields}
    return Tell(body | ({"at": at.isoformat(timespec="milliseconds")} if at else {}))


def _subscribe(channel_id: str, plan: Plan) -> Ask:
    return Ask("POST", f"/applications/{plan.app}/subscription", {"eventSource": f"channel:{channel_id}"})


def _go_on(channel_id: str) -> Ask:
    return Ask("POST", f"/channels/{channel_id}/continue", {})


def _number(party: Mapping[str, Any] | None) -> str | None:
    return str((party or {}).get("number") or "") or None


def _extension(peer: Mapping[str, Any]) -> str | None:
    """
    The extension of the telephone that was dialled: its caller id, or the name in ``PJSIP/42-0000002b``.
    """
    name = str(peer.get("name") or "").partition("/")[2].rpartition("-")[0]
    return _number(peer.get("caller")) or name or None
