"""
Personal data taken out of a text: all of it before it is kept as a training message, what can be used against somebody
(``masked``) before it is shown in public. Pure.

Numbers are found by their shape, names by the words around them and by a list of given names: a name that stands alone
in lower case and is in no list stays. What is taken out is replaced by a word that says what it was.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

import phonenumbers

from services.common.contracts.neighbourhoods import NEIGHBOURHOODS
from services.common.contracts.text import fold, words

PHONE, EMAIL, LINK, ACCOUNT = "telefon", "eposta", "bağlantı", "hesap"
IDENTITY, IBAN, CARD, NUMBER, PLATE, NAME = "kimlik", "iban", "kart", "numara", "plaka", "ad"


def without_personal_data(text: str) -> str:
    """
    The text without telephone numbers, addresses on the net, TCKN, IBAN, cards, plates, long numbers and names.

    A text without such things comes back as it is, and so does one that went through before.
    """
    while (cleaned := _once(text)) != text:
        text = cleaned
    return text


def masked(text: str) -> str:
    """
    The text without telephone numbers, e-mail addresses, TCKN, IBAN, cards and long numbers, as it may be shown in
    public. All else stays: names of streets and people, links, plates.
    """
    if not _SUSPECT.search(text):
        return text  # nearly every text
    for replace in (_mail, _iban, _phones, _long_numbers):
        text = replace(text)
    return text


def _once(text: str) -> str:
    for replace in (_net, _iban, _phones, _long_numbers, _plates, _names):
        text = replace(text)
    return text


# --- the net ---

_MAIL: Final = re.compile(
    r"[^\s@<>(),;:\[\]]+(?:@[\w-]+(?:\.[\w-]+)*|\s?(?:@\s?|[(\[]\s?at\s?[)\]]\s?)[\w-]+(?:\.[\w-]+)+)", re.IGNORECASE
)
_HANDLE: Final = re.compile(r"@[\w.]*\w")
_WEB: Final = re.compile(
    r"(?:https?://|www\.)[^\s,;]*[^\s,;.!?)]"
    r"|(?<![\w.])(?:[\w-]+\.)+(?:com|net|org|gov|edu|bel|info|biz)(?:\.tr)?\b(?:/[^\s,;]*)?",
    re.IGNORECASE,
)


_SUSPECT: Final = re.compile(r"\d|@|[(\[]\s?at\s?[)\]]|s[ıi]f[ıi]r", re.IGNORECASE)


def _mail(text: str) -> str:
    return _MAIL.sub(EMAIL, text)


def _net(text: str) -> str:
    return _WEB.sub(LINK, _HANDLE.sub(ACCOUNT, _mail(text)))


# --- numbers ---

_GAP: Final = r"[\s.\-–/()_*]{0,3}"  # what people put between the digits of one number
_DATE: Final = r"(?!\d{1,2}[./-]\d{1,2}[./-](?:19|20)\d\d(?!\d|[./-]\d))"
_IBAN: Final = re.compile(rf"(?<![^\W\d_])TR(?:{_GAP}\d){{12,24}}(?!\d)", re.IGNORECASE)
_WITH_ZERO: Final = re.compile(
    rf"(?<!\d){_DATE}(?:\+{_GAP}|0{_GAP}0{_GAP})?"
    rf"(?:\(?9{_GAP}0{_GAP}0?|\(?0|(?<!\w)[oO](?={_GAP}5)){_GAP}[2-9](?:{_GAP}\d){{9}}(?!\d)"
)
_IDENTITY: Final = re.compile(r"(?<!\d)[1-9]\d{10}(?!\d)")
_SPACED_IDENTITY: Final = re.compile(rf"(?<!\d){_DATE}[1-9](?:{_GAP}\d){{10}}(?!\d)")
_NAMED_IDENTITY: Final = re.compile(
    rf"(?<!\w)((?:T\.?\s?C\.?|TCKN|kimlik)\s*(?:kimlik)?\s*(?:no|num\w*)?\W{{0,3}})\d(?:{_GAP}\d){{10}}(?!\d)",
    re.IGNORECASE,
)
_WITHOUT_ZERO: Final = re.compile(rf"(?<!\d){_DATE}\(?[2-5](?:{_GAP}\d){{9}}(?!\d)")
_LOCAL: Final = re.compile(r"(?<!\d)(?<!\d[ -])\d{3}[ -]\d{2}[ -]\d{2}(?![ -]?\d)")
_NAMED_PHONE: Final = re.compile(
    rf"(?<!\w)((?:tel|telefon\w*|gsm|cep|whatsapp|phone)\W{{0,3}}(?:no|num\w*|tel\w*)?\W{{0,3}})\d(?:{_GAP}\d){{5,}}",
    re.IGNORECASE,
)
_SPELT: Final = (
    r"(?:sıfır|sifir|bir|iki|üç|uc|dört|dort|beş|bes|altı|alti|yedi|sekiz|dokuz|on|yirmi|otuz|kırk|kirk|elli|altmış"
    r"|altmis|yetmiş|yetmis|seksen|doksan|yüz|yuz)"
)
_SPELT_PHONE: Final = re.compile(rf"(?<!\w)s[ıi]f[ıi]r(?:[\s,]+{_SPELT}){{4,}}(?!\w)", re.IGNORECASE)
_CARD: Final = re.compile(r"(?<!\d)(?:2[2-7]|[3-9]\d)\d\d(?:(?:[ .-]?\d{4}){3}|[ .-]?\d{6}[ .-]?\d{5})(?!\d)")
_LONG: Final = re.compile(r"(?<!\d)\d{9,}(?!\d)")


def _iban(text: str) -> str:
    return _IBAN.sub(IBAN, text)


def _phones(text: str) -> str:
    for pattern, kind in ((_CARD, CARD), (_WITH_ZERO, PHONE), (_IDENTITY, IDENTITY), (_SPACED_IDENTITY, IDENTITY)):
        text = pattern.sub(_if(_CHECKS.get(pattern), kind), text)
    text = _NAMED_IDENTITY.sub(rf"\1{IDENTITY}", text)
    text = _WITHOUT_ZERO.sub(_if(_turkish_number, PHONE), text)
    for match in reversed(list(phonenumbers.PhoneNumberMatcher(text, "TR"))):
        if not re.match(_DATE, text[match.start :]):
            continue
        text = text[: match.start] + PHONE + text[match.end :]
    text = _NAMED_PHONE.sub(rf"\1{PHONE}", _LOCAL.sub(PHONE, text))
    return _SPELT_PHONE.sub(PHONE, text)


def _if(check: Callable[[str], bool] | None, kind: str) -> Callable[[re.Match[str]], str]:
    return lambda match: kind if check is None or check(_digits(match[0])) else match[0]


def _digits(text: str) -> str:
    return "".join(str(int(char)) for char in text if char.isdecimal())


def _turkish_number(digits: str) -> bool:
    return phonenumbers.is_valid_number(phonenumbers.parse(digits, "TR"))


def _luhn(digits: str) -> bool:
    """
    Whether the check digit of a card number is right (ISO/IEC 7812-1, annex B).
    """
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def is_tckn(digits: str) -> bool:
    """
    Whether 11 digits are a Turkish identity number: the tenth and the eleventh check the others.
    """
    d = [int(digit) for digit in digits]
    return len(d) == 11 and d[0] > 0 and d[9] == (7 * sum(d[0:9:2]) - sum(d[1:8:2])) % 10 and d[10] == sum(d[:10]) % 10


_CHECKS: Final[dict[re.Pattern[str], Callable[[str], bool]]] = {_CARD: _luhn, _SPACED_IDENTITY: is_tckn}


def _long_numbers(text: str) -> str:
    return _LONG.sub(NUMBER, text)


# --- plates ---

_PLATE: Final = re.compile(
    r"(?<![\w.,])(?:0[1-9]|[1-7]\d|8[01])(?P<gap>[\s.-]{0,2})"
    r"(?P<letters>[A-PR-VYZ](?=[\s.-]{0,2}\d{4,5}(?!\d))|[A-PR-VYZ]{2}(?=[\s.-]{0,2}\d{3,4}(?!\d))"
    r"|[A-PR-VYZ]{3}(?=[\s.-]{0,2}\d{2,3}(?!\d)))[\s.-]{0,2}\d{2,5}(?!\d)",
    re.IGNORECASE | re.ASCII,
)
_UNITS: Final = frozenset(
    words(
        "km cm mm mt kg gr lt tl dk sn sa ay gun yil kat no da de ta te dan den tan ten ila ile li lu lik luk kez"
        " mah sok cad apt sk cd mh blv ev usd eur hat kdv may jan feb mar apr jun jul aug sep oct nov dec bin yuz"
        " nci kva kw hz kv ve veya and the of to or"
    )
)
_NAMED_PLATE: Final = re.compile(r"(?<!\w)plaka(?:\w+|\s*no\w*|\s*[:=])\W{0,3}$", re.IGNORECASE)


def _plates(text: str) -> str:
    def plate(match: re.Match[str]) -> str:
        unit = match["gap"] and fold(match["letters"]) in _UNITS
        return match[0] if unit and not _NAMED_PLATE.search(text[: match.start()]) else PLATE

    return _PLATE.sub(plate, text)


# --- names ---

_GIVEN: Final = frozenset(
    words(
        "abdullah abdurrahman adem adnan ahmet ali alper alperen arda arif arzu asli asuman atilla aydin ayhan"
        " aykut ayla aynur aysegul aysel aysen aysun ayse ayten baran berat berk berkay beyza bilal birgul birol"
        " bora buket bulent burak burcu burhan busra bugra canan caner cem cemal cemile cengiz cetin cihan coskun"
        " damla davut dilek dilara dogan dursun ebru eda efe elif elmas emel emin emine emrah emre ender enes"
        " engin erdal erdem erdogan eren ergun erhan erkan erol ersin esin esma esra eyup fadime fatih fatma"
        " ferhat feride ferit fikret filiz firat funda furkan gamze gizem gokhan gonul gulay gulcan gulden guler"
        " gulsah gulsen gulten gurkan guven habibe hacer hakan halil halime halit haluk hamdi hamza hande hanife"
        " harun hasan hasret hatice hava haydar hayriye hilal hilmi huseyin hulya ibrahim idris ilhan ilker ilknur"
        " irem irfan ismail ismet izzet kader kadir kamil kazim kemal kenan kerem kubra kursat leyla lutfi mahmut"
        " mehmet melek melike meltem meral merve mert meryem mesut metin mevlut mine muammer muharrem muhammed"
        " muhammet muhittin murat musa mustafa muzaffer necati necla nermin nese nevin nihat nilgun niyazi nuray"
        " nurcan nurettin nurgul nuriye nurten oguz oguzhan okan oktay omer onur orhan osman ozge ozgur ozkan"
        " ozlem pelin pinar rabia ramazan rasim recep refik remzi resul reyhan riza rukiye sabri saban sadik sait"
        " salih sami sahin sebahat sedat seda sefa selahattin selcuk selim selin selma semih semra senay serap"
        " serdar serhat serife serkan sevda sevgi sevil sevim seyma sibel sinan songul sukran sukru suleyman"
        " sultan taner tarik tayfun tuba tugba tuncay tulay turgut turan ugur umit umut vahit vedat veysel volkan"
        " yagmur yakup yasar yasemin yasin yavuz yeliz yildiz yilmaz yunus yusuf zafer zehra zekeriya zeki zeliha"
        " zeynep zuhal zubeyde zulfiye"
    )
) - frozenset(
    words("dogan sevgi yagmur guven umut kader zafer hasret hava elmas damla aydin sahin yildiz coskun sultan")
)
_OFFICES: Final = ("baskan", "belediye", "mudur", "yetkili", "ilgili", "vali", "kaymakam", "muhtar", "vatandas")
_NEIGHBOURHOODS: Final = frozenset(word for name in NEIGHBOURHOODS for word in words(name))
_TITLES: Final = frozenset(
    words(
        "ozel memur memure doktor ogretmen hocam hoca mahalle mahalleli sakini sakinleri komsu apartman site yonetici"
        " yonetimi esnaf ekip ilkadim samsun buyuksehir arkadaslar beyefendi hanimefendi bey hanim yurttas"
        " saygilar saygilarimla saygilarimizla tesekkurler tesekkur amca teyze abi abla usta bu su bir biz siz ben"
        " sen o ve en her kucuk buyuk iyi kolay sir madam mayor municipality ev bizim yan ust alt karsi polis imam"
    )
)
_PLACE: Final = (
    r"(?i:(?:mah|mh|cad|cd|sok|sk|blv|apt|han|hanı)(?!\w)|mahalle|cadde|sokak|sokağ|sokag|bulvar|park|cami|okul|lise"
    r"|ortaokul|ilkokul|anaokul|hastane|meydan|kavşa|kavsa|üniversite|universite|kültür|kultur|merkez|stad|spor|vakf"
    r"|apartman|sitesi|köprü|kopru|street|durağ|durag|yurdu|çarşı|carsi|pazar|kuran|tesis|salon|mezar|türbe|turbe|pasaj"
    r"|otopark|eczane|belediye|müdür|mudur|işleri|isleri)"
)  # how words begin that follow the name of a place or an office
_STEM: Final = re.compile(_PLACE)
_PLACES: Final = re.compile(rf"(?P<between>(?:[ \t]+[A-ZÇĞİÖŞÜ][^\W\d_]*){{0,2}}?)[ \t]+{_PLACE}")
_WORD: Final = re.compile(r"[^\W\d_]+")
_CAPITAL: Final = re.compile(r"[A-ZÇĞİÖŞÜ](?:[a-zçğıöşüâîû]+|\.)")
_END: Final = r"(?:\s*[.!]?\s*$)"
_INTRODUCED: Final = re.compile(
    r"(?<!\w)(?:benim ad[ıi]m|ismim|ad[ıi]m|ben|my name is|i am|i'm|say[ıi]n|sn\.?)\s*[:,]?\s+(?=[^\W\d_])",
    re.IGNORECASE,
)
_FIELD: Final = re.compile(
    r"(?<!\w)(?:ad[ıi]?\W{0,3}(?:ve\s)?soyad[ıi]?(?:m|m[ıi]z)?|ad[ıi]?|soyad[ıi]?|isim|name|başvuran|basvuran"
    r"|müşteki|musteki|şikayetçi|sikayetci|şikâyetçi|dilekçe sahibi|arayan kişi)\s*[:=]\s*(?=[^\W\d_])",
    re.IGNORECASE,
)
_HONOURED: Final = re.compile(
    r"(?<!\w)([^\W\d_]{2,})\s+(?:bey|han[ıi]m|abi|abla|amca|teyze|usta|efendi)(?:\w{0,4})(?!\w)", re.I
)
_SIGNED: Final = re.compile(
    r"(?:say[gğ][ıi]lar\w*|teşekkür\w*|tesekkur\w*|iyi çalışmalar|arz ederi[mz]|regards|thanks)[\s,.!]+(?=[^\W\d_])",
    re.IGNORECASE,
)


def _names(text: str) -> str:
    spans = sorted({span for find in (_fields, _introduced, _honoured, _signed, _full) for span in find(text)})
    parts, at = [], 0
    for start, end in spans:
        if start >= at:
            parts += [text[at:start], NAME]
        at = max(at, end)
    return "".join([*parts, text[at:]])


def _run(text: str, start: int, fits: Callable[[int, str], bool], most: int = 3) -> tuple[int, int] | None:
    """
    The span of up to ``most`` words from ``start`` on that fit, each a blank after the other.
    """
    end = at = start
    for number in range(most):
        word = _WORD.match(text, at)
        if word is None or not fits(number, word[0]) or re.match(r"\s*[:=]", text[word.end() :]):
            break
        end = word.end()
        blank = re.compile(r"\.?[ \t]+").match(text, end)
        if blank is None:
            break
        at = blank.end()
    return (start, end) if end > start else None


def _known(word: str) -> bool:
    return fold(word) in _GIVEN


def _ordinary(word: str) -> bool:
    return fold(word) in _TITLES or fold(word).startswith(_OFFICES)


def _capital(word: str) -> bool:
    return len(word) > 1 and _CAPITAL.fullmatch(word) is not None and not _ordinary(word) and not _STEM.match(word)


def _person(first: Callable[[str], bool]) -> Callable[[int, str], bool]:
    return lambda number, word: (
        first(word) if number == 0 else _known(word) or _capital(word) or (number == 1 and _loud(word))
    )


def _loud(word: str) -> bool:
    return len(word) > 2 and word.isupper() and not _ordinary(word) and not _STEM.match(word)


def _introduced(text: str) -> Iterator[tuple[int, int]]:
    for match in _INTRODUCED.finditer(text):
        start = match.end()
        how = fold(match[0])
        strict = how.startswith(("ben ", "i am", "i'm")) and not how.startswith("benim")
        while (title := _WORD.match(text, start)) and _ordinary(title[0]):
            after = re.compile(r"[\s,]*").match(text, title.end())
            start, strict = (after.end() if after else title.end()), True
        span = _run(text, start, _person(_known if strict else lambda word: _known(word) or _capital(word)))
        if span := _without_place(text, span, lambda _: True):
            yield span


def _fields(text: str) -> Iterator[tuple[int, int]]:
    for match in _FIELD.finditer(text):
        span = _run(text, match.end(), lambda number, word: number < 2 or _known(word) or _capital(word), 4)
        if span:
            yield span


def _honoured(text: str) -> Iterator[tuple[int, int]]:
    for match in _HONOURED.finditer(text):
        if _known(match[1]) or (_capital(match[1]) and not _starts_a_sentence(text, match.start())):
            yield match.span(1)


def _starts_a_sentence(text: str, at: int) -> bool:
    return not text[:at].strip() or text[:at].rstrip()[-1] in ".!?:\n"


def _signed(text: str) -> Iterator[tuple[int, int]]:
    for match in _SIGNED.finditer(text):
        span = _run(text, match.end(), _person(lambda word: _known(word) or _capital(word)))
        if span and re.match(_END, text[span[1] :]):
            yield span


def _full(text: str) -> Iterator[tuple[int, int]]:
    """
    A given name of the list with a surname, both written large, that no place is called after.
    """
    for word in _WORD.finditer(text):
        if _known(word[0]) and _CAPITAL.fullmatch(word[0]):
            whole = _run(text, word.start(), _person(_known))
            span = _without_place(text, whole, lambda last: fold(last) in _NEIGHBOURHOODS)
            if span and " " in text[slice(*span)] and "Kemal" not in text[slice(*span)]:
                yield span


def _without_place(text: str, span: tuple[int, int] | None, address: Callable[[str], bool]) -> tuple[int, int] | None:
    """
    The span without the beginning of an address behind the name; None if all of it is the name of a place.
    """
    place = _PLACES.match(text, span[1]) if span else None
    if span is None or place is None:
        return span
    between = place["between"].split()
    if between:
        return span if fold(between[0]) in _NEIGHBOURHOODS else None
    *name, last = text[slice(*span)].split()
    return (span[0], span[1] - len(last) - 1) if name and address(last) else None
