"""
Who hears that time runs out: complete for every department, or notify does not start.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from services.common.contracts.catalogue import catalogue
from services.common.contracts.vocabulary import Level
from services.notify.channels.base import Letter
from services.notify.channels.smtp import SmtpSettings, build_mail
from services.notify.choosing import choose
from services.notify.messages import Message
from services.notify.staff import STAFF_FILE, BrokenStaff, load_staff
from tests.unit.notify.lives import NOON

RAW: dict[str, Any] = yaml.safe_load(STAFF_FILE.read_text(encoding="utf-8"))


def written(folder: Path, *, deputies: Any = None, **departments: Any) -> Path:
    """
    The shipped file with some departments (underscores for hyphens; None: gone) or the deputies changed.
    """
    changed = {slug.replace("_", "-"): entry for slug, entry in departments.items()}
    merged = {slug: entry for slug, entry in {**RAW["departments"], **changed}.items() if entry is not None}
    file = folder / "staff.yaml"
    raw = {"departments": merged, "deputy_mayors": RAW["deputy_mayors"] if deputies is None else deputies}
    file.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    return file


def test_everybody_in_the_shipped_file_can_be_written_to_and_lives_under_example_org() -> None:
    staff = load_staff()
    for slug in catalogue().departments:
        for level in Level:
            contact = staff.contact(f"staff:{slug}:{level}")
            assert contact is not None
            assert choose(contact) == "email"
            address = contact.email or ""
            assert address.endswith("@example.org")
            letter = Letter(address, Message("", "", "", ""), "k")
            mail = build_mail(SmtpSettings("", 1, "a@b.example", "İ"), letter, lambda: NOON)
            assert mail["To"] == address


def test_a_departments_levels_are_its_mailbox_its_head_and_its_deputy_mayor() -> None:
    staff = load_staff()
    found = [staff.contact(f"staff:fen-isleri:{level}") for level in ("department", "head", "deputy_mayor")]
    assert [contact.email for contact in found if contact] == [
        "fen-isleri@example.org",
        "mudur.fen-isleri@example.org",
        "baskan-yardimcisi-1@example.org",
    ]


def test_nobody_is_known_for_an_unknown_department_or_a_citizen() -> None:
    staff = load_staff()
    assert staff.contact("staff:uzay-isleri:head") is None
    assert staff.contact("c_" + "0" * 32) is None


def test_what_a_department_lacks_its_fallback_has_for_it(tmp_path: Path) -> None:
    staff = load_staff(written(tmp_path, zabita={"mailbox": "nokta@example.org", "fallback": "fen-isleri"}))
    found = {level: staff.contact(f"staff:zabita:{level}") for level in Level}
    assert {level: contact.email for level, contact in found.items() if contact} == {
        "department": "nokta@example.org",
        "head": "mudur.fen-isleri@example.org",
        "deputy_mayor": "baskan-yardimcisi-2@example.org",
    }


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"zabita": None}, "zabita has no department and no fallback; zabita has no head and no fallback"),
        ({"zabita": {"mailbox": "z@example.org"}}, "zabita has no head and no fallback"),
        ({"deputies": []}, "zabita has no deputy_mayor and no fallback"),
        ({"zabita": {"fallback": "dis-kurum"}}, "its fallback dis-kurum has none of its own"),
        ({"zabita": {"fallback": "zabita"}}, "its fallback zabita has none of its own"),
        ({"zabita": RAW["departments"]["zabita"] | {"fallback": "uzay-isleri"}}, "unknown department uzay-isleri"),
        ({"uzay_isleri": {"mailbox": "u@example.org"}}, "unknown department uzay-isleri"),
        (
            {"deputies": [*RAW["deputy_mayors"], {"email": "x@example.org", "departments": ["zabita", "uzay-isleri"]}]},
            "zabita has two deputy mayors; unknown department uzay-isleri of x@example.org",
        ),
        ({"zabita": {"mailbox": "zabıta@example.org"}}, r"departments\.zabita\.mailbox"),
        ({"zabita": {"mailbox": "a@b@example.org"}}, r"departments\.zabita\.mailbox"),
        ({"zabita": {"head": {"email": "z@example.org", "phone": "0532 111"}}}, r"departments\.zabita\.head\.phone"),
        ({"zabita": {"kafa": {"email": "z@example.org"}}}, r"departments\.zabita\.kafa"),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BrokenStaff, match=rf"staff\.yaml: .*{complaint}"):
        load_staff(written(tmp_path, **changes))


@pytest.mark.parametrize("text", ["", "{", "[]", "departments: 3"])
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "staff.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BrokenStaff, match=r"staff\.yaml"):
        load_staff(file)
    with pytest.raises(BrokenStaff, match="FileNotFoundError"):
        load_staff(tmp_path / "nowhere.yaml")
