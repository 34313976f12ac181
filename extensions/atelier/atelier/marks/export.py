"""A course's marks as CSV that a spreadsheet opens as it is, and that cannot make it run a formula."""

import csv
import datetime as dt
import io
import unicodedata
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from atelier import projects, roster
from atelier.marks.lists import list_course_marks
from atelier.store.models import Assignment, Course, Mark, Person
from atelier.texts import N_, known_language, translate
from hub_config.city import City

HEADINGS = (
    N_("№"),
    N_("Class"),
    N_("Name"),
    N_("Assignment"),
    N_("Points"),
    N_("Maximum"),
    N_("Mark"),
    N_("Confirmed by"),
    N_("Confirmed at"),
)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def export_marks_csv(session: Session, city: City, course_id: str, language: str, now: dt.datetime) -> bytes:
    """Return the course's marks: one line per student and assignment, UTF-8 with a byte order mark.

    A line without a mark has empty cells: no submission is no mark. A spreadsheet set to Bulgarian splits at
    semicolons, writes decimals with a comma and takes 5.50 for a date, so the Bulgarian file is ``;`` with
    5,50 and the English one ``,`` with 5.50.
    """
    language = known_language(language)
    _ = translate(language)
    course = session.get_one(Course, course_id)
    zone = ZoneInfo(city.find_school(course.school_id).zone)
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";" if language == "bg" else ",", quoting=csv.QUOTE_ALL)
    writer.writerow([_(heading) for heading in HEADINGS])
    for line in _list_lines(session, course_id, zone, now):
        writer.writerow([_make_cell(value, language) for value in line])
    return text.getvalue().encode("utf-8-sig")


def make_safe(text: str) -> str:
    """Return `text` so that no spreadsheet reads it as a formula: an apostrophe goes before what could start
    one.

    Looks past spaces and at the compatible forms (full-width ＝, ＋ …) that some programs fold.
    """
    start = unicodedata.normalize("NFKC", text).lstrip(" \u00a0\u200b\ufeff")
    return f"'{text}" if text.startswith(_FORMULA_STARTS) or start.startswith(_FORMULA_STARTS) else text


def _list_lines(session: Session, course_id: str, zone: ZoneInfo, now: dt.datetime) -> list[list[object]]:
    marks = {(mark.assignment_id, mark.person_id): mark for mark in list_course_marks(session, course_id)}
    lines: list[list[object]] = []
    for assignment in projects.list_assignments(session, course_id):
        known: set[str] = set()
        for student in roster.list_students(session, course_id, now):
            known.add(student.person.id)
            who = [student.number, student.class_name, student.person.display_name]
            lines.append(
                who + _tail(session, assignment, marks.get((assignment.id, student.person.id)), zone)
            )
        for (assignment_id, person_id), mark in marks.items():
            if assignment_id == assignment.id and person_id not in known:  # has left the course since
                name = session.get_one(Person, person_id).display_name
                lines.append([None, None, name, *_tail(session, assignment, mark, zone)])
    return lines


def _tail(session: Session, assignment: Assignment, mark: Mark | None, zone: ZoneInfo) -> list[object]:
    if mark is None:
        return [assignment.title, None, None, None, None, None]
    teacher = session.get_one(Person, mark.confirmed_by).display_name
    at = mark.confirmed_at.astimezone(zone)
    return [assignment.title, mark.points, mark.max_points, _as_number(mark.mark), teacher, at]


def _as_number(mark: str) -> object:
    """A mark of the six-point scale as the number it is; '87%' stays text."""
    return Decimal(mark) if mark.replace(".", "", 1).isdecimal() else mark


def _make_cell(value: object, language: str) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        shown = f"{value:f}"
        shown = shown.rstrip("0").rstrip(".") if value.as_tuple().exponent == -3 else shown
        return make_safe(shown.replace(".", ",") if language == "bg" else shown)
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return make_safe(str(value))
