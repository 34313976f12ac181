"""Routes of a course: its assignments and deadlines, its students and teams, its marks as a file."""

import datetime as dt

from fastapi import APIRouter, Request
from fastapi.responses import Response

from atelier import marks, projects
from atelier.pages.answers import Stopped
from atelier.pages.course import (
    find_course_assignment,
    find_taught_course,
    list_assignment_lines,
    load_people,
)
from atelier.pages.guard import CurrentSite, CurrentVisitor, SentForm
from atelier.pages.links import course_workspace_url, grading_url
from atelier.pages.team_changes import apply_team_changes, read_team_changes
from atelier.texts import N_, translate

router = APIRouter(prefix="/courses/{slug}")


@router.get("")
def show_course(request: Request, site: CurrentSite, visitor: CurrentVisitor, slug: str) -> Response:
    """The course's assignments: what is due, who has submitted, what has marks."""
    now = site.now()
    with site.sessions() as session:
        course = find_taught_course(session, site, visitor, slug, now)
        lines = list_assignment_lines(session, site.city, course.id, now)
        people = load_people(session, course, None, now)
    return site.render(
        request,
        "course.html",
        course=course,
        lines=lines,
        student_count=len(people.students),
        people=people,
        workspace_url=course_workspace_url(site, course.id, visitor.id),
        grading_url=grading_url(site, course.id),
    )


@router.get("/people")
def show_people(
    request: Request, site: CurrentSite, visitor: CurrentVisitor, slug: str, project: str | None = None
) -> Response:
    """The course's students by class and №, and the teams of a project."""
    now = site.now()
    with site.sessions() as session:
        course = find_taught_course(session, site, visitor, slug, now)
        people = load_people(session, course, project, now)
    return site.render(
        request,
        "people.html",
        course=course,
        people=people,
        workspace_url=course_workspace_url(site, course.id, visitor.id),
    )


@router.post("/projects")
def create_project(site: CurrentSite, visitor: CurrentVisitor, slug: str, form: SentForm) -> Response:
    """Add a project, for which teams can then be formed."""
    now = site.now()
    with site.sessions.begin() as session:
        course = find_taught_course(session, site, visitor, slug, now)
        try:
            project = projects.create_project(session, course.id, title=str(form.get("title", "")), now=now)
        except projects.ProjectError as error:
            raise Stopped(error.text(visitor.language), back=f"courses/{slug}/people") from error
    return site.go(f"courses/{course.slug}/people?project={project.id}")


@router.post("/projects/{project_id}/teams")
def create_team(
    site: CurrentSite, visitor: CurrentVisitor, slug: str, project_id: str, form: SentForm
) -> Response:
    """Add an empty team to a project."""
    now = site.now()
    with site.sessions.begin() as session:
        course = find_taught_course(session, site, visitor, slug, now)
        load_people(session, course, project_id, now)
        try:
            projects.create_team(session, project_id, str(form.get("name", "")), now)
        except projects.ProjectError as error:
            raise Stopped(error.text(visitor.language), back=f"courses/{slug}/people") from error
    return site.go(f"courses/{course.slug}/people?project={project_id}&done=team#teams")


@router.post("/projects/{project_id}/members")
def move_students(
    site: CurrentSite, visitor: CurrentVisitor, slug: str, project_id: str, form: SentForm
) -> Response:
    """Put students into the teams chosen for them; who was not changed stays where others put them."""
    now = site.now()
    with site.sessions.begin() as session:
        course = find_taught_course(session, site, visitor, slug, now)
        people = load_people(session, course, project_id, now)
        try:
            apply_team_changes(session, people, read_team_changes(form), now)
        except projects.ProjectError as error:
            raise Stopped(error.text(visitor.language), back=f"courses/{slug}/people") from error
    return site.go(f"courses/{course.slug}/people?project={project_id}&done=members")


@router.post("/assignments/{name}/due")
def set_due(site: CurrentSite, visitor: CurrentVisitor, slug: str, name: str, form: SentForm) -> Response:
    """Set or take away a deadline, typed on the school's clock."""
    now = site.now()
    page = f"courses/{slug}/assignments/{name}"
    with site.sessions.begin() as session:
        course = find_taught_course(session, site, visitor, slug, now)
        assignment = find_course_assignment(session, course, name)
        local = _read_local_time(str(form.get("due", "")), visitor.language)
        fold = {"first": 0, "second": 1}.get(str(form.get("turn", "")))
        try:
            projects.set_due(session, assignment.id, local, zone=course.zone, fold=fold)
        except projects.AmbiguousTime:
            assert local is not None
            return site.go(f"{page}?twice={local.strftime('%Y-%m-%dT%H:%M')}#due")
        except projects.ProjectError as error:
            raise Stopped(error.text(visitor.language), back=page) from error
    return site.go(f"{page}?done=due")


@router.get("/marks.csv")
def download_marks(site: CurrentSite, visitor: CurrentVisitor, slug: str) -> Response:
    """The confirmed marks as a table that a spreadsheet opens."""
    now = site.now()
    with site.sessions() as session:
        course = find_taught_course(session, site, visitor, slug, now)
        content = marks.export_marks_csv(session, site.city, course.id, visitor.language, now)
    return Response(
        content,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{course.slug}-marks.csv"'},
    )


def _read_local_time(text: str, language: str) -> dt.datetime | None:
    """Read what a date-time field sends (``2026-11-23T14:30``); empty is no deadline. Raises Stopped."""
    if not text.strip():
        return None
    try:
        local = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        local = None
    if local is None or local.tzinfo is not None:
        message = translate(language)(N_("“%(text)s” is no date and time. Write it like 2026-11-23T14:30."))
        raise Stopped(message % {"text": text[:40]}, status=422)
    return local.replace(second=0, microsecond=0)
