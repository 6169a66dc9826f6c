"""
Reading the operators' rules: one YAML file, checked, and its test cases run before routing starts.
"""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from services.common.contracts.catalogue import Catalogue
from services.common.contracts.yaml_file import Loader
from services.routing.rules import RuleBook
from services.routing.rules_form import AssignmentRule, BrokenRules, Part, RuleTest, ServiceRule


class _File(Part):
    services: tuple[ServiceRule, ...]
    assignments: tuple[AssignmentRule, ...] = ()
    tests: tuple[RuleTest, ...] = ()


def load_rules(path: Path, catalogue: Catalogue) -> RuleBook:
    """
    Read the rules file, check it and run its tests. Raises ``BrokenRules`` naming the rule or the case that is wrong.
    """
    book = read_rules(path, catalogue)
    failures = book.failures()
    if failures:
        more = f" (and {len(failures) - 1} more)" if failures[1:] else ""
        raise BrokenRules(f"{path.name}: {failures[0]}{more}")
    return book


def read_rules(path: Path, catalogue: Catalogue) -> RuleBook:
    """
    Read and check the rules file without running its tests. Raises ``BrokenRules`` naming what is wrong.
    """
    raw = None
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
        file = _File.model_validate(raw)
        return RuleBook(file.services, file.assignments, file.tests, catalogue)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BrokenRules(f"{path.name} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BrokenRules(f"{path.name}: {_located(first['loc'], raw)}: {first['msg']}") from error
    except BrokenRules as error:
        raise BrokenRules(f"{path.name}: {error}") from error


class _Loader(Loader):
    """
    YAML in which a key stands once: a second ``words:`` would silently replace the first.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise yaml.constructor.ConstructorError(None, None, f"{twice!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _located(loc: tuple[int | str, ...], raw: Any) -> str:
    """
    ``("services", 3, "words", 0)`` as an operator finds it: ``services, rule yol-cukur, words.0``.
    """
    section, *rest = loc or ("the file",)
    if not rest:
        return str(section)
    place, *field = rest
    entry = raw[section][place] if isinstance(place, int) else None
    name = entry.get("name") if isinstance(entry, dict) else None
    what = f"rule {name}" if name else f"entry {int(place) + 1}"
    return ", ".join(filter(None, [str(section), what, ".".join(map(str, field))]))
