"""Assignments and their deadlines."""

import datetime as dt
import re
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from atelier.projects.course_projects import find_project, list_projects
from atelier.projects.errors import NotFound, ProjectError
from atelier.projects.local_time import check_year, make_instant
from atelier.projects.template import ASSIGNMENT_NAME
from atelier.store.models import Assignment, Course, Release, Submission
from atelier.texts import N_

KINDS = ("individual", "team")


def list_assignments(session: Session, course_id: str) -> list[Assignment]:
    """Return the course's assignments: by deadline (those without one last), then by name."""
    found = session.scalars(select(Assignment).where(Assignment.course_id == course_id))
    return sorted(found, key=lambda a: (a.due_at is None, a.due_at or a.created_at, a.name))


def find_assignment(session: Session, course_id: str, name: str) -> Assignment:
    """Return the course's assignment called `name` (nbgrader's id). Raises NotFound."""
    query = select(Assignment).where(Assignment.course_id == course_id, Assignment.name == name)
    assignment = session.scalars(query).one_or_none()
    if assignment is None:
        raise NotFound("no_assignment", N_("There is no assignment %(name)s in this course."), name=name)
    return assignment


def get_assignment(session: Session, assignment_id: str) -> Assignment:
    """Return the assignment with this id. Raises NotFound."""
    assignment = session.get(Assignment, assignment_id)
    if assignment is None:
        raise NotFound(
            "no_assignment", N_("There is no assignment %(name)s in this course."), name=assignment_id
        )
    return assignment


def ensure_assignment(
    session: Session,
    course_id: str,
    name: str,
    *,
    zone: str,
    now: dt.datetime,
    title: str | None = None,
    kind: str | None = None,
    project_id: str | None = None,
) -> Assignment:
    """Return the assignment `name`, created if absent, with the given values set; None leaves a value as it
    is.

    A new one is individual unless `kind` says 'team'. A team assignment belongs to a project: `project_id`,
    or the course's only project. Raises ProjectError for an impossible name, an unknown kind, a team
    assignment without project, and a change of kind once something was released or submitted.
    """
    _check_values(name, kind)
    # Two releases of a new assignment at once: the second waits and then finds it (PostgreSQL).
    session.scalar(select(Course.id).where(Course.id == course_id).with_for_update())
    query = select(Assignment).where(Assignment.course_id == course_id, Assignment.name == name)
    assignment = session.scalars(query).one_or_none()
    if assignment is None:
        assignment = Assignment(
            course_id=course_id, name=name, title=name, kind="individual", zone=zone, created_at=now
        )
        session.add(assignment)
        session.flush()
    if title is not None and title.strip():
        assignment.title = title.strip()[:200]
    _set_kind(session, assignment, kind or assignment.kind, project_id)
    session.flush()
    return assignment


def set_due(
    session: Session, assignment_id: str, local: dt.datetime | None, *, zone: str, fold: int | None = None
) -> Assignment:
    """Set the deadline to what clocks in `zone` show as the naive `local` time; None takes the deadline away.

    Raises NonexistentTime or AmbiguousTime (see `make_instant`), NotFound. Submissions that are already
    stored keep the `late` of their moment.
    """
    assignment = get_assignment(session, assignment_id)
    assignment.due_at = None if local is None else make_instant(local, zone, fold)
    assignment.zone = zone
    session.flush()
    return assignment


def set_due_instant(session: Session, assignment_id: str, due_at: dt.datetime | None) -> Assignment:
    """Set the deadline to an instant (aware), as a program gives it; None takes the deadline away.

    Raises ProjectError for one without zone or outside 2000-2200: a page that shows it could not be shown.
    """
    if due_at is not None and due_at.tzinfo is None:
        raise ProjectError(
            "naive_instant", N_("The deadline %(due)s has no time zone. End it with Z or +03:00."), due=due_at
        )
    if due_at is not None:
        check_year(due_at.year)
        due_at = due_at.astimezone(dt.UTC)
    assignment = get_assignment(session, assignment_id)
    assignment.due_at = due_at
    session.flush()
    return assignment


def show_due(assignment: Assignment) -> dt.datetime | None:
    """Return the deadline as aware local time in the assignment's zone, or None."""
    return assignment.due_at and assignment.due_at.astimezone(ZoneInfo(assignment.zone))


def _check_values(name: str, kind: str | None) -> None:
    if not re.fullmatch(ASSIGNMENT_NAME, name):
        raise ProjectError(
            "bad_assignment_name",
            N_("%(name)s cannot be an assignment's name. Use small Latin letters, digits, - and _."),
            name=repr(name),
        )
    if kind is not None and kind not in KINDS:
        raise ProjectError(
            "bad_kind", N_("An assignment is individual or team, not %(kind)s."), kind=repr(kind)
        )


def _set_kind(session: Session, assignment: Assignment, kind: str, project_id: str | None) -> None:
    if kind != assignment.kind and _is_in_use(session, assignment):
        raise ProjectError(
            "kind_in_use",
            N_("%(name)s was already released or submitted; who works on it can no longer change. "
               "Make a new assignment."),
            name=assignment.name,
        )  # fmt: skip
    assignment.kind = kind
    if project_id is not None:
        assignment.project_id = find_project(session, assignment.course_id, project_id).id
    elif kind == "team" and assignment.project_id is None:
        assignment.project_id = _find_only_project(session, assignment)


def _is_in_use(session: Session, assignment: Assignment) -> bool:
    queries = (select(t.id).where(t.assignment_id == assignment.id).limit(1) for t in (Release, Submission))
    return any(session.scalar(query) is not None for query in queries)


def _find_only_project(session: Session, assignment: Assignment) -> str:
    projects = list_projects(session, assignment.course_id)
    if len(projects) != 1:
        raise ProjectError(
            "which_project",
            N_("%(name)s is for teams, but the course has %(count)d projects. Say which one."),
            name=assignment.name,
            count=len(projects),
        )
    return projects[0].id
