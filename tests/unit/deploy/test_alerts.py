"""
The rules of deploy/alerts.yaml: each fires in promtool's own test, each metric that they ask for is one of ours, and
each leads to a place that exists.
"""

import os
import re
import shutil
import subprocess
from typing import Any, Final

import pytest
import yaml
from prometheus_client import REGISTRY, Metric
from prometheus_client.metrics import MetricWrapperBase

from deploy.stack.config import ROOT, SERVICES
from services.common.kit import metrics

DEPLOY: Final = ROOT / "deploy"
RULES: Final[list[dict[str, Any]]] = [
    rule for group in yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"] for rule in group["rules"]
]
ALERTS: Final = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDS: Final = {rule["record"] for rule in RULES if "record" in rule}
PROMETHEUS_OWN: Final = {"up"}
FROM_SCRAPING: Final = {"job", "instance"}
SELECTOR: Final = re.compile(r"\b([a-z_][a-z_:]*)\b(?:\{([^}]*)\})?(?!\s*\()")
GROUPING: Final = re.compile(r"\b(?:by|ignoring|on|without)\s*\(([^)]*)\)")
WORDS: Final = {"and", "or", "unless", "offset", "by", "ignoring", "on", "without", "m", "h", "s", "d"}


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is missing: deploy/apt.txt names its package")
        pytest.skip("promtool is missing (Debian: prometheus): the rules are not tried")
    return subprocess.run([program, *arguments], cwd=DEPLOY, capture_output=True, text=True, timeout=120, check=False)


def selectors(expr: str) -> list[tuple[str, set[str]]]:
    """
    Each metric that an expression asks for, and the labels by which it chooses.
    """
    plain = GROUPING.sub(" ", re.sub(r"\[[^]]*\]", " ", expr))
    return [
        (name, set(re.findall(r"(\w+)\s*[=!]~?", matchers or "")))
        for name, matchers in SELECTOR.findall(re.sub(r'"[^"]*"', '""', plain))
        if name not in WORDS
    ]


def ours() -> dict[str, set[str]]:
    """
    Every metric of the registry by the name of its samples, with its labels.
    """
    assert metrics.render()
    names: dict[str, set[str]] = {}
    for family in REGISTRY.collect():
        names[family.name + ("_total" if family.type == "counter" else "")] = _labels(family)
    return names


def _labels(family: Metric) -> set[str]:
    collector = REGISTRY._names_to_collectors.get(family.name)
    return set(collector._labelnames) if isinstance(collector, MetricWrapperBase) else set()


def test_prometheus_takes_the_rules_and_the_settings() -> None:
    for checked in (promtool("check", "rules", "alerts.yaml"), promtool("check", "config", "prometheus.yaml")):
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_rule_fires_for_what_it_is_for_and_a_healthy_hour_is_quiet() -> None:
    tested = promtool("test", "rules", "alerts_test.yaml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_no_rule_is_without_its_test() -> None:
    tests = yaml.safe_load((DEPLOY / "alerts_test.yaml").read_text())["tests"]
    expected = [
        sample["labels"] for test in tests for one in test.get("promql_expr_test", ()) for sample in one["exp_samples"]
    ]
    assert {name for labels in expected for name in re.findall(r'alertname="(\w+)"', labels)} == set(ALERTS)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_what_a_rule_asks_for_is_one_of_our_metrics_with_these_labels(rule: dict[str, Any]) -> None:
    known = ours()
    asked = [(name, labels) for name, labels in selectors(rule["expr"]) if name not in RECORDS | PROMETHEUS_OWN]
    for name, labels in asked:
        assert name in known, f"no metric {name}"
        assert labels <= known[name] | FROM_SCRAPING, f"{name} has no such label"


def test_the_reader_of_rules_finds_names_and_labels_and_nothing_else() -> None:
    expr = 'sum by (job) (increase(a_total{x="by",y!~"z"}[5m])) > 0.5 * b and job:c:sum > (job:c:sum offset 10m)'
    assert selectors(expr) == [("a_total", {"x", "y"}), ("b", set()), ("job:c:sum", set()), ("job:c:sum", set())]


@pytest.mark.parametrize("name", ALERTS)
def test_a_rule_says_how_bad_it_is_in_both_languages_and_where_to_read_on(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    said = rule["annotations"]
    assert said["summary"]
    assert said["summary_en"] != said["summary"]
    file, _, anchor = said["runbook_url"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}


def test_every_process_is_asked_and_no_other() -> None:
    settings = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text())
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in settings["scrape_configs"]}
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    asked = {name: [f"{name}:{services[name]['healthcheck']['test'][-1]}"] for name in targets}
    assert targets == asked
    assert set(targets) == {process.name for process in SERVICES}
