"""
What the words of the contracts are called on the pages of those who work here, Turkish and English.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from services.common.contracts.roles import Role
from services.common.contracts.vocabulary import (
    Action,
    Channel,
    Clock,
    DecidedBy,
    Kind,
    Level,
    Outcome,
    Priority,
    RefusalReason,
    Status,
)


class Words(NamedTuple):
    """
    One text in both languages.
    """

    tr: str
    en: str


STATUSES: Final[dict[Status, Words]] = {
    Status.RECEIVED: Words("Alındı", "Received"),
    Status.TRIAGE: Words("Triyajda", "In triage"),
    Status.ASSIGNED: Words("Yeni", "New"),
    Status.ACCEPTED: Words("Üstlenildi", "Accepted"),
    Status.IN_PROGRESS: Words("İşlemde", "In progress"),
    Status.SCHEDULED: Words("Planlandı", "Scheduled"),
    Status.WAITING_CITIZEN: Words("Vatandaş bekleniyor", "Waiting for the citizen"),
    Status.WAITING_EXTERNAL: Words("Dış kurum bekleniyor", "Waiting for another body"),
    Status.RESOLVED: Words("Çözüldü", "Resolved"),
    Status.REFERRED: Words("Havale edildi", "Referred"),
    Status.REJECTED: Words("Yapılamıyor", "Not possible"),
    Status.DUPLICATE: Words("Mükerrer", "Duplicate"),
    Status.CANCELLED: Words("Vazgeçildi", "Withdrawn"),
    Status.REOPENED: Words("Yeniden açıldı", "Reopened"),
}
PRIORITIES: Final[dict[Priority, Words]] = {
    Priority.URGENT: Words("Çok acil", "Urgent"),
    Priority.HIGH: Words("Yüksek", "High"),
    Priority.NORMAL: Words("Normal", "Normal"),
    Priority.LOW: Words("Düşük", "Low"),
}
CHANNELS: Final[dict[Channel, Words]] = {
    Channel.PHONE: Words("Telefon", "Phone"),
    Channel.WHATSAPP: Words("WhatsApp", "WhatsApp"),
    Channel.WALK_IN: Words("Yüz yüze", "In person"),
    Channel.WEB: Words("Web formu", "Web form"),
    Channel.EMAIL: Words("E-posta", "E-mail"),
    Channel.SMS: Words("SMS", "SMS"),
    Channel.OPEN311: Words("Open311", "Open311"),
    Channel.PETITION: Words("Dilekçe", "Petition"),
    Channel.CIMER: Words("CİMER", "CİMER"),
    Channel.SOCIAL: Words("Sosyal medya", "Social media"),
    Channel.IMPORT: Words("Aktarım", "Import"),
}
KINDS: Final[dict[Kind, Words]] = {
    Kind.COMPLAINT: Words("Şikâyet", "Complaint"),
    Kind.REQUEST: Words("İstek", "Request"),
    Kind.SUGGESTION: Words("Öneri", "Suggestion"),
    Kind.INFORMATION: Words("Bilgi", "Information"),
    Kind.THANKS: Words("Teşekkür", "Thanks"),
}
DECIDED_BY: Final[dict[DecidedBy, Words]] = {
    DecidedBy.EXPLICIT: Words("Bildirenin seçimi", "Named by the sender"),
    DecidedBy.RULE: Words("Kural", "Rule"),
    DecidedBy.MODEL: Words("Sınıflandırıcı", "Classifier"),
    DecidedBy.PERSON: Words("Görevli", "A member of staff"),
}
OUTCOMES: Final[dict[Outcome, Words]] = {
    Outcome.RESOLVED: Words("Çözüldü", "Resolved"),
    Outcome.PARTLY_RESOLVED: Words("Kısmen çözüldü", "Partly resolved"),
    Outcome.NOT_POSSIBLE: Words("Yapılamıyor", "Not possible"),
    Outcome.NOT_OUR_RESPONSIBILITY: Words("Yetkimiz dışında", "Not our responsibility"),
    Outcome.NO_ACTION_NEEDED: Words("İşlem gerekmiyor", "No action needed"),
    Outcome.INVALID: Words("Geçersiz", "Invalid"),
    Outcome.REFERRED: Words("Başka kuruma havale", "Referred to another body"),
    Outcome.DUPLICATE: Words("Mükerrer", "Duplicate"),
    Outcome.CANCELLED: Words("Vatandaş vazgeçti", "Withdrawn by the citizen"),
    Outcome.NO_REPLY: Words("Yanıt gelmedi", "No reply"),
}
ACTIONS: Final[dict[Action, Words]] = {
    Action.ACCEPT: Words("Üstlen", "Accept"),
    Action.REJECT: Words("Reddet", "Reject"),
    Action.TRANSFER: Words("Devret", "Transfer"),
    Action.START: Words("İşe başla", "Start"),
    Action.SCHEDULE: Words("Gün ver", "Schedule"),
    Action.ASK: Words("Vatandaşa sor", "Ask the citizen"),
    Action.WAIT: Words("Dış kurumu bekle", "Wait for another body"),
    Action.EXTEND: Words("Yasal süreyi uzat", "Extend the legal term"),
    Action.SPLIT: Words("Parçalara böl", "Split"),
    Action.RESOLVE: Words("Sonuçlandır", "Resolve"),
    Action.REFER: Words("Havale et", "Refer"),
    Action.DUPLICATE: Words("Mükerrer olarak bağla", "Tie as duplicate"),
    Action.CANCEL: Words("Vazgeçme ile kapat", "Close as withdrawn"),
    Action.REOPEN: Words("Yeniden aç", "Reopen"),
    Action.NOTE: Words("İç not yaz", "Write an internal note"),
}
CLOCKS: Final[dict[Clock, Words]] = {
    Clock.ACCEPTANCE: Words("Üstlenme süresi", "Time to accept"),
    Clock.PLAN: Words("Söz verilen gün", "Promised day"),
    Clock.RESOLUTION: Words("Çözüm süresi", "Time to resolve"),
    Clock.LEGAL: Words("Yasal süre", "Legal term"),
}
LEVELS: Final[dict[Level, Words]] = {
    Level.DEPARTMENT: Words("Birim", "The department"),
    Level.HEAD: Words("Birim müdürü", "Its head"),
    Level.DEPUTY_MAYOR: Words("Başkan yardımcısı", "The deputy mayor"),
}
REFUSALS: Final[dict[RefusalReason, Words]] = {
    RefusalReason.UNKNOWN_REQUEST: Words("Böyle bir başvuru yok.", "There is no such request."),
    RefusalReason.NOT_THE_HOLDER: Words("Başvuru artık bu birimde değil.", "Another department holds the request now."),
    RefusalReason.FORBIDDEN_MOVE: Words("Bu durumda yapılamaz.", "This is not possible in its present state."),
    RefusalReason.CHANGED_MEANWHILE: Words(
        "Başvuru siz bakarken değişti; son hâline bakıp yeniden karar verin.",
        "The request changed while you looked at it; look at it again and decide anew.",
    ),
    RefusalReason.UNKNOWN_DEPARTMENT: Words("Böyle bir birim yok.", "There is no such department."),
    RefusalReason.UNKNOWN_SERVICE: Words("Böyle bir hizmet yok.", "There is no such service."),
    RefusalReason.UNKNOWN_MASTER: Words("O başvuruya bağlanamaz.", "It cannot be tied to that request."),
    RefusalReason.TOO_LATE: Words("Süresi geçti.", "It is too late for this."),
    RefusalReason.TOO_MANY: Words("Sınır doldu.", "The limit is reached."),
    RefusalReason.INCOMPLETE: Words("Eksik bilgi var.", "Something is missing."),
}
ROLES: Final[dict[Role, Words]] = {
    Role.OPERATOR: Words("Operatör", "Operator"),
    Role.DEPARTMENT: Words("Birim", "Department"),
    Role.MANAGER: Words("Yönetici", "Manager"),
    Role.ADMIN: Words("Sistem yöneticisi", "Administrator"),
}

TABLES: Final[dict[str, dict[str, Words]]] = {
    name: {str(value): words for value, words in table.items()}
    for name, table in (
        ("status", STATUSES),
        ("priority", PRIORITIES),
        ("channel", CHANNELS),
        ("kind", KINDS),
        ("decided_by", DECIDED_BY),
        ("outcome", OUTCOMES),
        ("action", ACTIONS),
        ("clock", CLOCKS),
        ("level", LEVELS),
        ("refusal", REFUSALS),
        ("role", ROLES),
    )
}
"""Every table by the name that templates use: ``word('status', request.status)``."""


def options(table: str, language: str, only: list[StrEnum] | None = None) -> list[tuple[str, str]]:
    """
    A table as (value, text) for a ``select``, in its own order; ``only`` leaves the others out.
    """
    kept = None if only is None else {str(value) for value in only}
    return [
        (value, words.tr if language == "tr" else words.en)
        for value, words in TABLES[table].items()
        if kept is None or value in kept
    ]
