"""
Settings that every service has. They are read once, in each ``__main__``; nothing else reads the environment.
"""

import re
import sys
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError


def _network(given: object) -> object:
    try:
        return ip_network(given) if isinstance(given, str) else given
    except ValueError:
        raise ValueError("must be addresses or networks such as 10.0.0.7 or 172.18.0.0/16") from None


Networks = frozenset[Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]]
"""Addresses and networks; in the environment a JSON list: ``["10.0.0.7", "172.18.0.0/16"]``."""


class Settings(BaseSettings):
    """
    What a process reads from its environment. No error shows a value: it may be a secret.
    """

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    @classmethod
    def read(cls) -> Self:
        """
        The settings as they are set. Ends the process with exit code 2 and a line for each variable that is wrong.
        """
        try:
            return cls()
        except ValidationError as error:
            owner = next(one for one in Settings.__subclasses__() if one.__name__ == error.title)
            found = error.errors(include_url=False, include_context=False, include_input=False)
            wrong = [(owner._variable(str(one["loc"][0])) if one["loc"] else "", one["msg"]) for one in found]
        except SettingsError as error:
            name = re.findall(r'field "(\w+)"', str(error))[0]
            known: list[type[Settings]] = [cls, *Settings.__subclasses__()]
            owner = next(one for one in known if name in one.model_fields)
            wrong = [(owner._variable(name), "must be JSON, as a list or an object")]
        for variable, why in wrong:
            told = why.removeprefix("Value error, ")
            named = not variable or told.startswith(variable)
            sys.stderr.write(f"error: {told}\n" if named else f"error: {variable}: {told}\n")
        raise SystemExit(2)

    @classmethod
    def _variable(cls, field: str) -> str:
        return f"{cls.model_config['env_prefix']}{field}".upper()


class Rate(BaseModel):
    """
    So many calls a second on average, and so many at once. ``per_second`` 0 is no limit.
    """

    model_config = ConfigDict(frozen=True)
    per_second: float = Field(ge=0)
    at_once: int = Field(ge=1)


class KafkaSettings(Settings):
    """
    Where Kafka is (``KAFKA_BOOTSTRAP_SERVERS``, comma separated host:port).
    """

    model_config = SettingsConfigDict(env_prefix="KAFKA_")
    bootstrap_servers: str = "127.0.0.1:8092"


class MongoSettings(Settings):
    """
    Where MongoDB is (``MONGODB_URI``).
    """

    model_config = SettingsConfigDict(env_prefix="MONGODB_")
    uri: str = "mongodb://127.0.0.1:8017/?directConnection=true"


class LogSettings(Settings):
    """
    How much is logged (``LOG_LEVEL``), always as one JSON object a line on standard output.
    """

    model_config = SettingsConfigDict(env_prefix="LOG_")
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class LivenessSettings(Settings):
    """
    When a process that gets on with nothing is stuck, and how long after that it ends itself (``LIVENESS_STUCK_AFTER``,
    ``LIVENESS_END_AFTER``, seconds). What is stuck is seen meanwhile at /healthz and by Prometheus. The former is far
    above the retry budget: what is tried again is not stuck.
    """

    model_config = SettingsConfigDict(env_prefix="LIVENESS_")
    stuck_after: float = Field(default=60.0, ge=1)
    end_after: float = Field(default=30.0, ge=1)


class WorkerSettings(Settings):
    """
    The acknowledgement loop (``WORKER_…``). ``retry_budget`` stays far below Kafka's rebalance time-out of 30 s.

    Of a worker that takes urgent records first: ``urgent_batch_size`` instead of ``batch_size``; ``read_ahead`` and
    ``read_ahead_bytes``: how many records, and how many bytes of their values, are read and not yet acknowledged. An
    urgent record behind more than that waits. 20,000 usual requests take about 160 MB.
    ``ops_host``: where health and metrics are served; loopback but in a container.
    """

    model_config = SettingsConfigDict(env_prefix="WORKER_")
    batch_size: int = Field(default=500, ge=1, le=5_000)
    urgent_batch_size: int = Field(default=50, ge=1)
    retry_budget: timedelta = timedelta(seconds=8)
    max_consecutive_dead_letters: int = Field(default=500, ge=1)
    read_ahead: int = Field(default=20_000, ge=1)
    read_ahead_bytes: int = Field(default=67_108_864, ge=1)
    ops_host: str = "127.0.0.1"
    liveness: LivenessSettings = Field(default_factory=LivenessSettings)
