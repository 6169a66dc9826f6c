"""
Real processes that are stuck, each in another way, end by themselves; one that has nothing to do lives on.
"""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from deploy.stack.config import ROOT

PROGRAM = """
    import asyncio, re, sys, time
    from services.common.kit import liveness
    from services.common.kit.health import Duty, Health
    from services.common.kit.settings import LivenessSettings

    liveness.EVERY = 0.1

    def holds_the_loop():
        time.sleep(600)

    def holds_the_interpreter():
        re.match("(a+)+b", "a" * 64)

    async def main(way):
        limits = LivenessSettings(stuck_after=1, end_after=1)
        health, duty = Health(), Duty("records")
        health.duties.append(duty)
        with liveness.watched(health, limits):
            if way == "waits for ever":
                duty.waits(1)
                await asyncio.Event().wait()
            elif way == "is quiet":
                await asyncio.sleep(3)
            else:
                await asyncio.sleep(0.3)
                globals()[way]()

    asyncio.run(main(sys.argv[1]))
"""


def run(folder: Path, way: str) -> subprocess.CompletedProcess[str]:
    script = folder / "stuck.py"
    script.write_text(textwrap.dedent(PROGRAM))
    return subprocess.run(
        [sys.executable, script, way],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("way", ["holds_the_loop", "holds_the_interpreter"])
def test_a_process_that_is_held_ends_itself_and_says_by_what(tmp_path: Path, way: str) -> None:
    ended = run(tmp_path, way)
    assert ended.returncode == 1
    assert f"in {way}" in ended.stderr


def test_a_process_whose_work_waits_while_its_loop_turns_ends_itself_and_says_which(tmp_path: Path) -> None:
    ended = run(tmp_path, "waits for ever")
    assert ended.returncode == 1
    assert "records: something waits, nothing is done" in ended.stdout + ended.stderr


def test_a_process_for_which_nothing_waits_lives_past_every_limit(tmp_path: Path) -> None:
    ended = run(tmp_path, "is quiet")
    assert (ended.returncode, ended.stderr) == (0, "")
