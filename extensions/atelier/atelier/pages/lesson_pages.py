"""Routes of a course's lessons: announced ones, a form for another, and taking one back."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from atelier import lessons, projects
from atelier.pages.answers import Absent, Stopped
from atelier.pages.course import find_taught_course
from atelier.pages.date_fields import read_day, read_local_time
from atelier.pages.guard import CurrentSite, CurrentVisitor, SentForm
from atelier.pages.lessons import TypedLesson, load_choices, make_announcement, read_typed
from atelier.pages.links import course_workspace_url
from atelier.pages.site import Site
from atelier.pages.visitors import Visitor
from atelier.settings import SERVICE_PREFIX

router = APIRouter(prefix="/courses/{slug}")


@router.get("/lessons")
def show_lessons(request: Request, site: CurrentSite, visitor: CurrentVisitor, slug: str) -> Response:
    """The lessons of the coming four weeks, and a form to announce one."""
    return _render(request, site, visitor, slug, TypedLesson())


@router.post("/lessons")
def announce_lesson(
    request: Request, site: CurrentSite, visitor: CurrentVisitor, slug: str, form: SentForm
) -> Response:
    """Announce a lesson, once or every week, typed on the school's clock.

    What must be changed comes back with the form as it was typed.
    """
    now, typed = site.now(), read_typed(form)
    try:
        with site.sessions.begin() as session:
            course = find_taught_course(session, site, visitor, slug, now)
            local = read_local_time(typed.starts, visitor.language)
            said = make_announcement(typed, local, course.zone, visitor.language)
            lessons.announce(session, course.id, said, teacher_id=visitor.id, now=now)
    except projects.AmbiguousTime:
        return _render(request, site, visitor, slug, typed, twice=True)
    except (lessons.LessonError, projects.ProjectError) as error:
        return _render(request, site, visitor, slug, typed, problem=error.text(visitor.language), status=409)
    except Stopped as stopped:
        return _render(request, site, visitor, slug, typed, problem=stopped.message, status=stopped.status)
    return site.go(f"courses/{slug}/lessons?done=announced")


@router.post("/lessons/{lesson_id}")
def remove_lesson(
    site: CurrentSite, visitor: CurrentVisitor, slug: str, lesson_id: str, form: SentForm
) -> Response:
    """Take back one day of a lesson, or all its days."""
    now = site.now()
    try:
        with site.sessions.begin() as session:
            course = find_taught_course(session, site, visitor, slug, now)
            if form.get("action") == "all":
                lessons.remove(session, course.id, lesson_id, now)
            else:
                held_on = read_day(str(form.get("day", "")), visitor.language)
                lessons.remove_day(session, course.id, lesson_id, held_on, now)
    except lessons.LessonNotFound:
        raise Absent from None
    return site.go(f"courses/{slug}/lessons?done=removed")


def _render(
    request: Request,
    site: Site,
    visitor: Visitor,
    slug: str,
    typed: TypedLesson,
    *,
    twice: bool = False,
    problem: str = "",
    status: int = 200,
) -> Response:
    now = site.now()
    with site.sessions() as session:
        course = find_taught_course(session, site, visitor, slug, now)
        choices = load_choices(session, course, now)
    return site.render(
        request,
        "lessons.html",
        status,
        here=f"{SERVICE_PREFIX}courses/{course.slug}/lessons",
        course=course,
        choices=choices,
        typed=typed,
        twice=twice,
        problem=problem,
        workspace_url=course_workspace_url(site, course.id, visitor.id),
    )
