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
SEED: Final = 4445501
FOLDS: Final = 5
RARE: Final = 2  # a gram that fewer messages have says nothing
PAIR_WEIGHT: Final = 1.5
WRONG_DEPARTMENT: Final = 5.0  # what sending it to a wrong department costs, in looks of an operator at the desk


@dataclass(frozen=True, slots=True)
class Message:
    """
    One training message with its label. ``usual``: from a file whose messages name the thing as often as people do; the
    others avoid the plain word on purpose, so the model's confidence is set by the usual ones.
    """

    text: str
    service: str
    emergency: bool
    style: str = ""
    usual: bool = False


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
                style, usual = row.get("style", ""), path.stem.endswith("-2") or row.get("style") == "correction"
                message = Message(row["text"], row["service"], bool(row["emergency"]), style, usual)
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
            for part in dict.fromkeys([*said, *pairs(said)]):
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


def fit(space: Space, messages: Sequence[Message], services: Sequence[str], known: Catalogue) -> tuple[Any, Any]:
    """
    Weights (grams x services and danger) and biases. Danger is what the label says or the catalogue does.
    """
    matrix = space.matrix([message.text for message in messages])
    labels = np.array([services.index(message.service) for message in messages])
    linear = LinearSVC(C=0.6, random_state=SEED).fit(matrix, labels)
    danger = LogisticRegression(C=30.0, class_weight="balanced", max_iter=400, random_state=SEED)
    danger.fit(matrix, np.array([m.emergency or known.services[m.service].emergency for m in messages]))
    weights = np.vstack([linear.coef_, danger.coef_]).T.astype(np.float32)
    return weights, np.concatenate([linear.intercept_, danger.intercept_]).astype(np.float32)


def unseen(messages: Sequence[Message], services: Sequence[str], known: Catalogue, folds: int) -> Any:
    """
    The scores of each message by a model that has not seen it.
    """
    extra = of_catalogue(known)
    labels = [message.service for message in messages]
    scores = np.zeros((len(messages), len(services) + 1), dtype=np.float32)
    split = StratifiedKFold(folds, shuffle=True, random_state=SEED).split(labels, labels)
    for number, (taught, asked) in enumerate(split, 1):
        print(f"fold {number} of {folds}", flush=True)
        part = [messages[place] for place in taught] + extra
        space = Space([message.text for message in part])
        weights, bias = fit(space, part, services, known)
        scores[asked] = space.matrix([messages[place].text for place in asked]) @ weights + bias
    return scores


def temperature_of(scores: Any, labels: Any) -> float:
    """
    The temperature at which softmaxed scores are calibrated best: least log loss (Guo et al. 2017).
    """

    def loss(temperature: float) -> float:
        scaled = scores / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(labels)), labels]))

    return min((float(t) for t in np.geomspace(0.03, 2.0, 160)), key=loss)


def calibration_error(confidence: Any, right: Any, bins: int = 10) -> float:
    """
    Expected calibration error over equally wide bins (Naeini et al. 2015).
    """
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(
        sum(abs(confidence[place == b].mean() - right[place == b].mean()) * (place == b).mean() for b in set(place))
    )


def alarm_for(danger: Any, true: Any, recall: float = 0.9) -> float:
    """
    The highest probability of danger at which so much of what is dangerous is caught among unseen messages.

    0.9 of these, which avoid the plain words of danger on purpose, is far more of what people write (see the report).
    """
    return round(float(np.quantile(danger[true], 1 - recall)), 3)


def save(path: Path, facts: dict[str, Any], vocabulary: Sequence[str], weights: Any, idf: Any) -> None:
    """
    Write a model file: weights as bytes with a scale for each column. The same model gives the same bytes.
    """
    scale = np.abs(weights).max(axis=0) / 127
    small = np.round(weights / scale).astype(np.int8)
    arrays = {
        "facts": np.frombuffer(json.dumps(facts, sort_keys=True).encode(), np.uint8),
        "vocabulary": np.frombuffer("\n".join(vocabulary).encode(), np.uint8),
        "weights": small,
        "scale": scale.astype(np.float32),
        "idf": idf.astype(np.float32),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, array in arrays.items():
            held = io.BytesIO()
            np.lib.format.write_array(held, array, allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), held.getvalue(), zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, slots=True)
class Judged:
    """
    What a set of messages shows of a model.
    """

    messages: Sequence[Message]
    best: Any
    confidence: Any
    department_confidence: Any
    danger: Any

    def lines(self, model: Model, known: Catalogue) -> list[str]:
        """
        The figures as rows of a table.
        """
        labels = [message.service for message in self.messages]
        guessed = [model.services[place] for place in self.best]
        right = np.array([a == b for a, b in zip(labels, guessed, strict=True)])
        of = {code: service.department for code, service in known.services.items()}
        house = np.array([of[a] == of[b] for a, b in zip(labels, guessed, strict=True)])
        sure = self.department_confidence >= model.threshold
        true = np.array([m.emergency or known.services[m.service].emergency for m in self.messages])
        rung = self.danger >= model.alarm
        return [
            f"| messages | {len(labels)} |",
            f"| service right | {right.mean():.3f} |",
            f"| department right | {house.mean():.3f} |",
            f"| decided (department at least {model.threshold:.2f} probable) | {sure.mean():.3f} |",
            f"| of those, department right | {house[sure].mean():.3f} |",
            f"| danger: caught / rightly | {rung[true].mean():.3f} / {true[rung].mean():.3f} |",
            f"| expected calibration error of the service | {calibration_error(self.confidence, right):.3f} |",
        ]

    def confusion(self, model: Model, most: int = 25) -> list[str]:
        """
        The pairs that are mixed up most often.
        """
        pairs_seen = Counter(
            (message.service, model.services[place])
            for message, place in zip(self.messages, self.best, strict=True)
            if message.service != model.services[place]
        )
        return [f"| {a} | {b} | {count} |" for (a, b), count in pairs_seen.most_common(most)]


def judge(model: Model, messages: Sequence[Message], scores: Any) -> Judged:
    """
    What the scores of a model say of some messages.
    """
    chances = model.probabilities(scores)
    best = chances[:, :-1].argmax(axis=1)
    row = np.arange(len(messages))
    return Judged(messages, best, chances[row, best], model.of_departments(chances)[row, best], model.danger(chances))


def main(arguments: Sequence[str]) -> int:
    """
    Read, cross-validate, set temperature, threshold and alarm on unseen messages, fit on all, write model and report.
    """
    options = argparse.ArgumentParser(prog="python -m services.routing train", description=__doc__)
    options.add_argument("--with-corrections", nargs="*", type=Path, default=[], metavar="FILE")
    options.add_argument("--out", type=Path, default=MODEL)
    options.add_argument("--folds", type=int, default=FOLDS)
    wanted = options.parse_args(arguments)
    known = catalogue()
    messages = read([*DATA.glob("*.jsonl"), *wanted.with_corrections], known)
    taught = messages + of_catalogue(known)
    services = sorted({message.service for message in taught})
    scores = unseen(messages, services, known, wanted.folds)
    labels = np.array([services.index(message.service) for message in messages])
    usual = np.array([message.usual for message in messages])
    space = Space([message.text for message in taught])
    weights, bias = fit(space, taught, services, known)
    facts: dict[str, Any] = {
        "version": hashlib.sha256(weights.tobytes() + "\n".join(space.vocabulary).encode()).hexdigest()[:12],
        "services": services,
        "departments": [known.services[code].department for code in services],
        "emergencies": [known.services[code].emergency for code in services],
        "bias": [round(float(value), 6) for value in bias],
        "temperature": temperature_of(scores[usual, :-1], labels[usual]),
        "threshold": round(1 - 1 / WRONG_DEPARTMENT, 3),
        "alarm": 1.0,
    }
    model = Model(facts, space.vocabulary, weights, space.idf)
    danger = np.array([m.emergency or known.services[m.service].emergency for m in messages])
    facts["alarm"] = alarm_for(judge(model, messages, scores).danger, danger)
    save(wanted.out, facts, space.vocabulary, weights, space.idf)
    report(wanted.out.with_suffix(".md"), Model(facts, space.vocabulary, weights, space.idf), messages, scores, known)
    print(wanted.out.with_suffix(".md").read_text(encoding="utf-8"))
    return 0


def report(path: Path, model: Model, messages: Sequence[Message], scores: Any, known: Catalogue) -> None:
    """
    Write what the model is worth on messages it has not seen.
    """
    usual = np.array([message.usual for message in messages])
    whole = judge(model, messages, scores)
    part = judge(model, [message for message in messages if message.usual], scores[usual])
    styles = defaultdict(list)
    for message, place in zip(messages, whole.best, strict=True):
        styles[message.style].append(message.service == model.services[place])
    lines = [
        f"<!-- Written by `python -m services.routing train`. Model {model.version}. -->",
        "# What the model is worth on messages it has not seen",
        f"Cross-validated on {len(messages)} invented messages (training/README.md); {len(model.services)} services.",
        "",
        "## Messages that name the thing as often as people do",
        *("| what | |", "|---|---|", *part.lines(model, known), ""),
        "## All messages: more than half avoid the plain word on purpose",
        *("| what | |", "|---|---|", *whole.lines(model, known), ""),
        "## By style",
        *("| style | messages | service right |", "|---|---|---|"),
        *(f"| {name} | {len(hits)} | {sum(hits) / len(hits):.2f} |" for name, hits in sorted(styles.items())),
        "",
        "## Mixed up most often",
        *("| it was | the model said | times |", "|---|---|---|", *whole.confusion(model), ""),
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
