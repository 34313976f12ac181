"""Routes that set things up: starting a course from a template, and the school's overview."""

import datetime as dt
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from atelier import projects, roster
from atelier.pages.answers import Absent, Stopped
from atelier.pages.guard import CurrentSite, CurrentVisitor, SentForm
from atelier.pages.visitors import Visitor
from atelier.store.models import Person

router = APIRouter()


@dataclass(frozen=True)
class ClassLine:
    """A class of the school with the number of its active students."""

    id: str
    name: str
    school_year: int
    students: int


@dataclass(frozen=True)
class CourseLine:
    """A course of the school with its teachers."""

    slug: str
    title: str
    teachers: list[str]


@router.get("/start")
def show_start(request: Request, site: CurrentSite, visitor: CurrentVisitor) -> Response:
    """Choose a template, a title, the classes and, for a school administrator, the teacher."""
    _check_may_start(visitor)
    with site.sessions() as session:
        classes = _list_classes(session, visitor.school_id, site.now())
        teachers = _list_possible_teachers(session, visitor)
    templates = projects.list_templates(site.settings.templates_dir)
    return site.render(request, "start.html", templates=templates, classes=classes, teachers=teachers)


@router.post("/start")
def start_course(site: CurrentSite, visitor: CurrentVisitor, form: SentForm) -> Response:
    """Start the course: its students, project, assignments and workspaces come with it."""
    _check_may_start(visitor)
    school = site.city.find_school(visitor.school_id)
    try:
        template = projects.find_template(site.settings.templates_dir, str(form.get("template", "")))
        with site.sessions.begin() as session:
            course = projects.start_course(
                session,
                template,
                title=str(form.get("title", "")),
                school=school,
                class_ids=[str(value) for value in form.getlist("class")],
                teacher_id=str(form.get("teacher", "")) if visitor.manages_school else visitor.id,
                now=site.now(),
            )
            slug, teaches = course.slug, roster.is_teacher(session, visitor.id, course.id, site.now())
    except projects.ProjectError as error:
        raise Stopped(error.text(visitor.language), back="start") from error
    return site.go(f"courses/{slug}?done=started" if teaches else "school?done=started")


@router.get("/school")
def show_school(request: Request, site: CurrentSite, visitor: CurrentVisitor) -> Response:
    """For school administrators: the classes and courses of their school."""
    if not visitor.manages_school:
        raise Absent
    with site.sessions() as session:
        classes = _list_classes(session, visitor.school_id, site.now())
        courses = _list_courses(session, visitor.school_id, site.now())
    return site.render(request, "school.html", classes=classes, courses=courses)


def _check_may_start(visitor: Visitor) -> None:
    if not visitor.may_start_courses:
        raise Absent


def _list_classes(session: Session, school_id: str, now: dt.datetime) -> list[ClassLine]:
    counts = roster.count_students(session, school_id, now)
    return [
        ClassLine(c.id, c.name, c.school_year, counts.get(c.id, 0))
        for c in roster.list_classes(session, school_id)
    ]


def _list_courses(session: Session, school_id: str, now: dt.datetime) -> list[CourseLine]:
    return [
        CourseLine(
            course.slug,
            course.title,
            [person.display_name for person in roster.list_teachers(session, course.id, now)],
        )
        for course in projects.list_courses(session, school_id)
    ]


def _list_possible_teachers(session: Session, visitor: Visitor) -> list[Person]:
    """Whom a school administrator may choose; a teacher starts her own courses."""
    if not visitor.manages_school:
        return []
    return [p for p in roster.list_people(session, visitor.school_id) if p.active and p.role != "student"]
