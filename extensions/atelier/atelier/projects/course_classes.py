"""Which classes are taught in a course."""

import datetime as dt

from sqlalchemy.orm import Session

from atelier import roster
from atelier.projects.errors import NotFound
from atelier.store.models import Course, CourseClass, SchoolClass
from atelier.texts import N_


def list_other_classes(session: Session, course_id: str) -> list[SchoolClass]:
    """Return the classes of the course's school that are not taught in it, the newest school year first."""
    taught = {found.id for found in roster.list_classes_of(session, course_id)}
    school_id = session.get_one(Course, course_id).school_id
    return [found for found in roster.list_classes(session, school_id) if found.id not in taught]


def add_class(session: Session, course_id: str, class_id: str, now: dt.datetime) -> None:
    """Teach one more class of the school in the course. A class that is taught already stays once.

    Raises NotFound for a class of another school.
    """
    found = session.get(SchoolClass, class_id)
    if found is None or found.school_id != session.get_one(Course, course_id).school_id:
        raise NotFound("bad_class", N_("One of the chosen classes is not of this school. Choose again."))
    if any(other.id == class_id for other in list_other_classes(session, course_id)):
        session.add(CourseClass(course_id=course_id, class_id=class_id))
        roster.note_change(session, f"class {class_id} in course {course_id}", now)
