"""
A service that the fault suite starts runs the code of its folder, and its clock can be stepped meanwhile.
"""

import subprocess
import sys
from pathlib import Path

from deploy.stack.config import ROOT
from tests.faults.rig import LAUNCH

SERVICE = """
import sys
from datetime import UTC, datetime
from services.common.kit.clock import system_clock
for line in sys.stdin:
    print(round((system_clock() - datetime.now(UTC)).total_seconds()), *sys.argv[1:], flush=True)
"""


def test_the_clock_of_a_running_service_goes_wrong_and_right_again(tmp_path: Path) -> None:
    (tmp_path / "services").symlink_to(ROOT / "services")
    (tmp_path / "told.py").write_text(SERVICE)
    clock = tmp_path / "clock"
    with subprocess.Popen(
        [sys.executable, str(LAUNCH), str(tmp_path), str(clock), "told", "worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as service:
        assert service.stdin is not None
        assert service.stdout is not None
        said = []
        for wrong in ("", "-60", "75.2", ""):
            clock.write_text(wrong) if wrong else clock.unlink(missing_ok=True)
            service.stdin.write("\n")
            service.stdin.flush()
            said.append(service.stdout.readline().split())
        service.stdin.close()
    assert said == [["0", "worker"], ["-60", "worker"], ["75", "worker"], ["0", "worker"]]
