"""
Real processes that are stuck, each in another way, end by themselves; one that has nothing to do lives on.
"""

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
                await asyncio.sleep(2.5)
            elif way == "is stopped":
                duty.waits(1)
                print("runs", flush=True)
                for _ in range(5):
                    await asyncio.sleep(0.1)
                    duty.attempted()
            else:
                await asyncio.sleep(0.3)
                globals()[way]()

    asyncio.run(main(sys.argv[1]))
"""


@contextmanager
def started(folder: Path, way: str) -> Iterator[subprocess.Popen[str]]:
    script = folder / "stuck.py"
    script.write_text(textwrap.dedent(PROGRAM))
    process = subprocess.Popen(
        [sys.executable, script, way],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@dataclass(frozen=True)
class Ended:
    """
    What became of a process.
    """

    returncode: int
    stdout: str
    stderr: str


def run(folder: Path, way: str) -> Ended:
    with started(folder, way) as process:
        out, err = process.communicate(timeout=60)
    return Ended(process.returncode, out, err)


@pytest.mark.parametrize("way", ["holds_the_loop", "holds_the_interpreter"])
def test_a_process_that_is_held_ends_itself_and_says_by_what(tmp_path: Path, way: str) -> None:
    ended = run(tmp_path, way)
    assert ended.returncode in (1, -signal.SIGPROF)
    assert f"in {way}" in ended.stderr


def test_a_process_whose_work_waits_while_its_loop_turns_ends_itself_and_says_which(tmp_path: Path) -> None:
    ended = run(tmp_path, "waits for ever")
    assert ended.returncode == 1
    assert "records: something waits, nothing is done" in ended.stdout + ended.stderr


def test_a_process_for_which_nothing_waits_lives_past_every_limit(tmp_path: Path) -> None:
    ended = run(tmp_path, "is quiet")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_process_that_is_stopped_for_long_lives_on_when_it_is_continued(tmp_path: Path) -> None:
    with started(tmp_path, "is stopped") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "runs\n"
        process.send_signal(signal.SIGSTOP)
        time.sleep(2.5)  # longer than stuck_after and end_after together
        process.send_signal(signal.SIGCONT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")
