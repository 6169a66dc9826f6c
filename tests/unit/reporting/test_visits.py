"""
The visit list: who is visited first, what a day's list has, and how it looks in Excel and on paper.
"""

import csv
import io
import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from html.parser import HTMLParser

import pytest

from services.common.contracts import events
from services.common.contracts.ids import grouped
from services.common.contracts.vocabulary import Status
from services.reporting.projections import Document
from services.reporting.visits import COLUMNS, Visit, VisitParameters, as_csv, as_html, visits_of
from tests.unit.reporting.lives import START, Life, documents_of

DUE_DAY = date(2026, 11, 4)  # of a life that begins at START


def life(number: int = 0, *, address: str = "Lale Sk. 4", mahalle: str = "Kadıköy", text: str = "Ekmek, süt") -> Life:
    """
    A request with a team.
    """
    asked = Life(number, service="vefa-alisveris").receive(text, mahalle=mahalle, address=address)
    return asked.register().keep(team="vefa-2", priority="high").assign()


def listed(*lives: Life, day: date | None = None, team: str | None = None) -> list[Visit]:
    documents: list[Document] = []
    for one in lives:
        documents += (found for found in documents_of(one.events).values() if found["visited_by"])
    return visits_of(random.Random(1).sample(documents, len(documents)), VisitParameters(team=team, day=day))


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"))


class Words(HTMLParser):
    """
    The text of a page and its tags.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def page(*lives: Life, parameters: VisitParameters | None = None) -> Words:
    return Words(as_html(listed(*lives), parameters or VisitParameters(team="vefa-2"), START))


def test_emergencies_come_first_then_priority_neighbourhood_and_house() -> None:
    calm = life(1, address="Lale Sk. 12").keep(priority="normal").remark(events.NoteAdded)
    far = life(2, mahalle="Yenidoğan", address="A Sk. 1")
    twelve, four = life(3, address="Lale Sk. 12"), life(4, address="Lale Sk. 4")
    urgent = life(5, mahalle="Çiftlik").keep(priority="urgent").remark(events.NoteAdded)
    emergency = life(6, mahalle="Zafer").keep(priority="normal", emergency=True).remark(events.NoteAdded)

    order = [visit.request_id for visit in listed(calm, far, twelve, four, urgent, emergency)]

    assert order == [one.request_id for one in (emergency, urgent, four, twelve, far, calm)]


def test_a_team_has_its_own_visits_alone() -> None:
    mine, other, nobodys = life(1), life(2).keep(team="vefa-1").assign(), life(3).keep(team=None).assign()

    assert [visit.request_id for visit in listed(mine, other, nobodys, team="vefa-2")] == [mine.request_id]
    assert len(listed(mine, other, nobodys)) == 3


def test_what_was_split_is_visited_in_its_parts_and_what_is_closed_not_at_all() -> None:
    split = life(1).split(2)
    split.parts[1].close()

    assert [visit.request_id for visit in listed(split, life(2).close())] == [split.parts[0].request_id]


def test_a_day_has_what_is_planned_by_then_or_else_due_by_then() -> None:
    due = life(1)
    planned = life(2).move(events.StatusChanged, Status.SCHEDULED, planned_for=START + timedelta(days=9))
    earlier = life(3).move(events.StatusChanged, Status.SCHEDULED, planned_for=START + timedelta(hours=2))

    def on(day: date | None) -> set[str]:
        return {visit.request_id for visit in listed(due, planned, earlier, day=day)}

    assert on(START.date()) == {earlier.request_id}
    assert on(DUE_DAY - timedelta(days=1)) == {earlier.request_id}
    assert on(DUE_DAY) == {due.request_id, earlier.request_id}
    assert on(START.date() + timedelta(days=9)) == on(None) == {due.request_id, planned.request_id, earlier.request_id}


def test_a_plan_is_for_the_day_in_istanbul() -> None:
    late = datetime.fromisoformat("2026-11-05T23:30:00+03:00")
    planned = life().move(events.StatusChanged, Status.SCHEDULED, planned_for=late)

    assert [len(listed(planned, day=date(2026, 11, day))) for day in (4, 5, 6)] == [0, 1, 1]


def test_a_visit_says_where_what_and_by_when() -> None:
    asked = Life(service="vefa-ilac")
    asked.receive("tansiyon ilacı", mahalle="Kadıköy", address="Gül Sk. 7", attributes={"kat": 3, "zil": "bozuk"})
    asked.register().keep(team="vefa-2").assign()

    [visit] = listed(asked)

    assert (visit.number, visit.address, visit.text) == (grouped(asked.request_id), "Gül Sk. 7", "tansiyon ilacı")
    assert (visit.attributes, visit.team) == ({"kat": 3, "zil": "bozuk"}, "vefa-2")
    assert (visit.due, visit.since, visit.planned_for) == (asked.due.resolve_by, START, None)
    assert visit.service is not None
    assert visit.service.tr != visit.service.en


def test_of_a_repeating_need_the_list_says_which_time_it_is() -> None:
    weekly = Life(service="vefa-alisveris")
    weekly.receive(address="Gül Sk. 7", repeat=events.Repeat(every_days=7, until=date(2026, 12, 31)))
    weekly.register().assign().split(3)
    once = life(1).split(2)

    turns = {visit.request_id: visit.turn for visit in listed(weekly, once)}

    assert [turns[part.request_id] for part in weekly.parts] == [1, 2, 3]
    assert [turns[part.request_id] for part in once.parts] == [None, None]


def test_excel_in_turkish_finds_columns_letters_and_lines() -> None:
    text = as_csv(listed(life(text='iki; "üç"\ndört')))

    assert text.startswith("\ufeffSıra;Numara;")
    assert text.count("\r\n") == 2
    header, row = cells(text)
    assert tuple(header) == COLUMNS
    shown = dict(zip(header, row, strict=True))
    assert (shown["Açıklama"], shown["Mahalle"], shown["Adres"]) == ('iki; "üç"\ndört', "Kadıköy", "Lale Sk. 4")
    assert (shown["Son tarih"], shown["Geliş"]) == ("04.11.2026 09:00", "02.11.2026 09:00")


@pytest.mark.parametrize("text", ["=1+1", "+905", "-2", "@SUM(A1)", "\t=1", " =HYPERLINK(0)"])
def test_no_cell_is_a_formula_to_excel(text: str) -> None:
    _, row = cells(as_csv(listed(life(text=text))))

    assert row[COLUMNS.index("Açıklama")] == f"'{text}"


def test_the_page_has_a_box_for_each_visit_and_runs_nothing() -> None:
    shown = page(life(1, text="<script>alert(1)</script>"), life(2))

    assert shown.tags.count("span") == 2
    assert not {"script", "link", "img", "a", "iframe"} & set(shown.tags)
    assert "<script>alert(1)</script>" in shown.words


def test_the_page_says_whose_list_it_is_and_of_when() -> None:
    asked = VisitParameters(team="vefa-2", department="sosyal-destek", day=DUE_DAY)
    shown = " ".join(page(life(), parameters=asked).words)

    assert "Vefa 2. ekip (batı)" in shown
    assert "Sosyal Destek" in shown
    assert "04.11.2026 gününe kadar · 1 ziyaret · liste saati 02.11.2026 09:00" in shown


def test_the_page_marks_emergencies_and_what_waits() -> None:
    calm = " ".join(page(life()).words)
    marked = " ".join(page(life().keep(emergency=True).pause()).words)

    assert "ACİL" not in calm
    assert "Sizden bilgi bekleniyor" not in calm
    assert "ACİL" in marked
    assert "Sizden bilgi bekleniyor" in marked


def test_an_empty_list_says_so() -> None:
    assert "Açık ziyaret yok." in page().words
