"""Routes below `<base_url>atelier/`: what the sidebar asks. Answers are JSON, errors are sentences."""

import asyncio
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from atelier_lab.errors import Problem, explain
from atelier_lab.folders import describe_copy, describe_folder, is_slug, is_submission_id, list_feedback
from atelier_lab.live_documents import save_live_documents
from atelier_lab.overview import load_overview
from atelier_lab.restore import choose_folder, unpack
from atelier_lab.service import Service
from atelier_lab.texts import N_
from atelier_lab.transfer import Transfers
from atelier_lab.workspace import Workspace, load_workspace

BODY_LIMIT = 4096


class AtelierHandler(APIHandler):
    """What all routes share: the workspace, the language, and errors as `{error, message, retry}`."""

    auth_resource = "atelier"

    def initialize(
        self, server_app: Any, workspace: Workspace, service: Service, transfers: Transfers
    ) -> None:
        self.server_app = server_app
        self.workspace = workspace
        self.service = service
        self.transfers = transfers

    @property
    def reader_language(self) -> str:
        """The language Lab shows right now (the sidebar sends it), else the account's."""
        wanted = self.request.headers.get("Accept-Language", self.workspace.language)
        return "bg" if wanted.startswith("bg") else "en"

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """A sentence in the reader's language; the traceback is in the server's log only."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        status, answer = explain(error, status_code, self.reader_language)
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(answer))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """What `explain` has a sentence for needs no traceback in the log."""
        if isinstance(value, Problem.EXPECTED):
            self.log.info("atelier: %s: %s", self.request.path, value)
        else:
            super().log_exception(typ, value, tb)

    def read_slugs(self) -> tuple[str, str]:
        """`course` and `assignment` of the request's body. Raises Problem."""
        body = self.read_body()
        course, assignment = body.get("course"), body.get("assignment")
        if not is_slug(course) or not is_slug(assignment):
            raise Problem(400, "bad_request", N_("This is not the name of an assignment."))
        return str(course), str(assignment)

    def read_body(self) -> dict[str, Any]:
        """The request's JSON object. Raises Problem."""
        try:
            body = json.loads(self.request.body) if len(self.request.body) <= BODY_LIMIT else None
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Problem(400, "bad_request", N_("This is not the name of an assignment."))
        return body


class MeHandler(AtelierHandler):
    """Who this workspace is, from the service."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.finish(json.dumps(await self.service.get("me", self.reader_language)))


class AssignmentsHandler(AtelierHandler):
    """All that the sidebar shows."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.finish(json.dumps(await load_overview(self.workspace, self.service, self.reader_language)))


class FetchHandler(AtelierHandler):
    """Fetch the newest release; `put_beside` lists new files that stand beside ones the student changed."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        course, assignment = self.read_slugs()
        answer = await self.transfers.run("fetch", course, assignment, self.reader_language)
        beside = {"put_beside": answer.get("put_beside", [])}
        self.finish(json.dumps(describe_folder(self.workspace.home, course, assignment) | beside))


class SubmitHandler(AtelierHandler):
    """Write live documents to disk, submit the folder, answer with the receipt."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        course, assignment = self.read_slugs()
        await save_live_documents(self.server_app, f"{course}/{assignment}")
        answer = await self.transfers.run("submit", course, assignment, self.reader_language)
        receipt = answer.get("receipt") or await self._find_newest_receipt(course, assignment)
        self.finish(json.dumps(receipt))

    async def _find_newest_receipt(self, course: str, assignment: str) -> Any:
        """For a plug-in that keeps its receipt to itself."""
        path = f"courses/{course}/assignments/{assignment}/submissions"
        return (await self.service.get(path, self.reader_language))[0]


class FeedbackHandler(AtelierHandler):
    """Fetch an assignment's feedback pages; answers with their paths, newest first."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        course, assignment = self.read_slugs()
        await self.transfers.run("feedback", course, assignment, self.reader_language)
        files = list_feedback(self.workspace.home, course, assignment)
        if not files:
            raise Problem(404, "no_feedback", N_("There is no feedback yet. Try again later."))
        self.finish(json.dumps({"files": files}))


class RestoreHandler(AtelierHandler):
    """Open an own earlier submission in a new folder; answers with the folder."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        submission_id = self.read_body().get("submission_id")
        if not is_submission_id(submission_id):
            raise Problem(400, "bad_request", N_("This is not the number of a submission."))
        receipt = await self.service.get(f"submissions/{submission_id}", self.reader_language)
        course, assignment = receipt["course"], receipt["assignment"]
        zone = receipt.get("zone") or self.workspace.zone
        folder = choose_folder(self.workspace.home, course, assignment, receipt["received_at"], zone)
        with tempfile.TemporaryFile() as archive:
            await self.service.download(
                f"submissions/{submission_id}/archive", self.reader_language, archive.write
            )
            archive.seek(0)
            await asyncio.to_thread(unpack, archive, folder, assignment)
        self.finish(json.dumps(describe_copy(self.workspace.home, folder)))


ROUTES: dict[str, type[AtelierHandler]] = {
    "me": MeHandler,
    "assignments": AssignmentsHandler,
    "fetch": FetchHandler,
    "submit": SubmitHandler,
    "feedback": FeedbackHandler,
    "restore": RestoreHandler,
}


def add_handlers(server_app: Any) -> None:
    """Add the routes to a running server's application."""
    workspace = load_workspace(os.environ, Path(server_app.root_dir))
    shared = {
        "server_app": server_app,
        "workspace": workspace,
        "service": Service(workspace),
        "transfers": Transfers(workspace, server_app.log),
    }
    base = url_path_join(server_app.web_app.settings["base_url"], "atelier")
    routes = [(url_path_join(base, path), handler, shared) for path, handler in ROUTES.items()]
    server_app.web_app.add_handlers(".*$", routes)
