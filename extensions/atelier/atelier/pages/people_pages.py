"""Routes of a course's people: students by number, teams of each project, classes that are taught."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from atelier import projects
from atelier.pages.answers import Absent, Stopped
from atelier.pages.course import TaughtCourse, find_taught_course, load_people
from atelier.pages.guard import CurrentSite, CurrentVisitor, SentForm
from atelier.pages.links import course_workspace_url
from atelier.pages.site import Site
from atelier.pages.team_changes import apply_team_changes, read_team_changes
from atelier.pages.visitors import Visitor
from atelier.texts import N_, translate

router = APIRouter(prefix="/courses/{slug}")

DEFAULT_TEAM_NAME = N_("Team")


@dataclass(frozen=True)
class Change:
    """An open transaction in a course that the visitor teaches."""

    session: Session
    course: TaughtCourse
    now: dt.datetime


@contextmanager
def change_course(site: Site, visitor: Visitor, slug: str) -> Iterator[Change]:
    """Give a transaction in the course. A refusal of the rooms becomes a page with the way back.

    Raises Absent, Stopped.
    """
    now = site.now()
    try:
        with site.sessions.begin() as session:
            yield Change(session, find_taught_course(session, site, visitor, slug, now), now)
    except projects.ProjectError as error:
        raise Stopped(error.text(visitor.language), back=f"courses/{slug}/people") from error


@router.get("/people")
def show_people(
    request: Request, site: CurrentSite, visitor: CurrentVisitor, slug: str, project: str | None = None
) -> Response:
    """The course's students by class and №, and the teams of a project."""
    now = site.now()
    with site.sessions() as session:
        course = find_taught_course(session, site, visitor, slug, now)
        people = load_people(session, course, project, now)
        other_classes = projects.list_other_classes(session, course.id)
    return site.render(
        request,
        "people.html",
        course=course,
        people=people,
        other_classes=other_classes,
        workspace_url=course_workspace_url(site, course.id, visitor.id),
    )


@router.post("/classes")
def add_class_to_course(site: CurrentSite, visitor: CurrentVisitor, slug: str, form: SentForm) -> Response:
    """Teach one more class of the school in this course: its students are the course's from now on."""
    with change_course(site, visitor, slug) as change:
        try:
            projects.add_class(change.session, change.course.id, str(form.get("class", "")), change.now)
        except projects.NotFound:
            raise Absent from None
    return site.go(f"courses/{slug}/people?done=class")


@router.post("/projects")
def create_project(site: CurrentSite, visitor: CurrentVisitor, slug: str, form: SentForm) -> Response:
    """Add a project, for which teams can then be formed."""
    with change_course(site, visitor, slug) as change:
        title = str(form.get("title", ""))
        project = projects.create_project(change.session, change.course.id, title=title, now=change.now)
    return site.go(f"courses/{slug}/people?project={project.id}")


@router.post("/projects/{project_id}/teams")
def create_team(
    site: CurrentSite, visitor: CurrentVisitor, slug: str, project_id: str, form: SentForm
) -> Response:
    """Add an empty team to a project."""
    with change_course(site, visitor, slug) as change:
        load_people(change.session, change.course, project_id, change.now)
        projects.create_team(change.session, project_id, str(form.get("name", "")), change.now)
    return site.go(f"courses/{slug}/people?project={project_id}&done=team")


@router.post("/projects/{project_id}/teams/{team_id}")
def change_team(
    site: CurrentSite, visitor: CurrentVisitor, slug: str, project_id: str, team_id: str, form: SentForm
) -> Response:
    """Give a team another name, or remove it while nobody is in it."""
    with change_course(site, visitor, slug) as change:
        people = load_people(change.session, change.course, project_id, change.now)
        team = next((team for team in people.teams if team.id == team_id), None)
        if team is None:
            raise Absent
        if form.get("action") == "remove" and not team.members:
            projects.dissolve_team(change.session, team_id, change.now)
        else:
            projects.rename_team(change.session, team_id, str(form.get("name", "")), change.now)
    return site.go(f"courses/{slug}/people?project={project_id}&done=changed")


@router.post("/projects/{project_id}/draw")
def draw_teams(
    site: CurrentSite, visitor: CurrentVisitor, slug: str, project_id: str, form: SentForm
) -> Response:
    """Put the students without a team into new teams by lot."""
    with change_course(site, visitor, slug) as change:
        load_people(change.session, change.course, project_id, change.now)
        size = str(form.get("size", ""))
        projects.form_teams(
            change.session,
            project_id,
            int(size) if size.isascii() and size.isdecimal() and len(size) < 4 else 0,
            change.now,
            name=translate(visitor.language)(DEFAULT_TEAM_NAME),
        )
    return site.go(f"courses/{slug}/people?project={project_id}&done=members")


@router.post("/projects/{project_id}/members")
def move_students(
    site: CurrentSite, visitor: CurrentVisitor, slug: str, project_id: str, form: SentForm
) -> Response:
    """Put students into the teams chosen for them; who was not changed stays where others put them."""
    with change_course(site, visitor, slug) as change:
        people = load_people(change.session, change.course, project_id, change.now)
        apply_team_changes(change.session, people, read_team_changes(form), change.now)
    return site.go(f"courses/{slug}/people?project={project_id}&done=members")
