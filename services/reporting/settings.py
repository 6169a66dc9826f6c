"""
What reporting reads from the environment.
"""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.kit.settings import KafkaSettings, LogSettings, MongoSettings, WorkerSettings


class ProjectorSettings(BaseSettings):
    """
    The projector and the rebuild (``REPORTING_OPS_PORT``).
    """

    model_config = SettingsConfigDict(env_prefix="REPORTING_", frozen=True)
    ops_port: int = 8014
    database: str = "reporting"
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    mongo: MongoSettings = Field(default_factory=MongoSettings)
    logs: LogSettings = Field(default_factory=LogSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)


class ApiSettings(BaseSettings):
    """
    The HTTP side. ``REPORTING_CURSOR_SECRET`` signs the cursors of lists; all processes of the api share it.
    """

    model_config = SettingsConfigDict(env_prefix="REPORTING_", frozen=True)
    host: str = "127.0.0.1"
    api_port: int = 8001
    intake_url: str = "http://127.0.0.1:8000"
    cursor_secret: SecretStr = Field(min_length=16)
    database: str = "reporting"
    mongo: MongoSettings = Field(default_factory=MongoSettings)
    logs: LogSettings = Field(default_factory=LogSettings)
