"""Claims about the CSV of marks: complete, readable by spreadsheets, harmless in them."""

import csv
import io
from decimal import Decimal

import pytest
from atelier import marks, projects
from atelier.marks.export import make_safe
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from tests.small_school import HOUR, NOW, SmallSchool, open_small_school


@pytest.fixture
def school(session: Session) -> SmallSchool:
    """The school with one assignment, whose hostile title and hostile third student are exported."""
    school = open_small_school(session)
    assignment = projects.ensure_assignment(
        school.session, school.course.id, "a", zone="Europe/Sofia", now=NOW, title="@SUM(A1)"
    )
    for person in school.students[1:3]:
        submission = school.submit(assignment.id, person.id, [person], NOW)
        result = marks.Result(submission_id=submission.id, points=Decimal("8.75"), max_points=Decimal(10))
        marks.stage_results(school.session, assignment.id, [result], "course-x", NOW)
    digest = marks.preview_marks(school.session, school.city, assignment.id, NOW).digest
    marks.confirm_marks(school.session, school.city, assignment.id, school.teacher.id, digest, {}, NOW)
    return school


def export(school: SmallSchool, language: str) -> bytes:
    return marks.export_marks_csv(school.session, school.city, school.course.id, language, NOW + HOUR)


def read(data: bytes, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=delimiter))


def test_the_bulgarian_file_suits_a_bulgarian_spreadsheet(school: SmallSchool) -> None:
    data = export(school, "bg")
    assert data.startswith(b"\xef\xbb\xbf")
    rows = read(data, ";")
    assert len(rows) == 6
    assert rows[2] == [
        "2", "8А", "Борис Бонев", "'@SUM(A1)", "8,75", "10", "5,50", "Мария Учителска", "2026-11-09 10:00",
    ]  # fmt: skip


def test_the_english_file_suits_an_english_spreadsheet(school: SmallSchool) -> None:
    rows = read(export(school, "en"), ",")
    assert rows[0][:3] == ["№", "Class", "Name"]
    assert rows[2][4:7] == ["8.75", "10", "5.50"]


def test_who_has_no_mark_has_empty_cells_and_no_zero(school: SmallSchool) -> None:
    rows = read(export(school, "en"), ",")
    assert rows[1] == ["1", "8А", "Ада Ангелова", "'@SUM(A1)", "", "", "", "", ""]


def test_no_cell_can_start_a_formula(school: SmallSchool) -> None:
    for language, delimiter in (("bg", ";"), ("en", ",")):
        cells = [cell for row in read(export(school, language), delimiter) for cell in row]
        assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r\n")]
    assert "'=HYPERLINK(1) Велев" in cells


def test_who_left_keeps_the_mark_in_the_file(school: SmallSchool) -> None:
    school.students[1].deactivated_at = NOW
    school.session.flush()
    rows = read(export(school, "en"), ",")
    assert ["", "", "Борис Бонев"] in [row[:3] for row in rows]


@settings(deadline=None)
@given(st.text())
def test_a_safe_text_starts_no_formula_and_loses_nothing(text: str) -> None:
    safe = make_safe(text)
    assert safe in (text, f"'{text}")
    assert not safe.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "\n=1", " =1", "＝1", "\ufeff=1"]
)
def test_each_way_to_start_a_formula_is_closed(text: str) -> None:
    assert make_safe(text) == f"'{text}"
