"""
Mails read: whatever the bytes, a letter or a reason; what is hostile costs little; headers, names, others' samples.
"""

import json
from email.message import EmailMessage, Message
from email.policy import SMTP
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.common.contracts.vocabulary import DeliveryStatus
from services.intake.conversations.inbound import delivery_record, records_of
from services.intake.mail.automatic import Nature, Returned
from services.intake.mail.headers import AS_IT_CAME, addresses, decode, decoded, file_name
from services.intake.mail.markup import words_of_html
from services.intake.mail.mime import Letter, Remark, Unreadable, read
from services.intake.mail.receiving import delivery_of, inbound_of
from services.intake.mail.threads import answered, message_ids
from tests.unit.intake.mails import ADDRESSES, NOW, SECRET, SENDER, cases, raw_of

SAMPLES = Path(__file__).parents[4] / "shared" / "data" / "real" / "events" / "inbound_mail"
HEAD = b"From: Ayse <ayse.yilmaz@posta.example>\r\nMessage-ID: <deneme-0001@posta.example>\r\n"
SEEDS = [raw_of(case) for case in cases()]
BRICKS = [
    b"Content-Type: multipart/mixed; boundary=x\r\n", b"Content-Type: message/rfc822\r\n\r\n", b"--sinir",
    b"--sinir--", b"=?utf-8?b?", b"?=", b"\0", b"\xff", b"charset*=utf-8''%FF", b"filename*0*=x''%", b"\r\n\r\n",
    b'boundary=""', b'Content-Type: text/html; charset="\r\n', b"Content-Transfer-Encoding: x-uuencode\r\n",
    b"((((((", b"<", b">", b'"', b"format=flowed; delsp=yes", b"Date: Thu, 99 Foo 99999999 99:99 +99999\r\n",
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=y\r\n", b"Content-Type: /\r\n",
    b"Content-Disposition: attachment; filename*=x'\r\n", b"Content-Type: text/plain; charset*0*=utf-8'\r\n",
    b"From: =?x?q?=?= <a@b.c>\r\n",
]  # fmt: skip


def letter(raw: bytes, envelope: str = SENDER) -> Letter:
    return read(raw, envelope, ADDRESSES)


@st.composite
def broken_mails(draw: st.DrawFn) -> bytes:
    raw = bytearray(draw(st.sampled_from(SEEDS))[:6_000])
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(raw)))
        end = min(len(raw), at + draw(st.integers(0, 40)))
        raw[at:end] = draw(
            st.sampled_from(BRICKS) | st.binary(max_size=8) | st.sampled_from(SEEDS).map(lambda s: s[:300])
        )
    return bytes(raw)


@given(broken_mails() | st.binary(max_size=400), st.sampled_from(["", SENDER]))
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_the_bytes_a_mail_is_read_or_refused_with_a_reason(raw: bytes, envelope: str) -> None:
    found = _read_or_reason(raw, envelope)
    if isinstance(found, str):
        assert found[:4] in ("550 ", "554 ")
        return
    assert found.message_id.startswith("<")
    assert all("!" <= char <= "~" for name in (found.message_id, *found.reply_to) for char in name)
    assert found.nature is not Nature.LETTER or "@" in found.sender
    assert "\0" not in found.words
    assert "\n" not in found.subject + found.name + found.sender
    for report in found.returned:
        delivery_record(delivery_of(report, NOW), SECRET, NOW)  # whatever it holds, it fits the contract
    if found.nature is Nature.LETTER:
        records_of(inbound_of(found, [], found.remarks, NOW), SECRET, NOW)


def _read_or_reason(raw: bytes, envelope: str) -> Letter | str:
    try:
        return read(raw, envelope, ADDRESSES)
    except Unreadable as refusal:
        return str(refusal)


HOSTILE = {
    "ten thousand parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 10_000,
    "mails in mails": b"Content-Type: message/rfc822\r\n\r\n" * 3_000,
    "parts in parts": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(99)
    ),
    "a million lines": b"\r\n" + b"a\r\n" * 1_000_000,
    "a million returns": b"\r\n" + b"\r" * 1_000_000,
    "lines within borders": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(50)
    )
    + b"a\r\n" * 500_000,
    "a head without end": b"".join(b"X-%d: y\r\n" % n for n in range(40_000)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_would_keep_us_busy_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(Unreadable, match=r"^554 5\.\d\.\d The (head of the )?mail .+"):
        letter(HEAD + HOSTILE[name])


BEARABLE = {
    "one long line": b"\r\n" + b"x" * 3_000_000,
    "brackets": b"To: " + b"(" * 100_000 + b"\r\nCc: " + b"<" * 100_000 + b"\r\n\r\nx",
    "parameters": b"Content-Type: text/plain" + b"; a=b" * 40_000 + b"\r\n\r\nx",
    "pieces of a parameter": b"Content-Type: text/plain"
    + b"".join(b"; name*%d*=x" % n for n in range(15_000))
    + b"\r\n\r\nx",
    "tags that never close": b"Content-Type: text/html\r\n\r\n" + b"a<b" * 100_000,
    "sections of XML": b"Content-Type: text/html\r\n\r\n" + b"<![CDATA[>" * 30_000,
    "comments that never close": b"Content-Type: text/html\r\n\r\n" + b"<!--" * 100_000,
    "HTML in many parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    + (b"--b\r\nContent-Type: text/html\r\n\r\n" + b"<p>a" * 20_000 + b"\r\n") * 50,
    "quotations in an answer": b"In-Reply-To: <a@b>\r\n\r\n" + b"On 2026 x:\r\n> a\r\n" * 60_000,
    "blank lines": b"In-Reply-To: <a@b>\r\n\r\n" + b"\r\n" * 300_000,
}  # fmt: skip


@pytest.mark.parametrize("name", BEARABLE)
def test_what_breaks_other_readers_is_read(name: str) -> None:
    assert letter(HEAD + BEARABLE[name]).nature is Nature.LETTER


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("=?utf-8?Q?=C3=87=C3=B6p?= =?utf-8?Q?_topland=C4=B1?=", "Çöp toplandı"),
        ("=?iso-8859-9?B?x/Zw?=", "Çöp"),
        ("=?iso-8859-1?Q?=DEey?=", "Şey"),
        ("=?utf-8*tr?Q?=C3=87?=", "Ç"),
        ("=?bilinmeyen?Q?=C3=87?=", "Ç"),
        ("=?utf-8?B?!!!?= sonra", "sonra"),
        ("=?utf-8?B?w4c?=", "Ç"),
        ("=?utf-8?Q?yar", "=?utf-8?Q?yar"),
        ("a =?utf-8?Q?b?= c", "a b c"),
        ("satır\r\n sonu", "satır sonu"),
        (b"\xc7\xf6p".decode("ascii", "surrogateescape"), "Çöp"),
    ],
)
def test_encoded_words_are_read(value: str, wanted: str) -> None:
    assert decoded(value) == wanted


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=60))
def test_what_the_standard_library_writes_as_a_subject_is_read(subject: str) -> None:
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["Subject"] = SENDER, subject
    mail.set_content("x")
    assert letter(bytes(mail)).subject == subject


@given(
    st.text("abcçdefgğhıijklmnoöprsştuüvyzABCÇDEFGĞHIİJKLMNOÖPRSŞTUÜVYZ 0123456789.,?!\n", max_size=80),
    st.sampled_from(["utf-8", "iso-8859-9", "windows-1254", "cp1254", "UTF-16", "latin5", None]),
)
def test_turkish_words_are_read_in_each_encoding_and_without_its_name(text: str, charset: str | None) -> None:
    raw = text.encode(charset or "cp1254")
    if charset is None and raw.isascii() is False and _is_utf8(raw):
        return  # letters in a row that happen to be UTF-8: nobody could know
    assert decode(raw, charset) == text or _is_utf8(raw)


def _is_utf8(raw: bytes) -> bool:
    try:
        return not raw.isascii() and bool(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return False


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ('"Yılmaz, Ayşe" <a@b.example>', [("Yılmaz, Ayşe", "a@b.example")]),
        ("a@B.Example (Ayşe)", [("Ayşe", "a@b.example")]),
        ("Ayşe <a@b.example>, bozuk, c@d.example", [("Ayşe", "a@b.example"), ("", "c@d.example")]),
        ("Ayşe", []),
        ("<a@b.example", [("", "a@b.example")]),
        ("", []),
    ],
)
def test_addresses_are_found(value: str, wanted: list[tuple[str, str]]) -> None:
    holder: Message[str, str] = Message(policy=AS_IT_CAME)
    holder["From"] = value
    assert addresses(holder, "From") == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("<a.b@c.example>", ("<a.b@c.example>",)),
        ("a.b@c.example", ("<a.b@c.example>",)),
        ("Message of Friday <a@b> and <c@d> and <a@b>", ("<a@b>", "<c@d>")),
        ("<A@B>", ("<A@B>",)),
        ("<a b@c>", ()),
        ("<" + "x" * 399 + ">", ()),
        ("bir sorum var", ()),
    ],
)
def test_message_ids_have_one_form(value: str, wanted: tuple[str, ...]) -> None:
    assert message_ids(value) == wanted


def test_the_nearest_mail_that_is_answered_comes_first_and_they_are_bounded() -> None:
    holder: Message[str, str] = Message(policy=AS_IT_CAME)
    holder["References"] = " ".join(f"<m{number}@x>" for number in range(100))
    holder["In-Reply-To"] = "<m98@x>"
    found = answered(holder)
    assert found[:4] == ("<m98@x>", "<m99@x>", "<m97@x>", "<m96@x>")
    assert len(found) == 20


@pytest.mark.parametrize(
    ("disposition", "wanted"),
    [
        ("attachment; filename*=utf-8''%C3%A7%C3%B6p.jpg", "çöp.jpg"),
        ("attachment; filename*0*=utf-8''%C3%A7; filename*1=op.jpg", "çop.jpg"),
        ('attachment; filename="=?utf-8?Q?=C3=A7.jpg?="', "ç.jpg"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\Belgeler\\\\foto.jpg"', "foto.jpg"),
        ("attachment", ""),
    ],
)
def test_files_are_called_what_their_senders_call_them(disposition: str, wanted: str) -> None:
    holder: Message[str, str] = Message(policy=AS_IT_CAME)
    holder["Content-Disposition"] = disposition
    assert file_name(holder) == wanted


def test_a_forged_report_with_a_name_of_any_length_fits_the_contract() -> None:
    forged = Returned(f"<{'x' * 300}@ilkadim.example>", SENDER, DeliveryStatus.FAILED, None)
    assert delivery_of(forged, NOW).key_sent is None
    assert delivery_record(delivery_of(forged, NOW), SECRET, NOW).records


def test_a_forged_report_with_a_name_that_is_none_tells_nothing() -> None:
    raw = (
        "From: MAILER-DAEMON@example.com\r\nX-Failed-Recipients: a@example.com\r\n\r\nfailed\r\n\r\n"
        "Message-ID: <çukur12345@ilkadim.example>\r\nTo: a@example.com\r\n"
    ).encode()
    letter = read(raw, "", frozenset({"ilkim@ilkadim.example"}))
    assert (letter.nature, letter.returned) == (Nature.BOUNCE, ())


def test_long_words_are_cut_with_a_remark_and_the_files_that_are_missing_are_still_named() -> None:
    found = letter(HEAD + b"\r\n" + b"uzun metin " * 3_000)
    text = inbound_of(found, [], [Remark(f"{n}.doc", "x") for n in range(25)], NOW).text or ""
    lines = text.split("\n")
    assert len(text) < 20_000
    assert lines[1] == "(Metnin devamı alınmadı.)"
    assert lines[2] == "(Alınamayan ek: 0.doc: x)"
    assert lines[-1] == "(5 ek daha alınamadı.)"


def test_quotations_in_html_stay_quotations() -> None:
    html = "<div>Evet</div><blockquote>Hangi?<blockquote>Önce</blockquote></blockquote><div>Son</div>"
    assert words_of_html(html) == "Evet\n> Hangi?\n> Önce\nSon"


@given(st.text("ab <>/!-&;\"'=\n", max_size=300))
def test_html_of_any_shape_is_read(html: str) -> None:
    assert "\n\n\n" not in words_of_html(html)


# --- what others' services hand over ---


def samples() -> dict[str, bytes]:
    """
    The raw mails inside Postmark's and SendGrid's published examples.
    """
    found = {}
    for path in sorted(SAMPLES.glob("*.json")):
        raw = json.loads(path.read_text(encoding="utf-8")).get("RawEmail")
        if raw:
            found[path.name] = raw.encode()
    for path in sorted(SAMPLES.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        for name in ("email", "headers"):
            _, there, rest = text.partition(f'name="{name}"\n\n')
            if there:
                found[path.name] = rest.partition("\n--xYzZY\n")[0].encode()
                break
    return found


@pytest.mark.skipif(not SAMPLES.exists(), reason="the samples are not part of the repository")
def test_the_samples_of_others_are_read() -> None:
    read_ = {name: letter(raw) for name, raw in samples().items()}
    assert len(read_) == 3
    assert {one.nature for one in read_.values()} == {Nature.LETTER}
    assert {one.sender for one in read_.values()} == {"support@postmarkapp.com", "test@example.com"}
    assert read_["sendgrid_raw_data.txt"].words == "Hello Twilio SendGrid!"
