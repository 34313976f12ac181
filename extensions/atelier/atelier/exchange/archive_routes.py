"""Routes that move archives: releases, submissions, feedback. Streamed both ways."""

import dataclasses
import logging
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from atelier.exchange import access, records, storing
from atelier.exchange.access import Caller
from atelier.exchange.archive import ArchiveLimits
from atelier.exchange.arrival import Arrivals
from atelier.exchange.course_routes import ARCHIVE_TYPE, AnyCaller, AnyServices
from atelier.exchange.errors import ExchangeError
from atelier.exchange.records import Receipt
from atelier.exchange.views import ReleaseView, view_release
from atelier.services import Services
from atelier.texts import N_

router = APIRouter()
_log = logging.getLogger("atelier.exchange")

# The body limit of the framework does not apply to archives: `Arrivals.receive` has the school's own limit.
_NO_OTHER_LIMIT: dict[str, Any] = {
    "max_body_size": 1 << 62,
    "openapi_extra": {"requestBody": {"required": True, "content": {ARCHIVE_TYPE: {}}}},
}
_ARCHIVE: dict[str, Any] = {
    "response_class": FileResponse,
    "responses": {200: {"content": {ARCHIVE_TYPE: {}}}},
}
IdempotencyKey = Annotated[
    str,
    Header(
        min_length=8,
        max_length=80,
        pattern=r"^[A-Za-z0-9._:-]+$",
        description="Made once for one submission and sent again with each repetition of it.",
    ),
]


class StagedFeedback(BaseModel):
    """Feedback that is stored; students see it when a teacher has confirmed the marks."""

    id: str
    version: int


@router.post("/courses/{slug}/assignments/{name}/releases", status_code=201, **_NO_OTHER_LIMIT)
async def release(
    request: Request, response: Response, slug: str, name: str, caller: AnyCaller, services: AnyServices
) -> ReleaseView:
    """Store a new version of the student files (course workspace only). Equal bytes: 200, no new version."""

    def check(session: Session) -> None:
        access.check_course_account(session, caller, slug)
        access.find_visible_assignment(session, caller, slug, name)

    await run_in_threadpool(_read, services, check)
    arrivals = _arrivals(request)
    async with arrivals.receive(request, caller.account, _limits(caller)) as arrived:
        stored, size, is_new = await arrivals.in_thread(
            storing.store_release, services, _arrived_now(caller, services), slug, name, arrived
        )
    response.status_code = 201 if is_new else 200
    return view_release(stored, size)


@router.get("/courses/{slug}/assignments/{name}/releases/latest", **_ARCHIVE)
def send_release(
    request: Request, slug: str, name: str, caller: AnyCaller, services: AnyServices
) -> Response:
    """Send the newest release. `ETag` is the SHA-256; `If-None-Match` spares a copy that is already there."""
    with services.sessions() as session:
        assignment = access.find_visible_assignment(session, caller, slug, name)
        newest = records.find_latest_release(session, assignment.id)
    if newest is None:
        raise access.not_found()
    headers = {"Atelier-Version": str(newest.version)}
    return _send_blob(request, services, newest.sha256, f"{name}-{newest.version}", headers)


@router.post(
    "/courses/{slug}/assignments/{name}/submissions",
    status_code=201,
    response_model=Receipt,
    **_NO_OTHER_LIMIT,
)
async def submit(
    request: Request,
    slug: str,
    name: str,
    idempotency_key: IdempotencyKey,
    caller: AnyCaller,
    services: AnyServices,
) -> JSONResponse:
    """Store a submission and answer with its receipt: 201, or 200 when key and bytes are known already."""
    await run_in_threadpool(_read, services, lambda s: access.check_may_submit(s, caller, slug, name))
    arrivals = _arrivals(request)
    async with arrivals.receive(request, caller.account, _limits(caller)) as arrived:
        receipt, is_new = await arrivals.in_thread(
            storing.store_submission,
            services,
            _arrived_now(caller, services),
            slug,
            name,
            idempotency_key,
            arrived,
        )
    return JSONResponse(receipt.model_dump(mode="json"), status_code=201 if is_new else 200)


@router.get("/courses/{slug}/assignments/{name}/submissions")
def show_submissions(slug: str, name: str, caller: AnyCaller, services: AnyServices) -> list[Receipt]:
    """List receipts, newest first: the account's own; for the course workspace, everybody's."""
    own = None if caller.view.kind == "course" else caller.account
    with services.sessions() as session:
        assignment = access.find_visible_assignment(session, caller, slug, name)
        return records.list_receipts(session, records.list_submissions(session, assignment.id, own))


@router.get("/submissions/{submission_id}")
def show_submission(submission_id: str, caller: AnyCaller, services: AnyServices) -> Receipt:
    """Show the receipt of a submission to its owner and to its course's workspace."""
    with services.sessions() as session:
        return records.make_receipt(session, access.find_own_submission(session, caller, submission_id))


@router.get("/submissions/{submission_id}/archive", **_ARCHIVE)
def send_submission(
    request: Request, submission_id: str, caller: AnyCaller, services: AnyServices
) -> Response:
    """Send a submission as it arrived, to its owner and to its course's workspace."""
    with services.sessions() as session:
        submission = access.find_own_submission(session, caller, submission_id)
    return _send_blob(request, services, submission.sha256, submission.id)


@router.post("/submissions/{submission_id}/feedback", status_code=201, **_NO_OTHER_LIMIT)
async def stage_feedback(
    request: Request, response: Response, submission_id: str, caller: AnyCaller, services: AnyServices
) -> StagedFeedback:
    """Stage feedback for a submission (course workspace only). Equal bytes: 200, no new version."""
    await run_in_threadpool(
        _read, services, lambda s: access.find_course_submission(s, caller, submission_id)
    )
    arrivals = _arrivals(request)
    async with arrivals.receive(request, caller.account, _limits(caller)) as arrived:
        feedback, is_new = await arrivals.in_thread(
            storing.store_feedback, services, _arrived_now(caller, services), submission_id, arrived
        )
    response.status_code = 201 if is_new else 200
    return StagedFeedback(id=feedback.id, version=feedback.version)


@router.get("/submissions/{submission_id}/feedback", **_ARCHIVE)
def send_feedback(request: Request, submission_id: str, caller: AnyCaller, services: AnyServices) -> Response:
    """Send the newest confirmed feedback to the owner of the submission."""
    with services.sessions() as session:
        submission = access.find_own_submission(session, caller, submission_id)
        feedback = records.find_confirmed_feedback(session, [submission.id])
    if feedback is None or submission.account != caller.account:
        raise access.not_found()
    headers = {"Atelier-Version": str(feedback.version)}
    return _send_blob(request, services, feedback.sha256, f"{submission.id}-feedback", headers)


def _read(services: Services, look: Any) -> None:
    with services.sessions() as session:
        look(session)


def _arrivals(request: Request) -> Arrivals:
    arrivals = request.app.state.arrivals
    assert isinstance(arrivals, Arrivals)
    return arrivals


def _limits(caller: Caller) -> ArchiveLimits:
    return ArchiveLimits.of_account(caller.view.limits)


def _arrived_now(caller: Caller, services: Services) -> Caller:
    """The caller at the instant the last byte had arrived: rights and deadline are judged by that."""
    return dataclasses.replace(caller, now=services.clock())


def _send_blob(
    request: Request, services: Services, sha256: str, name: str, headers: dict[str, str] | None = None
) -> Response:
    headers = {"ETag": f'"{sha256}"', "Cache-Control": "private, no-cache", **(headers or {})}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    try:
        path = services.blobs.find(sha256)
    except FileNotFoundError as error:
        _log.error("blob-lost: %s", error)
        text = N_(
            "Atelier cannot find this file although it was stored. Tell your school; it can be restored."
        )
        raise ExchangeError(500, "blob_lost", text) from error
    return FileResponse(path, media_type=ARCHIVE_TYPE, headers=headers, filename=f"{name}.tar.gz")
