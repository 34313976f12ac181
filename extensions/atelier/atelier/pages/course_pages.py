"""Routes of a course: its assignments and deadlines, its marks as a file."""

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
from atelier.pages.date_fields import read_local_time, read_turn, show_local_in_field
from atelier.pages.guard import CurrentSite, CurrentVisitor, SentForm
from atelier.pages.links import course_workspace_url, grading_url

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


@router.post("/assignments/{name}/due")
def set_due(site: CurrentSite, visitor: CurrentVisitor, slug: str, name: str, form: SentForm) -> Response:
    """Set or take away a deadline, typed on the school's clock."""
    now = site.now()
    page = f"courses/{slug}/assignments/{name}"
    with site.sessions.begin() as session:
        course = find_taught_course(session, site, visitor, slug, now)
        assignment = find_course_assignment(session, course, name)
        local = read_local_time(str(form.get("due", "")), visitor.language)
        fold = read_turn(str(form.get("turn", "")))
        try:
            projects.set_due(session, assignment.id, local, zone=course.zone, fold=fold)
        except projects.AmbiguousTime:
            assert local is not None
            return site.go(f"{page}?twice={show_local_in_field(local)}#due")
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
