"""
Neighbourhoods and streets in free text: found however they are written, and not where a plain word is meant.
"""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.neighbourhoods import NEIGHBOURHOODS
from services.routing.places import neighbourhoods_in, streets_in

_TO_ASCII = str.maketrans("çğıöşüâÇĞİÖŞÜ", "cgiosuaCGIOSU")

NAMED = {
    "kadıköyde çöp üç gündür alınmadı": ["Kadıköy"],
    "Kadikoy'de cop alinmadi": ["Kadıköy"],
    "KADIKÖY MAHALLESİ ÇÖPLER": ["Kadıköy"],
    "KADIKOY MH. 12. SOKAK": ["Kadıköy"],
    "Kale mahallesinde su birikti": ["Kale"],
    "kale mah de lamba yok": ["Kale"],
    "19mayıs mh lale sk no 5": ["19 Mayıs"],
    "19 Mayıs Mahallesi'nde oturuyorum": ["19 Mayıs"],
    "kılıçdede mah. 1456. sokak": ["Kılıçdede"],
    "kilicdedede yol cokmus": ["Kılıçdede"],
    "Pazar Mah. çeşme akmıyor": ["Pazar"],
    "pazar mahallesi pazar yeri": ["Pazar"],
    "Çay mahallesi muhtarıyım": ["Çay"],
    "fatih mahallemizde park yok": ["Fatih"],
    "Liman Mh'de koku var": ["Liman"],
    "zafer mah ile Kale mah arası": ["Zafer", "Kale"],
    "Hastane Mahallesi'nden yazıyorum": ["Hastane"],
    "hurriyet mahallesindeki park": ["Hürriyet"],
    "Tepecik mahallesi": ["Tepecik"],
    "çiftlik mahalesi yazım yanlış": ["Çiftlik"],
    "Derecik muhtarlığının önü": ["Derecik"],
    "istasyon muhtarı söyledi": ["İstasyon"],
    "Kale'de 23. sokakta çukur": ["Kale"],
    "ilkadım liman'da çöp": ["Liman"],
    "fevzi çakmak mahallesi": ["Fevzi Çakmak"],
    "FEVZICAKMAK MAH": ["Fevzi Çakmak"],
    "Kazım Karabekir Mah. No 3": ["Kazım Karabekir"],
    "aşağı avdan köy yolu": ["Aşağıavdan"],
    "asagiavdanda yol bozuk": ["Aşağıavdan"],
    "Yaşar Doğu Mahallesi": ["Yaşardoğu"],
    "ilyasköyün girişindeki köprü": ["İlyasköy"],
    "İlyas Köy'den geçen dere": ["İlyasköy"],
    "ataköye kadar gittim": ["Ataköy"],
    "Bahçelievler'deki parkta": ["Bahçelievler"],
    "bahçeli evlerde oturan annem": ["Bahçelievler"],
    "kalkancıdayım, kar var": ["Kalkancı"],
    "toybelenden yazıyorum": ["Toybelen"],
    "Unkapanı, yol çöktü": ["Unkapanı"],
    "there is rubbish in Kadikoy": ["Kadıköy"],
    "yeni doğan mahallesi": ["Yenidoğan"],
    "Reşadiyeliyim, çöpler duruyor": ["Reşadiye"],
    "reşadiyedeki çöpler": ["Reşadiye"],
    "Kadıköy ve Ulugazi mahallelerinde": ["Kadıköy", "Ulugazi"],
}

NOT_NAMED = [
    "pazar günü gelmeyin",
    "pazarda satıcılar bağırıyor",
    "Pazar yerinin çöpü",
    "çay bahçesinin gürültüsü",
    "çayda boğulan hayvan",
    "kaleye çıkan merdiven kırık",
    "kale direği çocuğun üstüne düştü",
    "Fatih Bey aradı",
    "fatih sultan mehmet",
    "limanda çalışıyorum",
    "zafer bayramı kutlaması",
    "hastanede yatan annem",
    "hastane önünde çöp var",
    "Adalet istiyorum",
    "hürriyet gazetesi",
    "tepecikler",
    "kışlada askerim",
    "çiftlikte hayvan bakılıyor",
    "derecik kurumuş",
    "istasyonda bekledim",
    "camı kıran çocuklar",
    "avdan dönerken",
    "kapaklı konteyner istiyoruz",
    "zeytinlikte yangın",
    "rasathane açıklama yaptı",
    "yeni doğan yavru kediler",
    "karadenizde fırtına",
    "anadolu lisesi",
    "19 Mayıs Atatürk'ü Anma",
    "19 Mayıs Üniversitesi",
    "bilmece gibi cevap veriyorsunuz",
    "Kadıköy Belediyesi gibi çalışın",
    "İstanbul Kadıköy'de böyle değil",
    "Ankara Bahçelievler",
    "Fevzi Çakmak Caddesi",
    "reşadiye caddesi",
    "Kazım Karabekir İlkokulu",
    "mahalle çok pis",
    "",
    "...",
    "'",
]

STREETS = {
    "kılıçdede mah. 1456. sokak no:12/3": [("1456. Sokak", "12/3")],
    "1456 sk no 7": [("1456. Sokak", "7")],
    "Lale Sokak No: 14'te çöp": [("Lale Sokak", "14")],
    "Ali Rıza Bey Sokak 14 numara": [("Ali Rıza Bey Sokak", "14")],
    "lale sk no 5": [("lale Sokak", "5")],
    "gazi caddesinde çukur": [("gazi Caddesi", None)],
    "Gazi Cad. No 3A": [("Gazi Caddesi", "3A")],
    "100. Yıl Bulvarı trafik": [("100. Yıl Bulvarı", None)],
    "Atatürk bulvarında": [("Atatürk Bulvarı", None)],
    "fevzi çakmak caddesi": [("fevzi çakmak Caddesi", None)],
    "Kadıköy Lale Sokak": [("Lale Sokak", None)],
    "Kadıköy Mahallesi Lale Sokak ile Gül Sokak köşesi": [("Lale Sokak", None), ("Gül Sokak", None)],
    "Merhaba, Lale Sokak'ta lamba yanmıyor": [("Lale Sokak", None)],
    "LALE SOKAĞI NO 3 ÇOK KİRLİ": [("LALE Sokak", "3")],
    "kadıköy mah lale sokak pis": [("lale Sokak", None)],
    "23. sokakta köpek var": [("23. Sokak", None)],
}

NO_STREET = [
    "Çocuklar sokakta top oynuyor",
    "Çocuklar Sokakta top oynuyor",
    "Ambulans sokağa giremiyor",
    "esas dert onların sokağı kapatması",
    "Başkanın sokağı jilet gibi",
    "sorun sokaktaki hatta dedi",
    "sök yap sök yap",
    "hesap gelince şok olduk",
    "sokak lambası yanmıyor",
    "bizim sokak çok kirli",
    "karanlık sokakta yürüyemiyoruz",
    "bu caddede trafik var",
    "ara sokak kapalı",
    "mahallemizde sokak köpekleri çoğaldı",
    "Mahallede sokak hayvanları",
    "okulun caddesi",
    "arabaların sokağa girişi",
    "sokak",
    "Sokak Sokak gezdik",
    "3 gündür sokakta su akıyor",
    "Bütün sokak şikâyetçi",
    "",
]


@pytest.mark.parametrize("text", NAMED)
def test_a_neighbourhood_is_found_however_it_is_written(text: str) -> None:
    assert [found.name for found in neighbourhoods_in(text)] == NAMED[text]


@pytest.mark.parametrize("text", NOT_NAMED)
def test_a_plain_word_is_no_neighbourhood(text: str) -> None:
    assert neighbourhoods_in(text) == []


@pytest.mark.parametrize("name", NEIGHBOURHOODS)
@pytest.mark.parametrize("behind", [" Mahallesi", " mah.", " MH", " mahallesinde"])
def test_each_neighbourhood_is_found_before_its_word_with_and_without_turkish_letters(name: str, behind: str) -> None:
    for written in (
        name,
        name.translate(_TO_ASCII),
        name.translate(_TO_ASCII).lower(),
        unicodedata.normalize("NFD", name),
    ):
        text = f"dün {written}{behind} çöp alınmadı"
        assert [(found.name, text[found.start : found.end]) for found in neighbourhoods_in(text)] == [
            (name, f"{written}{behind}".rstrip("."))
        ]


@pytest.mark.parametrize("text", STREETS)
def test_a_street_is_found_with_its_number(text: str) -> None:
    assert [(found.name, found.number) for found in streets_in(text)] == STREETS[text]


@pytest.mark.parametrize("text", NO_STREET)
def test_a_street_without_a_name_is_none(text: str) -> None:
    assert streets_in(text) == []


@given(st.text(st.sampled_from("kaleKALE mahsokcd19.'’ıİ0é\u0301\n"), max_size=60) | st.text(max_size=60))
def test_whatever_the_text_spans_lie_in_it_in_order(text: str) -> None:
    for places in (neighbourhoods_in(text), streets_in(text)):
        ends = [0, *(end for place in places for end in (place.start, place.end))]
        assert ends == sorted(ends)
        assert ends[-1] <= len(text)
        assert all(place.start < place.end for place in places)
