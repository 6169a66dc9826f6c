"""
Settings of intake, read once in ``__main__``.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.common.contracts.ids import keyed_hash
from services.common.kit.settings import (
    KafkaSettings,
    LogSettings,
    MongoSettings,
    Networks,
    Rate,
    Settings,
    WorkerSettings,
)
from services.intake import cleaning
from services.intake.citizen.tiles import Tiles

Port = Annotated[int, Field(ge=1, le=65_535)]
Token = Annotated[SecretStr, Field(min_length=16)]
GatewayName = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")]
PhoneNumber = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]


class IntakeSettings(Settings):
    """
    ``INTAKE_…``. ``id_secret`` keys every derived number and personal hash: it has no default and never changes.

    ``data_dir`` belongs to one instance. It holds ``keys.json``, the copy of the API keys' hashes that intake uses
    while MongoDB is away, and ``spool``, of at most ``spool_max_bytes``: what it accepts while Kafka is away.

    ``reporting_url`` is where this process asks who is signed in, ``reporting_public_url`` where browsers sign in;
    ``public_url`` (and ``notify_public_url``, if there is one) must have the same host name: the cookie of the sign-in
    goes to one host. At ``routing_url`` (its ops port) and ``notify_url`` the desk asks what a text means and who is to
    be called back. clamd at ``clamav_host`` is asked about each file that is sent; without one nobody is.

    ``telephony_exchanges``: a secret token for each exchange that reports calls, as JSON ``{"name": "token"}``. With a
    ``twilio_auth_token`` Twilio may report calls too; it connects callers to ``twilio_desk_number`` (E.164), or puts
    them into its queue ``ilkim``.

    WhatsApp may call us if there are a ``whatsapp_app_secret`` (by which Meta signs) and a ``whatsapp_verify_token``
    (which is told to Meta with our URL). With a ``whatsapp_number_id`` other numbers of the account are left alone.
    With a ``whatsapp_token`` the files of messages are fetched from ``whatsapp_graph_url``. Conversations' times (two
    quiet minutes end a draft) pass ``conversation_pace`` times as fast: 1 for people, more for tests and demos.

    ``sms_gateways``: a secret token for each gateway that brings SMS, as JSON like the exchanges'. With an
    ``sms_netgsm_user`` and its password NetGSM's inbox is looked into every ``sms_netgsm_every`` seconds. What comes
    from ``sms_own_numbers`` (E.164, a JSON list) is left alone.

    Open311 serves ``open311_jurisdiction``, whose ``open311_contact`` and ``open311_key_service`` discovery tells.
    With ``fetch_media`` the picture behind a report's ``media_url`` is fetched from the internet before the report is
    taken, over https (with ``fetch_media_http`` over http too); without it the link is kept and nobody follows it.
    ``tracking_secret`` signs the links by which citizens see their own request; notify has the same one. Without it
    intake signs with a secret of its own, and messages have plain links.

    ``address_rate`` limits who shows no key, ``key_rate`` each key, as JSON ``{"per_second": 100, "at_once": 1000}``;
    ``per_second`` 0 is no limit; ``form_rate`` limits how often one address sends the citizen's form.
    ``trusted_proxies``: addresses and networks whose ``X-Forwarded-For`` is believed, as a JSON list.

    ``tile_url``: the tiles of the map in the citizen's form, ``https://tiles.example.org/{z}/{x}/{y}.png``, and
    ``tile_attribution``, whom to name on it; without them its ground is plain.
    """

    model_config = SettingsConfigDict(env_prefix="INTAKE_")
    id_secret: SecretStr = Field(min_length=16)
    tracking_secret: SecretStr | None = Field(default=None, min_length=16)
    host: str = "127.0.0.1"
    port: Port = 8000
    worker_ops_port: Port = 8011
    clamav_host: str | None = None
    clamav_port: Port = 3310
    data_dir: Path = Path(".run/intake")
    spool_max_bytes: int = Field(default=268_435_456, ge=65_536)
    public_url: str = "http://127.0.0.1:8000"
    reporting_url: str = "http://127.0.0.1:8001"
    reporting_public_url: str = "http://127.0.0.1:8001"
    notify_public_url: str | None = None
    routing_url: str = "http://127.0.0.1:8012"
    notify_url: str = "http://127.0.0.1:8002"
    telephony_exchanges: dict[str, Token] = Field(default_factory=dict)
    twilio_auth_token: SecretStr | None = None
    twilio_desk_number: PhoneNumber | None = None
    whatsapp_app_secret: SecretStr | None = Field(default=None, min_length=16)
    whatsapp_verify_token: SecretStr | None = Field(default=None, min_length=16)
    whatsapp_number_id: str | None = None
    whatsapp_token: SecretStr | None = Field(default=None, min_length=16)
    whatsapp_graph_url: str = "https://graph.facebook.com/v25.0"
    conversation_pace: float = Field(default=1.0, ge=1, le=10_000)
    sms_gateways: dict[GatewayName, Token] = Field(default_factory=dict)
    sms_own_numbers: frozenset[PhoneNumber] = frozenset()
    sms_netgsm_url: str = "https://api.netgsm.com.tr"
    sms_netgsm_user: str | None = None
    sms_netgsm_password: SecretStr | None = None
    sms_netgsm_every: float = Field(default=60.0, ge=5)
    open311_jurisdiction: str = "ilkadim.bel.tr"
    open311_contact: str = "İlkadım Belediyesi İletişim Merkezi (İLKİM), 444 55 01, https://www.ilkadim.bel.tr"
    open311_key_service: str = "Anahtar için İLKİM'e başvurun: 444 55 01. / For a key ask the contact centre."
    fetch_media: bool = False
    fetch_media_http: bool = False
    address_rate: Rate = Rate(per_second=100, at_once=1_000)
    key_rate: Rate = Rate(per_second=100, at_once=1_000)
    form_rate: Rate = Rate(per_second=0.05, at_once=20)
    trusted_proxies: Networks = frozenset()
    tile_url: str | None = None
    tile_attribution: str = ""
    database: str = "intake"
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    mongo: MongoSettings = Field(default_factory=MongoSettings)
    logs: LogSettings = Field(default_factory=LogSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)

    @field_validator("tile_url")
    @classmethod
    def _tiles(cls, url: str | None) -> str | None:
        return Tiles(url).url if url else None

    @property
    def tiles(self) -> Tiles | None:
        """
        The server of the map's tiles, if there is one.
        """
        return Tiles(self.tile_url, self.tile_attribution) if self.tile_url else None

    @property
    def secret(self) -> bytes:
        """
        The key of all derived ids and hashes.
        """
        return self.id_secret.get_secret_value().encode()

    @property
    def signs_links(self) -> bytes:
        """
        The key of tracking links and of what citizens' browsers keep.
        """
        if self.tracking_secret is None:
            return keyed_hash(self.secret, "tracking links").encode()
        return self.tracking_secret.get_secret_value().encode()


class AsteriskSettings(Settings):
    """
    ``INTAKE_ASTERISK_…``, of the bridge alone. ``url``: Asterisk's HTTP server, where ``user`` may use ARI.
    ``webhook``: our own URL for this exchange, with its token. ``announcement``: what callers hear first, such as
    ``sound:ilkim/kvkk``; ``queue``: what the dialplan's queue is called.
    """

    model_config = SettingsConfigDict(env_prefix="INTAKE_ASTERISK_")
    url: str = "http://127.0.0.1:8088"
    user: str
    password: SecretStr
    app: str = Field(default="ilkim", pattern=r"^[A-Za-z0-9_-]{1,60}$")
    webhook: SecretStr
    announcement: str | None = None
    queue: str | None = None
    logs: LogSettings = Field(default_factory=LogSettings)


class ImportSettings(Settings):
    """
    What ``import`` needs: intake's ``url``, and an ``api_key`` unless the command line names a file that has it.
    """

    model_config = SettingsConfigDict(env_prefix="INTAKE_")
    url: str = "http://127.0.0.1:8000"
    api_key: SecretStr | None = None


class MailSettings(Settings):
    """
    ``INTAKE_MAIL_…``, of the process that takes mails, beside ``INTAKE_…``. Our mail server hands them over, by
    ``protocol`` smtp or lmtp (one recipient at a time: ``lmtp_destination_recipient_limit = 1`` in Postfix).

    ``addresses``: our mailboxes, as a JSON list. Mail to others is refused; ``name+anything@`` is the same mailbox. The
    address that notify writes from must be one of them: by its domain bounces are known. ``max_bytes`` bounds a mail as
    it travels, which is a third more than its files. With ``tls_certificate`` and ``tls_key`` (PEM files) STARTTLS is
    offered.
    """

    model_config = SettingsConfigDict(env_prefix="INTAKE_MAIL_")
    addresses: Annotated[frozenset[str], Field(min_length=1)] = frozenset({"ilkim@ilkadim.example"})
    host: str = "127.0.0.1"
    port: int = Field(default=8026, ge=0, le=65_535)
    protocol: Literal["smtp", "lmtp"] = "smtp"
    hostname: str = Field(default="ilkim.ilkadim.example", pattern=r"^[A-Za-z0-9.-]{1,253}$")
    max_bytes: int = Field(default=36_700_160, ge=65_536)
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    ops_port: int = Field(default=8015, ge=0, le=65_535)
    ops_host: str = "127.0.0.1"

    @field_validator("addresses")
    @classmethod
    def _mailboxes(cls, given: frozenset[str]) -> frozenset[str]:
        found = {cleaning.email(address) for address in given}
        if None in found:
            raise ValueError("must be addresses such as ilkim@ilkadim.bel.tr")
        return frozenset(address.lower() for address in found if address)

    @model_validator(mode="after")
    def _both_or_none(self) -> "MailSettings":
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("INTAKE_MAIL_TLS_CERTIFICATE and INTAKE_MAIL_TLS_KEY: give both or neither")
        return self


class StoreSettings(Settings):
    """
    What ``keys`` and ``crises`` need: the database and, for ``crises``, Kafka. No secret: a key can be made before the
    service has one.
    """

    model_config = SettingsConfigDict(env_prefix="INTAKE_")
    database: str = "intake"
    mongo: MongoSettings = Field(default_factory=MongoSettings)
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
