"""
What a page says when something went wrong, per status.
"""

from typing import Final

from services.common.ui.words import Words

TITLES: Final[dict[int, Words]] = {
    400: Words("İstek anlaşılamadı", "The request was not understood"),
    401: Words("Oturum açmanız gerekiyor", "You have to sign in"),
    403: Words("Bu sayfa size açık değil", "This page is not open to you"),
    404: Words("Böyle bir sayfa yok", "There is no such page"),
    405: Words("Bu işlem burada yapılamaz", "This cannot be done here"),
    409: Words("Kayıt bu arada değişti", "The record changed in the meantime"),
    413: Words("Gönderilen çok büyük", "What was sent is too large"),
    415: Words("Bu dosya türü alınmıyor", "This kind of file is not taken"),
    422: Words("Bazı bilgiler olması gerektiği gibi değil", "Some fields are not as they should be"),
    429: Words("Çok sık denendi", "Too many attempts"),
    500: Words("Bizde bir arıza oldu", "Something broke on our side"),
    503: Words("Sistem şu an yanıt veremiyor", "The system cannot answer just now"),
}
ADVICE: Final[dict[int, Words]] = {
    400: Words("Geri dönüp yeniden deneyin.", "Go back and try again."),
    401: Words("Oturumunuz bitmiş olabilir. Yeniden giriş yapın.", "Your session may have ended. Sign in again."),
    403: Words(
        "Rolünüz buna yetmiyor ya da kayıt başka bir birimde. Gerekiyorsa sistem yöneticinizden isteyin.",
        "Your role does not allow it, or another department holds the record. Ask your administrator if you need it.",
    ),
    404: Words(
        "Adres yanlış yazılmış ya da kayıt kaldırılmış olabilir.",
        "The address may be mistyped, or the record is gone.",
    ),
    405: Words("Geri dönüp sayfadaki düğmeleri kullanın.", "Go back and use the buttons of the page."),
    409: Words(
        "Sizden önce bir başkası işlem yaptı. Geri dönün, son hâline bakın, gerekiyorsa yeniden deneyin.",
        "Somebody else was faster. Go back, look at it as it is now, and try again if it is still needed.",
    ),
    413: Words(
        "Daha küçük bir dosya ya da daha kısa bir metin gönderin.",
        "Send a smaller file or a shorter text.",
    ),
    415: Words("Fotoğraf olarak JPEG, PNG ya da WebP gönderin.", "Send photos as JPEG, PNG or WebP."),
    422: Words("Aşağıdaki alanları düzeltip yeniden gönderin.", "Correct these fields and send again."),
    429: Words("Biraz bekleyip yeniden deneyin.", "Wait a little and try again."),
    500: Words(
        "Arıza günlüğe yazıldı. Yaptığınız işlem kaydedilmemiş olabilir; listeden bakıp yeniden deneyin.",
        "It is in the log. What you did may not have been kept; look at the list and try again.",
    ),
    503: Words(
        "Birkaç saniye sonra kendiliğinden düzelebilir. Yazdıklarınız tarayıcıda duruyorsa kapatmayın.",
        "It may be over in some seconds. Do not close a page that holds what you typed.",
    ),
}


def nearest(status: int) -> int:
    """
    The status whose words fit: itself, else 400 or 500 as its class has it.
    """
    if status in TITLES:
        return status
    return 500 if status >= 500 else 400
