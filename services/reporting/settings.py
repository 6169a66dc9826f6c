"""
What reporting reads from the environment.
"""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.common.contracts.clocks import CALENDAR_FILE
from services.common.kit.settings import (
    KafkaSettings,
    LivenessSettings,
    LogSettings,
    MongoSettings,
    Networks,
    Rate,
    Settings,
    WorkerSettings,
)
from services.common.ui.links import Links
from services.reporting.people import Grant


class ProjectorSettings(Settings):
    """
    The projector and the rebuild (``REPORTING_OPS_PORT``). ``calendar_file`` (``REPORTING_CALENDAR_FILE``) has the
    city's working time, as routing's has.
    """

    model_config = SettingsConfigDict(env_prefix="REPORTING_")
    ops_port: int = 8014
    calendar_file: Path = CALENDAR_FILE
    database: str = "reporting"
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    mongo: MongoSettings = Field(default_factory=MongoSettings)
    logs: LogSettings = Field(default_factory=LogSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)


class OidcSettings(Settings):
    """
    Sign-in at a provider (``REPORTING_OIDC_…``); without an ``issuer`` there is none.

    ``roles_claim`` of the id token holds a text or a list of texts (``a.b``: ``b`` inside ``a``); ``roles`` says as
    JSON what each gives: ``{"ilkim-masa": ["operator"], "zabita-ekip": ["department:zabita"]}``. ``user_claim`` is
    shown to administrators as the user name.
    """

    model_config = SettingsConfigDict(env_prefix="REPORTING_OIDC_")
    issuer: str = ""
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    scopes: str = "openid profile"
    roles_claim: str = "groups"
    user_claim: str = "preferred_username"
    roles: dict[str, list[str]] = Field(default_factory=dict)
    label: str = "Kurum hesabı"

    @property
    def grants(self) -> dict[str, tuple[Grant, ...]]:
        """
        What each value of the claim gives.
        """
        return {value: tuple(map(Grant.parse, texts)) for value, texts in self.roles.items()}

    @model_validator(mode="after")
    def _complete(self) -> "OidcSettings":
        if not self.issuer:
            return self
        parts = urlsplit(self.issuer)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError("REPORTING_OIDC_ISSUER must be an https URL")
        for name in ("client_id", "client_secret", "roles"):
            if not getattr(self, name):
                raise ValueError(f"REPORTING_OIDC_{name.upper()} is needed with an issuer")
        try:
            granted = self.grants
        except ValueError:
            raise ValueError(
                "REPORTING_OIDC_ROLES: each value gives a list of operator, manager, admin or department:<slug>"
            ) from None
        if not granted:
            raise ValueError("REPORTING_OIDC_ROLES must map at least one value of the claim to a role")
        return self


class ApiSettings(Settings):
    """
    The HTTP side. ``REPORTING_CURSOR_SECRET`` signs the cursors of lists, ``REPORTING_TOKEN_SECRET`` the tokens of
    those who work here; all processes of the api share both. To change the latter put the old one into
    ``REPORTING_TOKEN_SECRET_BEFORE`` for a day. ``public_url``, ``intake_public_url`` and, if there is one,
    ``notify_public_url`` are where browsers see the services with pages: under the same host name, since the cookie of
    the sign-in goes to one host. ``REPORTING_MUNICIPALITY_TR`` and ``REPORTING_MUNICIPALITY_EN`` head the monthly
    statement; in the database of an imported city its own name does. ``REPORTING_OPEN_RATE``: how much open data one
    address, or one key, may ask for, as JSON ``{"per_second": 0.5, "at_once": 30}``; ``per_second`` 0 is no limit.
    ``REPORTING_TRUSTED_PROXIES``: addresses and networks whose ``X-Forwarded-For`` is believed, as a JSON list.
    ``tile_url``: the tiles of the map, ``https://tiles.example.org/{z}/{x}/{y}.png``; without it the ground is plain.

    For the page of health: ``ops_urls``, the workers' loopback ports by name as JSON
    ``{"routing": "http://127.0.0.1:8012", …}`` (without them they are not asked, and nothing is known of senders);
    Kafka, which nothing else here needs; ``untouched_days``, after which an open request counts as left lying.
    """

    model_config = SettingsConfigDict(env_prefix="REPORTING_")
    host: str = "127.0.0.1"
    api_port: int = 8001
    public_url: str = "http://127.0.0.1:8001"
    intake_url: str = "http://127.0.0.1:8000"
    intake_public_url: str = "http://127.0.0.1:8000"
    notify_url: str = "http://127.0.0.1:8002"
    notify_public_url: str | None = None
    cursor_secret: SecretStr = Field(min_length=16)
    token_secret: SecretStr = Field(min_length=16)
    token_secret_before: SecretStr | None = Field(default=None, min_length=16)
    local_accounts: bool = True
    open_rate: Rate = Rate(per_second=0.5, at_once=30)
    trusted_proxies: Networks = frozenset()
    municipality_tr: str = "İlkadım Belediyesi"
    municipality_en: str = "İlkadım Municipality"
    tile_url: str | None = None
    tile_attribution: str = ""
    ops_urls: dict[str, str] = Field(default_factory=dict)
    untouched_days: int = Field(default=14, ge=1)
    database: str = "reporting"
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    mongo: MongoSettings = Field(default_factory=MongoSettings)
    logs: LogSettings = Field(default_factory=LogSettings)
    liveness: LivenessSettings = Field(default_factory=LivenessSettings)
    oidc: OidcSettings = Field(default_factory=OidcSettings)

    @field_validator("tile_url")
    @classmethod
    def _tiles(cls, url: str | None) -> str | None:
        if not url:
            return None
        if urlsplit(url).scheme not in ("http", "https") or not all(name in url for name in ("{z}", "{x}", "{y}")):
            raise ValueError("REPORTING_TILE_URL must be like https://tiles.example.org/{z}/{x}/{y}.png")
        return url

    @field_validator("public_url", "intake_public_url", "intake_url", "notify_url", "notify_public_url")
    @classmethod
    def _no_slash(cls, url: str | None) -> str | None:
        return url and url.rstrip("/")

    @property
    def links(self) -> Links:
        """
        Where our pages are.
        """
        return Links(intake=self.intake_public_url, reporting=self.public_url, notify=self.notify_public_url)


class UsersSettings(Settings):
    """
    What ``users`` on the command line needs; the secret only where a lock-out is lifted.
    """

    model_config = SettingsConfigDict(env_prefix="REPORTING_")
    token_secret: SecretStr = Field(min_length=16)
    database: str = "reporting"
    mongo: MongoSettings = Field(default_factory=MongoSettings)
