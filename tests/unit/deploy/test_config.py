"""
The stack's description: ports, environment, and what is rendered from them. Nothing is started here.
"""

import configparser
import re
from pathlib import Path

import pytest

from deploy.stack import config as plan
from deploy.stack.config import ROOT, SECRETS, SERVICES, Config, StackError

SECRET_VALUES = {name: f"{name} with 'quotes' and $(words)" for name in SECRETS}


def config(**changes: object) -> Config:
    return Config(**{"run_dir": Path("/tmp/a run"), "port_base": 8000, "kind": "jvm", "brokers": 1, **changes})


@pytest.mark.parametrize("brokers", [1, 3])
def test_no_two_processes_share_a_port(brokers: int) -> None:
    stack = config(brokers=brokers)
    ports = stack.ports(stack.processes).values()
    assert len(set(ports)) == len(ports)


def test_two_stacks_a_hundred_ports_apart_do_not_meet() -> None:
    one, other = config(brokers=3), config(brokers=3, port_base=8100)
    assert not set(one.ports(one.processes).values()) & set(other.ports(other.processes).values())


def test_every_service_listens_where_its_environment_says() -> None:
    env = plan.environment(config(), SECRET_VALUES)
    mail = ("NOTIFY_SMTP_PORT", "INTAKE_MAIL_PORT")  # where mails go, and the door at which they come in
    told = {int(value) for name, value in env.items() if name.endswith("_PORT") and name not in mail}
    assert told == {config().port(service.name) for service in SERVICES}


def test_the_env_file_gives_back_every_value_that_was_written() -> None:
    env = plan.environment(config(), SECRET_VALUES)
    assert plan.read_env_file(plan.env_file(env)) == env


def test_an_unknown_process_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(StackError, match=r"there are: kafka-1, mongo, mail, intake"):
        config().process("kafka-2")


def test_one_broker_asks_for_no_copy_that_cannot_exist() -> None:
    text = plan.kafka_properties(config(), 1)
    assert "offsets.topic.replication.factor=1\n" in text
    assert "min.insync.replicas=1\n" in text


def test_three_brokers_know_each_other_and_keep_two_copies_in_sync() -> None:
    stack = config(brokers=3)
    text = plan.kafka_properties(stack, 2)
    assert "controller.quorum.voters=1@127.0.0.1:8095,2@127.0.0.1:8096,3@127.0.0.1:8097\n" in text
    assert "listeners=PLAINTEXT://127.0.0.1:8093,CONTROLLER://127.0.0.1:8096\n" in text
    assert "min.insync.replicas=2\n" in text
    assert stack.bootstrap_servers == "127.0.0.1:8092,127.0.0.1:8093,127.0.0.1:8094"


def test_brokers_never_make_topics_by_themselves() -> None:
    assert "auto.create.topics.enable=false\n" in plan.kafka_properties(config(), 1)


@pytest.mark.parametrize("database", ["secantusd-py", "secantusd-rs"])
def test_the_database_hands_each_commit_to_the_kernel(database: str) -> None:
    command = config(database=database).process("mongo").command
    assert "WIREDTIGER_CONFIG=transaction_sync=(enabled=true,method=none)" in command
    assert database in {Path(word).name for word in command}


def test_two_database_servers_never_open_the_same_files() -> None:
    assert config().data != config(database="secantusd-rs").data


def test_the_supervisor_restarts_every_process_and_stops_it_gracefully() -> None:
    parsed = configparser.ConfigParser()
    parsed.read_string(plan.supervisord_conf(config(run_dir=Path("/tmp/100% mine")), Path("/tmp/s.sock")))
    programs = [section for section in parsed.sections() if section.startswith("program:")]
    assert programs == [f"program:{process.name}" for process in config().processes]
    for program in programs:
        assert parsed[program]["autorestart"] == "true"
        assert parsed[program]["stopwaitsecs"] == "30"
        assert "100% mine/logs/" in parsed[program]["stdout_logfile"]


def test_a_service_that_dies_young_waits_longer_each_time_and_infrastructure_comes_back_at_once() -> None:
    parsed = configparser.ConfigParser()
    parsed.read_string(plan.supervisord_conf(config(), Path("/tmp/s.sock")))
    settles = {process.name: parsed[f"program:{process.name}"]["startsecs"] for process in config().processes}
    assert {settles[process.name] for process in plan.SERVICES} == {"10"}
    assert {settles[process.name] for process in config().infrastructure} == {"1"}


def test_our_own_processes_alone_are_told_how_to_take_memory() -> None:
    parsed = configparser.ConfigParser()
    parsed.read_string(plan.supervisord_conf(config(), Path("/tmp/s.sock")))
    told = {
        process.name: parsed[f"program:{process.name}"].get("environment", "").replace('"', "").split(",")
        for process in config().processes
    }
    of_the_image = re.findall(r"MALLOC_\w+=\d+", (ROOT / "deploy" / "Dockerfile").read_text())
    assert len(of_the_image) == 3
    assert {name: sorted(told[name]) for name in told} == {
        **{process.name: [""] for process in config().infrastructure},
        **{process.name: sorted(of_the_image) for process in plan.SERVICES},
    }


@pytest.mark.parametrize(("gigabytes", "share"), [(0.5, "256M"), (4, "1024M"), (24, "6144M"), (64, "6144M")])
def test_the_database_caches_a_quarter_of_the_memory_within_bounds(
    gigabytes: float, share: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"SC_PAGE_SIZE": 4_096, "SC_PHYS_PAGES": int(gigabytes * 2**30) // 4_096}
    monkeypatch.setattr(plan.os, "sysconf", sizes.__getitem__)
    (command,) = (process.command for process in config().infrastructure if process.name == "mongo")
    assert command[command.index("--cache-size") + 1] == share


def test_the_supervisor_configuration_holds_no_secret() -> None:
    text = plan.supervisord_conf(config(), Path("/tmp/s.sock"))
    assert not [value for value in SECRET_VALUES.values() if value in text]
