"""
Which links of strangers may be followed, and which addresses are nobody's own.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.intake.attachments.targets import LONGEST, PORTS, NotAllowed, Target, redirected, routable, target_of

HOSTILE_LINKS = [
    # other schemes, and what is no link
    "", " ", "x", "//example.com/a.jpg", "/etc/passwd", "https:", "https:/", "https://", "https:///a.jpg",
    "file:///etc/passwd", "ftp://example.com/a.jpg", "gopher://example.com:70/_x", "dict://example.com:11211/stat",
    "data:image/png;base64,iVBORw0KGgo=", "javascript:alert(1)", "jar:https://example.com!/a", "ldap://example.com/",
    "unix:///var/run/docker.sock", "https+unix://example.com/", "netdoc:///etc/passwd", "httpss://example.com/",
    # our own machine, as its address and by name, in every way of writing it
    "https://127.0.0.1/", "https://127.0.0.1:443/", "https://127.1/", "https://127.0.1/", "https://0/",
    "https://0.0.0.0/",
    "https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://017700000001/",
    "https://127.000.000.001/", "https://127.0.0.1./", "https://127.0.0.0x1/", "https://[::1]/", "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/", "https://[64:ff9b:1::7f00:1]/", "https://[2002:7f00:1::]/",
    "https://[::ffff:0:7f00:1]/",
    "https://localhost/", "https://LOCALHOST/", "https://a.localhost/", "https://localhost.localdomain/",
    "https://localhost./", "https://127。0。0。1/", "https://１２７.0.0.1/", "https://①②⑦.⓪.⓪.①/", "https://ⓛocalhost/",
    "https://[127.0.0.1]/", "https://[::1%25lo]/", "https://[fe80::1%25eth0]/", "https://%31%32%37.0.0.1/",
    # our own network, and what carriers and clouds have inside
    "https://10.0.0.1/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/", "https://[fd00:ec2::254]/", "https://[fe80::a9fe:a9fe]/",
    "https://[::ffff:169.254.169.254]/", "https://[64:ff9b::a9fe:a9fe]/", "https://[2002:a9fe:a9fe::]/",
    "https://100.100.100.200/latest/meta-data/", "https://192.0.0.192/opc/v1/", "https://168.63.129.16/machine",
    "https://2852039166/", "https://0xa9fea9fe/", "https://0251.0376.0251.0376/", "https://[fc00::1]/",
    "https://[fec0::1]/", "https://[2001:0:7f00:1::]/", "https://[2001:db8::1]/", "https://[3fff::1]/",
    "https://[5f00::1]/",
    "https://192.0.2.1/", "https://198.18.0.1/", "https://203.0.113.9/", "https://192.88.99.1/", "https://224.0.0.1/",
    "https://239.255.255.250/", "https://240.0.0.1/", "https://255.255.255.255/", "https://[ff02::1]/",
    "https://[ff0e::1]/",
    "https://metadata.google.internal/computeMetadata/v1/", "https://kubernetes.default.svc/", "https://printer.local/",
    "https://kafka/", "https://reporting:443/", "https://router.lan/", "https://1.0.0.127.in-addr.arpa/",
    "https://x.onion/",
    # a user, a password, and parsers that disagree about where the server is
    "https://user@example.com/", "https://user:password@example.com/", "https://@example.com/",
    "https://:@example.com/",
    "https://example.com@127.0.0.1/", "https://127.0.0.1@example.com/", "https://example.com:443@127.0.0.1/",
    "https://example.com\\@127.0.0.1/", "https://127.0.0.1\\.example.com/", "https://example.com#@127.0.0.1:80@x/\\",
    "https:\\\\127.0.0.1/", "https://exa mple.com/", "https://example.com /", "https://exam\tple.com/",
    " https://example.com/",
    "https://example.com/\r\nHost: 127.0.0.1", "https://example.com/\x00", "https://example.com/a b",
    "https://a..b.com/",
    "https://.example.com/", "https://example.com./", "https://-a.example.com/", "https://a-.example.com/",
    "https://*.example.com/", "https://example.com,127.0.0.1/", "https://example.com;127.0.0.1/",
    "https://[example.com]/",
    "https://[::1/", "https://::1]/", "https://[::1]x/", "https://[[::1]]/", "https://[]/", "https://ex%61mple.com/",
    # odd ports
    "https://example.com:22/", "https://example.com:8443/", "https://example.com:6379/", "https://example.com:0/",
    "https://example.com:65536/", "https://example.com:/", "https://example.com:443:80/", "https://example.com:+443/",
    "https://example.com:-1/", "https://example.com:４４３/", "https://example.com:443x/", "https://example.com:9092/",
    # size
    "https://" + "a" * 64 + ".com/", "https://" + "a." * 127 + "com/", "https://example.com/" + "a" * LONGEST,
]  # fmt: skip
NETWORKS = [
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.169.254",
    "172.16.0.1",
    "192.0.0.9", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "232.1.1.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::8.8.8.8", "::ffff:8.8.8.8",
    "::ffff:0:808:808", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:1::1", "2001:20::1",
    "2001:db8::1",
    "2002:808:808::1", "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0",
    "fec0::1",
    "ff02::1", "ff0e::1", "2606:4700::1%eth0",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "193.140.1.1", "2606:4700::1111", "2a00:1450:4017::2003"]

v4 = st.integers(0, 2**32 - 1).map(IPv4Address)
inside_v4 = st.sampled_from([row for row in NETWORKS if ":" not in row]).map(IPv4Address)
v6 = st.integers(0, 2**128 - 1).map(IPv6Address)
pieces = st.sampled_from([
    "https", "http", "://", ":", "//", "/", "\\", "@", "#", "?", "[", "]", "%", ".", "443", "80", "22", "127.0.0.1",
    "::1", "example.com", "localhost", "10.0.0.1", "8.8.8.8", "a", "ş", "。", " ", "\t", "\n", "\x00", "xn--", "0x7f",
])  # fmt: skip
links = st.one_of(
    st.text(max_size=60),
    st.lists(pieces, max_size=10).map("".join),
    st.lists(pieces, max_size=8).map(lambda found: "https://" + "".join(found)),
    st.lists(pieces, max_size=8).map(lambda found: "https://example.com" + "".join(found)),
)


def refusal(link: str, *, http: bool = True) -> str:
    with pytest.raises(NotAllowed) as error:
        target_of(link, http=http)
    return str(error.value)


def test_there_are_enough_hostile_links_and_each_is_another() -> None:
    assert len(set(HOSTILE_LINKS)) == len(HOSTILE_LINKS) >= 120


@pytest.mark.parametrize("link", HOSTILE_LINKS)
def test_a_hostile_link_is_not_followed_and_the_refusal_says_what_would_be_right(link: str) -> None:
    message = refusal(link)
    assert message.startswith("must ")
    assert not [word for word in ("127", "169.254", "10.0.0.1") if word in message]


@pytest.mark.parametrize(
    "link", [link for link in HOSTILE_LINKS if link.startswith("https://") and link[8:9] not in "/"]
)
def test_nor_is_it_followed_from_a_redirect(link: str) -> None:
    for location in (link, link.removeprefix("https:")):
        with pytest.raises(NotAllowed):
            redirected(Target("https", "example.com", 443, "/a"), location, http=True)


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("https://example.com/a.jpg", Target("https", "example.com", 443, "/a.jpg")),
        ("HTTPS://Example.COM", Target("https", "example.com", 443, "/")),
        ("https://example.com?a=1#b", Target("https", "example.com", 443, "/?a=1")),
        ("https://example.com:443/a", Target("https", "example.com", 443, "/a")),
        ("https://example.com:80/a", Target("https", "example.com", 80, "/a")),
        ("https://x-1.s3_b.example.tr/a%20b?c=%2F..", Target("https", "x-1.s3_b.example.tr", 443, "/a%20b?c=%2F..")),
        ("https://xn--ilkadm-r4a.bel.tr/çukur.jpg", Target("https", "xn--ilkadm-r4a.bel.tr", 443, "/%C3%A7ukur.jpg")),
        ("https://8.8.8.8/a@b", Target("https", "8.8.8.8", 443, "/a@b")),
        ("https://[2606:4700:0::1111]/", Target("https", "2606:4700::1111", 443, "/")),
        ("https://cdn.example.xn--p1ai/", Target("https", "cdn.example.xn--p1ai", 443, "/")),
    ],
)  # fmt: skip
def test_an_ordinary_link_is_followed_as_it_is(link: str, target: Target) -> None:
    assert target_of(link) == target


def test_http_is_followed_only_where_it_is_allowed() -> None:
    assert target_of("http://example.com/a", http=True) == Target("http", "example.com", 80, "/a")
    assert "https://" in refusal("http://example.com/a", http=False)
    with pytest.raises(NotAllowed):
        redirected(Target("https", "example.com", 443, "/a"), "http://example.com/a")


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("b.jpg", "https://example.com/x/b.jpg"),
        ("/b.jpg", "https://example.com/b.jpg"),
        ("?b", "https://example.com/x/a?b"),
        ("//cdn.example.net/b", "https://cdn.example.net/b"),
        ("https://cdn.example.net:80/b", "https://cdn.example.net:80/b"),
    ],
)
def test_a_redirect_is_read_from_where_it_came(location: str, url: str) -> None:
    assert redirected(Target("https", "example.com", 443, "/x/a"), location).url == url


@pytest.mark.parametrize("text", NETWORKS)
def test_an_address_of_somebodys_own_or_holding_another_is_not_routable(text: str) -> None:
    assert not routable(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_routable(text: str) -> None:
    assert routable(ip_address(text))


@given(v4 | v6)
def test_what_is_routable_is_global_of_one_host_and_holds_no_other_address(address: IPv4Address | IPv6Address) -> None:
    if routable(address):
        assert address.is_global
        assert not any((address.is_private, address.is_multicast, address.is_link_local, address.is_loopback))
        if isinstance(address, IPv6Address):
            assert (address.ipv4_mapped, address.sixtofour, address.teredo) == (None, None, None)


@given(v4 | inside_v4)
def test_an_address_put_into_another_is_never_routable(address: IPv4Address) -> None:
    low = int(address)
    for high in (0, 0xFFFF << 32, 0xFFFF << 48, 0x64FF9B << 96, (0x64FF9B << 96) + (1 << 80)):
        assert not routable(IPv6Address(high + low))
    assert not routable(IPv6Address((0x2002 << 112) + (low << 80)))
    assert not routable(IPv6Address((0x20010000 << 96) + (low ^ 0xFFFFFFFF)))


@given(inside_v4)
def test_no_way_of_writing_an_inner_address_is_followed(address: IPv4Address) -> None:
    number, parts = int(address), str(address).split(".")
    octal, hexed = (".".join(form(int(part)) for part in parts) for form in (lambda n: f"0{n:o}", hex))
    for host in (str(address), str(number), hex(number), f"0{number:o}", octal, hexed, f"[::ffff:{address}]"):
        refusal(f"https://{host}/")


@given(links)
@example("https://example.com/\udc80")
def test_any_link_is_refused_or_leads_to_a_public_name_or_address_on_a_usual_port(link: str) -> None:
    try:
        target = target_of(link, http=True)
    except NotAllowed:
        return
    assert target.scheme in ("https", "http")
    assert target.port in PORTS
    assert target.path.startswith("/")
    assert all("\x20" < letter < "\x7f" for letter in target.url)
    assert target.address is None or routable(target.address)
    assert target_of(target.url, http=True) == target
    read_by_others = httpx.URL(target.url)
    assert (read_by_others.host, read_by_others.userinfo) == (target.host, b"")
    assert f"{target.host}.".encode("idna"), "a resolver takes it"


@given(links)
def test_any_redirect_is_refused_or_leads_where_a_link_may_lead(location: str) -> None:
    try:
        target = redirected(Target("https", "example.com", 443, "/x/a"), location)
    except NotAllowed:
        return
    assert target_of(target.url) == target
