"""Styles and scripts, all from our own origin: our own, the hub's Bootstrap, and htmx."""

from fastapi import FastAPI
from fastapi.responses import Response
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from atelier.pages.site import HUB_CSS_DIR, STATIC_DIR
from atelier.settings import SERVICE_PREFIX

_KEEP_S = 30 * 24 * 3600


class KeptFiles(StaticFiles):
    """Files whose address carries a version: a browser keeps them, 28 laptops at the bell ask once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = f"public, max-age={_KEEP_S}, immutable"
        return answer


def mount_static_files(app: FastAPI) -> None:
    """Serve ``static/`` and, below it, the hub's own folder of styles."""
    for address, folder in (("static/hub", HUB_CSS_DIR), ("static", STATIC_DIR)):
        app.mount(SERVICE_PREFIX + address, GZipMiddleware(KeptFiles(directory=folder), minimum_size=1000))
