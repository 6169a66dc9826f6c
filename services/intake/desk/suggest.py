"""
What routing makes of a text while it is typed: asked over HTTP, shown in the reader's language.

Nothing here is needed to register a request: where routing does not answer, the desk goes on without suggestions.
"""

from typing import Any, Final, Protocol

import httpx
from pydantic import BaseModel, ValidationError

from services.common.contracts.catalogue import catalogue
from services.common.contracts.vocabulary import TRIAGE_SERVICE, Channel, DecidedBy, Priority
from services.common.ui.words import PRIORITIES
from services.intake.desk.receipt import department_words, service_words
from services.intake.desk.scripts import Both, scripts
from services.intake.guard import Breaker

PATH: Final = "/v1/classify"
PATIENCE: Final = 1.0
"""Seconds: an answer that comes later is about an older text."""
ERRORS: Final = (httpx.HTTPError, ValidationError)


class Candidate(BaseModel):
    """
    A service that the text may mean.
    """

    service: str
    department: str
    confidence: float


class Classified(BaseModel):
    """
    Routing's answer: what the request will get if it is sent as it is, and the place that the text names.
    """

    service: str
    department: str
    priority: Priority
    emergency: bool
    confidence: float
    decided_by: DecidedBy
    candidates: tuple[Candidate, ...]
    neighbourhood: str | None = None
    street: str | None = None
    refer_to: str | None = None


class Suggestions(Protocol):
    """
    Knows what a text may mean.
    """

    async def classify(self, text: str, channel: Channel | None) -> Classified:
        """
        What routing makes of it. Raises ``Away``.
        """


class Routing:
    """
    ``POST /v1/classify`` on routing's port. After a failure nobody waits for it for two seconds.
    """

    def __init__(self, http: httpx.AsyncClient, routing_url: str) -> None:
        self._http = http
        self._url = routing_url.rstrip("/") + PATH
        self._guard = Breaker("routing (suggestions)", ERRORS, pause=2.0, limit=PATIENCE)

    async def classify(self, text: str, channel: Channel | None) -> Classified:
        """
        What routing makes of it. Raises ``Away``.
        """

        async def ask() -> Classified:
            answer = await self._http.post(self._url, json={"text": text, "channel": channel}, timeout=PATIENCE)
            answer.raise_for_status()
            return Classified.model_validate_json(answer.content)

        return await self._guard.call(ask)


def view(found: Classified, language: str) -> dict[str, Any]:
    """
    The suggestion as the page shows it. ``undecided``: routing would send it to the desk itself, so ``choices`` are
    guesses. ``script``: what to ask and say, if it is dangerous or has a script of its own.
    """
    script = scripts().script(found.service, emergency=found.emergency)
    body = scripts().bodies.get(found.refer_to or "")
    choices = found.candidates[:3]
    return {
        "service": found.service,
        "undecided": found.service == TRIAGE_SERVICE,
        "department": _in(department_words(found.department), language),
        "priority": {"value": found.priority.value, "name": _in(PRIORITIES[found.priority], language)},
        "emergency": found.emergency,
        "decided_by": found.decided_by.value,
        "choices": [
            {
                "service": choice.service,
                "name": _in(service_words(choice.service), language),
                "department": _in(department_words(choice.department), language),
                "percent": round(choice.confidence * 100),
            }
            for choice in choices
            if choice.service in catalogue().services
        ],
        "neighbourhood": found.neighbourhood,
        "street": found.street,
        "refer_to": {"name": _in(body.name, language), "call": body.call} if body else None,
        "script": {
            "title": _in(script.title, language),
            "call": list(script.call),
            "ask": [_in(line, language) for line in script.ask],
            "say": [_in(line, language) for line in script.say],
        }
        if script
        else None,
    }


def _in(words: Both | Any, language: str) -> str:
    text: str = words.tr if language == "tr" else words.en
    return text
