"""What every page needs: the service's parts, the rights of the moment, languages and rendering."""

import datetime as dt
import functools
import hashlib
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jupyterhub._data import DATA_FILES_PATH

from atelier.pages import formats
from atelier.pages.visitors import Visitor
from atelier.services import Services
from atelier.settings import SERVICE_PREFIX
from atelier.texts import LANGUAGES, choose_language, translate

_HERE = Path(__file__).parent
STATIC_DIR = _HERE / "static"
HUB_CSS_DIR = Path(DATA_FILES_PATH) / "static" / "components" / "bootstrap" / "dist" / "css"


class Site:
    """The pages of one web process. One per app, at ``app.state.site``."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.settings = services.settings
        self.city = services.city
        self.sessions = services.sessions
        # form-action names the hub because signing out is a form of ours that ends on the hub's page.
        policy = (
            "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
            f"frame-ancestors 'none'; form-action 'self' {self.hub_url}"
        )
        # The page for failures is sent from outside the application's middleware: all headers are set here.
        self._headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cache-Control": "no-store",
        }
        self._environments = {language: _make_environment(language) for language in LANGUAGES}

    def now(self) -> dt.datetime:
        """Return the present instant, by the service's one clock."""
        return self.services.clock()

    @property
    def hub_url(self) -> str:
        """The hub's public origin, without a slash at the end."""
        return self.settings.public_url.rstrip("/")

    @property
    def https(self) -> bool:
        """Whether people reach the service over https."""
        return self.settings.public_url.startswith("https:")

    def render(
        self, request: Request, name: str, status: int = 200, *, here: str = "", **context: Any
    ) -> HTMLResponse:
        """Render a template in the reader's language, with the visitor of this request if there is one.

        `here` is the page to come back to, for what answers a form.
        """
        visitor: Visitor | None = getattr(request.state, "visitor", None)
        language = visitor.language if visitor else self._find_language(request)
        template = self._environments[language].get_template(name)
        body = template.render(
            visitor=visitor,
            language=language,
            languages=LANGUAGES,
            home=SERVICE_PREFIX,
            path=request.url.path,
            here=here or (request.url.path if request.method == "GET" else SERVICE_PREFIX),
            hub_url=self.hub_url,
            now=self.now(),
            done=request.query_params.get("done", ""),
            **context,
        )
        # A page that answers a form keeps the address it was sent from: reloading must find a page there.
        stay = {"HX-Push-Url": "false"} if request.method == "POST" else {}
        return HTMLResponse(body, status_code=status, headers=self._headers | stay)

    def _find_language(self, request: Request) -> str:
        return choose_language(request.headers.get("accept-language", ""), self.city.language)

    def go(self, path: str = "") -> Response:
        """Answer a form: see `path` (below the service's prefix) next."""
        return RedirectResponse(SERVICE_PREFIX + path, status_code=303)


def find_site(request: Request) -> Site:
    """Return the app's `Site`; a dependency of the routes."""
    site: Site = request.app.state.site
    return site


def _make_environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(translate(language).translations, newstyle=True)  # type: ignore[attr-defined]
    # Jinja's own _() takes its argument for safe HTML. A text that is chosen at run time goes through |said.
    del environment.globals["_"]
    environment.filters["said"] = translate(language)
    environment.globals["static"] = _static_url
    environment.globals["has_htmx"] = (STATIC_DIR / "vendor" / "htmx.min.js").is_file()
    formats.set_filters(environment, language)
    return environment


@functools.cache
def _static_url(name: str) -> str:
    """Return the address of a static file of ours with a version, so that it may be kept for ever."""
    path = STATIC_DIR / name
    if name.startswith("hub/"):
        path = HUB_CSS_DIR / name.removeprefix("hub/")
    return f"{SERVICE_PREFIX}static/{name}?v={static_version(path)}"


def static_version(path: Path) -> str:
    """Return the version in a static file's address: the front server lays the file out under it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]
