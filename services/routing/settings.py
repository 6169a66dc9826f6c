"""
Routing's settings (``ROUTING_…``), read once in ``__main__``.
"""

from datetime import timedelta
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.common.contracts.clocks import CALENDAR_FILE
from services.common.kit.settings import KafkaSettings, LogSettings, MongoSettings, Settings, WorkerSettings


class RoutingSettings(Settings):
    """
    ``parking``: how long an update waits for its request. ``sweep``: how often alarms are looked at, far more
    often than ``LIVENESS_STUCK_AFTER``.

    Three files are the operators': who gets what, how long it may take, when the offices work. ``model_file`` is what
    ``train`` writes; without it there is no classifier. ``shadow_model_file``: a second model, asked beside the first
    and compared in the metrics; it decides nothing.
    """

    model_config = SettingsConfigDict(env_prefix="ROUTING_")
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    mongo: MongoSettings = Field(default_factory=MongoSettings)
    logs: LogSettings = Field(default_factory=LogSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    ops_port: int = Field(default=8012, ge=0, le=65535)
    rules_file: Path = Path(__file__).with_name("rules.yaml")
    policy_file: Path = Path(__file__).with_name("policy.yaml")
    calendar_file: Path = CALENDAR_FILE
    model_file: Path = Path(__file__).with_name("model.npz")
    shadow_model_file: Path | None = None
    parking: timedelta = timedelta(minutes=15)
    sweep: timedelta = Field(default=timedelta(seconds=5), gt=timedelta(), le=timedelta(seconds=20))
    database: str = "routing"
