"""Answers that are not the page asked for: sign in first, nothing here, not from our page, try later."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from atelier.pages.site import find_site
from atelier.settings import SERVICE_PREFIX
from atelier.texts import N_


class SignInNeeded(Exception):
    """Nobody is signed in in this browser."""


class Absent(Exception):
    """There is no such page, or the visitor has no right to know of it: the same answer."""


class FormRefused(Exception):
    """An unsafe request that does not come from our own page in the visitor's own session."""


class HubSilent(Exception):
    """The hub does not answer and the last answer is too old."""


@dataclass
class Stopped(Exception):
    """The action cannot be done. `message`, in the reader's language, says what to do; `back` is a page."""

    message: str
    status: int = 409
    back: str = ""


@dataclass(frozen=True)
class Problem:
    """What the page says that stands for everything that is not as expected; texts are msgids."""

    status: int
    title: str
    message: str
    next_url: str = SERVICE_PREFIX
    next_label: str = ""


SIGNED_OUT = Problem(
    401,
    N_("You have been signed out"),
    N_("What you have just sent was not saved. Sign in and send it again."),
    SERVICE_PREFIX + "sign-in",
    N_("Sign in"),
)
# The one answer to what does not exist and to what is not the visitor's.
ABSENT = Problem(
    404,
    N_("There is nothing at this address"),
    N_("The page does not exist, or it is not yours to see. If a link brought you here, it may be old."),
)
FORM_REFUSED = Problem(
    403,
    N_("This was not sent from our page"),
    N_("Nothing was changed. Open the page again and repeat what you did there."),
)
HUB_SILENT = Problem(
    503,
    N_("Signing in does not work at the moment"),
    N_("Your work is safe. Wait a minute and try again; if it stays so, tell your administrator."),
)
FAILURE = Problem(
    500,
    N_("Something went wrong on our side"),
    N_("Nothing you submitted is lost. Try again; if it happens again, tell your administrator when."),
)


def show_problem(request: Request, problem: Problem) -> Response:
    """Render the page of a problem."""
    return find_site(request).render(
        request,
        "problem.html",
        problem.status,
        title=problem.title,
        message=problem.message,
        next_url=problem.next_url,
        next_label=problem.next_label,
    )


def show_sign_in(request: Request, _error: Exception) -> Response:
    """A page sends the browser to sign in; a form that was sent gets a page, for what was typed is lost."""
    target = SIGNED_OUT.next_url
    if request.method == "GET":
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        target += "?" + urlencode({"next": back})
        if "hx-request" not in request.headers:
            return RedirectResponse(target, status_code=303)
    answer = show_problem(request, replace(SIGNED_OUT, next_url=target))
    answer.headers["HX-Redirect"] = target
    return answer


def show_stopped(request: Request, error: Exception) -> Response:
    """What cannot be done is said in the words of whoever stopped it, already in the reader's language."""
    assert isinstance(error, Stopped)
    label = N_("Go back") if error.back else ""
    title = N_("That did not work")
    return show_problem(
        request, Problem(error.status, title, error.message, SERVICE_PREFIX + error.back, label)
    )


async def show_http_error(request: Request, error: Exception) -> Response:
    """An address without a route, or a method that it does not know, is the same absent page."""
    assert isinstance(error, HTTPException)
    if error.status_code in (404, 405):
        return show_problem(request, ABSENT)
    if error.status_code in (400, 413):
        return show_problem(request, FORM_REFUSED)
    return await http_exception_handler(request, error)


def set_answers(app: FastAPI) -> None:
    """Connect each of our exceptions with its page, and what nobody foresaw with the page for failures."""
    app.add_exception_handler(SignInNeeded, show_sign_in)
    app.add_exception_handler(Stopped, show_stopped)
    app.add_exception_handler(HTTPException, show_http_error)
    for kind, problem in (
        (Absent, ABSENT),
        (FormRefused, FORM_REFUSED),
        (HubSilent, HUB_SILENT),
        (Exception, FAILURE),
    ):
        app.add_exception_handler(kind, _always(problem))


def _always(problem: Problem) -> Callable[[Request, Exception], Response]:
    return lambda request, _error: show_problem(request, problem)
