"""
Which links of strangers may be followed, and to which addresses: what is inside our own network is not theirs to see.
Pure. Only what is known to be public passes; all else is refused, also what nobody has thought of.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import quote, urljoin

LONGEST: Final = 2_000
PORTS: Final = frozenset({80, 443})
_USUAL: Final = {"https": 443, "http": 80}
_UNSEEN: Final = re.compile(r"[\x00-\x20\x7f\\]")
_LINK: Final = re.compile(r"([A-Za-z]+)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.DOTALL)
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_TOP: Final = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?")
_KEPT: Final = "".join(map(chr, range(0x21, 0x7F)))
_INSIDE: Final = frozenset({
    "localhost", "local", "localdomain", "internal", "intranet", "private", "corp", "home", "lan", "svc", "arpa",
    "onion", "alt", "test", "example", "invalid",
})  # fmt: skip
"""Top-level domains that no public server has: RFC 6761, 6762, 7686, 9476, ICANN's ``internal`` and common habit."""

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NOT_V6: Final = tuple(
    IPv6Network(row)
    for row in (
        "2001::/23",  # IETF protocols: Teredo, benchmarking, ORCHID (RFC 2928)
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 holds an IPv4 address
        "3fff::/20",  # documentation (RFC 9637)
    )
)
_NOT_V4: Final = tuple(
    IPv4Network(row)
    for row in (
        "192.0.0.0/24",  # IETF protocols, also a cloud's metadata (192.0.0.192)
        "192.88.99.0/24",  # relays of 6to4
        "100.64.0.0/10",  # shared by carriers, also a cloud's metadata (100.100.100.200)
        "168.63.129.16/32",  # looks public, but is a cloud's own host (Azure)
    )
)


class NotAllowed(Exception):
    """
    The link is not followed; the message, which goes behind the field's name, says what would be right and quotes
    nothing.
    """


@dataclass(frozen=True, slots=True)
class Target:
    """
    A link that may be followed, if what its ``host`` resolves to is ``routable``. ``host`` is a name in lower case, or
    an address that is routable; ``path`` is what is asked for, with its query.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        """
        The host, if it is an address already.
        """
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    @property
    def url(self) -> str:
        """
        The whole link.
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _USUAL[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def target_of(link: str, *, http: bool = False) -> Target:
    """
    Where a link leads; ``http``: whether it may go unencrypted. Raises ``NotAllowed``.
    """
    if len(link) > LONGEST:
        raise NotAllowed(f"must be a link of at most {LONGEST:,} characters")
    begin = "must be a link that begins with https://" + (" or http://" if http else "")
    match = _LINK.fullmatch(link)
    if match is None or _UNSEEN.search(link):
        raise NotAllowed(f"{begin} and has no blanks and no backslashes")
    scheme = match[1].lower()
    if scheme != "https" and not (http and scheme == "http"):
        raise NotAllowed(begin)
    if "@" in match[2]:
        raise NotAllowed("must be a link without a user and a password")
    authority = _AUTHORITY.fullmatch(match[2])
    if authority is None:
        raise NotAllowed("must name its server in plain letters (xn--… for others), such as https://example.com/a.jpg")
    port = int(authority[2] or _USUAL[scheme])
    if port not in PORTS:
        raise NotAllowed("must lead to port 443 or 80, which need not be named")
    path = quote(match[3] + (match[4] or ""), safe=_KEPT, errors="replace")
    return Target(scheme, _host(authority[1].lower()), port, path if path.startswith("/") else f"/{path}")


def redirected(target: Target, location: str, *, http: bool = False) -> Target:
    """
    Where a server sends us from a target. Raises ``NotAllowed``.
    """
    if len(location) > LONGEST or _UNSEEN.search(location):
        raise NotAllowed("must not lead to what is no link")
    try:
        link = urljoin(target.url, location)
    except ValueError:
        raise NotAllowed("must not lead to what is no link") from None
    return target_of(link, http=http)


def routable(address: IPv4Address | IPv6Address) -> bool:
    """
    Whether an address is one of the public internet's: of one host, of nobody's own network, and holding no other
    address (IPv4-mapped, NAT64, 6to4, Teredo).
    """
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_V4)
    return (
        address.scope_id is None
        and address in _GLOBAL_UNICAST
        and not any(address in network for network in _NOT_V6)
    )  # fmt: skip


def _host(text: str) -> str:
    """
    A public name, or a public address as it is usually written. Names that some resolvers read as addresses
    (``0x7f.1``, ``2130706433``, ``0177.0.0.1``) are neither. Raises ``NotAllowed``.
    """
    try:
        address = ip_address(text.strip("[]")) if text[0] == "[" else IPv4Address(text)
    except ValueError:
        labels = text.split(".")
        known = len(text) <= 253 and len(labels) > 1 and all(map(_LABEL.fullmatch, labels))
        if not known or not _TOP.fullmatch(labels[-1]) or labels[-1] in _INSIDE:
            raise NotAllowed("must name a server of the public internet, such as https://example.com/a.jpg") from None
        return text
    if not routable(address) or (text[0] == "[") is not isinstance(address, IPv6Address):
        raise NotAllowed("must name a server of the public internet, such as https://example.com/a.jpg")
    return str(address)
