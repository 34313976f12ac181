"""Which classes are taught in a course."""

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from atelier import roster
from atelier.pages.answers import Absent
from atelier.pages.course import TaughtCourse
from atelier.store.models import Course, CourseClass, SchoolClass


def list_other_classes(session: Session, course: TaughtCourse) -> list[SchoolClass]:
    """Return the classes of the course's school that are not taught in it, the newest school year first."""
    school_id = session.get_one(Course, course.id).school_id
    taught = set(session.scalars(select(CourseClass.class_id).where(CourseClass.course_id == course.id)))
    return [found for found in roster.list_classes(session, school_id) if found.id not in taught]


def add_class(session: Session, course: TaughtCourse, class_id: str, now: dt.datetime) -> None:
    """Teach one more class of the school in the course. A class that is taught already stays once.

    Raises Absent for a class of another school.
    """
    school_id = session.get_one(Course, course.id).school_id
    found = session.get(SchoolClass, class_id)
    if found is None or found.school_id != school_id:
        raise Absent
    if any(other.id == class_id for other in list_other_classes(session, course)):
        session.add(CourseClass(course_id=course.id, class_id=class_id))
        roster.note_change(session, f"class {class_id} in course {course.id}", now)
