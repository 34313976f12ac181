"""The projects of a course: what its teams work on."""

import datetime as dt
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from atelier.projects.errors import NotFound, ProjectError
from atelier.store.models import Project
from atelier.texts import N_


def create_project(
    session: Session,
    course_id: str,
    *,
    title: str,
    now: dt.datetime,
    driving_question: str = "",
    template: str | None = None,
    plan: dict[str, Any] | None = None,
) -> Project:
    """Create a project in a course. `plan` is what `Template.plan()` gives."""
    project = Project(
        course_id=course_id,
        title=check_title(title),
        driving_question=driving_question[:1000],
        template=template,
        plan=plan,
        created_at=now,
    )
    session.add(project)
    session.flush()
    return project


def list_projects(session: Session, course_id: str) -> list[Project]:
    """Return the course's projects, oldest first."""
    query = select(Project).where(Project.course_id == course_id).order_by(Project.created_at, Project.id)
    return list(session.scalars(query))


def find_project(session: Session, course_id: str, project_id: str) -> Project:
    """Return a project of this course. Raises NotFound, also when it belongs to another course."""
    project = session.get(Project, project_id)
    if project is None or project.course_id != course_id:
        raise NotFound("no_project", N_("There is no such project in this course."))
    return project


def check_title(title: str) -> str:
    """Return a title of a course or project on one line. Raises ProjectError `no_title`."""
    cleaned = " ".join(title.split())
    if not cleaned or len(cleaned) > 200 or not cleaned.isprintable():
        raise ProjectError("no_title", N_("Give a title of 1 to 200 characters."))
    return cleaned
