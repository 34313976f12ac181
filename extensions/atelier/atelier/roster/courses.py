"""Who is a teacher or a student of which course, at an instant.

An enrolment as teacher counts only for somebody who is no student on the roster; it outlives a change of
role.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, Select, func, select, true
from sqlalchemy.orm import Session

from atelier.roster.people import order_of_class, sort_classes
from atelier.store.models import ClassMembership, Course, CourseClass, Enrolment, Person, SchoolClass

CourseRole = Literal["student", "teacher"]


@dataclass(frozen=True, slots=True)
class RosterCourse:
    """A course and what one person is in it."""

    course: Course
    role: CourseRole


@dataclass(frozen=True, slots=True)
class RosterStudent:
    """A student of a course, with the class and the number in class (№) where there is one."""

    person: Person
    class_name: str | None
    number: int | None


def list_courses_of(session: Session, person_id: str, now: dt.datetime) -> list[RosterCourse]:
    """Return the courses of an active person by title; archived courses are left out.

    Who is both teacher and student of a course is its teacher.
    """
    person = session.get(Person, person_id)
    if person is None or not person.active:
        return []
    taught = _courses(Enrolment.person_id == person_id, Enrolment.role == "teacher", now=now)
    enrolled = _courses(Enrolment.person_id == person_id, Enrolment.role == "student", now=now)
    by_class = (
        select(Course)
        .join(CourseClass, CourseClass.course_id == Course.id)
        .join(ClassMembership, ClassMembership.class_id == CourseClass.class_id)
        .where(ClassMembership.person_id == person_id, ClassMembership.holds_at(now))
        .where(Course.archived_at.is_(None))
    )
    asked: tuple[tuple[Select[Course], CourseRole], ...] = (
        (taught, "teacher"),
        (enrolled, "student"),
        (by_class, "student"),
    )
    found: dict[str, RosterCourse] = {}
    for query, role in asked[1:] if person.role == "student" else asked:
        for course in session.scalars(query):
            found.setdefault(course.id, RosterCourse(course, role))
    return sorted(found.values(), key=lambda entry: (entry.course.title, entry.course.slug))


def list_students(session: Session, course_id: str, now: dt.datetime) -> list[RosterStudent]:
    """Return the active students of a course, of its classes and enrolled by name, by class and №."""
    people = {p.id: p for query in _student_queries(course_id, now) for p in session.scalars(query)}
    places = _list_places(session, course_id, list(people), now)
    nowhere: tuple[str | None, int | None] = (None, None)
    students = [RosterStudent(p, *places.get(p.id, nowhere)) for p in people.values()]
    return sorted(students, key=_order_of_student)


def list_teachers(session: Session, course_id: str, now: dt.datetime) -> list[Person]:
    """Return the active teachers of a course by name."""
    query = _enrolled(course_id, "teacher", now)
    return sorted(set(session.scalars(query)), key=lambda p: (p.family_name, p.given_name, p.id))


def list_classes_of(session: Session, course_id: str) -> list[SchoolClass]:
    """Return the classes that are taught in a course, the newest school year first, then 7А before 10Б."""
    query = (
        select(SchoolClass)
        .join(CourseClass, CourseClass.class_id == SchoolClass.id)
        .where(CourseClass.course_id == course_id)
    )
    return sort_classes(session.scalars(query))


def count_students(session: Session, school_id: str, now: dt.datetime) -> dict[str, int]:
    """Return by class how many active people are in it at `now`; empty classes are left out."""
    query = (
        select(ClassMembership.class_id, func.count(ClassMembership.person_id.distinct()))
        .join(Person, Person.id == ClassMembership.person_id)
        .join(SchoolClass, SchoolClass.id == ClassMembership.class_id)
        .where(SchoolClass.school_id == school_id, Person.deactivated_at.is_(None))
        .where(ClassMembership.holds_at(now))
        .group_by(ClassMembership.class_id)
    )
    counts: dict[str, int] = dict(session.execute(query).all())
    return counts


def is_teacher(session: Session, person_id: str, course_id: str, now: dt.datetime) -> bool:
    """Whether an active person teaches the course at `now`."""
    query = _enrolled(course_id, "teacher", now).where(Person.id == person_id)
    return session.scalars(query.limit(1)).first() is not None


def is_student(session: Session, person_id: str, course_id: str, now: dt.datetime) -> bool:
    """Whether an active person is a student of the course at `now`, by class or by name."""
    queries = (query.where(Person.id == person_id).limit(1) for query in _student_queries(course_id, now))
    return any(session.scalars(query).first() is not None for query in queries)


def _student_queries(course_id: str, now: dt.datetime) -> tuple[Select[Person], ...]:
    by_class = (
        select(Person)
        .join(ClassMembership, ClassMembership.person_id == Person.id)
        .join(CourseClass, CourseClass.class_id == ClassMembership.class_id)
        .where(CourseClass.course_id == course_id, Person.role == "student")
        .where(Person.deactivated_at.is_(None), ClassMembership.holds_at(now))
    )
    return by_class, _enrolled(course_id, "student", now)


def _enrolled(course_id: str, role: CourseRole, now: dt.datetime) -> Select[Person]:
    may_have_role = Person.role != "student" if role == "teacher" else true()
    return (
        select(Person)
        .join(Enrolment, Enrolment.person_id == Person.id)
        .where(Enrolment.course_id == course_id, Enrolment.role == role, may_have_role)
        .where(Person.deactivated_at.is_(None), Enrolment.holds_at(now))
    )


def _courses(*conditions: ColumnElement[bool], now: dt.datetime) -> Select[Course]:
    return (
        select(Course)
        .join(Enrolment, Enrolment.course_id == Course.id)
        .where(*conditions, Enrolment.holds_at(now), Course.archived_at.is_(None))
    )


def _list_places(
    session: Session, course_id: str, person_ids: list[str], now: dt.datetime
) -> dict[str, tuple[str | None, int | None]]:
    """Class and № of each person: in a class of this course if possible, else in any class of this time."""
    of_course = select(CourseClass.class_id).where(CourseClass.course_id == course_id)
    query = (
        select(ClassMembership.person_id, SchoolClass.name, ClassMembership.number)
        .join(SchoolClass, SchoolClass.id == ClassMembership.class_id)
        .where(ClassMembership.person_id.in_(person_ids), ClassMembership.holds_at(now))
        .order_by(SchoolClass.id.in_(of_course), ClassMembership.from_at, ClassMembership.id)
    )
    return {person_id: (name, number) for person_id, name, number in session.execute(query)}


def _order_of_student(student: RosterStudent) -> tuple[tuple[int, str], int, str, str, str]:
    person = student.person
    place = order_of_class(student.class_name or "")
    number = 10_000 if student.number is None else student.number
    return place, number, person.family_name, person.given_name, person.id
