"""
Which pages a person is offered. (Whether they may is decided where the page is served.)
"""

from collections.abc import Iterable
from dataclasses import dataclass

from services.common.contracts.catalogue import catalogue
from services.common.contracts.roles import Role, departments_of
from services.common.kit.people import Person
from services.common.ui.links import Links
from services.common.ui.words import Words


@dataclass(frozen=True, slots=True)
class Item:
    """
    One entry; ``inner`` are the entries of its menu (then it has no address of its own).
    """

    key: str
    words: Words
    icon: str
    href: str = ""
    shortcut: str = ""
    inner: tuple["Item", ...] = ()


def inboxes(departments: Iterable[str], links: Links) -> tuple[Item, ...]:
    """
    One entry per department, by name (without what the catalogue explains in brackets).
    """
    known = catalogue().departments
    items = []
    for slug in departments:
        tr, en = (known[slug].tr, known[slug].en) if slug in known else (slug, slug)
        words = Words(tr.partition(" (")[0], en.partition(" (")[0])
        items.append(Item(f"inbox:{slug}", words, "inbox", links.inbox(slug)))
    return tuple(sorted(items, key=lambda item: item.words.tr))


def navigation(person: Person | None, links: Links) -> tuple[Item, ...]:
    """
    The entries for a person, in the order in which they stand; none for a stranger.
    """
    if person is None:
        return ()
    desk = Item("desk", Words("Masa", "Desk"), "phone", links.desk, "g m")
    triage = Item("triage", Words("Triyaj", "Triage"), "split", links.triage, "g t")
    callbacks = Item("callbacks", Words("Geri arama", "Call-backs"), "phone-back", links.callbacks, "g a")
    panel = Item("panel", Words("Panel", "Dashboard"), "chart", links.panel, "g p")
    users = Item("users", Words("Kullanıcılar", "Users"), "people", links.users, "g k")
    audit = Item("audit", Words("Denetim", "Audit"), "eye", links.audit, "g d")
    health = Item("health", Words("Sistem", "System"), "tool", links.health, "g h")

    items: list[Item] = []
    if person.has(Role.OPERATOR):
        items += [desk, triage]
    boxes = inboxes(departments_of(person.roles, person.departments), links)
    title = Words("Gelen kutusu", "Inbox")
    if len(boxes) == 1:
        items.append(Item("inbox", title, "inbox", boxes[0].href, "g g"))
    elif boxes:
        items.append(Item("inbox", title, "inbox", inner=boxes))
    if person.has(Role.OPERATOR):
        items.append(callbacks)
    if person.has(Role.OPERATOR, Role.DEPARTMENT, Role.MANAGER):
        items.append(panel)
    if person.has(Role.ADMIN):
        items += [users, audit, health]
    if links.previews and person.has(Role.OPERATOR, Role.MANAGER, Role.ADMIN):
        items.append(Item("previews", Words("Mesajlar", "Messages"), "chat", links.previews, "g s"))
    return tuple(items)
