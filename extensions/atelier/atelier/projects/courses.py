"""Starting a course: the course, its classes, its teacher, its project and assignments in one go."""

import datetime as dt
from collections.abc import Iterable
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from atelier import roster
from atelier.projects.assignments import ensure_assignment, set_due_instant
from atelier.projects.course_projects import check_title, create_project
from atelier.projects.errors import NotFound, ProjectError
from atelier.projects.slugs import MAX_SLUG_LENGTH, SLUG_PATTERN, make_slug, number_slug
from atelier.projects.template import Template, TemplateAssignment
from atelier.store.models import Course, CourseClass, Enrolment, Person, Project, SchoolClass
from atelier.texts import N_


class SchoolFacts(Protocol):
    """What this room needs of a school of the city file (`hub_config.city.School` has it)."""

    @property
    def id(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def zone(self) -> str: ...


def start_course(
    session: Session,
    template: Template,
    *,
    title: str,
    school: SchoolFacts,
    class_ids: Iterable[str],
    teacher_id: str,
    now: dt.datetime,
    slug: str | None = None,
) -> Course:
    """Create a course from `template`: classes, teacher, project and assignments with deadlines; tell the
    steward.

    `slug` is made from the title when it is not given. Raises ProjectError (`bad_slug`, `slug_taken`,
    `no_title`, `bad_class`, `bad_teacher`) before anything is written.
    """
    course = create_course(
        session, title=title, school=school, class_ids=class_ids, teacher_id=teacher_id, now=now, slug=slug
    )
    project = create_project(
        session,
        course.id,
        title=template.title.text(school.language),
        driving_question=template.driving_question.text(school.language),
        template=template.name,
        plan=template.plan(),
        now=now,
    )
    for planned in template.assignments:
        _add_assignment(session, course, project, planned, school, now)
    return course


def create_course(
    session: Session,
    *,
    title: str,
    school: SchoolFacts,
    class_ids: Iterable[str],
    teacher_id: str,
    now: dt.datetime,
    slug: str | None = None,
    kind: str = "subject",
) -> Course:
    """Create a course without project: its classes (of `school`) and its first teacher; tell the steward.

    A club (`kind='club'`) may have classes and a teacher of other schools. Raises ProjectError, see
    `start_course`.
    """
    title = check_title(title)
    chosen = _check_slug(session, slug) if slug else find_free_slug(session, make_slug(title))
    classes = _check_classes(session, class_ids, school.id, kind)
    _check_teacher(session, teacher_id, school.id, kind)
    course = Course(school_id=school.id, slug=chosen, title=title, kind=kind, created_at=now)
    _add_course(session, course)
    session.add_all(CourseClass(course_id=course.id, class_id=class_id) for class_id in classes)
    session.add(Enrolment(course_id=course.id, person_id=teacher_id, role="teacher", from_at=now))
    session.flush()
    roster.note_change(session, f"course {course.id} started", now)
    return course


def find_course(session: Session, slug: str) -> Course:
    """Return the course with this slug, archived or not. Raises NotFound."""
    course = session.scalars(select(Course).where(Course.slug == slug)).one_or_none()
    if course is None:
        raise NotFound("no_course", N_("There is no course %(slug)s."), slug=slug)
    return course


def list_courses(session: Session, school_id: str) -> list[Course]:
    """Return the courses that a school answers for, by title; archived courses are left out."""
    query = select(Course).where(Course.school_id == school_id, Course.archived_at.is_(None))
    return list(session.scalars(query.order_by(Course.title, Course.slug)))


def find_free_slug(session: Session, slug: str) -> str:
    """Return `slug`, or the first of `slug-2`, `slug-3` … that no course of the city has."""
    taken = set(session.scalars(select(Course.slug)))
    number = 2
    free = slug
    while free in taken:
        free = number_slug(slug, number)
        number += 1
    return free


def _add_assignment(
    session: Session,
    course: Course,
    project: Project,
    planned: TemplateAssignment,
    school: SchoolFacts,
    now: dt.datetime,
) -> None:
    assignment = ensure_assignment(
        session,
        course.id,
        planned.name,
        zone=school.zone,
        now=now,
        title=planned.title.text(school.language),
        kind=planned.kind,
        project_id=project.id,
    )
    set_due_instant(session, assignment.id, _plan_due(planned, school.zone, now))


def _plan_due(planned: TemplateAssignment, zone: str, now: dt.datetime) -> dt.datetime:
    """The planned local time; where clocks skip it, just after the jump: nobody is there to be asked (PEP
    495).
    """
    tz = ZoneInfo(zone)
    day = now.astimezone(tz).date() + dt.timedelta(days=planned.due_in_days)
    return dt.datetime.combine(day, planned.due_time, tzinfo=tz).astimezone(dt.UTC)


def _add_course(session: Session, course: Course) -> None:
    try:
        with session.begin_nested():
            session.add(course)
    except IntegrityError as error:  # somebody started a course of this name at the same moment
        raise _slug_taken(course.slug) from error


def _slug_taken(slug: str) -> ProjectError:
    return ProjectError(
        "slug_taken", N_("Another course has the short name %(slug)s. Choose another."), slug=slug
    )


def _check_slug(session: Session, slug: str) -> str:
    if len(slug) > MAX_SLUG_LENGTH or not SLUG_PATTERN.fullmatch(slug):
        raise ProjectError(
            "bad_slug",
            N_(
                "%(slug)s cannot be a course's short name. Use small Latin letters, digits and -, at most 30."
            ),
            slug=repr(slug),
        )
    if session.scalar(select(Course.id).where(Course.slug == slug)):
        raise _slug_taken(slug)
    return slug


def _check_classes(session: Session, class_ids: Iterable[str], school_id: str, kind: str) -> list[str]:
    chosen = list(dict.fromkeys(class_ids))
    for class_id in chosen:
        found = session.get(SchoolClass, class_id)
        if found is None or (kind != "club" and found.school_id != school_id):
            raise ProjectError(
                "bad_class", N_("One of the chosen classes is not of this school. Choose again.")
            )
    return chosen


def _check_teacher(session: Session, teacher_id: str, school_id: str, kind: str) -> None:
    teacher = session.get(Person, teacher_id)
    of_school = teacher is not None and (kind == "club" or teacher.school_id == school_id)
    if teacher is None or not of_school or not teacher.active or teacher.role == "student":
        raise ProjectError("bad_teacher", N_("A course needs a teacher of this school. Choose one."))
