"""What the page of a course's lessons shows, and what a teacher typed into it."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from atelier import lessons, projects, roster
from atelier.pages.answers import Stopped
from atelier.pages.course import TaughtCourse
from atelier.pages.date_fields import read_day, read_turn
from atelier.store.models import Lesson, Project, SchoolClass
from atelier.texts import N_, translate


@dataclass(frozen=True)
class LessonLine:
    """One coming lesson."""

    lesson_id: str
    held_on: dt.date
    starts_at: dt.datetime
    ends_at: dt.datetime
    zone: str
    last_on: dt.date | None
    classes: list[str]
    personal: bool
    project: str | None

    def goes_on(self, now: dt.datetime) -> bool:
        return self.starts_at <= now


@dataclass(frozen=True)
class LessonChoices:
    """What can be chosen when a lesson is announced, and what is announced already."""

    lines: list[LessonLine]
    classes: list[SchoolClass]
    projects: list[Project]


@dataclass(frozen=True)
class TypedLesson:
    """The form as it was sent, to be shown again when something in it must be changed."""

    starts: str = ""
    minutes: str = "40"
    last_on: str = ""
    class_ids: frozenset[str] = frozenset()
    personal: bool = True
    project: str = ""
    turn: str = ""


def load_choices(session: Session, course: TaughtCourse, now: dt.datetime) -> LessonChoices:
    """Return the course's coming lessons of four weeks, its classes and its projects."""
    of_course = projects.list_projects(session, course.id)
    titles = {project.id: project.title for project in of_course}
    lines = [
        _make_line(session, occurrence, lesson, titles)
        for occurrence, lesson in lessons.list_coming(session, course.id, now)
    ]
    return LessonChoices(lines, roster.list_classes_of(session, course.id), of_course)


def _make_line(
    session: Session, occurrence: lessons.Occurrence, lesson: Lesson, titles: dict[str, str]
) -> LessonLine:
    return LessonLine(
        lesson_id=lesson.id,
        held_on=occurrence.held_on,
        starts_at=occurrence.starts_at,
        ends_at=occurrence.ends_at,
        zone=lesson.zone,
        last_on=lesson.last_on if lesson.last_on > lesson.first_on else None,
        classes=[found.name for found in lessons.list_classes(session, lesson.id)],
        personal=lesson.personal,
        project=titles.get(lesson.project_id or ""),
    )


def read_typed(form: FormData) -> TypedLesson:
    """Return the form as it was sent."""

    def read(name: str) -> str:
        return str(form.get(name, "")).strip()[:40]

    return TypedLesson(
        starts=read("starts"),
        minutes=read("minutes"),
        last_on=read("last_on"),
        class_ids=frozenset(str(value)[:40] for value in form.getlist("class")),
        personal=bool(form.get("personal")),
        project=read("project"),
        turn=read("turn"),
    )


def make_announcement(
    typed: TypedLesson, local: dt.datetime | None, zone: str, language: str
) -> lessons.Announcement:
    """Return what the form says. Raises Stopped when it is no date or number."""
    if local is None:
        raise Stopped(translate(language)(N_("Choose the day and time of the lesson.")), status=422)
    digits = typed.minutes if typed.minutes.isascii() and typed.minutes.isdecimal() else "0"
    return lessons.Announcement(
        local=local,
        zone=zone,
        minutes=int(digits[:6]),
        last_on=read_day(typed.last_on, language) if typed.last_on else None,
        class_ids=typed.class_ids,
        personal=typed.personal,
        project_id=typed.project or None,
        fold=read_turn(typed.turn),
    )
