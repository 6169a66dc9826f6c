"""
Kafka restarted in the middle of the day, where the stack can: on Java and in a container.
"""

import os
import subprocess
import time
from dataclasses import dataclass
from typing import Final

from deploy.stack import docker
from deploy.stack.config import Config, Kind, StackError
from deploy.stack.stack import Stack

BROKER: Final = "kafka-1"
_COMPOSE_SECONDS: Final = docker.START_SECONDS + docker.STOP_SECONDS


@dataclass(frozen=True, slots=True)
class Away:
    """
    When the broker was asked to stop, was gone, and served again, on the clock of the observers.
    """

    asked: float
    gone: float
    back: float

    def accepted(self, at: float) -> bool:
        """
        Whether what intake answered at this moment was answered without the broker.
        """
        return self.gone <= at <= self.back


def left_out(kind: Kind) -> str:
    """
    Why a stack of this kind goes through the day without a restart; empty if it does not.
    """
    return "the embedded broker keeps nothing over a restart" if kind == "embedded" else ""


def restart(stack: Stack, seconds: float) -> Away:
    """
    Stop the broker as ``make down`` does, and start it so many seconds later; returns when it serves.

    Blocks, all of it in one piece: whoever is interrupted meanwhile leaves a stack with its broker. Raises
    ``StackError``.
    """
    asked = time.perf_counter()
    _stop(stack)
    gone = time.perf_counter()
    time.sleep(seconds)
    _start(stack)
    return Away(asked, gone, time.perf_counter())


def stop_command(config: Config) -> list[str]:
    """
    What stops the broker's container: it stays stopped, whatever its restart policy.
    """
    return docker.command(config, "stop", "--timeout", "30", BROKER)


def start_command(config: Config) -> list[str]:
    """
    What starts the same container, with its data, and returns when it is healthy.
    """
    waiting = ("--detach", "--no-deps", "--no-recreate", "--wait", "--wait-timeout", str(docker.START_SECONDS))
    return docker.command(config, "up", *waiting, BROKER)


def _stop(stack: Stack) -> None:
    if stack.config.kind == "docker":
        _compose(stack, stop_command(stack.config))
    else:
        stack.stop(BROKER)


def _start(stack: Stack) -> None:
    if stack.config.kind == "docker":
        _compose(stack, start_command(stack.config))
    else:
        stack.start(BROKER)


def _compose(stack: Stack, command: list[str]) -> None:
    env = {**os.environ, **docker.variables(stack.config, stack.env)}
    try:
        ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=_COMPOSE_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise StackError(f"{' '.join(command)}: no answer in {_COMPOSE_SECONDS} s") from error
    if ran.returncode:
        raise StackError(f"{' '.join(command)}:\n{(ran.stdout + ran.stderr)[-2000:]}")
