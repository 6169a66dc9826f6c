"""
The channels' settings (``NOTIFY_WHATSAPP_…``, ``NOTIFY_SMS_…`` and so on), read once in ``__main__``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.common.kit.settings import Settings
from services.notify.channels import sms_iletimerkezi, sms_netgsm
from services.notify.channels.sms import SmsSettings
from services.notify.channels.whatsapp import WhatsAppSettings
from services.notify.partners import PARTNERS_FILE, Partner, load_partners

_HTTP: Final = r"^https?://[^/]+"


class ChannelSettings(Settings):
    """
    A channel of which nothing is set writes into files. ``…_rate``: messages a second that the provider takes from us.
    ``sms_user`` and ``sms_password`` are NetGSM's sub-user, or İletimerkezi's API key and the hash that its panel gives
    with it; ``sms_sender`` the name registered there. ``partner_secrets``: what webhooks to each partner of
    ``partners_file`` are signed with, a JSON object. ``alert_to``: who gets a mail when a provider is down, with commas
    between.
    """

    model_config = SettingsConfigDict(env_prefix="NOTIFY_")
    whatsapp_url: str = Field(default="https://graph.facebook.com/v25.0", pattern=_HTTP)
    whatsapp_phone_number_id: str | None = Field(default=None, pattern=r"^[0-9]+$")
    whatsapp_token: SecretStr | None = Field(default=None, min_length=1)
    whatsapp_rate: float = Field(default=80, gt=0)
    sms_gateway: Literal["netgsm", "iletimerkezi"] | None = None
    sms_url: str | None = Field(default=None, pattern=_HTTP)
    sms_user: str | None = None
    sms_password: SecretStr | None = Field(default=None, min_length=1)
    sms_sender: str | None = Field(default=None, min_length=3, max_length=11)
    sms_rate: float = Field(default=50, gt=0)
    mail_rate: float = Field(default=50, gt=0)
    partners_file: Path = PARTNERS_FILE
    partner_secrets: Mapping[str, SecretStr] = Field(default_factory=dict)
    partner_rate: float = Field(default=20, gt=0)
    alert_to: str = ""

    @field_validator("alert_to")
    @classmethod
    def _addresses(cls, given: str) -> str:
        if any(part.count("@") != 1 for part in given.split(",") if part.strip()):
            raise ValueError("NOTIFY_ALERT_TO: mail addresses with commas between")
        return given

    @model_validator(mode="after")
    def _whole(self) -> "ChannelSettings":
        if (self.whatsapp_phone_number_id is None) != (self.whatsapp_token is None):
            raise ValueError("WhatsApp needs both NOTIFY_WHATSAPP_PHONE_NUMBER_ID and NOTIFY_WHATSAPP_TOKEN")
        account = {"USER": self.sms_user, "PASSWORD": self.sms_password, "SENDER": self.sms_sender}
        missing = [f"NOTIFY_SMS_{name}" for name, value in account.items() if not value]
        if self.sms_gateway is not None and missing:
            raise ValueError(f"NOTIFY_SMS_GATEWAY needs {', '.join(missing)} too")
        return self

    @property
    def whatsapp(self) -> WhatsAppSettings | None:
        """
        Our number at Meta, if there is one.
        """
        if self.whatsapp_phone_number_id is None or self.whatsapp_token is None:
            return None
        return WhatsAppSettings(
            self.whatsapp_url, self.whatsapp_phone_number_id, self.whatsapp_token.get_secret_value()
        )

    @property
    def sms(self) -> SmsSettings | None:
        """
        Our account at the SMS gateway, if there is one.
        """
        if self.sms_gateway is None or not self.sms_user or self.sms_password is None or not self.sms_sender:
            return None
        known = {"netgsm": sms_netgsm.URL, "iletimerkezi": sms_iletimerkezi.URL}
        url = self.sms_url or known[self.sms_gateway]
        return SmsSettings(url, self.sms_user, self.sms_password.get_secret_value(), self.sms_sender)

    @property
    def alerted(self) -> tuple[str, ...]:
        """
        Whom to write to when a provider is down.
        """
        return tuple(part.strip() for part in self.alert_to.split(",") if part.strip())

    def partners(self) -> Mapping[str, Partner]:
        """
        Whose systems are told by webhook. Raises ``BrokenPartners``.
        """
        secrets = {name: secret.get_secret_value() for name, secret in self.partner_secrets.items()}
        return load_partners(self.partners_file, secrets)
