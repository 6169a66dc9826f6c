"""
``python -m services.routing train``: from the messages in ``training/`` to ``model.npz`` and a report. Seeded: the same
data and options give the same model. Needs the extra ``train`` (scikit-learn); the model itself does not.
"""

import argparse
import hashlib
import io
import json
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import scipy.sparse as sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

from services.common.contracts.catalogue import Catalogue, catalogue
from services.routing.classifier import MODEL, Model
from services.routing.features import grams, pairs, tokens

DATA: Final = Path(__file__).with_name("training")
REPORT: Final = MODEL.with_suffix(".md")
SEED: Final = 4445501
FOLDS: Final = 5
RARE: Final = 2  # a gram that fewer messages have says nothing
PAIR_WEIGHT: Final = 1.5
WRONG_DEPARTMENT: Final = 5.0  # what sending it to a wrong department costs, in looks of an operator at the desk


@dataclass(frozen=True, slots=True)
class Message:
    """
    One training message with its label.
    """

    text: str
    service: str
    emergency: bool
    style: str = ""


class Broken(Exception):
    """
    The training data cannot be used; the message names the file and line.
    """


def read(paths: Iterable[Path], known: Catalogue) -> list[Message]:
    """
    The messages of some files, each text once. Raises ``Broken``.
    """
    found: dict[str, Message] = {}
    for path in sorted(paths):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                row = json.loads(line)
                message = Message(row["text"], row["service"], bool(row["emergency"]), row.get("style", ""))
            except (ValueError, KeyError, TypeError) as error:
                raise Broken(f"{path.name}:{number}: {type(error).__name__}: {error}") from error
            if message.service not in known.services:
                raise Broken(f"{path.name}:{number}: unknown service {message.service!r}")
            found.setdefault(message.text, message)
    return list(found.values())


def of_catalogue(known: Catalogue) -> list[Message]:
    """
    The catalogue's own words as messages: names in both languages and keywords.
    """
    return [
        Message(text, code, service.emergency, "catalogue")
        for code, service in known.services.items()
        for text in (service.tr, service.en, *service.keywords)
    ]


class Space:
    """
    The features of some messages: which grams count, how much each weighs, and texts as rows.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        seen: Counter[str] = Counter()
        for text in texts:
            said = tokens(text)
            seen.update({gram for word in set(said) for gram in grams(word)} | set(pairs(said)))
        self.vocabulary = sorted(gram for gram, count in seen.items() if count >= RARE)
        self.row = {gram: number for number, gram in enumerate(self.vocabulary)}
        counts = np.array([seen[gram] for gram in self.vocabulary])
        weight = np.array([PAIR_WEIGHT if " " in gram else 1.0 for gram in self.vocabulary])
        self.idf = ((np.log((1 + len(texts)) / (1 + counts)) + 1) * weight).astype(np.float32)

    def matrix(self, texts: Sequence[str]) -> Any:
        """
        A sparse matrix with a row a text, exactly as ``classifier.Model`` adds it up.
        """
        data: list[float] = []
        columns: list[int] = []
        ends = [0]
        for text in texts:
            said = tokens(text)
            row: dict[int, float] = defaultdict(float)
            square = 0.0
            for part in {*said, *pairs(said)}:
                counted: dict[str, int] = {part: 1} if " " in part else dict(grams(part))
                for gram, count in counted.items():
                    place = self.row.get(gram)
                    if place is not None:
                        value = count * float(self.idf[place])
                        row[place] += value
                        square += value * value
            length = square**0.5 or 1.0
            columns += row.keys()
            data += [value / length for value in row.values()]
            ends.append(len(columns))
        return sparse.csr_matrix((np.array(data, np.float32), columns, ends), (len(texts), len(self.vocabulary)))


def fit(space: Space, messages: Sequence[Message], services: Sequence[str]) -> tuple[Any, Any]:
    """
    Weights (grams x services and danger) and biases.
    """
    matrix = space.matrix([message.text for message in messages])
    labels = np.array([services.index(message.service) for message in messages])
    linear = LinearSVC(C=0.6, random_state=SEED).fit(matrix, labels)
    danger = LogisticRegression(C=30.0, class_weight="balanced", max_iter=400, random_state=SEED)
    danger.fit(matrix, np.array([message.emergency for message in messages]))
    weights = np.vstack([linear.coef_, danger.coef_]).T.astype(np.float32)
    return weights, np.concatenate([linear.intercept_, danger.intercept_]).astype(np.float32)


def temperature_of(scores: Any, labels: Any) -> float:
    """
    The temperature at which softmaxed scores are calibrated best: least log loss (Guo et al. 2017).
    """

    def loss(temperature: float) -> float:
        scaled = scores / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(labels)), labels]))

    return min((float(t) for t in np.geomspace(0.03, 2.0, 120)), key=loss)


def calibration_error(confidence: Any, right: Any, bins: int = 10) -> float:
    """
    Expected calibration error over equally wide bins (Naeini et al. 2015).
    """
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(
        sum(abs(confidence[place == b].mean() - right[place == b].mean()) * (place == b).mean() for b in set(place))
    )
