"""
Operators' rules: one ordered file, three sections, in each of the first two the first rule that matches decides.

``services`` gives a text that came without a service_code its service. ``assignments`` says, for a request whose
service is known, who else or how urgent it shall be. ``tests`` are cases that must come out as the file says before
routing starts.

Within a rule all conditions must hold, of one condition's values any. How words match stands in rules_words.py. Where
the text says what stands under ``but_not``, the rule's words do not count (``çalı`` but not ``çalış``).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

from services.common.contracts.catalogue import Catalogue
from services.common.contracts.neighbourhoods import neighbourhood
from services.common.contracts.text import words
from services.common.contracts.vocabulary import TRIAGE_SERVICE, Priority
from services.routing.rules_form import (
    _DAYS,
    ISTANBUL,
    AssignmentRule,
    BrokenRules,
    Expected,
    Question,
    Rule,
    RuleTest,
    ServiceRule,
)
from services.routing.rules_words import Phrases, covers, spelled


class Meeting(NamedTuple):
    """
    A condition of a rule (``words``, ``service``, ``time`` …), the value that the rule has for it, and what the
    request has there.
    """

    condition: str
    wanted: str
    said: str


R = TypeVar("R", bound=Rule)


@dataclass(frozen=True, slots=True)
class Match(Generic[R]):
    """
    A rule whose words and service fit the request, its place in its section (from 1), and which conditions met what.
    It matches if ``unmet`` is empty.
    """

    place: int
    rule: R
    met: tuple[Meeting, ...]
    unmet: tuple[Meeting, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    What the rules make of a request and why: in each section the rules that match, in order (the first one counts),
    and those that only a neighbourhood, channel, kind or time keeps from matching.

    ``service`` is None if no rule matched and none was given (everything else then is triage's); where a rule names a
    crisis's service, it is the one that stands for it without the crisis.
    """

    service: str | None
    explicit: bool
    department: str
    priority: Priority
    emergency: bool
    team: str | None
    services: tuple[Match[ServiceRule], ...]
    services_missed: tuple[Match[ServiceRule], ...]
    assignments: tuple[Match[AssignmentRule], ...]
    assignments_missed: tuple[Match[AssignmentRule], ...]

    @property
    def rule(self) -> str | None:
        """
        The name of the rule that gave the service.
        """
        return self.services[0].rule.name if self.services and not self.explicit else None

    @property
    def assignment(self) -> str | None:
        """
        The name of the assignment rule that counts.
        """
        return self.assignments[0].rule.name if self.assignments else None


class Failure(NamedTuple):
    """
    A case that came out otherwise: its place in the file (from 1), its text, and field by field what was expected and
    what came.
    """

    place: int
    text: str
    wrong: tuple[tuple[str, str, str], ...]
    """``(field, expected, came)``"""

    def __str__(self) -> str:
        wrong = ", ".join(f"{field}: expected {expected}, came {came}" for field, expected, came in self.wrong)
        return f"test {self.place} ({self.text!r}): {wrong}"


# --- Asking ---


class RuleBook:
    """
    The rules in their order, ready to be asked. Raises ``BrokenRules`` if they name what does not exist.
    """

    def __init__(
        self,
        services: Sequence[ServiceRule],
        assignments: Sequence[AssignmentRule],
        tests: Sequence[RuleTest],
        catalogue: Catalogue,
    ) -> None:
        _check(services, assignments, tests, catalogue)
        self.catalogue = catalogue
        self.services = tuple(services)
        self.assignments = tuple(assignments)
        self.tests = tuple(tests)
        self._service_words = Phrases([(rule.words, rule.but_not) for rule in services])
        self._assignment_words = Phrases([(rule.words, rule.but_not) for rule in assignments])

    def __len__(self) -> int:
        return len(self.services) + len(self.assignments)

    def first_service(self, question: Question) -> ServiceRule | None:
        """
        The first rule of ``services`` that matches, or None. To be asked only for a request without a service_code.
        """
        hits = self._service_words.said_in(words(question.text))
        return next((self.services[place] for place in sorted(hits) if _holds(self.services[place], question)), None)

    def first_assignment(self, question: Question) -> AssignmentRule | None:
        """
        The first rule of ``assignments`` that matches, or None. ``question.service`` must be decided.
        """
        hits = self._assignment_words.said_in(words(question.text))
        for place, rule in enumerate(self.assignments):
            if (place in hits or not rule.words) and _holds(rule, question):
                return rule
        return None

    def explain(self, question: Question) -> Explanation:
        """
        The decision with its reasons, as on a day without a crisis. A service that the catalogue does not have counts
        as none given.
        """
        known = self.catalogue.services
        explicit = question.service in known
        services, services_missed = _matches(self.services, self._service_words, question)
        code = question.service if explicit else services[0].rule.service if services else None
        if code is not None:
            code = known[code].otherwise or code
        service = known[code or TRIAGE_SERVICE]
        decided = replace(question, service=code or TRIAGE_SERVICE)
        assignments, assignments_missed = _matches(self.assignments, self._assignment_words, decided)
        result = assignments[0].rule if assignments else None
        return Explanation(
            service=code,
            explicit=explicit,
            department=(result and result.department) or service.department,
            priority=(result and result.priority) or service.priority,
            emergency=service.emergency,
            team=result.team if result else None,
            services=services,
            services_missed=services_missed,
            assignments=assignments,
            assignments_missed=assignments_missed,
        )

    def failures(self) -> list[Failure]:
        """
        The cases of ``tests`` that do not come out as expected.
        """
        found = []
        for place, case in enumerate(self.tests, 1):
            came = self.explain(case.question())
            wrong = tuple(
                (field, str(getattr(case.expect, field) or "none"), str(getattr(came, field) or "none"))
                for field in Expected.model_fields
                if field in case.expect.model_fields_set and getattr(case.expect, field) != getattr(came, field)
            )
            if wrong:
                found.append(Failure(place, case.text, wrong))
        return found

    def warnings(self) -> list[str]:
        """
        Rules and words that can never decide, because an earlier rule of their section matches whenever they do.
        """
        return [*_shadowed(self.services), *_shadowed(self.assignments)]


def _check(
    services: Sequence[ServiceRule],
    assignments: Sequence[AssignmentRule],
    tests: Sequence[RuleTest],
    catalogue: Catalogue,
) -> None:
    seen: set[str] = set()
    for rule in (*services, *assignments):
        if rule.name in seen:
            raise BrokenRules(f"rule {rule.name}: the name stands twice")
        seen.add(rule.name)
    for rule in services:
        _known(f"rule {rule.name}: unknown service", rule.service, catalogue.services)
    for choice in assignments:
        for code in choice.service or ():
            _known(f"rule {choice.name}: unknown service", code, catalogue.services)
        _known(f"rule {choice.name}: unknown department", choice.department, catalogue.departments)
    for place, case in enumerate(tests, 1):
        what = f"test {place} ({case.text!r}): unknown"
        _known(f"{what} service", case.service_code, catalogue.services)
        _known(f"{what} service", case.expect.service, catalogue.services)
        _known(f"{what} department", case.expect.department, catalogue.departments)
        _known(f"{what} rule", case.expect.rule, [rule.name for rule in services])
        _known(f"{what} assignment", case.expect.assignment, [rule.name for rule in assignments])


def _known(what: str, name: str | None, names: Collection[str]) -> None:
    if name is not None and name not in names:
        raise BrokenRules(f"{what} {name!r}")


# --- Conditions ---


def _conditions(rule: Rule, question: Question) -> Iterator[tuple[bool, Meeting]]:
    """
    Each condition of a rule but its words: whether it holds, and what met what.
    """
    for field in rule.choices:
        wanted = getattr(rule, field)
        if wanted is not None:
            said = getattr(question, field)
            if field == "neighbourhood" and said is not None:
                said = neighbourhood(said)
            yield said in wanted, Meeting(field, ", ".join(wanted), said or "none")
    if rule.time is not None:
        local = question.at.astimezone(ISTANBUL) if question.at else None
        said = f"{_DAYS[local.weekday()]} {local:%H:%M}" if local else "none"
        yield question.at is not None and rule.time.holds(question.at), Meeting("time", str(rule.time), said)


def _holds(rule: Rule, question: Question) -> bool:
    return all(holds for holds, _ in _conditions(rule, question))


def _matches(
    rules: Sequence[R], phrases: Phrases, question: Question
) -> tuple[tuple[Match[R], ...], tuple[Match[R], ...]]:
    """
    The rules that match, and those that would but for a neighbourhood, channel, kind or time.
    """
    said = words(question.text)
    written, hits = spelled(question.text, said), phrases.said_in(said)
    matched: list[Match[R]] = []
    missed: list[Match[R]] = []
    for place, rule in enumerate(rules):
        if rule.words and place not in hits:
            continue
        met = [Meeting("words", hit.phrase, " ".join(written[hit.start : hit.end])) for hit in hits.get(place, ())]
        unmet: list[Meeting] = []
        for holds, meeting in _conditions(rule, question):
            (met if holds else unmet).append(meeting)
        match = Match(place + 1, rule, tuple(met), tuple(unmet))
        if not unmet:
            matched.append(match)
        elif {"words", "service"} & {meeting.condition for meeting in met} and unmet[0].condition != "service":
            missed.append(match)
    return tuple(matched), tuple(missed)


# --- Rules that never decide ---


def _shadowed(rules: Sequence[Rule]) -> Iterator[str]:
    for place, rule in enumerate(rules):
        earlier = [other for other in rules[:place] if _weaker(other, rule)]
        if first := next((other for other in earlier if not other.words), None):
            yield f"rule {rule.name} never decides: {first.name} comes first"
            continue
        dead = {
            phrase: other.name for phrase in rule.words for other in reversed(earlier) if covers(other.words, phrase)
        }
        if rule.words and len(dead) == len(rule.words):
            yield f"rule {rule.name} never decides: {', '.join(sorted(set(dead.values())))} comes first"
        else:
            yield from (
                f"rule {rule.name}: {phrase!r} never decides: {name} comes first" for phrase, name in dead.items()
            )


def _weaker(earlier: Rule, later: Rule) -> bool:
    """
    Whether each condition of the earlier rule but its words holds whenever the later one's do.
    """
    for field in earlier.choices:
        wanted, narrower = getattr(earlier, field), getattr(later, field)
        if wanted is not None and not (narrower is not None and set(narrower) <= set(wanted)):
            return False
    if earlier.time is not None:
        if later.time is None or (earlier.time.start, earlier.time.end) != (later.time.start, later.time.end):
            return False
        if not set(later.time.days) <= set(earlier.time.days):
            return False
    return set(earlier.but_not) <= set(later.but_not)
