"""
Settings that every service has. They are read once, in each ``__main__``; nothing else reads the environment.
"""

from datetime import timedelta
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

LARGEST_BATCH: Final = 5_000


class Rate(BaseModel):
    """
    So many calls a second on average, and so many at once. ``per_second`` 0 is no limit.
    """

    model_config = ConfigDict(frozen=True)
    per_second: float = Field(ge=0)
    at_once: int = Field(ge=1)


class KafkaSettings(BaseSettings):
    """
    Where Kafka is (``KAFKA_BOOTSTRAP_SERVERS``, comma separated host:port).
    """

    model_config = SettingsConfigDict(env_prefix="KAFKA_", frozen=True)
    bootstrap_servers: str = "127.0.0.1:8092"


class MongoSettings(BaseSettings):
    """
    Where MongoDB is (``MONGODB_URI``).
    """

    model_config = SettingsConfigDict(env_prefix="MONGODB_", frozen=True)
    uri: str = "mongodb://127.0.0.1:8017/?directConnection=true"


class LogSettings(BaseSettings):
    """
    How much is logged (``LOG_LEVEL``), always as one JSON object a line on standard output.
    """

    model_config = SettingsConfigDict(env_prefix="LOG_", frozen=True)
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class LivenessSettings(BaseSettings):
    """
    When a process that gets on with nothing is stuck, and how long after that it ends itself (``LIVENESS_STUCK_AFTER``,
    ``LIVENESS_END_AFTER``, seconds). What is stuck is seen meanwhile at /healthz and by Prometheus. The former is far
    above the retry budget: what is tried again is not stuck.
    """

    model_config = SettingsConfigDict(env_prefix="LIVENESS_", frozen=True)
    stuck_after: float = Field(default=60.0, ge=1)
    end_after: float = Field(default=30.0, ge=1)


class WorkerSettings(BaseSettings):
    """
    The acknowledgement loop (``WORKER_…``). ``retry_budget`` stays far below Kafka's rebalance time-out of 30 s.

    Of a worker that takes urgent records first: ``urgent_batch_size`` instead of ``batch_size``; ``read_ahead`` and
    ``read_ahead_bytes``: how many records, and how many bytes of their values, are read and not yet acknowledged. An
    urgent record behind more than that waits. 20,000 usual requests take about 160 MB.
    ``ops_host``: where health and metrics are served; loopback but in a container.
    """

    model_config = SettingsConfigDict(env_prefix="WORKER_", frozen=True)
    batch_size: int = Field(default=500, ge=1, le=LARGEST_BATCH)
    urgent_batch_size: int = Field(default=50, ge=1)
    retry_budget: timedelta = timedelta(seconds=8)
    max_consecutive_dead_letters: int = Field(default=500, ge=1)
    read_ahead: int = Field(default=20_000, ge=1)
    read_ahead_bytes: int = Field(default=67_108_864, ge=1)
    ops_host: str = "127.0.0.1"
    liveness: LivenessSettings = Field(default_factory=LivenessSettings)
