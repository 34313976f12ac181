"""Announcing lessons and taking them back."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from atelier import projects, roster
from atelier.lessons.due import load_skips
from atelier.lessons.errors import LessonError, LessonNotFound
from atelier.lessons.timetable import DAY, WEEK, Occurrence, list_occurrences
from atelier.store.models import Course, Lesson, LessonClass, LessonSkip, SchoolClass
from atelier.texts import N_

SHORTEST_MINUTES, LONGEST_MINUTES = 5, 480
LONGEST_SERIES = dt.timedelta(days=366)
MOST_LESSONS = 100  # that a course may have ahead of it; each weekly one counts once


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a teacher announces, on the school's clock (`local` is naive; `fold` only where it comes twice).

    `last_on`: repeated weekly up to that local day. No class: all students of the course. `project_id`: also
    (or, without `personal`, only) the workspaces of that project's teams.
    """

    local: dt.datetime
    zone: str
    minutes: int
    last_on: dt.date | None = None
    class_ids: Collection[str] = ()
    personal: bool = True
    project_id: str | None = None
    fold: int | None = None


def announce(
    session: Session, course_id: str, said: Announcement, *, teacher_id: str, now: dt.datetime
) -> Lesson:
    """Store an announced lesson. Raises LessonError, or `projects.ProjectError` for an impossible time
    (AmbiguousTime asks for `fold`) and a foreign project."""
    starts_at = projects.make_instant(said.local, said.zone, said.fold)
    _check(said, starts_at, now)
    _check_room(session, course_id, now)
    if said.project_id is not None:
        _check_project(session, course_id, said.project_id)
    lesson = Lesson(
        course_id=course_id,
        first_on=said.local.date(),
        last_on=said.last_on or said.local.date(),
        bell=said.local.time(),
        fold=said.fold or 0,
        zone=said.zone,
        minutes=said.minutes,
        personal=said.personal,
        project_id=said.project_id,
        announced_by=teacher_id,
        announced_at=now,
    )
    session.add(lesson)
    session.flush()
    classes = _check_classes(session, course_id, set(said.class_ids))
    session.add_all(LessonClass(lesson_id=lesson.id, class_id=class_id) for class_id in sorted(classes))
    session.flush()
    return lesson


def list_coming(
    session: Session, course_id: str, now: dt.datetime, within: dt.timedelta = 4 * WEEK
) -> list[tuple[Occurrence, Lesson]]:
    """Return the course's lessons that are not over yet, up to `within` ahead, by bell."""
    query = select(Lesson).where(Lesson.course_id == course_id, Lesson.removed_at.is_(None))
    announced = list(session.scalars(query.where(Lesson.last_on >= (now - 2 * DAY).date())))
    skips = load_skips(session, [lesson.id for lesson in announced])
    found = [
        (occurrence, lesson)
        for lesson in announced
        for occurrence in list_occurrences(lesson, {}, now, now + within)
        if occurrence.held_on not in skips.get(lesson.id, {})
    ]
    return sorted(found, key=lambda item: (item[0].starts_at, item[0].lesson_id))


def list_classes(session: Session, lesson_id: str) -> list[SchoolClass]:
    """Return the classes that a lesson is for, by name; none: it is for all students of its course."""
    query = select(SchoolClass).join(LessonClass, LessonClass.class_id == SchoolClass.id)
    return list(session.scalars(query.where(LessonClass.lesson_id == lesson_id).order_by(SchoolClass.name)))


def remove(session: Session, course_id: str, lesson_id: str, now: dt.datetime) -> None:
    """Take a lesson back, all its weeks; one that goes on ends now. Raises LessonNotFound."""
    _find(session, course_id, lesson_id).removed_at = now
    session.flush()


def remove_day(session: Session, course_id: str, lesson_id: str, held_on: dt.date, now: dt.datetime) -> None:
    """Take one day of a weekly lesson out. Raises LessonNotFound, also when it is not held that day."""
    lesson = _find(session, course_id, lesson_id)
    days = (held_on - lesson.first_on).days
    if days % 7 or not lesson.first_on <= held_on <= lesson.last_on:
        raise LessonNotFound(lesson_id)
    if not _is_skipped(session, lesson_id, held_on):
        session.add(LessonSkip(lesson_id=lesson_id, held_on=held_on, at=now))
        session.flush()


def _find(session: Session, course_id: str, lesson_id: str) -> Lesson:
    lesson = session.get(Lesson, lesson_id)
    if lesson is None or lesson.course_id != course_id or lesson.removed_at is not None:
        raise LessonNotFound(lesson_id)
    return lesson


def _is_skipped(session: Session, lesson_id: str, held_on: dt.date) -> bool:
    return session.get(LessonSkip, (lesson_id, held_on)) is not None


def _check(said: Announcement, starts_at: dt.datetime, now: dt.datetime) -> None:
    if not SHORTEST_MINUTES <= said.minutes <= LONGEST_MINUTES:
        raise LessonError(
            "bad_length",
            N_("A lesson lasts from %(least)d to %(most)d minutes. Give another length."),
            least=SHORTEST_MINUTES,
            most=LONGEST_MINUTES,
        )
    if starts_at + dt.timedelta(minutes=said.minutes) <= now:
        raise LessonError("over", N_("That lesson is already over. Choose a time that is still to come."))
    if said.last_on is not None and said.last_on < said.local.date():
        raise LessonError("bad_last_day", N_("The last day is before the first. Choose a later last day."))
    if (said.last_on or said.local.date()) - said.local.date() > LONGEST_SERIES:
        raise LessonError(
            "too_long", N_("A lesson is repeated for one year at most. Choose an earlier last day.")
        )
    if starts_at - now > LONGEST_SERIES:
        raise LessonError(
            "too_far", N_("A lesson is announced one year ahead at most. Choose an earlier date.")
        )
    if not said.personal and said.project_id is None:
        raise LessonError(
            "no_workspaces",
            N_("No workspaces are chosen. Choose the students' own, a project's teams, or both."),
        )


def _check_room(session: Session, course_id: str, now: dt.datetime) -> None:
    # Two announcements at once: the second waits, then counts the first (PostgreSQL).
    session.scalar(select(Course.id).where(Course.id == course_id).with_for_update())
    query = select(Lesson).where(
        Lesson.course_id == course_id,
        Lesson.removed_at.is_(None),
        Lesson.last_on >= now.date() - dt.timedelta(days=1),
    )
    if len(session.scalars(query).all()) >= MOST_LESSONS:
        raise LessonError(
            "too_many", N_("%(most)d lessons are announced already. Remove some first."), most=MOST_LESSONS
        )


def _check_project(session: Session, course_id: str, project_id: str) -> None:
    if not any(project.id == project_id for project in projects.list_projects(session, course_id)):
        raise LessonError("no_project", N_("There is no such project in this course."))


def _check_classes(session: Session, course_id: str, class_ids: set[str]) -> set[str]:
    taught = {found.id for found in roster.list_classes_of(session, course_id)}
    if class_ids - taught:
        raise LessonError(
            "no_class", N_("That class is not taught in this course. Choose one of its classes.")
        )
    return class_ids
