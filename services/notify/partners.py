"""
Which partners hear by webhook of the requests that their systems post, from ``partners.yaml``.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from services.common.contracts.yaml_file import read_yaml

PARTNERS_FILE: Final = Path(__file__).with_name("partners.yaml")
_NAME: Final = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
_PREFIX: Final = "whsec_"
_LEAST_BYTES, _MOST_BYTES = 24, 64  # of a secret, as Standard Webhooks has it


class BrokenPartners(Exception):
    """
    The file is not as it must be; the message names the partner and what is wrong, never a secret.
    """


@dataclass(frozen=True, slots=True)
class Partner:
    """
    Where a partner's system listens, and what our webhooks to it are signed with (``whsec_…``).
    """

    url: str
    secret: str


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    url: str


_FILE: Final = TypeAdapter(dict[str, _Entry])


def load_partners(path: Path, secrets: Mapping[str, str]) -> Mapping[str, Partner]:
    """
    Read and check the file; the secrets, by the partners' names, come from NOTIFY_PARTNER_SECRETS. Raises
    ``BrokenPartners``.
    """
    try:
        entries = _FILE.validate_python(read_yaml(path))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise BrokenPartners(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BrokenPartners(f"{path.name}: {type(error).__name__}") from error
    found = {}
    for name, entry in entries.items():
        secret = secrets.get(name)
        wrong = _wrong(name, entry.url) or _wrong_secret(secret)
        if wrong or secret is None:
            raise BrokenPartners(f"{path.name}: {name}: {wrong}")
        found[name] = Partner(entry.url, secret)
    if unknown := sorted(set(secrets) - set(found)):
        raise BrokenPartners(f"NOTIFY_PARTNER_SECRETS: {', '.join(unknown)} is not in {path.name}")
    return found


def _wrong(name: str, url: str) -> str | None:
    if not _NAME.fullmatch(name):
        return "a partner's name is an adapter's: small letters and digits, with . _ - between"
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return "url: not an address"
    if not host or parts.username is not None or parts.fragment:
        return "url: https://host/path, without user and fragment"
    return None if _safe(parts, host) else "url: https, or http on this machine itself"


def _safe(parts: SplitResult, host: str) -> bool:
    if parts.scheme == "https":
        return True
    try:
        return parts.scheme == "http" and ip_address(host).is_loopback
    except ValueError:
        return parts.scheme == "http" and host == "localhost"


def _wrong_secret(secret: str | None) -> str | None:
    if secret is None:
        return "NOTIFY_PARTNER_SECRETS has no secret for it"
    try:
        size = len(b64decode(secret.removeprefix(_PREFIX), validate=True)) if secret.startswith(_PREFIX) else 0
    except binascii.Error:
        size = 0
    if not _LEAST_BYTES <= size <= _MOST_BYTES:
        return f"its secret is not {_PREFIX} and base64 of {_LEAST_BYTES} to {_MOST_BYTES} bytes"
    return None
