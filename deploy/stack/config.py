"""
What the local stack consists of, as pure data: processes, ports, folders, environment. Nothing here starts anything.
"""

import json
import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

Kind = Literal["jvm", "docker", "embedded"]
Database = Literal["secantusd-py", "secantusd-rs", "mongod"]
Health = Literal["kafka", "mongo", "tcp", "http"]

ROOT: Final = Path(__file__).resolve().parents[2]
HOST: Final = "127.0.0.1"
SECANTUS_CRATE: Final = "secantus-mdb@0.5.3-beta.196"
SECANTUS_RS: Final = ROOT / ".cache" / SECANTUS_CRATE.replace("@", "-") / "bin" / "secantusd-rs"
MARK: Final = "ILKIM_RUN_DIR"  # in the environment of every process of a stack: says whose it is
_GIVES_BACK: Final = 'MALLOC_ARENA_MAX="1",MALLOC_MMAP_THRESHOLD_="65536",MALLOC_TRIM_THRESHOLD_="65536"'
"""For the C library of our own processes: what a large batch took goes back to the system."""
SETTLES_SECONDS: Final = (
    10  # what dies sooner after its start is not well; a worker that crashes at each start lives 3 to 8
)
_JVM: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")  # half as long to start, half the processor afterwards
SECRETS: Final = (
    "API_KEY", "PEOPLE_PASSWORD", "TELEPHONY_TOKEN", "INTAKE_ID_SECRET", "REPORTING_CURSOR_SECRET",
    "REPORTING_TOKEN_SECRET", "TRACKING_SECRET", "WHATSAPP_APP_SECRET", "WHATSAPP_VERIFY_TOKEN", "SMS_TOKEN",
    "NOTIFY_REPORTING_KEY",
)  # fmt: skip


class StackError(Exception):
    """
    The stack cannot do what was asked; the message says what to do about it.
    """


@dataclass(frozen=True, slots=True)
class Process:
    """
    One supervised process. ``port`` counts from PORT_BASE; ``health`` is how to ask whether it serves.
    """

    name: str
    port: int
    health: Health
    command: tuple[str, ...] = ()
    infrastructure: bool = False


def _service(name: str, port: int, *module: str) -> Process:
    return Process(name, port, "http", (sys.executable, "-m", *module))


SERVICES: Final = (
    _service("intake", 0, "services.intake"),
    _service("intake-worker", 11, "services.intake", "worker"),
    _service("intake-mail", 15, "services.intake", "mail"),
    _service("routing", 12, "services.routing"),
    _service("notify", 13, "services.notify"),
    _service("notify-api", 2, "services.notify", "api"),
    _service("projector", 14, "services.reporting", "projector"),
    _service("reporting-api", 1, "services.reporting", "api"),
)
WORKERS: Final = ("intake-worker", "intake-mail", "routing", "notify", "projector")  # with a loopback port for health

PEOPLE: Final[tuple[dict[str, object], ...]] = (  # who can sign in on a development stack, all with PEOPLE_PASSWORD
    {"user": "operator", "name": "Elif Demir", "roles": ["operator"]},
    {"user": "zabita", "name": "Hasan Yıldız", "roles": ["department"], "departments": ["zabita"]},
    {"user": "fen-isleri", "name": "Murat Çelik", "roles": ["department"], "departments": ["fen-isleri"]},
    {"user": "mudur", "name": "Zeynep Arslan", "roles": ["manager"]},
    {"user": "admin", "name": "Deniz Koç", "roles": ["admin"]},
)


@dataclass(frozen=True, slots=True)
class Config:
    """
    One stack: where it keeps its files, from which port it counts, which broker and which database it runs.
    """

    run_dir: Path
    port_base: int = 8000
    kind: Kind = "jvm"
    brokers: int = 1
    database: Database = "secantusd-py"

    @property
    def data(self) -> Path:
        """
        What must outlive a restart. Apart per kind: a database goes with the broker whose events it has seen.
        """
        return self.run_dir / "data" / (f"{self.kind}-rs" if self.database == "secantusd-rs" else self.kind)

    def log(self, name: str) -> Path:
        """
        Where a process writes what it has to say.
        """
        return self.run_dir / "logs" / f"{name}.log"

    def pid(self, name: str) -> Path:
        """
        The file with the one serving pid of a process; absent while none serves.
        """
        return self.run_dir / "pids" / name

    @property
    def infrastructure(self) -> tuple[Process, ...]:
        """
        Broker, database and mail sink, with their commands. With docker the first two are containers (docker.py).
        """
        mail_port = self.port_base + 25
        mail = (sys.executable, "-m", "deploy.mail_sink", "--port", str(mail_port))
        mail_sink = Process("mail", 25, "tcp", (*mail, "--folder", str(self.run_dir / "mail")), infrastructure=True)
        if self.kind == "docker":
            return (mail_sink,)
        return (
            *(
                Process(f"kafka-{node}", 91 + node, "kafka", self._kafka_command(node), infrastructure=True)
                for node in range(1, self.brokers + 1)
            ),
            Process("mongo", 17, "mongo", self._mongo_command(), infrastructure=True),
            mail_sink,
        )

    @property
    def processes(self) -> tuple[Process, ...]:
        """
        All processes, in the order in which they start.
        """
        return (*self.infrastructure, *SERVICES)

    def process(self, name: str) -> Process:
        """
        The process of that name. Raises ``StackError`` for a name that the stack does not have.
        """
        for process in self.processes:
            if process.name == name:
                return process
        raise StackError(f"no process {name!r}; there are: {', '.join(p.name for p in self.processes)}")

    def port(self, name: str) -> int:
        """
        The port on which a process listens.
        """
        return self.port_base + self.process(name).port

    def ports(self, processes: Iterable[Process]) -> dict[str, int]:
        """
        Every port that these processes open, by what it is for.
        """
        ports = {process.name: self.port_base + process.port for process in processes}
        if self.kind == "jvm":
            ports |= {f"{name} controller": port + 3 for name, port in ports.items() if name.startswith("kafka-")}
        if "intake-mail" in ports:
            ports["mail that comes in"] = self.port_base + 26
        return ports

    @property
    def bootstrap_servers(self) -> str:
        """
        The brokers' loopback listeners, as clients take them.
        """
        return ",".join(f"{HOST}:{self.port_base + 91 + node}" for node in range(1, self.brokers + 1))

    def _kafka_command(self, node: int) -> tuple[str, ...]:
        if self.kind == "embedded":
            # The program itself, not its Python wrapper: a wrapper that is killed leaves the broker running.
            package = find_spec("noida_db")
            if package is None or package.origin is None:
                raise StackError("noida-db is not installed here: `make install`, or STACK=jvm")
            noida = (str(Path(package.origin).with_name("noida-db")), "start", "--only", "kafka", "--kafka-port")
            return (*noida, str(self.port_base + 91 + node), "--data-dir", str(self.data / f"kafka-{node}"))
        return (
            "java",
            *_JVM,
            "-Xms256m",
            f"-Xmx{512 if self.brokers == 1 else 384}m",
            f"-Dlog4j2.configurationFile={ROOT / 'deploy' / 'kafka' / 'log4j2.properties'}",
            "-cp",
            f"{ROOT / '.cache' / 'kafka' / 'libs'}/*",
            "kafka.Kafka",
            str(self.kafka_properties(node)),
        )

    def _mongo_command(self) -> tuple[str, ...]:
        # Each commit is handed to the kernel, not yet to the disk: what was acknowledged survives `kill -9`, and
        # it costs a third of a sync (decisions/0003). WiredTiger reads the variable itself.
        kept = ("env", "WIREDTIGER_CONFIG=transaction_sync=(enabled=true,method=none)")
        server = SECANTUS_RS if self.database == "secantusd-rs" else Path(sys.executable).with_name("secantusd-py")
        # A quarter of the memory, 256 MB to 6 GB: once the cache is full, evicting takes a quarter of the server's
        # time. Nobody reads its oplog, which would fill 350 MB of the cache with 100,000 entries.
        quarter = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**22
        sizes = ("--cache-size", f"{min(6_144, max(256, quarter))}M", "--oplog-max-entries", "1000")
        kept_in = ("--storage-path", str(self.data / "mongo"))
        listen = ("--log-level", "WARNING", "--host", HOST, "--port", str(self.port_base + 17))
        return (*kept, str(server), *sizes, *kept_in, *listen)

    def kafka_properties(self, node: int) -> Path:
        """
        Where a broker's settings are written.
        """
        return self.run_dir / "conf" / f"kafka-{node}.properties"


def environment(config: Config, secrets: Mapping[str, str]) -> dict[str, str]:
    """
    Everything that the services read, and what a person or a test needs to reach them.
    """
    base = config.port_base
    intake, reporting, notify = (f"http://{HOST}:{base + offset}" for offset in (0, 1, 2))
    return {
        "STACK": config.kind,
        "PORT_BASE": str(base),
        "INTAKE_URL": intake,
        "REPORTING_URL": reporting,
        "NOTIFY_URL": notify,
        "KAFKA_BOOTSTRAP_SERVERS": config.bootstrap_servers,
        "MONGODB_URI": f"mongodb://{HOST}:{base + 17}/?directConnection=true",
        "LOG_LEVEL": "INFO",
        "INTAKE_HOST": HOST,
        "INTAKE_PORT": str(base),
        "INTAKE_WORKER_OPS_PORT": str(base + 11),
        "INTAKE_DATA_DIR": str(config.data / "intake"),
        "INTAKE_MAIL_PORT": str(base + 26),
        "INTAKE_MAIL_OPS_PORT": str(base + 15),
        "INTAKE_PUBLIC_URL": intake,
        "INTAKE_REPORTING_URL": reporting,
        "INTAKE_ROUTING_URL": f"http://{HOST}:{base + 12}",
        "INTAKE_NOTIFY_URL": notify,
        "INTAKE_REPORTING_PUBLIC_URL": reporting,
        "INTAKE_NOTIFY_PUBLIC_URL": notify,
        "INTAKE_TRACKING_SECRET": secrets["TRACKING_SECRET"],
        "NOTIFY_TRACKING_SECRET": secrets["TRACKING_SECRET"],
        "INTAKE_TELEPHONY_EXCHANGES": json.dumps({"main": secrets["TELEPHONY_TOKEN"]}),
        "INTAKE_WHATSAPP_APP_SECRET": secrets["WHATSAPP_APP_SECRET"],
        "INTAKE_WHATSAPP_VERIFY_TOKEN": secrets["WHATSAPP_VERIFY_TOKEN"],
        "INTAKE_SMS_GATEWAYS": json.dumps({"netgsm": secrets["SMS_TOKEN"]}),
        "ROUTING_OPS_PORT": str(base + 12),
        "NOTIFY_OPS_PORT": str(base + 13),
        "NOTIFY_API_PORT": str(base + 2),
        "NOTIFY_SMTP_HOST": HOST,
        "NOTIFY_SMTP_PORT": str(base + 25),
        "NOTIFY_QUIET_FROM": "00:00",  # a stack to try things on speaks at night as well, and as often as it likes
        "NOTIFY_QUIET_UNTIL": "00:00",
        "NOTIFY_DAILY_LIMIT": "10000",
        "NOTIFY_OUTBOX_DIR": str(config.run_dir / "outbox"),
        "NOTIFY_INTAKE_URL": intake,
        "NOTIFY_REPORTING_URL": reporting,
        "NOTIFY_PUBLIC_URL": intake,
        "NOTIFY_API_PUBLIC_URL": notify,
        "NOTIFY_REPORTING_PUBLIC_URL": reporting,
        "REPORTING_OPS_PORT": str(base + 14),
        "REPORTING_API_PORT": str(base + 1),
        "REPORTING_PUBLIC_URL": reporting,
        "REPORTING_INTAKE_URL": intake,
        "REPORTING_INTAKE_PUBLIC_URL": intake,
        "REPORTING_NOTIFY_URL": notify,
        "REPORTING_NOTIFY_PUBLIC_URL": notify,
        "REPORTING_OPS_URLS": json.dumps(
            {name: f"http://{HOST}:{config.port(name)}" for name in WORKERS}, separators=(",", ":")
        ),
        **{name: secrets[name] for name in SECRETS},
    }


def env_file(variables: Mapping[str, str]) -> str:
    """
    The variables for a shell to read: every value quoted, ``API_KEY`` first.
    """
    first = {"API_KEY": variables["API_KEY"]} if "API_KEY" in variables else {}
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in {**first, **variables}.items())


def read_env_file(text: str) -> dict[str, str]:
    """
    The inverse of ``env_file``.
    """
    pairs = (word.partition("=") for word in shlex.split(text, comments=True))
    return {name: value for name, _, value in pairs}


def kafka_properties(config: Config, node: int) -> str:
    """
    The settings of one broker, which is a controller too. Loopback only; topics are made by deploy.topics alone.
    """
    nodes = range(1, config.brokers + 1)
    port, controller = config.port_base + 91 + node, config.port_base + 94 + node
    voters = ",".join(f"{n}@{HOST}:{config.port_base + 94 + n}" for n in nodes)
    in_sync = 2 if config.brokers >= 3 else 1
    settings = {
        "process.roles": "broker,controller",
        "node.id": node,
        "controller.quorum.voters": voters,
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": config.data / f"kafka-{node}",
        "auto.create.topics.enable": "false",
        "default.replication.factor": config.brokers,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": config.brokers,
        "offsets.topic.num.partitions": 8,  # four groups: the usual 50 only make the start slower
        "transaction.state.log.replication.factor": config.brokers,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": config.brokers,
        "share.coordinator.state.topic.min.isr": in_sync,
        "group.initial.rebalance.delay.ms": 0,  # one worker a group: nobody to wait for
        # Kafka's own 9 s: after `kill -9` a broker is let in again when its old session is over. With 3 s (tried),
        # on a machine whose cores are taken, a healthy broker misses its heartbeats and takes no writes.
        "broker.session.timeout.ms": 9_000,
        "broker.heartbeat.interval.ms": 1_000,
        "log.index.size.max.bytes": 1_048_576,  # preallocated per partition; 10 MB each slow the start after a kill
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def supervisord_conf(config: Config, socket: Path) -> str:
    """
    The supervisor's configuration. The environment is not in it: processes inherit the supervisor's own.

    What becomes of a process that dies: see ``program``.
    """
    run_dir = config.run_dir
    sections: dict[str, dict[str, object]] = {
        "supervisord": {
            "logfile": run_dir / "logs" / "supervisord.log",
            "logfile_maxbytes": "5MB",
            "logfile_backups": 1,
            "pidfile": run_dir / "supervisord.pid",
            "directory": ROOT,
            "minfds": 1024,
        },
        "unix_http_server": {"file": socket, "chmod": "0700"},
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
        "eventlistener:pids": {
            "command": shlex.join((sys.executable, "-m", "deploy.stack.pids", str(run_dir))),
            "events": "PROCESS_STATE",
            "buffer_size": 1000,
            "startretries": 1_000_000,
            "stderr_logfile": run_dir / "logs" / "pids.log",
            "stderr_logfile_maxbytes": "1MB",
            "stderr_logfile_backups": 1,
        },
    }
    for process in config.processes:
        settles = 1 if process.infrastructure else SETTLES_SECONDS
        kept = program(process.command, config.log(process.name), settles)
        sections[f"program:{process.name}"] = kept if process.infrastructure else {**kept, "environment": _GIVES_BACK}
    return ini(sections)


def program(command: Sequence[str], log: Path, settles: int = SETTLES_SECONDS) -> dict[str, object]:
    """
    How the supervisor keeps one process.

    One that dies comes back at once, unless it dies within the first seconds in which it ``settles``: such a one waits
    1, 2, … s, so that what crashes again and again leaves the processor to others. After the eighth time ``pids.py``
    starts it afresh, so the longest wait is 8 s. One that is stuck ends itself (services/common/kit/liveness.py).
    """
    return {
        "command": shlex.join(command),
        "directory": ROOT,
        "autostart": "false",
        "autorestart": "true",
        "startsecs": settles,
        "startretries": 8,
        "stopasgroup": "true",
        "killasgroup": "true",
        "stopwaitsecs": 30,
        "redirect_stderr": "true",
        "stdout_logfile": log,
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": 3,
    }


def ini(sections: Mapping[str, Mapping[str, object]]) -> str:
    """
    Sections as supervisord reads them.
    """
    return "\n".join(
        f"[{section}]\n" + "".join(f"{key} = {str(value).replace('%', '%%')}\n" for key, value in values.items())
        for section, values in sections.items()
    )
