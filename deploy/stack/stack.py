"""
The local stack as an object: up and down, and single processes stopped, started and asked. For the command and tests.
"""

import hashlib
import http.client
import json
import logging
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import psutil
from kafka.errors import KafkaError
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from supervisor.xmlrpc import SupervisorTransport

from deploy import topics
from deploy.stack import config as plan
from deploy.stack import docker, jvm, mongo
from deploy.stack.config import HOST, MARK, ROOT, SERVICES, Config, Process, StackError
from deploy.stack.pids import PidFiles

READY_SECONDS: Final = 120.0  # how long a process may take to serve; 2 or 3 s on an idle machine
STOP_SECONDS: Final = 35.0  # supervisord kills after 30
POLL_SECONDS: Final = 0.1
WIPED: Final = ("conf", "data", "logs", "pids", "mail", "outbox", "restarts.json", "stack.json", "env")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Row:
    """
    One line of ``status``.
    """

    name: str
    state: str
    pid: int | None
    uptime_seconds: int
    restarts: int
    port: int
    ready: bool


def socket_path(run_dir: Path) -> Path:
    """
    The supervisor's socket: in the run folder, or, where that path is too long for a socket, in the temporary one.
    """
    inside = run_dir / "supervisor.sock"
    if len(str(inside).encode()) < 90:  # the system's limit is 108, and supervisord appends its pid
        return inside
    name = hashlib.sha256(str(run_dir).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"ilkim-{name}.sock"


def taken_ports(ports: Mapping[str, int]) -> dict[str, int]:
    """
    Those of the ports on which somebody else listens already.
    """
    return {name: port for name, port in ports.items() if not _is_free(port)}


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is no obstacle
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def last_lines(path: Path, count: int = 20) -> str:
    """
    The end of a log file; empty if there is none.
    """
    if not path.exists():
        return ""
    return "\n".join(path.read_text(errors="replace").splitlines()[-count:])


class Stack:
    """
    One local stack in one run folder. Two with different ``run_dir`` and ``port_base`` live side by side.

    ``kind`` is jvm, embedded, docker or auto, ``database`` what mongo.py knows. A folder that already runs a stack
    keeps that stack's settings.
    """

    def __init__(
        self,
        run_dir: Path | str = ROOT / ".run",
        port_base: int = 8000,
        kind: str = "auto",
        brokers: int = 1,
        say: Say = lambda _line: None,
        database: str = "",
    ) -> None:
        self._say = say
        self._socket = socket_path(Path(run_dir).absolute())
        self.config = self._running_config(Path(run_dir).absolute()) or self._chosen(
            Path(run_dir).absolute(), port_base, kind, brokers, database
        )
        if self.config.kind != "jvm" and self.config.brokers != 1:
            raise StackError(f"the {self.config.kind} stack has one broker; BROKERS=3 needs STACK=jvm")
        if self.config.brokers not in (1, 3):
            raise StackError(f"BROKERS={self.config.brokers}: it is 1 or 3")

    @classmethod
    def find(cls, run_dir: Path | str, say: Say = lambda _line: None) -> "Stack | None":
        """
        The stack that was last brought up in this folder, running or not; None if there was none.
        """
        run_dir = Path(run_dir).absolute()
        config = _saved_config(run_dir)
        if config is None:
            return None
        return cls(run_dir, config.port_base, config.kind, config.brokers, say, config.database)

    def _chosen(self, run_dir: Path, port_base: int, kind: str, brokers: int, database: str) -> Config:
        chosen = jvm.choose(kind, self._say)
        return Config(run_dir, port_base, chosen, brokers, mongo.choose(database, chosen))

    def _running_config(self, run_dir: Path) -> Config | None:
        return _saved_config(run_dir) if self.running else None

    # -- the whole stack ---------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """
        Does the supervisor answer?
        """
        try:
            self._rpc.getState()
        except (OSError, http.client.HTTPException):
            return False
        return True

    @property
    def env(self) -> dict[str, str]:
        """
        What stands in ``.run/env``; empty before the first ``up``.
        """
        path = self.config.run_dir / "env"
        return plan.read_env_file(path.read_text()) if path.exists() else {}

    def up(self, *, services: bool | Collection[str] = True) -> bool:
        """
        Start what does not run yet, and return when all of it serves. False if all ran already.

        Infrastructure and topics; beside them, for the database is up first, the keys and the people of development;
        then the services: all, none, or those that are named. Raises ``StackError``, with the last lines of its log, if
        something does not come up; what did come up stays, to be looked at.
        """
        ours = SERVICES if services is True else tuple(map(self.config.process, services or ()))
        wanted = (*self.config.infrastructure, *ours)
        states = self._states() if self.running else {}
        missing = [process for process in wanted if states.get(process.name) not in ("RUNNING", "STARTING")]
        if not missing and all(self.ready(process.name) for process in wanted):
            return False
        self._refuse_taken_ports(missing)
        self._write_files()
        if self.config.kind == "jvm":
            jvm.prepare(self.config, self._say)
        container_pids = self._start_containers() if self.config.kind == "docker" else {}
        if not self.running:
            self._start_supervisor()
        for name, pid in container_pids.items():
            PidFiles(self.config.run_dir).serving(name, pid)
        self._launch(self.config.infrastructure)
        with ThreadPoolExecutor(max_workers=1) as beside:  # the database serves long before Kafka does
            callers = beside.submit(self._add_callers) if ours else None
            self._wait_ready(self.config.infrastructure)
            self._apply_topics()
            if callers:
                callers.result()
        self._launch(ours)
        self._wait_ready(ours)
        return True

    def down(self, *, wipe: bool = False) -> None:
        """
        Stop the services, then the infrastructure, then the supervisor; with ``wipe`` remove what they kept.
        """
        if self.running:
            supervisor = self._supervisor_pid()
            self._stop(SERVICES)
            self._stop(self.config.infrastructure)
            for process in self.config.processes:  # supervisord spends a second on each that it still knows
                self._rpc.removeProcessGroup(process.name)
            self._rpc.shutdown()
            if not _until(lambda: not psutil.pid_exists(supervisor), STOP_SECONDS):
                raise StackError(f"the supervisor (pid {supervisor}) does not end")
        self._end_orphans()
        if self.config.kind == "docker" and self.env:
            self._stop_containers(wipe=wipe)
        if wipe:
            for name in WIPED:
                path = self.config.run_dir / name
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    # -- single processes --------------------------------------------------------------------------------------

    def pid(self, name: str) -> int | None:
        """
        The pid that serves under this name now, or None. For a container: that of its first process.
        """
        if self.config.kind == "docker" and name in docker.CONTAINERS:
            return docker.pid(self.config, self.env, name)
        try:
            return int(self.config.pid(self.config.process(name).name).read_text())
        except FileNotFoundError:
            return None

    def start(self, name: str, *, wait: bool = True) -> None:
        """
        Start one process; with ``wait`` return when it serves.
        """
        process = self.config.process(name)
        if self._states()[name] not in ("RUNNING", "STARTING", "BACKOFF"):
            self._rpc.startProcess(name, False)
        if wait:
            self._wait_ready((process,))

    def stop(self, name: str) -> None:
        """
        Stop one process as ``down`` would (SIGTERM, 30 seconds, SIGKILL); it stays down until ``start``.
        """
        self._stop((self.config.process(name),))

    def ready(self, name: str) -> bool:
        """
        Does this process do its work now? Asked from the process itself, not from the supervisor.
        """
        process, port = self.config.process(name), self.config.port(name)
        match process.health:
            case "kafka":
                try:
                    return topics.serves(f"{HOST}:{port}", brokers=self.config.brokers)
                except (KafkaError, OSError):
                    return False
            case "mongo":
                with MongoClient[dict[str, Any]](
                    HOST, port, directConnection=True, serverSelectionTimeoutMS=500
                ) as client:
                    try:
                        return bool(client.admin.command("ping").get("ok"))
                    except PyMongoError:
                        return False
            case "tcp":
                return not _is_free(port)
            case "http":
                return _answers_200(port, "/readyz")

    def wait_ready(self, name: str, seconds: float = READY_SECONDS) -> float:
        """
        Return when this process serves; how long that took. Raises ``StackError`` after ``seconds``.
        """
        return self._wait_ready((self.config.process(name),), seconds)

    def rows(self) -> list[Row]:
        """
        What ``status`` shows, one row per process that has been started.
        """
        if not self.running:
            return []
        infos = {info["name"]: info for info in cast(list[dict[str, Any]], self._rpc.getAllProcessInfo())}
        restarts = PidFiles(self.config.run_dir).restarts()
        return self._container_rows() + [
            Row(
                name=process.name,
                state=infos[process.name]["statename"].lower(),
                pid=infos[process.name]["pid"] or None,
                uptime_seconds=infos[process.name]["now"] - infos[process.name]["start"]
                if infos[process.name]["pid"]
                else 0,
                restarts=restarts.get(process.name, 0),
                port=self.config.port(process.name),
                ready=bool(infos[process.name]["pid"]) and self.ready(process.name),
            )
            for process in self.config.processes
            if infos[process.name]["start"]
        ]

    # -- inside ------------------------------------------------------------------------------------------------

    @property
    def _rpc(self) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        return xmlrpc.client.ServerProxy(f"http://{HOST}", transport=transport).supervisor

    def _states(self) -> dict[str, str]:
        return {info["name"]: info["statename"] for info in self._rpc.getAllProcessInfo()}

    def _supervisor_pid(self) -> int:
        return int(self._rpc.getPID())

    def _refuse_taken_ports(self, missing: Iterable[Process]) -> None:
        taken = taken_ports(self.config.ports(missing))
        if taken:
            which = ", ".join(f"{port} ({name})" for name, port in taken.items())
            raise StackError(
                f"somebody else listens on port {which}. Stop it (a stack that lost its supervisor: `make down`), "
                f"or take other ports: PORT_BASE={self.config.port_base + 1000}"
            )

    def _write_files(self) -> None:
        run_dir = self.config.run_dir
        run_dir.mkdir(parents=True, exist_ok=True)
        run_dir.chmod(0o700)  # secrets and personal data stand below
        for name in ("conf", "logs", "pids", "mail", "outbox"):
            (run_dir / name).mkdir(exist_ok=True)
        self.config.data.mkdir(parents=True, exist_ok=True)
        known = self.env
        made = {name: known.get(name) or secrets.token_urlsafe(32) for name in plan.SECRETS}
        draft = run_dir / ".env.part"  # never half a file: new secrets would change every number that derives from them
        draft.touch(mode=0o600)
        draft.write_text(plan.env_file(plan.environment(self.config, made)))
        draft.replace(run_dir / "env")
        saved = {name: getattr(self.config, name) for name in ("port_base", "kind", "brokers", "database")}
        (run_dir / "stack.json").write_text(json.dumps(saved))

    def _start_supervisor(self) -> None:
        run_dir = self.config.run_dir
        conf = run_dir / "conf" / "supervisord.conf"
        conf.write_text(plan.supervisord_conf(self.config, self._socket))
        for left_over in (run_dir / "pids").iterdir():
            left_over.unlink()
        (run_dir / "restarts.json").unlink(missing_ok=True)
        self._socket.unlink(missing_ok=True)
        # It leaves this shell's session by itself, and every process that it starts inherits this environment.
        started = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(conf)],
            cwd=ROOT,
            env={**os.environ, **self.env, MARK: str(run_dir)},
            capture_output=True,
            text=True,
            check=False,
        )
        if started.returncode or not _until(lambda: self.running, 10):
            raise StackError(f"the supervisor did not start:\n{started.stdout}{started.stderr}")

    def _start_containers(self) -> dict[str, int]:
        docker.up(self.config, self.env, self._say)
        pids = {name: docker.pid(self.config, self.env, name) for name in docker.CONTAINERS}
        return {name: pid for name, pid in pids.items() if pid}

    def _stop_containers(self, *, wipe: bool) -> None:
        docker.down(self.config, self.env, wipe=wipe)

    def _container_rows(self) -> list[Row]:
        if self.config.kind != "docker":
            return []
        return [
            Row(one.name, one.state, self.pid(one.name), 0, 0, self.config.port_base + port, ready=one.healthy)
            for one in docker.containers(self.config, self.env)
            if (port := docker.CONTAINERS.get(one.name))
        ]

    def _launch(self, processes: Iterable[Process]) -> None:
        states = self._states()
        for process in processes:
            if states[process.name] not in ("RUNNING", "STARTING", "BACKOFF"):
                self._rpc.startProcess(process.name, False)

    def _wait_ready(self, processes: Iterable[Process], seconds: float = READY_SECONDS) -> float:
        began = time.monotonic()
        waiting = list(processes)

        def all_serve() -> bool:
            for process in tuple(waiting):
                if self.ready(process.name):
                    waiting.remove(process)
                    self._say(f"{process.name:<14} ready after {time.monotonic() - began:4.1f} s")
            return not waiting

        if not _until(all_serve, seconds):
            parts = [
                f"{process.name} did not come up in {seconds:.0f} s; the end of {self.config.log(process.name)}:\n"
                f"{last_lines(self.config.log(process.name))}"
                for process in waiting
            ]
            raise StackError("\n\n".join(parts))
        return time.monotonic() - began

    def _stop(self, processes: Iterable[Process]) -> None:
        names = [process.name for process in processes]
        states = self._states()
        for name in names:
            if states[name] in ("RUNNING", "STARTING", "BACKOFF"):
                self._rpc.stopProcess(name, False)
        if not _until(lambda: all(self._states()[n] in ("STOPPED", "EXITED", "FATAL") for n in names), STOP_SECONDS):
            raise StackError(f"not stopped after {STOP_SECONDS:.0f} s: {', '.join(names)}")

    def _apply_topics(self) -> None:
        began = time.monotonic()
        differences = topics.apply(self.config.bootstrap_servers, replication=self.config.brokers)
        if differences:
            raise StackError("the broker's topics differ from the contract:\n" + "\n".join(differences))
        self._say(f"{'topics':<14} agree after {time.monotonic() - began:4.1f} s")

    def _add_callers(self) -> None:
        if self.config.kind != "docker" and not _until(lambda: self.ready("mongo"), READY_SECONDS):
            raise StackError(f"no keys and no people were added: mongo did not come up in {READY_SECONDS:.0f} s")
        self._add_keys()
        self._add_people()

    def _add_keys(self) -> None:
        for name, scopes, secret in (("dev", "*", "API_KEY"), ("notify", "reports:read", "NOTIFY_REPORTING_KEY")):
            key = ("--name", name, "--scopes", scopes, f"--key={self.env[secret]}")  # it may begin with a hyphen
            self._command(f"the key {name} could not be added", "services.intake", "keys", "add", *key)

    def _add_people(self) -> None:
        password = self.env["PEOPLE_PASSWORD"]
        people = json.dumps([{**person, "password": password} for person in plan.PEOPLE])
        failed = "the development people could not be added"
        self._command(failed, "services.reporting", "users", "import", given=people)

    def _command(self, failed: str, *module: str, given: str | None = None) -> None:
        """
        Run a command of a service on this stack. Raises ``StackError``, saying what failed and why.
        """
        command = [sys.executable, "-m", *module]
        environment = {**os.environ, **self.env}
        ran = subprocess.run(
            command, input=given, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if ran.returncode:
            raise StackError(f"{failed}:\n{ran.stdout}{ran.stderr}")

    def _end_orphans(self) -> None:
        """
        End what still runs of this folder's stack, as after a killed supervisor. Only processes that carry its mark.
        """
        orphans = []
        for process in psutil.process_iter():
            try:
                if process.pid != os.getpid() and process.environ().get(MARK) == str(self.config.run_dir):
                    process.terminate()
                    orphans.append(process)
            except psutil.Error:
                continue
        _gone, alive = psutil.wait_procs(orphans, timeout=STOP_SECONDS)
        for process in alive:
            process.kill()
        shutil.rmtree(self.config.run_dir / "pids", ignore_errors=True)


def _saved_config(run_dir: Path) -> Config | None:
    path = run_dir / "stack.json"
    return Config(run_dir, **json.loads(path.read_text())) if path.exists() else None


def _answers_200(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    """
    Ask again and again until the condition holds (True) or the seconds are over (False).
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def quiet_clients() -> None:
    """
    Kafka's client logs each refused connection; while one waits for a broker to start, that is no news.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
