"""
``python -m services.routing explain <text>``: what routing makes of a text, and why, for people.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from services.common.contracts.text import words
from services.common.contracts.vocabulary import Channel, DecidedBy
from services.routing.case import Rules
from services.routing.classifier import Model
from services.routing.classify import Decision, decide_texts, refer_to
from services.routing.features import pairs, tokens
from services.routing.places import Found, neighbourhoods_in, streets_in
from services.routing.rules_form import Question
from services.routing.rules_words import spelled

BAR: Final = 20
_BY: Final = {DecidedBy.RULE: "kural / rule", DecidedBy.MODEL: "model"}


def run(arguments: Sequence[str], rules: Rules, model: Model) -> int:
    """
    Print the decision for the text in the arguments, Turkish first or, with ``--json``, for programs. Exits 0.
    """
    args = _parser().parse_args(arguments)
    question = Question(args.text, channel=Channel(args.channel) if args.channel else None)
    decision = decide_texts([(question.text, question.channel)], rules, model)[0]
    why = reasons(question, decision, rules, model)
    if args.json:
        sys.stdout.write(json.dumps(why, ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(decision, why, rules, model))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.routing explain",
        description="Bir metnin nereye gittiği ve nedeni. Where a text goes, and why.",
    )
    parser.add_argument("text", help="metin / the text")
    parser.add_argument("--channel", choices=[channel.value for channel in Channel])
    parser.add_argument("--json", action="store_true", help="programlar için / for programs")
    return parser


def reasons(question: Question, decision: Decision, rules: Rules, model: Model) -> dict[str, Any]:
    """
    The decision as ``classify`` writes it, with what led to it and the places that the text names.
    """
    text = question.text
    written = _spellings(text)
    best = decision.offers[0].service if decision.by == DecidedBy.MODEL else decision.service
    said = model.why(text, best) if best in model.services else []
    explained = rules.book.explain(question)
    met = [(meeting.wanted, meeting.said) for match in explained.services[:1] for meeting in match.met]
    return {
        **decision.as_json(),
        "rule": decision.rule,
        "words": [{"word": written.get(word, word), "weight": round(weight, 3)} for word, weight in said],
        "rule_words": [{"rule": wanted, "text": found} for wanted, found in met],
        "danger": round(decision.danger, 4),
        "danger_words": [
            {"word": word, "weight": round(less, 3)} for word, less in danger_words(text, decision.danger, model)
        ],
        "neighbourhoods": [_place(found) for found in neighbourhoods_in(text)],
        "streets": [_place(found) for found in streets_in(text)],
        "refer_to": refer_to(decision, rules.book.catalogue),
    }


def danger_words(text: str, danger: float, model: Model, most: int = 5) -> list[tuple[str, float]]:
    """
    The words without which danger would be less probable, as written, each with by how much; the strongest first.
    """
    said = words(text)
    written = spelled(text, said)
    without = model.opinions([" ".join(said[:place] + said[place + 1 :]) for place in range(len(said))])
    less = {word: danger - opinion.danger for word, opinion in zip(written, without, strict=True)}
    ranked = sorted(less.items(), key=lambda pair: -pair[1])
    return [(word, value) for word, value in ranked[:most] if value >= 0.01]


def _spellings(text: str) -> dict[str, str]:
    """
    The words and pairs of words that the classifier sees, as they were written.
    """
    seen = tokens(text)
    written = spelled(text, words(text))
    both = [f"{left} {right}" for left, right in pairwise(written)]
    return dict(zip(pairs(seen), both, strict=True)) | dict(zip(seen, written, strict=True))


def _place(found: Found) -> dict[str, Any]:
    return {name: value for name, value in found._asdict().items() if value is not None}


def _bar(share: float) -> str:
    full = round(share * BAR)
    return f"{'█' * full}{'░' * (BAR - full)} %{share * 100:.0f}"


def _lines(decision: Decision, why: dict[str, Any], rules: Rules, model: Model) -> list[str]:
    known = rules.book.catalogue
    service, department = known.services[decision.service], known.departments[decision.department]
    urgent = ", ACİL / EMERGENCY" if decision.emergency else ""

    def listed(rows: Sequence[dict[str, Any]]) -> str:
        return ", ".join(f"{row['word']} ({row['weight']:+.2f})" for row in rows) or "-"

    quarters = ", ".join(row["name"] for row in why["neighbourhoods"])
    streets = ", ".join(row["name"] + (f" No: {row['number']}" if "number" in row else "") for row in why["streets"])
    by = f"{_BY[decision.by]}: {decision.rule} (eşik / threshold %{model.threshold * 100:.0f})"
    danger = f"{_bar(decision.danger)} (alarm %{model.alarm * 100:.0f}): {listed(why['danger_words'])}"
    offers = [f"{_bar(offer.confidence)}  {offer.service} ({offer.department})" for offer in decision.offers]
    rows = [
        ("Hizmet / service", f"{decision.service}: {service.tr} / {service.en}"),
        ("Birim / department", f"{decision.department}: {department.tr}"),
        ("Öncelik / priority", f"{decision.priority.value}{urgent}"),
        ("Güven / confidence", _bar(decision.confidence)),
        ("Karar / decided by", by),
        *(("Kural / rule", f"{row['rule']} <- {row['text']}") for row in why["rule_words"]),
        ("Sözcükler / words", listed(why["words"])),
        *((f"Aday / candidate {place}", offer) for place, offer in enumerate(offers, 1)),
        ("Tehlike / danger", danger),
        ("Mahalle / quarter", quarters or "-"),
        ("Sokak / street", streets or "-"),
        *([("Havale / refer to", f"{why['refer_to']}: {service.tr}")] if why["refer_to"] else []),
    ]
    wide = max(len(name) for name, _ in rows)
    return [f"{name:<{wide}}  {value}" for name, value in rows]
