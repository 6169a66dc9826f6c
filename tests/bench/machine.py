"""
What a run is measured on, by name: no figure is worth anything without it.
"""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil

from deploy.stack.config import ROOT, Config

_PACKAGES: Final = ("faust-streaming", "aiokafka", "kafka-python", "fastapi", "motor", "uvloop", "pydantic")


def describe(config: Config) -> dict[str, str]:
    """
    Processor, memory, versions of what was used, and the commit.
    """
    memory = psutil.virtual_memory().total / 2**30
    database = {"mongod": "MongoDB"}.get(config.database, f"{config.database}, a stand-in for MongoDB")
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "broker": _broker(config),
        "database": database,
        "packages": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        "commit": _commit(),
    }


def _processor() -> str:
    names = [line.partition(":")[2].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _broker(config: Config) -> str:
    if config.kind == "embedded":
        return "noida-db, not durable"
    jars = sorted((ROOT / ".cache" / "kafka" / "libs").glob("kafka-server-[0-9]*.jar"))
    number = jars[-1].stem.removeprefix("kafka-server-") if config.kind == "jvm" and jars else ""
    return f"Apache Kafka {number}, {config.brokers} broker(s), on the same machine".replace("  ", " ")


def _commit() -> str:
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "no checkout"
