"""
The classifier at work: a linear model over ``features``, read from one file, with no library but numpy.

A text's score for a service is the sum of what its words and pairs of words say, divided by their common length, so
what a word says can be kept and needs no second look: a batch costs little more than finding its words. No product of
matrices: its library would start threads for it, and add up in another order on another machine.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from services.routing.features import grams, pairs, tokens

Floats = NDArray[np.float32]
MODEL: Final = Path(__file__).with_name("model.npz")
KEPT_WORDS: Final = 50_000


class BrokenModel(Exception):
    """
    The model file cannot be used; the message says why.
    """


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    A service that the text may mean, and how probable that is.
    """

    service: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Opinion:
    """
    What the model thinks of a text: the best services first, how probable the first one's department is (whatever the
    service), and how probable danger to life is.
    """

    candidates: tuple[Candidate, ...]
    department_confidence: float
    danger: float


class Model:
    """
    A trained model. ``version`` names it in every decision; ``threshold``: with a department less probable than that it
    abstains; ``alarm``: from that probability on a text tells of danger.
    """

    def __init__(self, facts: dict[str, Any], vocabulary: Sequence[str], weights: Floats, idf: Floats) -> None:
        self.version: str = facts["version"]
        self.services: tuple[str, ...] = tuple(facts["services"])
        self.threshold: float = facts["threshold"]
        self.alarm: float = facts["alarm"]
        houses = np.array(facts["departments"])
        self._by_house = np.argsort(houses, kind="stable")
        _, self._starts, house_of = np.unique(houses[self._by_house], return_index=True, return_inverse=True)
        self._house = np.empty(len(houses), dtype=int)
        self._house[self._by_house] = house_of
        self._emergencies: Floats = np.array(facts["emergencies"], dtype=np.float32)
        self._temperature: float = facts["temperature"]
        self._bias: Floats = np.asarray(facts["bias"], dtype=np.float32)
        self._row = {gram: row for row, gram in enumerate(vocabulary)}
        self._weights, self._idf = weights, idf
        self._known: dict[str, int] = {}
        self._sums: Floats = np.zeros((1024, weights.shape[1]), dtype=np.float32)
        self._lengths: Floats = np.zeros(1024, dtype=np.float32)

    def scores(self, texts: Sequence[str]) -> Floats:
        """
        One row a text: its score for each service, and last for danger.
        """
        found = np.empty((len(texts), self._weights.shape[1]), dtype=np.float32)
        for number, text in enumerate(texts):
            rows = self._rows(text)
            length = float(self._lengths[rows].sum())
            found[number] = self._sums[rows].sum(axis=0) / (length**0.5 or 1.0)
        return found + self._bias

    def _rows(self, text: str) -> list[int]:
        """
        Where what the text's words say is kept; what is new is worked out first.
        """
        said = tokens(text)
        weighed = self._row
        parts = dict.fromkeys(said)  # in their order, so that the same text adds up to the same sum
        parts.update(dict.fromkeys([pair for pair in pairs(said) if pair in weighed]))
        known = self._known
        if len(known) > KEPT_WORDS:
            known.clear()
        try:
            return [known[part] for part in parts]
        except KeyError:
            return [known[part] if part in known else self._learn(part) for part in parts]

    def _learn(self, part: str) -> int:
        place = len(self._known)
        if place == len(self._sums):
            self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)])
            self._lengths = np.concatenate([self._lengths, np.zeros_like(self._lengths)])
        counted = {part: 1} if " " in part else grams(part)
        rows = [(self._row[gram], count) for gram, count in counted.items() if gram in self._row]
        if rows:
            at = np.array([row for row, _ in rows])
            weight = self._idf[at] * np.array([count for _, count in rows], dtype=np.float32)
            self._sums[place] = (weight[:, None] * self._weights[at]).sum(axis=0)
            self._lengths[place] = float((weight * weight).sum())
        else:
            self._sums[place], self._lengths[place] = 0, 0
        self._known[part] = place
        return place

    def probabilities(self, scores: Floats) -> Floats:
        """
        Calibrated: of a hundred texts with .8 about eighty have that service. The last column is danger.
        """
        services = scores[:, :-1] / self._temperature
        services = np.exp(services - services.max(axis=1, keepdims=True))
        danger = 1 / (1 + np.exp(-scores[:, -1:]))
        return np.concatenate([services / services.sum(axis=1, keepdims=True), danger], axis=1)

    def of_departments(self, chances: Floats) -> Floats:
        """
        For each service how probable its department is.
        """
        found: Floats = np.add.reduceat(chances[:, self._by_house], self._starts, axis=1)[:, self._house]
        return found

    def danger(self, chances: Floats) -> Floats:
        """
        How probable danger is: as the words say, or as the emergencies among the services do, whichever is more.
        """
        found: Floats = np.maximum(chances[:, -1], (chances[:, :-1] * self._emergencies).sum(axis=1))
        return found

    def opinions(self, texts: Sequence[str], best: int = 3) -> list[Opinion]:
        """
        What the model thinks of each text, with the ``best`` candidates.
        """
        if not texts:
            return []
        chances = self.probabilities(self.scores(texts))
        order = np.argsort(-chances[:, :-1], axis=1, kind="stable")[:, :best]
        houses, danger = self.of_departments(chances), self.danger(chances)
        return [
            Opinion(
                tuple(Candidate(self.services[column], float(row[column])) for column in columns),
                float(house[columns[0]]),
                float(alarm),
            )
            for row, columns, house, alarm in zip(chances, order, houses, danger, strict=True)
        ]

    def why(self, text: str, service: str, most: int = 5) -> list[tuple[str, float]]:
        """
        The words that spoke for a service, those that said most first, each with what it added to the score.
        """
        said = tokens(text)
        parts = list(dict.fromkeys([*said, *pairs(said)]))
        rows = [self._known[part] if part in self._known else self._learn(part) for part in parts]
        length = float(self._lengths[rows].sum()) ** 0.5 or 1.0
        column = self.services.index(service)
        spoke = (self._sums[rows, column] - self._sums[rows, :-1].mean(axis=1)) / length
        ranked = sorted(zip(parts, map(float, spoke), strict=True), key=lambda pair: -pair[1])
        return [(part, value) for part, value in ranked[:most] if value > 0]


def load_model(path: Path = MODEL) -> Model:
    """
    Read a model that ``train`` wrote. Raises ``BrokenModel``.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            facts = json.loads(bytes(file["facts"]).decode())
            vocabulary = bytes(file["vocabulary"]).decode().split("\n")
            weights = file["weights"].astype(np.float32) * file["scale"].astype(np.float32)
            return Model(facts, vocabulary, weights, file["idf"].astype(np.float32))
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        raise BrokenModel(f"{path.name}: {type(error).__name__}: {error}") from error
