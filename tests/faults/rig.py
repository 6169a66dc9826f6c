"""
The stack of the fault suite: three brokers, a network that can be made bad before them and before the database,
services that can run another commit's code with a clock that is wrong.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final
from unittest.mock import patch

from rich.console import Console

from deploy.stack.config import HOST, MARK, ROOT, SERVICES, Config, Process, StackError
from deploy.stack.stack import Stack
from deploy.topics import admin_client
from services.common.contracts.topics import LIFECYCLE
from tests.faults.network import Network, network
from tests.faults.schedule import BROKERS, DATABASE
from tests.ports import free_port_base

LAUNCH: Final = Path(__file__).with_name("launch.py")
_LISTENS, _REACHED, _DATABASE = 39, 44, 48  # ports: brokers' for our services, where these reach them, the database's


class RigConfig(Config):
    """
    A stack's description with the brokers told to send our services round by the proxy.
    """

    @property
    def infrastructure(self) -> tuple[Process, ...]:
        """
        Each broker has one listener more, whose address is the proxy's.
        """
        return tuple(
            replace(process, command=(*process.command, *self._listeners(int(process.name[-1]))))
            if process.health == "kafka"
            else process
            for process in super().infrastructure
        )

    @property
    def processes(self) -> tuple[Process, ...]:
        """
        Our services are started by launch.py.
        """
        return (*self.infrastructure, *map(self._launched, SERVICES))

    @property
    def links(self) -> tuple[tuple[str, int, int], ...]:
        """
        The ways over the proxy: name, port, port of the target.
        """
        base, nodes = self.port_base, range(1, self.brokers + 1)
        brokers = ((f"kafka-{node}", base + _REACHED + node, base + _LISTENS + node) for node in nodes)
        return (*brokers, (DATABASE, base + _DATABASE, self.port(DATABASE)))

    def code(self, name: str) -> Path:
        """
        A link to the folder whose code a service runs.
        """
        return self.run_dir / "code" / name

    def clock(self, name: str) -> Path:
        """
        By how much a service's clock is wrong; absent while it is right.
        """
        return self.run_dir / "clocks" / name

    def _launched(self, process: Process) -> Process:
        python, _, *module = process.command
        return replace(
            process,
            command=(python, str(LAUNCH), str(self.code(process.name)), str(self.clock(process.name)), *module),
        )

    def _listeners(self, node: int) -> Iterator[str]:
        own, controller = self.port_base + 91 + node, self.port_base + 94 + node
        services, reached = self.port_base + _LISTENS + node, self.port_base + _REACHED + node
        settings = {
            "listeners": f"PLAINTEXT://{HOST}:{own},CONTROLLER://{HOST}:{controller},SERVICES://{HOST}:{services}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{own},SERVICES://{HOST}:{reached}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SERVICES:PLAINTEXT",
        }
        for name, value in settings.items():
            yield from ("--override", f"{name}={value}")


class Rig(Stack):
    """
    The stack, and what a fault does to it. ``found``: something, or nobody has looked yet.
    """

    config: RigConfig
    found = True

    def __init__(self, run_dir: Path, port_base: int, before: Path) -> None:
        super().__init__(run_dir, port_base, "jvm", 3, database=os.environ.get("MONGO", ""))
        chosen = self.config
        self.config = RigConfig(chosen.run_dir, chosen.port_base, chosen.kind, chosen.brokers, chosen.database)
        for folder in ("code", "clocks"):
            (run_dir / folder).mkdir(parents=True)
        for process in SERVICES:
            self.config.code(process.name).symlink_to(before)

    @property
    def env(self) -> dict[str, str]:
        """
        What our services read: brokers and database are where the proxy is.
        """
        ports = {name: port for name, port, _ in self.config.links}
        database = ports.pop(DATABASE)
        return super().env | {
            "KAFKA_BOOTSTRAP_SERVERS": ",".join(f"{HOST}:{port}" for port in ports.values()),
            "MONGODB_URI": f"mongodb://{HOST}:{database}/?directConnection=true",
        }

    def down(self, *, wipe: bool = False) -> None:
        """
        The services end as they should, the brokers at once: nobody wants their data any more.
        """
        if self.running:
            self._stop(SERVICES)
            for name in BROKERS:
                self.lose(name)
        super().down(wipe=wipe)

    def kill(self, name: str) -> None:
        """
        SIGKILL; the supervisor starts it again.
        """
        self._signal(name, signal.SIGKILL)

    def pause(self, name: str) -> int | None:
        """
        SIGSTOP; the pid that stands still.
        """
        return self._signal(name, signal.SIGSTOP)

    def go_on(self, pid: int | None) -> None:
        """
        End a pause. A process that ended meanwhile needs none.
        """
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def lose(self, name: str) -> None:
        """
        SIGKILL, and it stays down until ``start``.
        """
        self._rpc.stopProcess(name, False)  # so that the supervisor does not start it again
        self.kill(name)

    def upgrade(self, name: str) -> None:
        """
        From its next start on this service runs the code of this commit.
        """
        self.config.code(name).unlink()
        self.config.code(name).symlink_to(ROOT)

    def step_clock(self, name: str, seconds: float) -> None:
        """
        Let a service's clock be wrong by so much; 0: right again.
        """
        if seconds:
            draft = self.config.clock(f".{name}")
            draft.write_text(str(seconds))
            draft.replace(self.config.clock(name))
        else:
            self.config.clock(name).unlink(missing_ok=True)

    def hot_leader(self) -> str:
        """
        The broker that leads a partition of the lifecycle.
        """
        with admin_client(self.config.bootstrap_servers) as client:
            return f"kafka-{client.describe_topics([LIFECYCLE.name])[0]['partitions'][0]['leader_id']}"

    def controller(self) -> str:
        """
        The broker that is the active controller.
        """
        with admin_client(self.config.bootstrap_servers) as client:
            return f"kafka-{client.describe_metadata_quorum()['topics'][0]['partitions'][0]['leader_id']}"

    def another(self, name: str, port: int) -> "subprocess.Popen[bytes]":
        """
        A second process beside the stack's that consumes in the same group.
        """
        mark = {MARK: str(self.config.run_dir)}  # so that ``down`` ends it if nobody else does
        variable = {"intake-worker": "INTAKE_WORKER_OPS_PORT", "projector": "REPORTING_OPS_PORT"}
        with (self.config.run_dir / "logs" / f"{name}-beside.log").open("a") as log:
            return subprocess.Popen(
                self.config.process(name).command,
                cwd=ROOT,
                env={**os.environ, **self.env, variable.get(name, f"{name.upper()}_OPS_PORT"): str(port)} | mark,
                stdout=log,
                stderr=log,
            )

    def _signal(self, name: str, number: signal.Signals) -> int | None:
        pid = self.pid(name)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return pid


def code_before(commit: str, folder: Path) -> Path:
    """
    The code of another commit in a folder of its own. Raises ``StackError`` where there is no git history.
    """
    packed = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        raise StackError(f"the code of {commit} is not to be had: {packed.stderr.decode().strip()}")
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed.stdout, check=True)
    return folder


@contextmanager
def standing(seed: int, commit: str, console: Console, more: Mapping[str, str]) -> Iterator[tuple[Rig, Network]]:
    """
    A rig that is up, on free ports and in a folder of its own, its services running ``commit``; stopped in the end.
    The folder stays if something was found. ``more`` goes into the services' environment.
    """
    folder = Path(tempfile.mkdtemp(prefix="ilkim-suite-"))
    before = code_before(commit, folder / "before") if commit else ROOT
    with patch.dict(os.environ, {"NOTIFY_DIGESTS": "false", **more}):
        rig = Rig(folder, int(os.environ.get("PORT_BASE") or free_port_base()), before)
        console.print(f"three brokers, {rig.config.database}; logs in {folder / 'logs'}")
        with (folder / "network.log").open("w") as log, network(rig.config.links, seed, log) as ways:
            try:
                began = time.monotonic()
                rig.up()
                console.print(f"all serve after {time.monotonic() - began:.0f} s")
                yield rig, ways
            finally:
                rig.down()
                if commit:
                    shutil.rmtree(before)
                if rig.found:
                    console.print(f"kept to be looked at: {folder}")
    if not rig.found:
        shutil.rmtree(folder)
