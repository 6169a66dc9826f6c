"""
What routing makes of a text alone, without a request around it; and ``python -m services.routing classify``.

The order is routing's: the first rule of the file that matches, else the model above its threshold, else the desk with
the model's best three. ``confidence`` is the probability that the given service is right: the model's; at least .95 for
a rule, for only rules that right are kept; for the desk (``siniflandirilamadi``) that the model's first candidate is
wrong, so 1 - its confidence, unless the model itself says that nothing is asked for: then its own.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, BinaryIO, Final, NamedTuple, cast

import orjson

from services.common.contracts.catalogue import Catalogue, Service
from services.common.contracts.crises import Declared
from services.common.contracts.events import RequestReceived
from services.common.contracts.vocabulary import TRIAGE_SERVICE, Channel, DecidedBy, Priority
from services.routing.case import Rules
from services.routing.choosing import choose
from services.routing.classifier import Opinion
from services.routing.opinions import Classifier

BATCH: Final = 256
OFFERED: Final = 3
LOOKED_AT: Final = OFFERED + 2  # of two services that are one, or of one that is no more, the next takes the place
NO_TIME: Final = datetime.max.replace(tzinfo=UTC)
EXTERNAL: Final = "dis-kurum"
RULE_IS_RIGHT: Final = 0.95
Asked = tuple[str, Channel | None]
_CHANNELS: Final = {channel.value: channel for channel in Channel}


@dataclass(frozen=True, slots=True)
class Offer:
    """
    A service that the text may mean, who is responsible for it, and how probable that is.
    """

    service: str
    department: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Decision:
    """
    Where a text goes. ``offers``: the best three, the best first. ``rule`` names the rules that decided; ``danger``
    is how probable danger to life is.
    """

    service: str
    department: str
    priority: Priority
    emergency: bool
    confidence: float
    by: DecidedBy
    offers: tuple[Offer, ...]
    danger: float
    rule: str | None = None

    def as_json(self) -> dict[str, Any]:
        """
        The decision as ``classify`` writes it.
        """
        return {
            "service": self.service,
            "department": self.department,
            "priority": self.priority.value,
            "emergency": self.emergency,
            "confidence": round(self.confidence, 4),
            "decided_by": self.by.value,
            "candidates": [
                {"service": offer.service, "department": offer.department, "confidence": round(offer.confidence, 4)}
                for offer in self.offers
            ],
        }


def decide_texts(asked: Sequence[Asked], rules: Rules, model: Classifier) -> list[Decision]:
    """
    What ``choosing.choose`` decides for requests that have these texts and channels and nothing else, on a day without
    a crisis. Pure: what it gives depends on nothing but its arguments.
    """
    opinions = model.opinions([text for text, _ in asked], LOOKED_AT)
    said = _Said(model, {text: opinion for (text, _), opinion in zip(asked, opinions, strict=True)})
    rules = replace(rules, model=said, declared=Declared())
    return [_decision(text, channel, said.of[text], rules) for text, channel in asked]


class _Bare(NamedTuple):
    """
    As much of a ``RequestReceived`` as ``choose`` looks at: making a whole one takes longer than deciding.
    """

    text: str
    channel: Channel | None
    service_code: None = None
    kind: None = None
    location: None = None
    received_at: None = None


class _Said:
    """
    A classifier whose opinions are there already, because a batch costs less than its texts one by one.
    """

    def __init__(self, model: Classifier, of: dict[str, Opinion]) -> None:
        self.version, self.threshold, self.alarm = model.version, model.threshold, model.alarm
        self.of = of

    def opinions(self, texts: Sequence[str], best: int = OFFERED) -> list[Opinion]:
        return [self.of[text] for text in texts]


def _decision(text: str, channel: Channel | None, opinion: Opinion, rules: Rules) -> Decision:
    known = rules.book.catalogue.services
    choice = choose(cast(RequestReceived, _Bare(text, channel)), NO_TIME, rules)
    offers = _offers(opinion, known)
    if choice.by == DecidedBy.RULE:
        offers = _with_first(choice.service, known[choice.service].department, offers)
    best = offers[0]
    abstains = choice.service == TRIAGE_SERVICE and best.service != TRIAGE_SERVICE
    return Decision(
        service=choice.service,
        department=choice.department,
        priority=choice.priority,
        emergency=choice.emergency,
        confidence=1 - best.confidence if abstains else best.confidence,
        by=choice.by,
        offers=offers,
        danger=opinion.danger,
        rule=choice.rule,
    )


def _offers(opinion: Opinion, known: dict[str, Service]) -> tuple[Offer, ...]:
    """
    The model's candidates as services of an everyday: one of a crisis counts as its ``otherwise``.
    """
    chances: dict[str, float] = {}
    for one in opinion.candidates:
        if one.service in known:
            code = known[one.service].otherwise or one.service
            chances[code] = chances.get(code, 0.0) + one.confidence
    best = sorted(chances.items(), key=lambda pair: -pair[1])[:OFFERED]
    return tuple(Offer(code, known[code].department, chance) for code, chance in best)


def refer_to(decision: Decision, known: Catalogue) -> str | None:
    """
    The body that is responsible instead of the municipality, by its short name in the catalogue (``saski``).
    """
    return known.services[decision.service].refer_to if decision.department == EXTERNAL else None


def _with_first(code: str, department: str, offers: Sequence[Offer]) -> tuple[Offer, ...]:
    """
    The service that a rule gave before what the model thinks, whose others share what is left.
    """
    thought = next((offer.confidence for offer in offers if offer.service == code), 0.0)
    confidence = max(thought, RULE_IS_RIGHT)
    share = (1 - confidence) / max(1 - thought, 1e-9)
    others = [offer for offer in offers if offer.service != code][: OFFERED - 1]
    return (
        Offer(code, department, confidence),
        *(Offer(one.service, one.department, one.confidence * share) for one in others),
    )


# --- The command ---


class _Wrong(ValueError):
    """
    A line cannot be used; the message names the field and quotes nothing.
    """


def run(lines: BinaryIO, out: BinaryIO, rules: Rules, model: Classifier) -> int:
    """
    JSON lines ``{id, text, channel?}`` in, a decision a line out, in their order, a batch of 256 at a time. A line that
    cannot be used gives ``{"id": …, "error": …}`` in its place. 0: all could be used; 1: some could not.
    """
    wrong = False
    numbered = enumerate(lines, 1)
    try:
        while batch := list(islice(numbered, BATCH)):
            rows = [_read(number, line) for number, line in batch if line.strip()]
            wrong = wrong or any("error" in row for row, _ in rows)
            decisions = iter(decide_texts([asked for _, asked in rows if asked], rules, model))
            for row, asked in rows:
                if asked is not None:
                    row |= next(decisions).as_json()
            out.write(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row, _ in rows))
            out.flush()
    except BrokenPipeError:  # whoever read has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return int(wrong)


def _read(number: int, line: bytes) -> tuple[dict[str, Any], Asked | None]:
    """
    What the answer begins with, and what is asked; None if the line cannot be used.
    """
    name = None
    try:
        row = _object(line)
        name = _name(row)
        return {"id": name}, (_text(row), _channel(row))
    except _Wrong as error:
        return {"id": name, "error": f"line {number}: {error}"}, None


def _object(line: bytes) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise _Wrong("is not JSON") from None
    if not isinstance(row, dict):
        raise _Wrong("is not a JSON object")
    return row


def _name(row: dict[str, Any]) -> str | int:
    name = row.get("id")
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise _Wrong("id: is missing" if name is None else "id: must be a string or a whole number")
    return name


def _text(row: dict[str, Any]) -> str:
    text = row.get("text")
    if not isinstance(text, str):
        raise _Wrong("text: is missing" if text is None else "text: must be a string")
    return text


def _channel(row: dict[str, Any]) -> Channel | None:
    channel = row.get("channel")
    if channel is None:
        return None
    if not isinstance(channel, str) or channel not in _CHANNELS:
        raise _Wrong(f"channel: must be one of {', '.join(_CHANNELS)}")
    return _CHANNELS[channel]
