"""The hub's pages in the reader's language.

JupyterHub's templates carry no translation marks and its handlers know no language. Both are added here:
jinja's i18n extension looks `gettext` up in what a template is rendered with, so one more name in
`BaseHandler.template_namespace` is enough. Nothing is replaced in JupyterHub's own templates.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from jupyterhub.handlers.base import BaseHandler
from tornado import web
from tornado.log import access_log, app_log, gen_log

from hub_config.texts import find_language, load_texts


class ToMyWorkHandler(BaseHandler):
    """The hub's own pages for people lead to the service's page My work."""

    def get(self) -> None:
        if self.current_user is None:
            self.redirect(self.settings["login_url"])
        else:
            self.redirect(self.authenticator.my_work_url)

    def post(self) -> None:
        raise web.HTTPError(405)


def hub_loggers(hub_log: logging.Logger) -> Iterable[logging.Logger]:
    """Return every logger through which a request's address may reach the hub's log."""
    names = ("tornado.access", "tornado.application", "tornado.general", "oauthlib")
    return [hub_log, access_log, app_log, gen_log, *(logging.getLogger(name) for name in names)]


def find_page_language(handler: Any) -> str:
    """Return the signed-in person's language, else what the browser asks for, else the city's."""
    user = handler.current_user
    authenticator = handler.authenticator
    chosen = authenticator.accounts.find_language_of(user.name) if user is not None else None
    if chosen:
        return str(chosen)
    return find_language(handler.request.headers.get("Accept-Language"), authenticator.city.language)


def install_languages() -> None:
    """Give every page of the hub `gettext`, `ngettext`, `language` and `my_work_url`. Idempotent."""
    original = BaseHandler.template_namespace
    if getattr(original.fget, "speaks", False):
        return

    def template_namespace(self: Any) -> dict[str, Any]:
        names: dict[str, Any] = original.fget(self)
        language = find_page_language(self)
        texts = load_texts(language)
        return {
            **names,
            "gettext": texts.gettext,
            "ngettext": texts.ngettext,
            "language": language,
            "my_work_url": self.authenticator.my_work_url,
        }

    _mark(template_namespace)
    BaseHandler.template_namespace = property(template_namespace)


def _mark(function: Callable[..., Any]) -> None:
    function.speaks = True  # type: ignore[attr-defined]


def cure_expired_sessions() -> None:
    """JupyterHub 6.1.1 reads `_token_authenticated` at an expired session before any request has set it."""
    if not hasattr(BaseHandler, "_token_authenticated"):
        BaseHandler._token_authenticated = False
