"""What is due at an instant: the lessons that are prepared or held now, and those that are just over."""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from atelier import roster
from atelier.lessons.timetable import DAY, Occurrence, list_occurrences
from atelier.store import parse_account, team_account
from atelier.store.models import (
    ClassMembership,
    Course,
    Lesson,
    LessonClass,
    LessonSkip,
    Project,
    Team,
    TeamMembership,
)

OVER_FOR = dt.timedelta(hours=2)  # then an unused workspace is left to its school's idle time
_TICK = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class DueLesson:
    """A lesson that is prepared, held or just over, with the accounts whose workspaces belong to it now."""

    when: Occurrence
    accounts: tuple[str, ...]


def list_due(session: Session, now: dt.datetime) -> list[DueLesson]:
    """Return the lessons whose workspaces should run at `now`, by bell.

    Who is in them is asked of roster and projects at this moment: nobody inactive, no dissolved team, no
    archived course.
    """
    found = [o for o in _find_occurrences(session, now, now + _TICK) if o.goes_on(now)]
    return _with_accounts(session, found, now)


def list_over(session: Session, now: dt.datetime, but: Collection[Occurrence] = ()) -> list[DueLesson]:
    """Return the lessons that ended within the last two hours, removed ones included, by bell.

    `but`: those that the caller has done with.
    """
    found = [o for o in _find_occurrences(session, now - OVER_FOR, now) if o.ends_at <= now and o not in but]
    return _with_accounts(session, found, now)


def find_busy_s(session: Session, account: str, now: dt.datetime) -> int:
    """Return for how many seconds yet `account`'s workspace belongs to a lesson; 0 when to none."""
    courses = _list_courses(session, account, now)
    if not courses:
        return 0
    found = _find_occurrences(session, now, now + _TICK, Lesson.course_id.in_(courses))
    due = _with_accounts(session, [o for o in found if o.goes_on(now)], now)
    return max((int((d.when.ends_at - now).total_seconds()) for d in due if account in d.accounts), default=0)


def _list_courses(session: Session, account: str, now: dt.datetime) -> list[str]:
    """The courses in whose lessons an account's workspace may be."""
    try:
        kind, opaque_id = parse_account(account)
    except ValueError:
        return []
    if kind == "person":
        return [entry.course.id for entry in roster.list_courses_of(session, opaque_id, now)]
    if kind == "team":
        query = (
            select(Project.course_id).join(Team, Team.project_id == Project.id).where(Team.id == opaque_id)
        )
        return list(session.scalars(query))
    return []


def _find_occurrences(
    session: Session, start: dt.datetime, end: dt.datetime, *conditions: ColumnElement[bool]
) -> list[Occurrence]:
    """All lessons' days of which any part lies in [`start`, `end`), see `list_occurrences`."""
    # Columns, not objects: in a city with a weekly timetable most of thousands of rows are not held today.
    times: Sequence[Any] = session.execute(
        select(
            Lesson.id, Lesson.course_id, Lesson.first_on, Lesson.last_on, Lesson.bell, Lesson.fold,
            Lesson.zone, Lesson.minutes, Lesson.removed_at,
        )
        .join(Course, Course.id == Lesson.course_id)
        .where(Course.archived_at.is_(None))
        # A day to spare for zones, one for length.
        .where(Lesson.first_on <= (end + 2 * DAY).date(), Lesson.last_on >= (start - 2 * DAY).date())
        .where(Lesson.removed_at.is_(None) | (Lesson.removed_at >= start))
        .where(*conditions)
    ).all()  # fmt: skip
    held = [row for row in times if list_occurrences(row, {}, start, end)]
    skips = load_skips(session, [row.id for row in held])
    return [o for row in held for o in list_occurrences(row, skips.get(row.id, {}), start, end)]


def load_skips(session: Session, lesson_ids: Collection[str]) -> dict[str, dict[dt.date, dt.datetime]]:
    """Return the days that were taken out of each lesson, and when; lessons without any are left out."""
    found: dict[str, dict[dt.date, dt.datetime]] = {}
    for skip in session.scalars(select(LessonSkip).where(LessonSkip.lesson_id.in_(lesson_ids))):
        found.setdefault(skip.lesson_id, {})[skip.held_on] = skip.at
    return found


def _with_accounts(session: Session, found: Iterable[Occurrence], now: dt.datetime) -> list[DueLesson]:
    ordered = sorted(found, key=lambda when: (when.starts_at, when.lesson_id))
    return [
        DueLesson(when, list_accounts(session, session.get_one(Lesson, when.lesson_id), now))
        for when in ordered
    ]


def list_accounts(session: Session, lesson: Lesson, now: dt.datetime) -> tuple[str, ...]:
    """Return the accounts whose workspaces belong to a lesson, as roster and projects stand at `now`."""
    students = _list_student_ids(session, lesson, now)
    people = sorted(students) if lesson.personal else []
    return (*people, *_list_teams(session, lesson, students, now))


def _list_student_ids(session: Session, lesson: Lesson, now: dt.datetime) -> set[str]:
    students = {student.person.id for student in roster.list_students(session, lesson.course_id, now)}
    classes = list(session.scalars(select(LessonClass.class_id).where(LessonClass.lesson_id == lesson.id)))
    if not classes:
        return students
    query = select(ClassMembership.person_id).where(ClassMembership.class_id.in_(classes))
    return students & set(session.scalars(query.where(ClassMembership.holds_at(now))))


def _list_teams(session: Session, lesson: Lesson, students: set[str], now: dt.datetime) -> list[str]:
    """The teams of the lesson's project that have one of its students."""
    if lesson.project_id is None:
        return []
    query = (
        select(TeamMembership.team_id, TeamMembership.person_id)
        .join(Team, Team.id == TeamMembership.team_id)
        .where(Team.project_id == lesson.project_id, Team.dissolved_at.is_(None))
        .where(TeamMembership.holds_at(now))
    )
    found = {row.team_id for row in session.execute(query) if row.person_id in students}
    return [team_account(team_id) for team_id in sorted(found)]
