"""Signing in to the pages, out of them, and choosing a language."""

import datetime as dt
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from atelier import roster
from atelier.pages.answers import HubSilent, Problem, show_problem
from atelier.pages.guard import CurrentSite, CurrentVisitor, SentForm, session_cookie_name
from atelier.pages.hub_identity import (
    HubRefused,
    HubUnreachable,
    fetch_token,
    find_account,
    make_authorize_url,
    make_secret,
)
from atelier.pages.site import Site
from atelier.pages.visitors import end_session, find_active_person, start_session
from atelier.settings import SERVICE_PREFIX
from atelier.texts import LANGUAGES, N_

router = APIRouter()

ATTEMPT_LENGTH_S = 600
LOST_ATTEMPT = Problem(
    400,
    N_("Signing in was interrupted"),
    N_("It took too long, or another tab was faster. Start again; nothing is lost."),
    SERVICE_PREFIX + "sign-in",
    N_("Sign in"),
)


def attempt_cookie_name(site: Site, state: str) -> str:
    """Return the cookie of one attempt to sign in: two tabs may try at the same time."""
    return ("__Host-" if site.https else "") + f"atelier-sign-in-{state[:8]}"


def write_attempt(state: str, verifier: str, back_path: str, now: dt.datetime) -> str:
    """Return the value of an attempt's cookie; its time bounds it, because the cookie itself has no end."""
    begun_at_s = int(now.timestamp())
    return urlencode({"state": state, "verifier": verifier, "next": back_path, "begun": begun_at_s})


def read_attempt(value: str, now: dt.datetime) -> dict[str, str]:
    """Return what `write_attempt` wrote, or nothing when it is of another form or older than ten minutes."""
    attempt = {key: values[0] for key, values in parse_qs(value).items()}
    begun = attempt.get("begun", "")
    if not (begun.isascii() and begun.isdecimal() and len(begun) < 12):
        return {}
    age_s = now.timestamp() - int(begun)
    return attempt if 0 <= age_s < ATTEMPT_LENGTH_S else {}


def list_lost_attempts(site: Site, cookies: Mapping[str, str]) -> list[str]:
    """Return the names of attempts that are over: a browser that stays open would collect them."""
    ours = attempt_cookie_name(site, "")
    attempts = {name: value for name, value in cookies.items() if name.startswith(ours)}
    return [name for name, value in attempts.items() if not read_attempt(value, site.now())]


def check_back_path(path: str) -> str:
    """Return `path` if it is one of our own pages, else My work: nobody is sent elsewhere by a link."""
    own = path.startswith(SERVICE_PREFIX) and "\\" not in path and path.isprintable() and "//" not in path
    return path if own else SERVICE_PREFIX


@router.get("/sign-in")
def begin_sign_in(request: Request, site: CurrentSite, next: str = "") -> Response:
    """Send the browser to the hub. State, verifier and the way back wait in a cookie, for ten minutes."""
    state, verifier = make_secret(), make_secret()
    answer = RedirectResponse(make_authorize_url(site, state, verifier), status_code=303)
    for lost in list_lost_attempts(site, request.cookies):
        _delete_cookie(answer, site, lost)
    attempt = write_attempt(state, verifier, check_back_path(next), site.now())
    _set_cookie(answer, site, attempt_cookie_name(site, state), attempt)
    return answer


@router.get("/oauth_callback")
async def finish_sign_in(request: Request, site: CurrentSite, code: str = "", state: str = "") -> Response:
    """The hub has named the browser's owner: start a session if that is an active person on the roster."""
    cookie_name = attempt_cookie_name(site, state)
    attempt = read_attempt(request.cookies.get(cookie_name, ""), site.now())
    # No attempt and no state are equal, too: then anybody's code would sign this browser in as somebody else.
    begun = bool(code and state and attempt.get("verifier"))
    if not begun or not secrets.compare_digest(attempt.get("state", "").encode(), state.encode()):
        return show_problem(request, LOST_ATTEMPT)
    try:
        token = await fetch_token(site, code, attempt.get("verifier", ""))
        account = await find_account(site, token)
    except HubRefused:
        return show_problem(request, LOST_ATTEMPT)
    except HubUnreachable:
        raise HubSilent from None
    # In a thread: it waits for the database's one writer, and everybody else must not wait with it.
    secret = await run_in_threadpool(_start_session, site, account)
    if secret is None:
        return _show_not_for_pages(request, site)
    answer = RedirectResponse(check_back_path(attempt.get("next", "")), status_code=303)
    _delete_cookie(answer, site, cookie_name)
    _set_cookie(answer, site, session_cookie_name(site), f"{secret}.{token}")
    return answer


@router.post("/sign-out")
def sign_out(site: CurrentSite, visitor: CurrentVisitor) -> Response:
    """End this session and go on to the hub, which ends its own and with it every workspace's."""
    with site.sessions.begin() as session:
        end_session(session, visitor.session_key)
    answer = RedirectResponse(f"{site.hub_url}/hub/logout", status_code=303)
    _delete_cookie(answer, site, session_cookie_name(site))
    return answer


@router.post("/language")
def choose_language(site: CurrentSite, visitor: CurrentVisitor, form: SentForm) -> Response:
    """Keep the person's own choice of language."""
    language = str(form.get("language", ""))
    if language in LANGUAGES:
        with site.sessions.begin() as session:
            roster.choose_language(session, visitor.id, language)
    return RedirectResponse(check_back_path(str(form.get("next", ""))), status_code=303)


def _start_session(site: Site, account: str | None) -> str | None:
    with site.sessions.begin() as session:
        person = find_active_person(session, site.city, account or "")
        if person is None:
            return None
        return start_session(session, person.id, site.now())


def _set_cookie(answer: Response, site: Site, name: str, value: str) -> None:
    # No max_age and no Domain: gone with the browser, and sent to this one host only.
    answer.set_cookie(name, value, path="/", secure=site.https, httponly=True, samesite="lax")


def _delete_cookie(answer: Response, site: Site, name: str) -> None:
    answer.delete_cookie(name, path="/", secure=site.https, httponly=True, samesite="lax")


def _show_not_for_pages(request: Request, site: Site) -> Response:
    problem = Problem(
        403,
        N_("This account has no pages here"),
        N_("It is not, or no longer, on your school's roster. Use another account, or ask your teacher."),
        f"{site.hub_url}/hub/logout",
        N_("Use another account"),
    )
    return show_problem(request, problem)
