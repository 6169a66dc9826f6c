"""
Notify does not start on a file that it cannot use.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


def test_a_broken_staff_file_is_named_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "kadro.yaml"
    file.write_text("departments: {}\ndeputy_mayors: []\n", encoding="utf-8")
    found = subprocess.run(
        [sys.executable, "-m", "services.notify"],
        env={**os.environ, "NOTIFY_STAFF_FILE": str(file)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert found.returncode == 2
    assert "notify does not start: kadro.yaml: zabita has no department and no fallback" in found.stderr
