"""What is due at an instant: the lessons that are prepared or held now, and those that are just over."""

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from atelier import projects, roster
from atelier.lessons.timetable import DAY, Occurrence, list_occurrences
from atelier.store import parse_account, team_account
from atelier.store.models import ClassMembership, Course, Lesson, LessonClass, LessonSkip, Project, Team

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
    lessons = _load_lessons(session, now, now)
    skips = _load_skips(session, lessons)
    found = [o for lesson in lessons for o in list_occurrences(lesson, skips[lesson.id], now, now + _TICK)]
    return _with_accounts(session, lessons, (o for o in found if o.goes_on(now)), now)


def list_over(session: Session, now: dt.datetime) -> list[DueLesson]:
    """Return the lessons that ended within the last two hours, removed ones included, by bell."""
    since = now - OVER_FOR
    lessons = _load_lessons(session, since, now)
    skips = _load_skips(session, lessons)
    found = [o for lesson in lessons for o in list_occurrences(lesson, skips[lesson.id], since, now)]
    return _with_accounts(session, lessons, (o for o in found if o.ends_at <= now), now)


def find_busy_s(session: Session, account: str, now: dt.datetime) -> int:
    """Return for how many seconds yet `account`'s workspace belongs to a lesson; 0 when to none."""
    try:
        kind, opaque_id = parse_account(account)
    except ValueError:
        return 0
    courses: list[str] = []
    if kind == "person":
        courses = [entry.course.id for entry in roster.list_courses_of(session, opaque_id, now)]
    elif kind == "team":
        query = (
            select(Project.course_id).join(Team, Team.project_id == Project.id).where(Team.id == opaque_id)
        )
        courses = list(session.scalars(query))
    lessons = _load_lessons(session, now, now, Lesson.course_id.in_(courses)) if courses else []
    skips = _load_skips(session, lessons)
    found = [o for lesson in lessons for o in list_occurrences(lesson, skips[lesson.id], now, now + _TICK)]
    due = _with_accounts(session, lessons, (o for o in found if o.goes_on(now)), now)
    return max((int((d.when.ends_at - now).total_seconds()) for d in due if account in d.accounts), default=0)


def _load_lessons(
    session: Session, start: dt.datetime, end: dt.datetime, *conditions: ColumnElement[bool]
) -> list[Lesson]:
    """Lessons that may be held between two instants, with a day to spare for zones and length."""
    query = (
        select(Lesson)
        .join(Course, Course.id == Lesson.course_id)
        .where(Course.archived_at.is_(None))
        .where(Lesson.first_on <= (end + 2 * DAY).date(), Lesson.last_on >= (start - 2 * DAY).date())
        .where(Lesson.removed_at.is_(None) | (Lesson.removed_at >= start))
        .where(*conditions)
        .order_by(Lesson.id)
    )
    return list(session.scalars(query))


def _load_skips(session: Session, lessons: Collection[Lesson]) -> dict[str, dict[dt.date, dt.datetime]]:
    """For each lesson the days that were taken out, and when."""
    found: dict[str, dict[dt.date, dt.datetime]] = {lesson.id: {} for lesson in lessons}
    for skip in session.scalars(select(LessonSkip).where(LessonSkip.lesson_id.in_(found))):
        found[skip.lesson_id][skip.held_on] = skip.at
    return found


def _with_accounts(
    session: Session, lessons: Iterable[Lesson], occurrences: Iterable[Occurrence], now: dt.datetime
) -> list[DueLesson]:
    of_id = {lesson.id: lesson for lesson in lessons}
    found = [DueLesson(o, list_accounts(session, of_id[o.lesson_id], now)) for o in occurrences]
    return sorted(found, key=lambda due: (due.when.starts_at, due.when.lesson_id))


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
    until = ClassMembership.until_at
    members = select(ClassMembership.person_id).where(
        ClassMembership.class_id.in_(classes),
        ClassMembership.from_at <= now,
        until.is_(None) | (until > now),
    )
    return students & set(session.scalars(members))


def _list_teams(session: Session, lesson: Lesson, students: set[str], now: dt.datetime) -> list[str]:
    """The teams of the lesson's project that have one of its students."""
    if lesson.project_id is None:
        return []
    found = []
    for team in projects.list_teams(session, lesson.project_id):
        members = {person.id for person in projects.list_members(session, team.id, now)}
        if members & students:
            found.append(team_account(team.id))
    return found
