"""Reading marks: the newest version of each, and only confirmed ones exist."""

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from atelier.store.models import Assignment, Mark


def list_marks_of(session: Session, person_id: str) -> list[Mark]:
    """Return the person's marks, one per assignment (its newest version), newest confirmed first."""
    return _list_newest(session, Mark.person_id == person_id)


def list_assignment_marks(session: Session, assignment_id: str) -> list[Mark]:
    """Return one mark per person of one assignment: the newest version."""
    return _list_newest(session, Mark.assignment_id == assignment_id)


def list_course_marks(session: Session, course_id: str) -> list[Mark]:
    """Return one mark per person and assignment of a course: the newest versions."""
    assignments = select(Assignment.id).where(Assignment.course_id == course_id)
    return _list_newest(session, Mark.assignment_id.in_(assignments))


def _list_newest(session: Session, condition: ColumnElement[bool]) -> list[Mark]:
    newest = (
        select(Mark.assignment_id, Mark.person_id, func.max(Mark.version).label("version"))
        .where(condition)
        .group_by(Mark.assignment_id, Mark.person_id)
        .subquery()
    )
    query = (
        select(Mark)
        .join(
            newest,
            (Mark.assignment_id == newest.c.assignment_id)
            & (Mark.person_id == newest.c.person_id)
            & (Mark.version == newest.c.version),
        )
        .order_by(Mark.confirmed_at.desc(), Mark.id)
    )
    return list(session.scalars(query))
