"""
The local stack from the command line. Reads STACK, MONGO, PORT_BASE, BROKERS, RUN_DIR and WIPE from the environment.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from deploy.stack.config import ROOT, StackError
from deploy.stack.stack import Stack, quiet_clients

OUT = Console(highlight=False)


def _run_dir() -> Path:
    return Path(os.environ.get("RUN_DIR") or ROOT / ".run").absolute()


def _number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal():
        raise StackError(f"{name}={text}: a number is needed")
    return int(text)


def _say(line: str) -> None:
    OUT.print(line, markup=False)


def up(*, services: bool = True) -> int:
    """
    Start the stack, or what is missing of it, and say where to look.
    """
    if os.environ.get("SECURE") == "1":
        raise StackError("SECURE=1 (TLS and SASL on the local broker) is not there yet")
    began = time.monotonic()
    kind, database = os.environ.get("STACK", ""), os.environ.get("MONGO", "")
    stack = Stack(_run_dir(), _number("PORT_BASE", 8000), kind, _number("BROKERS", 1), _say, database)
    kind, brokers = stack.config.kind, stack.config.brokers
    broker = {"jvm": f"Apache Kafka, {brokers} broker(s)", "docker": "Apache Kafka and MongoDB in containers"}
    _say(f"STACK={kind}: {broker.get(kind, 'noida-db as broker')}")
    if kind == "embedded":
        _say("not durable: development only")
    if kind != "docker":
        _say(f"MONGO={stack.config.database}: a stand-in for MongoDB")
    with OUT.status("starting …"):
        started = stack.up(services=services)
    env = stack.env
    _say(f"ready in {time.monotonic() - began:.1f} s" if started else "it runs already")
    shown = {"intake": "INTAKE_URL", "reporting": "REPORTING_URL", "notify": "NOTIFY_URL"} if services else {}
    for name, variable in {**shown, "Kafka": "KAFKA_BOOTSTRAP_SERVERS", "MongoDB": "MONGODB_URI"}.items():
        _say(f"  {name:<10} {env[variable]}" + ("/docs" if variable.endswith("URL") else ""))
    _say(f"  mail       {stack.config.run_dir / 'mail'}")
    _say(f"  logs       {stack.config.run_dir / 'logs'}")
    _say(f"  settings   {stack.config.run_dir / 'env'}")
    return 0


def start_infra() -> int:
    """
    Broker with its topics, database and mail sink, without the services: what tests need.
    """
    return up(services=False)


def down() -> int:
    """
    Stop what runs in this folder; WIPE=1 removes what it kept.
    """
    stack = Stack.find(_run_dir(), _say)
    if stack is None:
        _say(f"nothing to stop: no stack in {_run_dir()}")
        return 0
    wipe = os.environ.get("WIPE") == "1"
    with OUT.status("stopping …"):
        stack.down(wipe=wipe)
    _say("stopped" + (", its data removed" if wipe else "; its data stays (WIPE=1 removes it)"))
    return 0


def status() -> int:
    """
    A table of the processes; exit code 1 if one of them is not well or none runs.
    """
    stack = Stack.find(_run_dir(), _say)
    rows = stack.rows() if stack else []
    if stack is None or not rows:
        _say(f"no stack runs in {_run_dir()}")
        return 1
    table = Table(title=f"STACK={stack.config.kind}")
    for column in ("process", "state", "pid", "uptime", "restarts", "port", "health"):
        table.add_column(column, justify="right" if column in ("pid", "uptime", "restarts", "port") else "left")
    for row in rows:
        table.add_row(
            row.name,
            row.state,
            str(row.pid or "-"),
            f"{row.uptime_seconds} s",
            str(row.restarts),
            str(row.port),
            "ready" if row.ready else "not ready",
        )
    OUT.print(table)
    return 0 if all(row.ready for row in rows) else 1


def env() -> int:
    """
    The stack's variables for a shell: ``eval "$(python -m deploy.stack env)"``.
    """
    path = _run_dir() / "env"
    if not path.exists():
        raise StackError(f"no stack was brought up in {_run_dir()}")
    print("".join(f"export {line}\n" for line in path.read_text().splitlines()), end="")
    return 0


COMMANDS: dict[str, Callable[[], int]] = {
    "up": up,
    "start-infra": start_infra,
    "down": down,
    "status": status,
    "env": env,
}


def main() -> int:
    """
    Entry of ``python -m deploy.stack``.
    """
    parser = argparse.ArgumentParser(prog="python -m deploy.stack", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    arguments = parser.parse_args()
    quiet_clients()
    try:
        return COMMANDS[arguments.command]()
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
