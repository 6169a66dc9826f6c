"""
What stands on every statement, Turkish and English.
"""

from typing import Final

from services.common.ui.words import Words

TITLE: Final = Words("Aylık Başvuru Raporu", "Monthly Statement of Requests")
BUSIEST: Final = Words("en yoğun gün {}: {}", "busiest day {}: {}")
NOTES: Final = (
    Words(
        "Gelen: o ay alınan başvurular. Sonuçlanan: ne zaman gelmiş olursa olsun, son kapanışı o aya düşenler; çözüm "
        "oranı, zamanında, süre ve memnuniyet bunlara aittir. Zamanında: söz verilen süre içinde kapanan.",
        "Received: requests taken in the month. Concluded: those whose last closing lies in the month, whenever they "
        "came in; shares, times and satisfaction are theirs. On time: closed within the time promised.",
    ),
    Words(
        "Ortanca: yarısı daha kısa, yarısı daha uzun sürdü (takvim saatiyle). Memnuniyet: 5 üzerinden 4 ve 5 verenler. "
        "Birimler işi sayar: bölünen başvuru birden çok birimde görünür.",
        "Median: half took less, half took longer (by the calendar). Satisfaction: 4 or 5 out of 5. Departments count "
        "work: a request that was split stands with several.",
    ),
)
COMPARED: Final = Words(
    "▲▼ geçen aya ve geçen yılın aynı ayına göre: yüzde olarak, oranlarda puan olarak. Yeşil iyi, kırmızı kötü yönde.",
    "▲▼ against the month before and the same month of last year: in per cent, shares in points. Green is the better.",
)
LIKE_FOR_LIKE: Final = Words(
    "▲▼ ay bitmediği için geçen ayın ve geçen yılın yalnızca aynı gün ve saate kadarki bölümüyle karşılaştırılmıştır.",
    "▲▼ the month is not over: it is compared with the same stretch of the month before and of last year.",
)
WORDS: Final[dict[str, Words]] = {
    "days": Words("Günlere göre gelen", "Received by day"),
    "months": Words("Son 13 ay", "The last 13 months"),
    "received": Words("Gelen", "Received"),
    "concluded": Words("Sonuçlanan", "Concluded"),
    "channels": Words("Kanallar", "Channels"),
    "kinds": Words("Başvuru türü", "Kinds of request"),
    "outcomes": Words("Nasıl sonuçlandı", "How they were concluded"),
    "neighbourhoods": Words("En çok başvuru gelen mahalleler", "Neighbourhoods with most requests"),
    "departments": Words("Birimler", "Departments"),
    "department": Words("Müdürlük", "Department"),
    "services": Words("En çok istenen hizmetler", "Services most asked for"),
    "on_time": Words("Zamanında", "On time"),
    "median": Words("Ortanca", "Median"),
    "open": Words("Açık", "Open"),
    "change": Words("Değişim", "Change"),
    "weekend": Words("hafta sonu", "weekend"),
    "nothing": Words("Bu ayda kayıt yok.", "Nothing in this month."),
    "made_by": Words("İLKİM raporlama servisinin ürünüdür.", "Made by İLKİM's reporting service."),
}
