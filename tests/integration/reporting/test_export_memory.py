"""
How much memory an export takes, in a process of its own.
"""

import json
import subprocess
import sys

import pytest

from deploy.stack.config import ROOT


@pytest.mark.parametrize("form", ["csv", "xlsx", "geojson"])
def test_ten_times_the_days_take_no_more_memory(form: str) -> None:
    command = [sys.executable, "-m", "tests.integration.reporting.export_memory", form]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=300).stdout

    few, many = map(json.loads, lines.splitlines())

    assert many["bytes"] > 9 * few["bytes"]
    assert many["peak"] < 1.08 * few["peak"], (few, many)  # all rows, or all bytes, were 45 MB or more of 220
