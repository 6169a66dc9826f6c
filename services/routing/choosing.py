"""
Which service, which department, how urgent, which team: from the sender's word, the rules, the classifier and the
crises that are on.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from services.common.contracts.events import Candidate, RequestReceived
from services.common.contracts.vocabulary import TRIAGE_SERVICE, DecidedBy, Priority
from services.routing.case import Rules
from services.routing.opinions import Verdict, verdict
from services.routing.rules_form import Question

URGENCY: Final = (Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.URGENT)


@dataclass(frozen=True, slots=True)
class Choice:
    """
    Where a request goes, and why. ``rule`` names what decided, in the order in which it was asked: rules, the model,
    ``danger``. ``model``, ``confidence`` and ``candidates`` are RequestAssigned's.
    """

    service: str
    department: str
    priority: Priority
    emergency: bool
    by: DecidedBy
    rule: str | None = None
    team: str | None = None
    crisis: str | None = None
    model: str | None = None
    confidence: float | None = None
    candidates: tuple[Candidate, ...] | None = None


def choose(request: RequestReceived, at: datetime, rules: Rules) -> Choice:
    """
    The choice for a request that nobody has looked at: the sender's service_code, else the first rule that matches its
    text, else the classifier if it is sure, else triage with its best candidates. A crisis's service counts while the
    crisis is on; at other times its ``otherwise`` does. A text that tells of danger is urgent whatever it is about.
    """
    view = None if rules.model is None else verdict(rules.model, request.text, rules.book.catalogue)
    choice = _of_service(request, at, rules, view)
    if view is None or not view.danger:
        return choice
    why = f"{choice.rule}+danger" if choice.rule else "danger"
    return replace(dangerous(choice), rule=why, model=view.version)


def dangerous(choice: Choice) -> Choice:
    """
    The choice with the urgency of danger to life, whatever the service is.
    """
    return replace(choice, priority=Priority.URGENT, emergency=True)


def _of_service(request: RequestReceived, at: datetime, rules: Rules, view: Verdict | None) -> Choice:
    known = rules.book.catalogue.services
    if request.service_code is not None and request.service_code in known:
        return placed(request.service_code, DecidedBy.EXPLICIT, None, request, at, rules)
    hit = rules.book.first_service(question(request))
    if hit is not None:
        return placed(hit.service, DecidedBy.RULE, hit.name, request, at, rules)
    if view is None:
        return placed(TRIAGE_SERVICE, DecidedBy.RULE, "no-rule-matched", request, at, rules)
    choice = placed(view.service or TRIAGE_SERVICE, DecidedBy.MODEL, f"model {view.version}", request, at, rules)
    confidence = view.confidence if view.service else None
    return replace(choice, model=view.version, confidence=confidence, candidates=view.candidates or None)


def question(request: RequestReceived, service: str | None = None) -> Question:
    """
    What the rules can look at.
    """
    return Question(
        text=request.text,
        service=service,
        neighbourhood=request.location.neighbourhood if request.location else None,
        channel=request.channel,
        kind=request.kind,
        at=request.received_at,
    )


def placed(
    code: str,
    by: DecidedBy,
    rule: str | None,
    request: RequestReceived,
    at: datetime,
    rules: Rules,
    department: str | None = None,
) -> Choice:
    """
    The choice for a service that is decided; ``department`` if a person decided that too (no rule overrules it).
    """
    crises_on = rules.crises_on(at)
    service = rules.service(code)
    if service.crisis is not None and service.crisis not in crises_on and service.otherwise is not None:
        code, service = service.otherwise, rules.service(service.otherwise)
    asked = question(request, code)
    assignment = rules.book.first_assignment(asked)
    holder = department or (assignment and assignment.department) or service.department
    priority = (assignment and assignment.priority) or service.priority
    team = assignment.team if assignment and holder == (assignment.department or service.department) else None
    crisis = None
    for name, what in crises_on.items():
        raised = what.priorities.get(code)
        visits = what.team_for(code, asked.neighbourhood)
        if raised is None and visits is None and service.crisis != name:
            continue
        crisis = name
        priority = max(priority, raised or priority, key=URGENCY.index)
        if team is None and visits is not None and what.teams[visits].department == holder:
            team = visits
    names = [name for name in (rule, assignment and assignment.name) if name]
    return Choice(code, holder, priority, service.emergency, by, "+".join(names) or None, team, crisis)
