"""
STACK=docker: Kafka and MongoDB as the containers of deploy/compose.yaml, the rest as for every stack.

The services stay processes under the supervisor, so logs, pids and restarts are the same on every stack. Each stack has
a compose project of its own. No engine runs where this was written: see deploy/decisions/0005.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from deploy.stack.config import ROOT, Config, StackError

COMPOSE: Final = ROOT / "deploy" / "compose.yaml"
CONTAINERS: Final = {"kafka-1": 92, "mongo": 17}
"""The containers that a local stack takes from deploy/compose.yaml, with the port that each gets, from PORT_BASE."""
START_SECONDS: Final = 180  # after the images are here
STOP_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Container:
    """
    A container as ``docker compose ps`` tells of it.
    """

    name: str
    state: str
    healthy: bool


def lacks() -> str:
    """
    What STACK=docker still needs on this machine, in words; empty if it can run.
    """
    if not shutil.which("docker"):
        return "there is no docker on PATH"
    for command, missing in ((["info"], "no Docker engine answers"), (["compose", "version"], "docker has no compose")):
        try:
            answer = subprocess.run(["docker", *command], capture_output=True, timeout=5, check=False)
        except subprocess.TimeoutExpired:
            return missing
        if answer.returncode:
            return missing
    return ""


def command(config: Config, *arguments: str) -> list[str]:
    """
    A compose command for this stack's own project.
    """
    return ["docker", "compose", "--project-name", f"ilkim-{_project(config)}", "--file", str(COMPOSE), *arguments]


def _project(config: Config) -> str:
    return hashlib.sha256(str(config.run_dir).encode()).hexdigest()[:12]


def up_commands(config: Config) -> list[list[str]]:
    """
    What brings the containers up: their images, however long that takes; both healthy; the database writable.
    """
    wanted = (*CONTAINERS, "mongo-replica")
    return [
        command(config, "pull", "--quiet", "--policy", "missing", *wanted),
        command(config, "up", "--detach", "--wait", "--wait-timeout", str(START_SECONDS), "kafka-1", "mongo"),
        command(config, "run", "--rm", "--no-deps", "-T", "mongo-replica"),
    ]


def down_command(config: Config, *, wipe: bool) -> list[str]:
    """
    What takes them down; with ``wipe`` their data too.
    """
    return command(config, "down", "--timeout", "30", *(("--volumes",) if wipe else ()))


def variables(config: Config, env: Mapping[str, str]) -> dict[str, str]:
    """
    What compose reads: the stack's secrets (it checks all that the file names), the ports on this machine, and a
    network of its own: of two stacks with the same one the engine refuses the second.
    """
    ports = {"PORT_KAFKA": CONTAINERS["kafka-1"], "PORT_MONGO": CONTAINERS["mongo"]}
    subnet = "10.{}.{}.0/24".format(*bytes.fromhex(_project(config)[:4]))
    return {**env, "SUBNET": subnet, **{name: str(config.port_base + offset) for name, offset in ports.items()}}


def up(config: Config, env: Mapping[str, str], say: Callable[[str], None]) -> None:
    """
    Return when both containers serve. Repeating it changes nothing. Raises ``StackError`` with what compose printed.
    """
    say("Kafka and MongoDB come up in containers (the first time their images are fetched) …")
    for one in up_commands(config):
        _run(one, variables(config, env))


def down(config: Config, env: Mapping[str, str], *, wipe: bool) -> None:
    """
    Stop and remove the containers; their data stays unless ``wipe``.
    """
    _run(down_command(config, wipe=wipe), variables(config, env), STOP_SECONDS)


def containers(config: Config, env: Mapping[str, str]) -> list[Container]:
    """
    The containers that exist.
    """
    printed = _run(command(config, "ps", "--all", "--format", "json"), variables(config, env), STOP_SECONDS)
    return read_ps(printed)


def read_ps(printed: str) -> list[Container]:
    """
    Read ``docker compose ps --format json``: one object a line, or, from older ones, one list.
    """
    found = json.loads(printed) if printed.lstrip().startswith("[") else map(json.loads, printed.splitlines())
    return [Container(row["Service"], row["State"], row.get("Health") == "healthy") for row in found]


def pid(config: Config, env: Mapping[str, str], name: str) -> int | None:
    """
    The pid, on the engine's machine, of a container's first process; None while it does not run.
    """
    container = _run(command(config, "ps", "--quiet", name), variables(config, env), STOP_SECONDS).strip()
    if not container:
        return None
    return int(_run(["docker", "inspect", "--format", "{{.State.Pid}}", container], {}, STOP_SECONDS)) or None


def _run(arguments: list[str], env: Mapping[str, str], seconds: float | None = None) -> str:
    whole = {**os.environ, **env}
    try:
        ran = subprocess.run(arguments, env=whole, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise StackError(f"{' '.join(arguments)}: no answer in {seconds} s") from error
    if ran.returncode:
        raise StackError(f"{' '.join(arguments)}:\n{(ran.stdout + ran.stderr)[-2000:]}")
    return ran.stdout
