"""
The image and the compose file, checked without an engine: against the services' settings, the other stacks, the tools.
"""

import functools
import re
import shutil
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings
from testcontainers.core import container as testcontainers

from deploy import docker_steps, healthcheck
from deploy.stack import docker
from deploy.stack.config import ROOT, SERVICES, Config, StackError, kafka_properties
from services.intake.settings import IntakeSettings, MailSettings
from services.notify.settings import NotifySettings
from services.reporting.settings import ApiSettings, ProjectorSettings
from services.routing.settings import RoutingSettings
from tests import containers

TEXT = docker.COMPOSE.read_text()
COMPOSE = yaml.safe_load(TEXT)["services"]
OURS = [process.name for process in SERVICES]
ONCE = ("mongo-replica", "topics", "keys")
STEPS = docker_steps.parse((ROOT / "deploy" / "Dockerfile").read_text())
EXAMPLES = {path.name: path.read_text() for path in (ROOT / "deploy" / "env").glob("*.env.example")}
SETTINGS: dict[str, tuple[tuple[type[BaseSettings], ...], str]] = {
    "intake": ((IntakeSettings,), "INTAKE_PORT"),
    "intake-worker": ((IntakeSettings,), "INTAKE_WORKER_OPS_PORT"),
    "intake-mail": ((IntakeSettings, MailSettings), "INTAKE_MAIL_OPS_PORT"),
    "routing": ((RoutingSettings,), "ROUTING_OPS_PORT"),
    "notify": ((NotifySettings,), "NOTIFY_OPS_PORT"),
    "notify-api": ((NotifySettings,), "NOTIFY_API_PORT"),
    "projector": ((ProjectorSettings,), "REPORTING_OPS_PORT"),
    "reporting-api": ((ApiSettings,), "REPORTING_API_PORT"),
}
"""What each process reads, and the variable with the port that its health check must ask."""

OF_TESTS = {
    "INTAKE_CONVERSATION_PACE",
    "INTAKE_FETCH_MEDIA_HTTP",
    "INTAKE_SMS_NETGSM_URL",
    "INTAKE_WHATSAPP_GRAPH_URL",
    "NOTIFY_SMS_URL",
    "NOTIFY_WHATSAPP_URL",
}
"""Settings for stand-ins of providers, and for days that pass quickly."""


def fields(*settings: type[BaseSettings]) -> dict[str, Any]:
    """
    Every variable that the settings read, with its field.
    """
    found: dict[str, Any] = {}
    for one in settings:
        for name, field in one.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseSettings):
                found |= fields(field.annotation)
            else:
                found[f"{one.model_config['env_prefix']}{name}".upper()] = field
    return found


def secret(name: str) -> bool:
    return any(word in name for word in ("SECRET", "KEY", "PASSWORD"))


# -- the processes --------------------------------------------------------------------------------------------------


def test_every_process_of_the_local_stack_is_a_service_with_the_same_command() -> None:
    commands = {process.name: ["python", *process.command[1:]] for process in SERVICES}
    assert {name: COMPOSE[name]["command"] for name in OURS} == commands
    assert set(SETTINGS) == set(OURS)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_process_gets_no_variable_that_it_does_not_read(name: str) -> None:
    assert set(COMPOSE[name]["environment"]) <= set(fields(*SETTINGS[name][0]))


@pytest.mark.parametrize("name", SETTINGS)
def test_a_process_gets_what_has_no_default_and_what_by_default_is_a_place_on_this_machine(name: str) -> None:
    needed = {
        variable
        for variable, field in fields(*SETTINGS[name][0]).items()
        if field.is_required() or re.search(r"127\.0\.0\.1|\.run\b", str(field.default))
    }
    assert needed <= set(COMPOSE[name]["environment"])


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_reaches_its_process_but_those_of_tests_and_the_databases_names(name: str) -> None:
    """
    A variable that stands in the env file and not in the compose file would be left out without a word.
    """
    left = set(fields(*SETTINGS[name][0])) - set(COMPOSE[name]["environment"])
    assert {one for one in left if not one.endswith("_DATABASE")} <= OF_TESTS


@pytest.mark.parametrize("name", OURS)
def test_a_process_can_read_files_of_the_operators_own(name: str) -> None:
    assert "./config:/config:ro" in COMPOSE[name]["volumes"]
    assert (ROOT / "deploy" / "config" / "README.md").exists()


@pytest.mark.parametrize("name", SETTINGS)
def test_the_health_check_asks_the_port_on_which_the_process_answers(name: str) -> None:
    port = COMPOSE[name]["environment"][SETTINGS[name][1]]
    assert COMPOSE[name]["healthcheck"]["test"] == ["CMD", "python", "-m", "deploy.healthcheck", port]


def test_what_a_process_writes_stands_on_a_volume() -> None:
    for name, variable in (("intake", "INTAKE_DATA_DIR"), ("notify", "NOTIFY_OUTBOX_DIR")):
        mounted = [volume.split(":")[1] for volume in COMPOSE[name]["volumes"]]
        assert any(COMPOSE[name]["environment"][variable].startswith(f"{place}/") for place in mounted)
    mounted = {volume.split(":")[0] for service in COMPOSE.values() for volume in service.get("volumes", ())}
    assert {name for name in mounted if not name.startswith(".")} == set(yaml.safe_load(TEXT)["volumes"])


# -- all services ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMPOSE)
def test_a_service_has_no_privileges_and_a_bound_on_memory_and_logs(name: str) -> None:
    service = COMPOSE[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["logging"]["options"]["max-size"]
    assert service.get("read_only") or name == "kafka-1"
    assert not {"privileged", "network_mode", "pid", "cap_add", "devices"} & set(service)
    assert service.get("user", "10001") not in ("root", "0", "0:0")


@pytest.mark.parametrize("name", COMPOSE)
def test_a_service_listens_on_loopback_alone(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE[name].get("ports", ()))


@pytest.mark.parametrize("name", COMPOSE)
def test_an_image_is_pinned(name: str) -> None:
    assert re.fullmatch(r"[\w./-]+:(\$\{ILKIM_VERSION:-)?v?\d+\.\d+\.\d+\}?", COMPOSE[name]["image"])


def test_what_runs_once_is_waited_for_and_everything_else_is_restarted_and_has_a_health_check() -> None:
    for name, service in COMPOSE.items():
        if name in ONCE:
            assert service["restart"] == "no"
            conditions = [
                needs["condition"]
                for other in COMPOSE.values()
                for needed, needs in other.get("depends_on", {}).items()
                if needed == name
            ]
            assert set(conditions) == {"service_completed_successfully"}  # `up --wait` wants this of what ends
        else:
            assert service["restart"] == "unless-stopped"
            assert service["healthcheck"]["test"]


def test_the_container_broker_has_the_settings_of_the_local_one() -> None:
    local = dict(line.split("=", 1) for line in kafka_properties(Config(Path("/run")), 1).splitlines())
    here = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in COMPOSE["kafka-1"]["environment"].items()
    }
    places = {"listeners", "advertised.listeners", "controller.quorum.voters", "inter.broker.listener.name", "log.dirs"}
    assert {key: here.get(key) for key in local if key not in places} == {
        key: value for key, value in local.items() if key not in places
    }


# -- secrets and examples -------------------------------------------------------------------------------------------


def test_a_secret_has_no_default() -> None:
    for name, rest in re.findall(r"\$\{(\w+)([^}]*)\}", TEXT):
        assert rest.startswith(":?") == secret(name), name


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_holds_no_secret_and_no_unknown_variable(example: str) -> None:
    pairs = dict(re.findall(r"^(?:# )?(\w+)=(.*)$", EXAMPLES[example], re.MULTILINE))
    passed_on = {
        name for service in COMPOSE.values() for name, value in service.get("environment", {}).items() if value is None
    }
    assert set(pairs) <= {*re.findall(r"\$\{(\w+)", TEXT), *passed_on, "COMPOSE_PROFILES"}
    assert not [name for name, value in pairs.items() if secret(name) and value]
    assert set(re.findall(r"\$\{(\w+):\?", TEXT)) <= set(pairs)


def test_every_variable_of_the_compose_file_stands_in_an_example() -> None:
    shown = set(re.findall(r"^(?:# )?(\w+)=", "\n".join(EXAMPLES.values()), re.MULTILINE))
    assert set(re.findall(r"\$\{(\w+)", TEXT)) <= shown


# -- the image ------------------------------------------------------------------------------------------------------


def steps(instruction: str) -> list[str]:
    return [step.rest for step in STEPS if step.instruction == instruction]


def last_stage() -> list[docker_steps.Step]:
    start = max(index for index, step in enumerate(STEPS) if step.instruction == "FROM")
    return STEPS[start:]


def test_the_image_runs_as_a_numbered_user_and_stops_on_sigterm() -> None:
    assert [step.rest for step in last_stage() if step.instruction == "USER"] == ["10001:10001"]
    assert steps("STOPSIGNAL") == ["SIGTERM"]
    assert steps("CMD") == ['["python", "-m", "services.intake"]']
    assert steps("HEALTHCHECK")[0].endswith('CMD ["python", "-m", "deploy.healthcheck", "8000"]')


def test_nothing_is_installed_in_the_last_stage() -> None:
    assert not [step for step in last_stage() if step.instruction in ("RUN", "ADD")]
    assert all("--from=builder" in step.rest for step in last_stage() if step.instruction == "COPY")


def test_the_base_image_is_pinned() -> None:
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.11\.\d+-slim-\w+", steps("ARG")[0])


def test_only_what_the_image_needs_enters_the_build() -> None:
    entering = set(docker_steps.context(ROOT))
    assert {"pyproject.toml", "constraints.txt", "services/intake/__main__.py", "deploy/topics.py"} <= entering
    assert not [name for name in entering if not re.match(r"services/|deploy/\w+\.py$|pyproject|constraints", name)]
    assert not [name for name in entering if "__pycache__" in name or name.endswith((".pyc", ".env"))]


@pytest.mark.parametrize(
    ("path", "out"),
    [
        ("services/intake/api.py", False),
        ("services/intake/__pycache__/api.cpython-311.pyc", True),
        ("services/x.pyc", True),
        ("services/routing/model.npz", False),
        ("services/routing/train.py", True),
        ("services/routing/training/zabita.jsonl", True),
        ("deploy/topics.py", False),
        ("deploy/env/production.env", True),
        (".run/env", True),
        (".git/config", True),
        ("tests/conftest.py", True),
    ],
)
def test_dockerignore_is_read_as_docker_reads_it(path: str, out: bool) -> None:
    assert docker_steps.ignored((ROOT / ".dockerignore").read_text())(path) is out


def test_continued_lines_and_comments_of_a_dockerfile_are_read() -> None:
    text = "FROM a AS b\n# no\nRUN one \\\n  # no\n && two\nENV A=1 B='2 3'\n"
    assert [str(step) for step in docker_steps.parse(text)] == ["FROM a AS b", "RUN one   && two", "ENV A=1 B='2 3'"]


def test_a_step_that_cannot_be_executed_here_is_refused(tmp_path: Path) -> None:
    build = docker_steps.Build(tmp_path / "work")
    build.do(docker_steps.Step("FROM", "python:3 AS one"))
    with pytest.raises(docker_steps.StepError, match="not known here"):
        build.do(docker_steps.Step("ADD", "x /y"))
    with pytest.raises(docker_steps.StepError, match="there is no nothing"):
        build.do(docker_steps.Step("COPY", "nothing /x"))
    with pytest.raises(docker_steps.StepError, match="exit code 3"):
        build.do(docker_steps.Step("RUN", "exit 3"))


def test_a_path_of_the_image_is_found_below_its_stage(tmp_path: Path) -> None:
    stage = docker_steps.Stage(tmp_path, workdir="/app")
    assert stage.path("x") == tmp_path / "app" / "x"
    assert (
        stage.mapped("PATH=/opt/venv/bin:/usr/bin -c /data")
        == f"PATH={tmp_path}/opt/venv/bin:/usr/bin -c {tmp_path}/data"
    )
    assert stage.mapped("http://intake/app x/opt ./data") == "http://intake/app x/opt ./data"


def test_nobody_on_a_port_is_not_ready() -> None:
    assert not healthcheck.ready(1)


# -- the tools' own opinion -----------------------------------------------------------------------------------------


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint has no wheel for this machine")
    ran = subprocess.run([hadolint, str(ROOT / "deploy" / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")


@functools.cache
def compose_program() -> list[str] | None:
    for program in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(program[0]):
            asked = subprocess.run([*program, "version", "--short"], capture_output=True, text=True, check=False)
            version = re.match(r"v?(\d+)\.(\d+)", asked.stdout)
            if not asked.returncode and version and tuple(map(int, version.groups())) >= (2, 24):
                return program
    return None


@pytest.mark.parametrize("example", EXAMPLES)
def test_docker_compose_takes_the_file(example: str, tmp_path: Path) -> None:
    program = compose_program()
    if program is None:
        pytest.skip("no docker compose 2.24 or newer here; it needs no engine for this")
    filled = tmp_path / "env"
    filled.write_text(re.sub(r"^(\w*(?:KEY|SECRET))=$", r"\1=0123456789abcdef", EXAMPLES[example], flags=re.MULTILINE))
    config = [*program, "--env-file", str(filled), "--file", str(docker.COMPOSE), "config"]
    ran = subprocess.run(config, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert set(OURS) <= set(yaml.safe_load(ran.stdout)["services"])


# -- STACK=docker and testcontainers --------------------------------------------------------------------------------


def test_with_docker_only_the_mail_sink_is_a_process_of_the_infrastructure() -> None:
    assert [process.name for process in Config(Path("/run"), kind="docker").infrastructure] == ["mail"]


def test_compose_commands_name_the_stacks_own_project() -> None:
    one, other = Config(Path("/a/.run"), kind="docker"), Config(Path("/b/.run"), kind="docker")
    projects = {docker.command(config)[3] for config in (one, other)}
    assert len(projects) == 2
    pull, up, replica = docker.up_commands(one)
    assert pull[6:] == ["pull", "--quiet", "--policy", "missing", "kafka-1", "mongo", "mongo-replica"]
    assert up[6:] == ["up", "--detach", "--wait", "--wait-timeout", "180", "kafka-1", "mongo"]
    assert replica[6:] == ["run", "--rm", "--no-deps", "-T", "mongo-replica"]
    assert docker.down_command(one, wipe=False)[6:] == ["down", "--timeout", "30"]
    assert docker.down_command(one, wipe=True)[6:] == ["down", "--timeout", "30", "--volumes"]


def test_compose_gets_the_stacks_secrets_and_ports_and_a_network_that_no_other_stack_has() -> None:
    variables = docker.variables(Config(Path("/run"), 9000, "docker"), {"API_KEY": "k"})
    subnet = ip_network(variables.pop("SUBNET"))
    assert variables == {"API_KEY": "k", "PORT_KAFKA": "9092", "PORT_MONGO": "9017"}
    assert subnet.is_private
    assert docker.variables(Config(Path("/other"), 9000, "docker"), {})["SUBNET"] != str(subnet)


@pytest.mark.parametrize("shape", ["{0}\n{1}\n", "[{0},{1}]"])
def test_compose_ps_is_read_in_both_its_shapes(shape: str) -> None:
    rows = ('{"Service":"kafka-1","State":"running","Health":"healthy"}', '{"Service":"mongo","State":"exited"}')
    printed = shape.replace("{0}", rows[0]).replace("{1}", rows[1])
    assert docker.read_ps(printed) == [
        docker.Container("kafka-1", "running", True),
        docker.Container("mongo", "exited", False),
    ]


def test_without_an_engine_docker_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert docker.lacks() == "there is no docker on PATH"
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    assert docker.lacks() == "no Docker engine answers"
    program.write_text('#!/bin/sh\n[ "$1" = info ]\n')
    assert docker.lacks() == "docker has no compose"
    program.write_text("#!/bin/sh\nexit 0\n")
    assert docker.lacks() == ""


def test_test_containers_are_those_of_the_compose_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testcontainers, "DockerClient", lambda **_: None)
    broker, database = containers.kafka(9092), containers.mongo(9017)
    assert broker.image == COMPOSE["kafka-1"]["image"]
    assert broker.env["KAFKA_ADVERTISED_LISTENERS"].endswith("HOST://127.0.0.1:9092")
    assert not [value for value in broker.env.values() if "$" in value]
    assert broker.ports == {"9094/tcp": ("127.0.0.1", 9092)}
    assert (database.image, database.ports) == (COMPOSE["mongo"]["image"], {"27017/tcp": ("127.0.0.1", 9017)})


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """
    A ``docker`` that notes what it is asked, with the broker's port, and answers as the real one would; its notes.
    """
    program, notes = tmp_path / "docker", tmp_path / "notes"
    program.write_text(
        f'#!/bin/sh\necho "$PORT_KAFKA $*" >> {notes}\n'
        'case "$*" in\n'
        '  *--format\\ json*) echo \'{"Service":"mongo","State":"running","Health":"healthy"}\' ;;\n'
        "  *ps\\ --quiet\\ mongo*) echo abc ;;\n"
        "  inspect*abc) echo 4242 ;;\n"
        "  *down*) echo it does not end >&2; exit 1 ;;\n"
        "esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return notes


def test_up_runs_every_command_on_the_stacks_ports(engine: Path) -> None:
    config = Config(Path("/run"), 9000, "docker")
    docker.up(config, {"API_KEY": "k"}, lambda _line: None)
    assert engine.read_text().splitlines() == [f"9092 {' '.join(one[1:])}" for one in docker.up_commands(config)]


def test_a_containers_pid_is_asked_of_the_engine(engine: Path) -> None:
    config = Config(Path("/run"), 9000, "docker")
    assert docker.pid(config, {}, "mongo") == 4242
    assert docker.pid(config, {}, "kafka-1") is None
    assert docker.containers(config, {}) == [docker.Container("mongo", "running", True)]


def test_what_compose_complains_of_is_said(engine: Path) -> None:
    with pytest.raises(StackError, match="it does not end"):
        docker.down(Config(Path("/run"), 9000, "docker"), {}, wipe=False)
