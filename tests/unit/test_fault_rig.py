"""
The rig's description: our services go through the proxy, nothing else does, and no port is taken twice.
"""

from itertools import pairwise
from pathlib import Path

from deploy.stack.config import SERVICES
from tests.faults.rig import LAUNCH, RigConfig

CONFIG = RigConfig(Path("/tmp/a-run"), 8000, "jvm", 3)


def test_no_port_is_taken_twice() -> None:
    ports = [*CONFIG.ports(CONFIG.processes).values(), *(port for _, port, _ in CONFIG.links)]
    ports += [target for name, _, target in CONFIG.links if name != "mongo"]
    assert len(set(ports)) == len(ports)
    assert all(8000 <= port < 8100 for port in ports)


def test_each_broker_sends_our_services_to_the_link_that_leads_to_it() -> None:
    for name, port, target in CONFIG.links[:3]:
        command = CONFIG.process(name).command
        said = dict(one.split("=", 1) for before, one in pairwise(command) if before == "--override")
        assert f"SERVICES://127.0.0.1:{target}" in said["listeners"]
        assert said["advertised.listeners"].endswith(f"SERVICES://127.0.0.1:{port}")


def test_the_database_is_the_last_link() -> None:
    assert CONFIG.links[3] == ("mongo", 8048, CONFIG.port("mongo"))


def test_each_service_is_launched_from_its_own_link_with_its_own_clock() -> None:
    for service in SERVICES:
        python, launch, code, clock, *module = CONFIG.process(service.name).command
        assert (python, *module) == (service.command[0], *service.command[2:])
        assert Path(launch) == LAUNCH
        assert (Path(code).name, Path(clock).name) == (service.name, service.name)
        assert code != clock
