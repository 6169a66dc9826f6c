"""
Operators' keyword rules: an ordered file, the first rule that matches decides.

A word of four letters or more matches every word that begins with it (Turkish appends its endings: ``çukur`` finds
``çukurlar``), also with its last consonant softened (``salıncak`` finds ``salıncağı``); a shorter one matches only
itself. A phrase matches when its words follow one another.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.common.contracts.catalogue import Catalogue
from services.routing.text import words

WHOLE_WORD_BELOW = 4


class BrokenRules(Exception):
    """
    The rules file cannot be used; the message names the rule. Routing refuses to start.
    """


class Rule(BaseModel):
    """
    One rule: its name (recorded with each decision), its words or phrases, and the service they stand for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    words: Annotated[tuple[Annotated[str, Field(min_length=2)], ...], Field(min_length=1)]
    service: str


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    rules: tuple[Rule, ...]


_SOFTENED = {"k": "g", "p": "b", "t": "d"}  # after folding; ç and c are one letter already


def _says(wanted: str, said: str) -> bool:
    if len(wanted) < WHOLE_WORD_BELOW:
        return said == wanted
    softened = wanted[:-1] + _SOFTENED.get(wanted[-1], wanted[-1])
    return said.startswith((wanted, softened))


def _matches(phrase: Sequence[str], text: Sequence[str]) -> bool:
    width = len(phrase)
    return any(
        all(_says(wanted, said) for wanted, said in zip(phrase, text[start : start + width], strict=True))
        for start in range(len(text) - width + 1)
    )


class RuleBook:
    """
    The rules in their order, ready to be asked.
    """

    def __init__(self, rules: Sequence[Rule], catalogue: Catalogue) -> None:
        seen: set[str] = set()
        for rule in rules:
            if rule.name in seen:
                raise BrokenRules(f"rule {rule.name}: the name stands twice")
            if rule.service not in catalogue.services:
                raise BrokenRules(f"rule {rule.name}: unknown service {rule.service!r}")
            if not all(words(phrase) for phrase in rule.words):
                raise BrokenRules(f"rule {rule.name}: a phrase has no letters")
            seen.add(rule.name)
        self.catalogue = catalogue
        self._rules = [(rule, [words(phrase) for phrase in rule.words]) for rule in rules]

    def first_match(self, text: str) -> Rule | None:
        """
        The first rule that matches the text, or None.
        """
        said = words(text)
        return next((rule for rule, phrases in self._rules if any(_matches(p, said) for p in phrases)), None)

    def __len__(self) -> int:
        return len(self._rules)


def load_rules(path: Path, catalogue: Catalogue) -> RuleBook:
    """
    Read and check the rules file. Raises ``BrokenRules`` naming what is wrong.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        rules = _File.model_validate(raw).rules
    except (OSError, yaml.YAMLError) as error:
        raise BrokenRules(f"{path.name} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BrokenRules(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return RuleBook(rules, catalogue)
