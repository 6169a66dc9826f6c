"""
Notify's settings (``NOTIFY_…``), read once in ``__main__``.
"""

from dataclasses import fields, replace
from datetime import time, timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from services.common.contracts.vocabulary import Language
from services.common.kit.settings import KafkaSettings, LogSettings, MongoSettings, Settings, WorkerSettings
from services.notify.channels.settings import ChannelSettings
from services.notify.domain import Rules
from services.notify.messages import House
from services.notify.staff import STAFF_FILE

BUDGET_SECONDS: Final = 8.0  # how long a database or a Kafka that is away is tried
LEASE_MARGIN: Final = timedelta(seconds=5)
_TIMES = Rules()  # the times stand in the core once


class NotifySettings(Settings):
    """
    ``hold``: how long "received" waits for the department's name. ``parking``: how long a message waits for its
    contact. ``retry_for``: how long a provider that is away is tried. ``max_age``: what is older is not told any more,
    so that a new group name or a rebuilt topic does not write to everybody again. After the ``lease`` another process
    may send a message whose sender died: it must be enough for the write that claims, ``send_timeout`` and the write of
    the result, each write as long as it is tried again, and ``LEASE_MARGIN``. ``status_wait``: how long WhatsApp's own
    word is waited for after an unknown outcome. ``quiet_from`` to ``quiet_until``, in Istanbul: nobody is written to
    who need not be; none if both are the same. ``daily_limit``: how many messages a person gets a day.
    ``next_day_at``: when what was beyond it goes. ``own_addresses``: our own numbers and mailboxes, never written to.
    Without an ``smtp_host`` mails go into files, as the other channels do. With a ``tracking_secret``, the same that
    intake has, the link in a message lets its reader see their own request. With a ``reporting_key``, an API key with
    the scope reports:read alone, and ``digests``, departments get their morning digest. ``public_url`` is where
    citizens are (intake), ``api_public_url`` and ``reporting_public_url`` where those who work here open notify's and
    reporting's pages.
    """

    model_config = SettingsConfigDict(env_prefix="NOTIFY_")
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    mongo: MongoSettings = Field(default_factory=MongoSettings)
    logs: LogSettings = Field(default_factory=LogSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    channels: ChannelSettings = Field(default_factory=ChannelSettings)
    database: str = "notify"
    ops_port: int = Field(default=8013, ge=0, le=65535)
    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8002, ge=0, le=65535)
    intake_url: str = "http://127.0.0.1:8000"
    reporting_url: str = "http://127.0.0.1:8001"
    public_url: str = "http://127.0.0.1:8000"
    api_public_url: str = "http://127.0.0.1:8002"
    reporting_public_url: str = "http://127.0.0.1:8001"
    reporting_key: SecretStr | None = Field(default=None, min_length=16)
    digests: bool = True
    tracking_secret: SecretStr | None = Field(default=None, min_length=16)

    hold: timedelta = _TIMES.hold
    parking: timedelta = _TIMES.parking
    recheck: timedelta = _TIMES.recheck
    retry_for: timedelta = _TIMES.retry_for
    retry_urgent: timedelta = _TIMES.retry_urgent
    status_wait: timedelta = _TIMES.status_wait
    quiet_from: time = _TIMES.quiet_from
    quiet_until: time = _TIMES.quiet_until
    daily_limit: int = Field(default=_TIMES.daily_limit, ge=1)
    next_day_at: time = _TIMES.next_day_at
    own_addresses: frozenset[str] = frozenset()
    max_age: timedelta = _TIMES.max_age
    lease: timedelta = _TIMES.lease
    send_timeout: timedelta = timedelta(seconds=15)
    batch: int = Field(default=50, ge=1, le=500)
    flights: int = Field(default=3, ge=1, le=32)

    staff_file: Path = STAFF_FILE
    outbox_dir: Path = Path(".run/outbox")
    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(default=8025, ge=1, le=65535)
    smtp_security: Literal["none", "starttls", "tls"] = "none"
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_connections: int = Field(default=4, ge=1, le=50)
    mail_from: str = "ilkim@ilkadim.example"
    municipality_tr: str = "İlkadım Belediyesi"
    municipality_en: str = "İlkadım Municipality"
    phone: str = "444 55 01"

    @model_validator(mode="after")
    def _lease_outlasts_sending(self) -> "NotifySettings":
        least = self.send_timeout + 2 * timedelta(seconds=BUDGET_SECONDS) + LEASE_MARGIN
        if self.lease < least:
            raise ValueError(
                f"NOTIFY_LEASE must be at least {least.total_seconds():g} s (NOTIFY_SEND_TIMEOUT and two writes):"
                " else a message could go out twice"
            )
        return self

    @model_validator(mode="after")
    def _slow_is_not_stuck(self) -> "NotifySettings":
        if self.worker.liveness.stuck_after <= self.lease.total_seconds():
            raise ValueError(
                f"LIVENESS_STUCK_AFTER must be above NOTIFY_LEASE ({self.lease.total_seconds():g} s): else a worker"
                " ends while a slow provider still may answer"
            )
        return self

    @property
    def rules(self) -> Rules:
        """
        The times, for the pure core.
        """
        named = {field.name for field in fields(Rules)} & set(type(self).model_fields)
        rules = Rules(**{name: getattr(self, name) for name in named})
        told = self.channels.whatsapp is not None  # files say nothing afterwards
        return rules if told else replace(rules, status_wait=timedelta())

    @property
    def house(self) -> House:
        """
        Who writes.
        """
        secret = self.tracking_secret
        return House(
            {Language.TR: self.municipality_tr, Language.EN: self.municipality_en},
            self.phone,
            self.public_url,
            secret.get_secret_value().encode() if secret else None,
        )
