"""Signing in to the pages, out of them, and choosing a language."""

import secrets
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from atelier.pages.answers import HubSilent, show_problem
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
from atelier.pages.visitors import Visitor, end_session, find_active_person, start_session
from atelier.settings import SERVICE_PREFIX
from atelier.store.models import Person
from atelier.texts import LANGUAGES, N_

router = APIRouter()

ATTEMPT_LENGTH_S = 600


def attempt_cookie_name(site: Site, state: str) -> str:
    """Return the cookie of one attempt to sign in: two tabs may try at the same time."""
    return ("__Host-" if site.https else "") + f"atelier-sign-in-{state[:8]}"


def check_back_path(path: str) -> str:
    """Return `path` if it is one of our own pages, else My work: nobody is sent elsewhere by a link."""
    own = path.startswith(SERVICE_PREFIX) and "\\" not in path and path.isprintable() and "//" not in path
    return path if own else SERVICE_PREFIX


@router.get("/sign-in")
def begin_sign_in(site: CurrentSite, next: str = "") -> Response:
    """Send the browser to the hub. State, verifier and the way back wait in a cookie of ten minutes."""
    state, verifier = make_secret(), make_secret()
    answer = RedirectResponse(make_authorize_url(site, state, verifier), status_code=303)
    attempt = urlencode({"state": state, "verifier": verifier, "next": check_back_path(next)})
    answer.set_cookie(
        attempt_cookie_name(site, state),
        attempt,
        max_age=ATTEMPT_LENGTH_S,
        path="/",
        secure=site.https,
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get("/oauth_callback")
async def finish_sign_in(request: Request, site: CurrentSite, code: str = "", state: str = "") -> Response:
    """The hub has named the browser's owner: start a session if that is an active person on the roster."""
    cookie_name = attempt_cookie_name(site, state)
    attempt = {key: values[0] for key, values in parse_qs(request.cookies.get(cookie_name, "")).items()}
    # No attempt and no state are equal, too: then anybody's code would sign this browser in as somebody else.
    begun = bool(code and state and attempt.get("verifier"))
    if not begun or not secrets.compare_digest(attempt.get("state", "").encode(), state.encode()):
        return _show_lost_attempt(request)
    try:
        token = await fetch_token(site, code, attempt.get("verifier", ""))
        account = await find_account(site, token)
    except HubRefused:
        return _show_lost_attempt(request)
    except HubUnreachable:
        raise HubSilent from None
    # In a thread: it waits for the database's one writer, and everybody else must not wait with it.
    secret = await run_in_threadpool(_start_session, site, account)
    if secret is None:
        return _show_not_for_pages(request, site)
    answer = RedirectResponse(check_back_path(attempt.get("next", "")), status_code=303)
    answer.delete_cookie(cookie_name, path="/", secure=site.https, httponly=True, samesite="lax")
    _set_session_cookie(answer, site, f"{secret}.{token}")
    return answer


@router.post("/sign-out")
def sign_out(site: CurrentSite, visitor: CurrentVisitor) -> Response:
    """End this session and go on to the hub, which ends its own and with it every workspace's."""
    with site.sessions.begin() as session:
        end_session(session, visitor.session_key)
    answer = RedirectResponse(f"{site.hub_url}/hub/logout", status_code=303)
    answer.delete_cookie(
        session_cookie_name(site), path="/", secure=site.https, httponly=True, samesite="lax"
    )
    return answer


@router.post("/language")
def choose_language(site: CurrentSite, visitor: CurrentVisitor, form: SentForm) -> Response:
    """Keep the person's own choice of language."""
    language = str(form.get("language", ""))
    with site.sessions.begin() as session:
        _set_language(session, visitor, language)
    return RedirectResponse(check_back_path(str(form.get("next", ""))), status_code=303)


def _set_language(session: Session, visitor: Visitor, language: str) -> None:
    person = session.get(Person, visitor.id)
    if person is not None and language in LANGUAGES:
        person.language = language


def _start_session(site: Site, account: str | None) -> str | None:
    with site.sessions.begin() as session:
        person = find_active_person(session, site.city, account or "")
        if person is None:
            return None
        return start_session(session, person.id, site.now())


def _set_session_cookie(answer: Response, site: Site, value: str) -> None:
    # No max_age and no Domain: gone with the browser, and sent to this one host only.
    answer.set_cookie(
        session_cookie_name(site), value, path="/", secure=site.https, httponly=True, samesite="lax"
    )


def _show_lost_attempt(request: Request) -> Response:
    return show_problem(
        request,
        400,
        N_("Signing in was interrupted"),
        N_("It took too long, or another tab was faster. Start again; nothing is lost."),
        SERVICE_PREFIX + "sign-in",
        N_("Sign in"),
    )


def _show_not_for_pages(request: Request, site: Site) -> Response:
    return show_problem(
        request,
        403,
        N_("This account has no pages here"),
        N_("It is not, or no longer, on your school's roster. Use another account, or ask your teacher."),
        f"{site.hub_url}/hub/logout",
        N_("Use another account"),
    )
