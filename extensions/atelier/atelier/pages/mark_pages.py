"""Routes of one assignment for its teachers: who submitted when, the staged results, their confirmation."""

from decimal import Decimal

from fastapi import APIRouter, Request
from fastapi.responses import Response

from atelier import exchange, marks
from atelier.pages.adjustments import read_adjustments, was_shown
from atelier.pages.answers import Stopped
from atelier.pages.course import TaughtCourse, find_course_assignment, find_taught_course
from atelier.pages.date_fields import check_field_value, show_in_field
from atelier.pages.guard import CurrentSite, CurrentVisitor, SentForm
from atelier.pages.links import course_workspace_url, grading_url
from atelier.pages.site import Site
from atelier.pages.visitors import Visitor
from atelier.settings import SERVICE_PREFIX
from atelier.store.models import Assignment

router = APIRouter(prefix="/courses/{slug}/assignments/{name}")


@router.get("")
def show_assignment(
    request: Request,
    site: CurrentSite,
    visitor: CurrentVisitor,
    slug: str,
    name: str,
    ungraded: str = "",
    twice: str = "",
) -> Response:
    """The list of submissions, staged results, marks. `twice`: a deadline that clocks show twice."""
    now = site.now()
    with site.sessions() as session:
        course = find_taught_course(session, site, visitor, slug, now)
        assignment = find_course_assignment(session, course, name)
        released = exchange.find_latest_release(session, assignment.id) is not None
        preview = marks.preview_marks(session, site.city, assignment.id, now, accept_ungraded=bool(ungraded))
    return _render(
        request, site, visitor, course, assignment, preview,
        accept_ungraded=bool(ungraded), released=released, twice=twice,
    )  # fmt: skip


@router.post("/marks")
def confirm(
    request: Request, site: CurrentSite, visitor: CurrentVisitor, slug: str, name: str, form: SentForm
) -> Response:
    """Confirm exactly the list that was shown. Adjustments that it did not show yet are shown first."""
    now = site.now()
    page = f"courses/{slug}/assignments/{name}"
    adjustments = read_adjustments(form, visitor.language)
    accept_ungraded, digest = bool(form.get("ungraded")), str(form.get("digest", ""))
    confirming = form.get("action") == "confirm"
    try:
        with site.sessions.begin() as session:
            course = find_taught_course(session, site, visitor, slug, now)
            assignment = find_course_assignment(session, course, name)
            if confirming and was_shown(form, adjustments, visitor.language):
                marks.confirm_marks(
                    session, site.city, assignment.id, visitor.id, digest, adjustments, now,
                    accept_ungraded=accept_ungraded,
                )  # fmt: skip
                return site.go(f"{page}?done=confirmed")
            preview = marks.preview_marks(
                session, site.city, assignment.id, now, accept_ungraded=accept_ungraded
            )
            preview = marks.adjust_preview(preview, adjustments)
    except marks.StaleConfirmation:
        return site.go(f"{page}?done=stale")
    except marks.MarkError as error:
        raise Stopped(error.text(visitor.language), back=page) from error
    return _render(
        request, site, visitor, course, assignment, preview,
        accept_ungraded=accept_ungraded, recalculated=True, unasked=confirming,
    )  # fmt: skip


def _render(
    request: Request,
    site: Site,
    visitor: Visitor,
    course: TaughtCourse,
    assignment: Assignment,
    preview: marks.Preview,
    *,
    accept_ungraded: bool,
    released: bool = True,
    twice: str = "",
    recalculated: bool = False,
    unasked: bool = False,
) -> Response:
    return site.render(
        request,
        "assignment.html",
        here=f"{SERVICE_PREFIX}courses/{course.slug}/assignments/{assignment.name}",
        course=course,
        assignment=assignment,
        listed=preview,
        accept_ungraded=accept_ungraded,
        released=released,
        due_value=show_in_field(assignment.due_at, course.zone),
        twice=check_field_value(twice),
        recalculated=recalculated,
        unasked=unasked,
        zero=Decimal(0),
        workspace_url=course_workspace_url(site, course.id, visitor.id),
        grading_url=grading_url(site, course.id),
    )
