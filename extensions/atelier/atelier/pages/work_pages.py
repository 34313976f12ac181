"""Routes of My work: the page itself, own submissions, own feedback."""

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from atelier.pages.feedback import (
    Download,
    find_feedback,
    find_submission_blob,
    list_feedback_files,
    read_feedback_file,
)
from atelier.pages.guard import CurrentSite, CurrentVisitor
from atelier.pages.links import personal_workspace_url
from atelier.pages.my_work import list_course_cards
from atelier.pages.site import Site

router = APIRouter()

# The file was made from what a student wrote. It gets an opaque origin without scripts, and may load nothing.
FEEDBACK_POLICY = (
    "sandbox; default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'"
)


@router.get("/")
def show_my_work(request: Request, site: CurrentSite, visitor: CurrentVisitor) -> Response:
    """Where a sign-in lands."""
    with site.sessions() as session:
        cards = list_course_cards(session, site, visitor, site.now())
    return site.render(
        request,
        "my_work.html",
        taught=[card for card in cards if card.taught],
        studied=[card for card in cards if not card.taught],
        workspace_url=personal_workspace_url(site, visitor.id),
    )


@router.get("/submissions/{submission_id}/archive")
def download_submission(site: CurrentSite, visitor: CurrentVisitor, submission_id: str) -> Response:
    """Give an own submission back as it was received; a teacher of the course gets it as well."""
    with site.sessions() as session:
        return _send(site, find_submission_blob(session, visitor, submission_id, site.now()))


@router.get("/feedback/{submission_id}")
def show_feedback(
    request: Request, site: CurrentSite, visitor: CurrentVisitor, submission_id: str
) -> Response:
    """List the files of the feedback."""
    with site.sessions() as session:
        feedback = find_feedback(session, visitor, submission_id, site.now())
    files = list_feedback_files(site.services.blobs.find(feedback.sha256))
    return site.render(request, "feedback.html", feedback=feedback, files=files, submission_id=submission_id)


@router.get("/feedback/{submission_id}/archive")
def download_feedback(site: CurrentSite, visitor: CurrentVisitor, submission_id: str) -> Response:
    """Give all files of the feedback as one archive."""
    with site.sessions() as session:
        return _send(site, find_feedback(session, visitor, submission_id, site.now()))


@router.get("/feedback/{submission_id}/files/{number}")
def show_feedback_file(
    site: CurrentSite, visitor: CurrentVisitor, submission_id: str, number: str
) -> Response:
    """Show one HTML file of the feedback, shut off from our origin."""
    with site.sessions() as session:
        feedback = find_feedback(session, visitor, submission_id, site.now())
    content = read_feedback_file(site.services.blobs.find(feedback.sha256), number)
    return Response(
        content,
        media_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": FEEDBACK_POLICY, "X-Content-Type-Options": "nosniff"},
    )


def _send(site: Site, download: Download) -> Response:
    path = site.services.blobs.find(download.sha256)
    return FileResponse(path, media_type="application/gzip", filename=download.file_name)
