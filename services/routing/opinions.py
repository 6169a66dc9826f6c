"""
What the classifier's opinion of a text comes to: a service or none, and whether it tells of danger.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

from services.common.contracts.catalogue import Catalogue
from services.common.contracts.events import Candidate
from services.common.contracts.vocabulary import TRIAGE_SERVICE
from services.routing.classifier import Opinion, load_model

OFFERED: Final = 3
REMEMBERED: Final = 20_000  # as many requests as a worker reads ahead: each is looked at again when it is decided


class Classifier(Protocol):
    """
    What routing needs of a model: ``classifier.Model`` is one. The same text always gets the same opinion.
    """

    @property
    def version(self) -> str: ...

    @property
    def threshold(self) -> float: ...

    @property
    def alarm(self) -> float: ...

    def opinions(self, texts: Sequence[str], best: int = OFFERED) -> list[Opinion]: ...


class Remembering:
    """
    A classifier that keeps its latest opinions: a request is looked at when it is read, when it is decided and when it
    is counted, and costs one look.
    """

    def __init__(self, model: Classifier) -> None:
        self.version, self.threshold, self.alarm = model.version, model.threshold, model.alarm
        self._opinion = lru_cache(REMEMBERED)(lambda text, best: model.opinions([text], best)[0])

    def opinions(self, texts: Sequence[str], best: int = OFFERED) -> list[Opinion]:
        """
        What the model thinks of each text.
        """
        return [self._opinion(text, best) for text in texts]


def read_classifier(path: Path | None) -> Classifier | None:
    """
    The model of a file, or None if there is no such file. Raises ``classifier.BrokenModel`` if it cannot be used.
    """
    return Remembering(load_model(path)) if path is not None and path.exists() else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    ``service`` is None if the classifier is not sure enough, or sure that it is none of them; ``confidence`` is that of
    the best candidate.
    """

    version: str
    service: str | None
    confidence: float
    danger: bool
    candidates: tuple[Candidate, ...]


def verdict(model: Classifier, text: str, known: Catalogue) -> Verdict:
    """
    The model's verdict on a text. It decides if the department of its best candidate is as probable as the threshold
    asks. Services that are no longer in the catalogue are not offered, and do not decide.
    """
    opinion = model.opinions([text], OFFERED)[0]
    best = [candidate for candidate in opinion.candidates[:OFFERED] if candidate.service in known.services]
    first = best[0].service if best and best[0] is opinion.candidates[0] else TRIAGE_SERVICE
    sure = first != TRIAGE_SERVICE and opinion.department_confidence >= model.threshold
    candidates = tuple(
        Candidate.model_construct(  # our own values need no second look, and there are three for each text
            service_code=candidate.service,
            department=known.services[candidate.service].department,
            confidence=rounded(candidate.confidence),
        )
        for candidate in best
    )
    confidence = candidates[0].confidence if candidates else 0.0
    return Verdict(model.version, first if sure else None, confidence, opinion.danger >= model.alarm, candidates)


def rounded(confidence: float) -> float:
    """
    As events carry it: four digits, between 0 and 1.
    """
    return min(1.0, max(0.0, round(confidence, 4)))
