"""
The fences between the parts, checked on the code itself.
"""

import ast
import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from deploy.stack.config import ROOT
from services.common.kit import metrics

SERVICES = ("intake", "routing", "notify", "reporting")
FILES = sorted((ROOT / "services").rglob("*.py"))


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def importers(package: str) -> set[str]:
    return {place(path) for path in FILES if any(name.split(".")[0] == package for name in imports(path))}


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_imports_another(service: str) -> None:
    others = [f"services.{other}" for other in SERVICES if other != service]
    for path in (ROOT / "services" / service).rglob("*.py"):
        assert not [name for name in imports(path) if name.startswith(tuple(others))], place(path)


def test_the_contracts_are_pure_data() -> None:
    allowed = {"pydantic", "yaml", "phonenumbers", "holidays", "services"}
    for path in (ROOT / "services/common/contracts").glob("*.py"):
        names = {name for name in imports(path) if not name.startswith("services.common.contracts")}
        outside = {name.split(".")[0] for name in names} - allowed - _standard_library()
        assert not outside, place(path)
        assert not [name for name in names if name.startswith("services.")], place(path)


def test_the_kit_knows_no_service() -> None:
    for path in (ROOT / "services/common/kit").glob("*.py"):
        assert not [name for name in imports(path) if name.startswith(tuple(f"services.{s}" for s in SERVICES))]


def test_faust_and_kafka_are_touched_in_a_few_files_of_the_kit_alone() -> None:
    kit = "services/common/kit"
    assert importers("faust") == {f"{kit}/worker.py"}
    assert importers("aiokafka") == {f"{kit}/groups.py", f"{kit}/retry.py"}
    assert importers("kafka") == {f"{kit}/publisher.py", f"{kit}/hand_over.py", f"{kit}/letters.py"}


def test_motor_is_touched_by_the_kit_alone_and_pymongo_by_the_kit_and_the_repositories() -> None:
    assert importers("motor") == {"services/common/kit/mongo.py"}
    allowed = {"services/common/kit/mongo.py", *map(place, (ROOT / "services").rglob("*repository.py"))}
    assert importers("pymongo") <= allowed


@pytest.mark.parametrize("path", FILES, ids=place)
def test_the_environment_is_read_by_settings_alone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"os\.environ|getenv", text)
    if "BaseSettings" in text:
        assert path.name == "settings.py"


@pytest.mark.parametrize("path", FILES, ids=place)
def test_every_module_and_every_public_function_says_what_it_promises(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the module has no docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


def test_readme_documents_every_metric() -> None:
    assert metrics.render()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    ours = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in REGISTRY.collect()
        if not family.name.startswith(("python_", "process_"))
    }
    assert ours <= set(re.findall(r"`([a-z_]+)`", readme))


def _standard_library() -> set[str]:
    import sys

    return set(sys.stdlib_module_names)
