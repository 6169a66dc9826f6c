"""
What each process must not load at its start: what another one is made of. It costs each start tenths of a second of a
processor, also the start after a crash, and memory for ever.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from deploy.stack import config
from deploy.stack.config import SECRETS, SERVICES, Config, Process

WEB: Final = {"fastapi", "starlette", "uvicorn", "jinja2", "babel", "joserfc"}
FIGURES: Final = {"polars", "numpy", "xlsxwriter"}
WORKER: Final = "services.common.kit.worker.run_worker"
API: Final = "services.common.kit.http.serve"

# By process: the function in which its start ends, and what must not be there by then.
NOT_LOADED: Final[dict[str, tuple[str, set[str]]]] = {
    "intake": (API, {"faust", "aiokafka", "aiohttp", "aiosmtpd", "holidays", "PIL", *FIGURES}),
    "intake-worker": (WORKER, {"kafka", "aiosmtpd", "holidays", "PIL", *WEB, *FIGURES}),
    "intake-mail": (
        "services.intake.mail.wiring.run_mailroom",
        {"faust", "aiokafka", "holidays", "segno", "PIL", *WEB - {"starlette"}, *FIGURES},
    ),
    "routing": (WORKER, {"kafka", "httpx", "phonenumbers", *WEB, *FIGURES - {"numpy"}}),
    "notify": (WORKER, {"kafka", *WEB - {"jinja2"}, *FIGURES}),
    "notify-api": (API, {"faust", "aiokafka", "aiohttp", "kafka", "aiosmtplib", *FIGURES}),
    "projector": (WORKER, {"kafka", "httpx", "numpy", "xlsxwriter", *WEB}),
    "reporting-api": (API, {"faust", "aiohttp", "xlsxwriter", "PIL"}),
}

START: Final = """
import importlib, runpy, sys

module, _, function = sys.argv[1].rpartition(".")
package, sys.argv[1:] = sys.argv[2], sys.argv[3:]

def stop(*_: object) -> None:
    print(*{name.partition(".")[0] for name in sys.modules})
    sys.exit(0)

setattr(importlib.import_module(module), function, stop)
runpy.run_module(package, run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("process", SERVICES, ids=lambda process: process.name)
def test_a_process_starts_without_what_another_one_is_made_of(process: Process, tmp_path: Path) -> None:
    end, foreign = NOT_LOADED[process.name]
    settings = config.environment(Config(tmp_path), dict.fromkeys(SECRETS, "s" * 32))
    package, *words = process.command[2:]
    ran = subprocess.run(
        [sys.executable, "-c", START, end, package, *words],
        cwd=config.ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    loaded = set(ran.stdout.split())
    assert {"services", "pydantic"} <= loaded, ran.stderr
    assert not loaded & foreign
