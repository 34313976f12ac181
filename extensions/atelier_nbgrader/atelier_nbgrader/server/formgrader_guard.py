"""Formgrader with a content security policy and checked addresses.

Formgrader shows students' work in the teacher's own origin. The notebooks it shows are cleaned
(`preprocessors/sanitize.py`); this is the second line: whatever passes the first cannot run.

* Pages run only formgrader's own scripts: files of this server, and the inline scripts that the same page has
  when it shows an empty notebook (by their SHA-256).
* Students' files that lie beside a notebook are sent as attachments of an origin of their own.
* Names in addresses are checked: formgrader writes them into inline scripts as they are.
"""

import base64
import hashlib
import re
from typing import Any
from urllib.parse import unquote

from jupyter_server.utils import url_path_join
from nbformat.v4 import new_notebook
from nbgrader.server_extensions.formgrader import apihandlers, handlers
from nbgrader.server_extensions.formgrader.handlers import default_handlers
from tornado import web

# Jinja writes both without escaping: letters, digits, and what people put between them.
_NAME = re.compile(r"[\w .()+-]{1,200}")
_SCRIPT = re.compile(r"<script(?P<attributes>[^>]*)>(?P<text>.*?)</script>", re.DOTALL | re.IGNORECASE)
_ONCLICK = re.compile(r'\sonclick="(?P<text>[^"]*)"')
_MATHJAX = re.compile(r'<script src="https://[^"]*/mathjax/[^"]*"')
NO_MATHJAX_PATH = "formgrader/atelier/no-mathjax.js"
NO_MATHJAX = """window.MathJax = {Hub: {
  Config: function () {},
  Queue: function () {},
  Startup: {signal: {Interest: function (tell) { setTimeout(function () { tell("End"); }, 0); }}}
}};
"""
FRAME_RULES = "frame-ancestors 'self'; form-action 'self'; base-uri 'none'; object-src 'none'"
FILE_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data: 'self'; " + FRAME_RULES


def make_policy(trusted_page: str) -> str:
    """The policy of a page whose inline scripts are those of `trusted_page`, a page without foreign
    content."""
    scripts = [found["text"] for found in _SCRIPT.finditer(trusted_page) if "src=" not in found["attributes"]]
    clicks = [found["text"] for found in _ONCLICK.finditer(trusted_page)]
    hashes = sorted({_hash(text) for text in [*scripts, *clicks] if text})
    unsafe_hashes = ["'unsafe-hashes'"] if clicks else []
    return "; ".join(
        [
            "default-src 'self'",
            " ".join(["script-src", "'self'", *unsafe_hashes, *hashes]),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self' data:",
            "connect-src 'self'",
            FRAME_RULES,
        ]
    )


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


class Guarded:
    """Mixed into each of formgrader's handlers."""

    def prepare(self) -> Any:
        for value in [*self.path_args, *self.path_kwargs.values()]:  # type: ignore[attr-defined]
            if value and not _NAME.fullmatch(unquote(str(value))):
                raise web.HTTPError(404)
        return super().prepare()  # type: ignore[misc]


class GuardedPage(Guarded):
    """A page made only of formgrader's own templates: its own inline scripts are the allowed ones."""

    def write(self, chunk: Any) -> None:
        if isinstance(chunk, str):
            self.set_header("Content-Security-Policy", make_policy(chunk))  # type: ignore[attr-defined]
        super().write(chunk)  # type: ignore[misc]


class GuardedSubmission(Guarded, handlers.SubmissionHandler):
    """The page that shows a student's notebook: allowed is what the same page has around an empty
    notebook."""

    def write(self, chunk: Any) -> None:
        if isinstance(chunk, str):
            resources = getattr(self, "_shown", None)
            trusted = self._render_empty(resources) if resources is not None else ""
            self.set_header("Content-Security-Policy", make_policy(trusted))
            # The only script from elsewhere; formgrader's own scripts stop without the name.
            own = url_path_join(self.base_url or "/", NO_MATHJAX_PATH)
            chunk = _MATHJAX.sub(f'<script src="{own}"', chunk, count=1)
        super().write(chunk)

    @property
    def exporter(self) -> Any:
        """The exporter, remembering what the page is about."""
        return _Remembering(super().exporter, self)

    def _render_empty(self, resources: dict[str, Any]) -> str:
        html, _ = super().exporter.from_notebook_node(new_notebook(), resources=resources)
        return str(html)


class NoMathJax(web.RequestHandler):
    """Stands where nbgrader's template loads MathJax from a server outside: formulas show as their source.

    Formgrader waits for MathJax's word that it is done before it selects the first field.
    """

    def get(self) -> None:
        self.set_header("Content-Type", "text/javascript; charset=UTF-8")
        self.set_header("Cache-Control", "max-age=86400")
        self.write(NO_MATHJAX)


class _Remembering:
    """Passes `from_filename` on and leaves a copy of its resources with the handler."""

    def __init__(self, exporter: Any, handler: GuardedSubmission) -> None:
        self._exporter = exporter
        self._handler = handler

    def from_filename(self, filename: str, resources: dict[str, Any]) -> Any:
        self._handler._shown = dict(resources)
        return self._exporter.from_filename(filename, resources=resources)


class GuardedApi(Guarded):
    """JSON about people and work. nbgrader sends it as text/html: opened as a page it would run what is in
    it.

    Sent as plain text, not as application/json: formgrader's scripts parse the text themselves, and jQuery
    would have parsed it before them (no message after any button).
    """

    def set_default_headers(self) -> None:
        super().set_default_headers()  # type: ignore[misc]
        self.set_header("Content-Security-Policy", FILE_POLICY)  # type: ignore[attr-defined]
        self.set_header("X-Content-Type-Options", "nosniff")  # type: ignore[attr-defined]

    def write(self, chunk: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=UTF-8")  # type: ignore[attr-defined]
        super().write(chunk)  # type: ignore[misc]


class GuardedFiles(handlers.SubmissionFilesHandler):
    """Files that a student submitted: for downloading. Nothing in them runs in this origin."""

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Content-Security-Policy", FILE_POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        if self.get_content_type() not in ("image/png", "image/jpeg", "image/gif"):
            self.set_header("Content-Disposition", "attachment")


def list_guarded_routes(base_url: str) -> list[tuple[Any, ...]]:
    """Formgrader's routes with guarded handlers, in formgrader's order."""
    routes: list[tuple[Any, ...]] = [(url_path_join(base_url, NO_MATHJAX_PATH), NoMathJax)]
    for pattern, handler, *rest in [*apihandlers.default_handlers, *default_handlers]:
        guarded = _guard(handler)
        if guarded is not None:
            routes.append((url_path_join(base_url, pattern), guarded, *rest))
    return routes


def _guard(handler: type) -> type | None:
    """The guarded form of a handler; None for one that only serves nbgrader's own files."""
    if handler is handlers.SubmissionHandler:
        return GuardedSubmission
    if handler is handlers.SubmissionFilesHandler:
        return GuardedFiles
    if issubclass(handler, web.StaticFileHandler):
        return None
    mixin = GuardedApi if issubclass(handler, apihandlers.BaseApiHandler) else GuardedPage
    return type(f"Guarded{handler.__name__}", (mixin, handler), {})
