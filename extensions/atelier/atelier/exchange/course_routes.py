"""Routes about courses: what there is to do, who is in it, what grading gave."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from atelier import marks, projects
from atelier.exchange.access import (
    Caller,
    check_course_account,
    find_caller,
    find_course,
    find_visible_assignment,
)
from atelier.exchange.template_archive import find_template_folder, pack_folder
from atelier.exchange.views import (
    AssignmentView,
    MeView,
    RosterEntry,
    view_assignment,
    view_assignments,
    view_me,
    view_roster,
)
from atelier.services import Services, get_services

router = APIRouter()
AnyCaller = Annotated[Caller, Depends(find_caller)]
AnyServices = Annotated[Services, Depends(get_services)]

ARCHIVE_TYPE = "application/gzip"
_PIECE_BYTES = 256 * 1024


class AssignmentChange(BaseModel):
    """What to set of an assignment; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    title: str | None = Field(None, pattern=r"^[^\x00-\x1f\x7f]{1,200}$", description="One line.")
    kind: str | None = Field(None, description="`individual` or `team`.")
    due_at: AwareDatetime | None = Field(None, description="Deadline with offset or Z; null takes it away.")


class StagedView(BaseModel):
    """A result that is stored, not yet a mark."""

    id: str
    submission_id: str
    version: int


@router.get("/me")
def show_me(caller: AnyCaller, services: AnyServices) -> MeView:
    """Say who is asking and which courses the account works in."""
    with services.sessions() as session:
        return view_me(session, services.city, caller)


@router.get("/courses/{slug}/assignments")
def show_assignments(slug: str, caller: AnyCaller, services: AnyServices) -> list[AssignmentView]:
    """List what the account works on in a course, with its state."""
    with services.sessions() as session:
        course, _role = find_course(session, caller, slug)
        return view_assignments(session, caller, course)


@router.put("/courses/{slug}/assignments/{name}")
def set_assignment(
    slug: str, name: str, change: AssignmentChange, caller: AnyCaller, services: AnyServices
) -> AssignmentView:
    """Create or change an assignment (course workspace only)."""
    with services.sessions.begin() as session:
        course = check_course_account(session, caller, slug)
        assignment = projects.ensure_assignment(
            session,
            course.id,
            name,
            zone=caller.view.zone,
            now=caller.now,
            title=change.title,
            kind=change.kind,
        )
        if "due_at" in change.model_fields_set:
            projects.set_due_instant(session, assignment.id, change.due_at)
        return view_assignment(session, caller, assignment)


@router.get("/courses/{slug}/roster")
def show_roster(slug: str, caller: AnyCaller, services: AnyServices) -> list[RosterEntry]:
    """List nbgrader's students: people by class and №, then teams (course workspace only)."""
    with services.sessions() as session:
        return view_roster(session, check_course_account(session, caller, slug), caller.now)


@router.post("/courses/{slug}/assignments/{name}/results", status_code=201)
def stage_results(
    slug: str, name: str, results: list[marks.Result], caller: AnyCaller, services: AnyServices
) -> list[StagedView]:
    """Stage what grading gave (course workspace only). A teacher makes marks of it on the course page."""
    with services.sessions.begin() as session:
        check_course_account(session, caller, slug)
        assignment = find_visible_assignment(session, caller, slug, name)
        staged = marks.stage_results(session, assignment.id, results, caller.account, caller.now)
        return [StagedView.model_validate(row, from_attributes=True) for row in staged]


@router.get(
    "/courses/{slug}/template",
    response_class=StreamingResponse,
    responses={200: {"content": {ARCHIVE_TYPE: {}}}},
)
async def send_template(slug: str, caller: AnyCaller, services: AnyServices) -> StreamingResponse:
    """Send the files of the template the course was started from (course workspace only)."""

    def pack() -> Any:
        with services.sessions() as session:
            course = check_course_account(session, caller, slug)
            folder = find_template_folder(session, Path(services.settings.templates_dir), course)
        return pack_folder(folder)

    packed = await run_in_threadpool(pack)
    # iter() with a sentinel runs in the thread pool, piece by piece; the file vanishes when it is closed.
    pieces = iter(lambda: packed.read(_PIECE_BYTES), b"")
    return StreamingResponse(pieces, media_type=ARCHIVE_TYPE)
