"""Routes below `<base_url>atelier/`: what the sidebar asks. Answers are JSON, errors are sentences."""

import os
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from atelier_lab.service import Service
from atelier_lab.workspace import Workspace, load_workspace


class AtelierHandler(APIHandler):
    """What all routes share."""

    def initialize(self, workspace: Workspace, service: Service) -> None:
        self.workspace = workspace
        self.service = service

    @property
    def language(self) -> str:
        """The language Lab shows right now (the sidebar sends it), else the account's."""
        wanted = self.request.headers.get("Accept-Language", self.workspace.language)
        return "bg" if wanted.startswith("bg") else "en"


class MeHandler(AtelierHandler):
    @web.authenticated
    async def get(self) -> None:
        self.finish(await self.service.get("me", self.language))


def add_handlers(server_app: Any) -> None:
    """Add the routes to a running server's application."""
    workspace = load_workspace(os.environ, Path(server_app.root_dir))
    shared = {"workspace": workspace, "service": Service(workspace)}
    base = url_path_join(server_app.web_app.settings["base_url"], "atelier")
    routes = [("me", MeHandler)]
    server_app.web_app.add_handlers(
        ".*$", [(url_path_join(base, path), handler, shared) for path, handler in routes]
    )
