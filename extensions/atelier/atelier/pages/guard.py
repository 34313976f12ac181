"""What stands before every route: who is asking, and whether an unsafe request comes from our own page."""

import datetime as dt
import secrets
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from atelier.pages.answers import Absent, FormRefused, HubSilent, SignInNeeded
from atelier.pages.hub_identity import HubUnreachable, find_account
from atelier.pages.site import Site, find_site
from atelier.pages.visitors import Visitor, end_session, find_visitor, note_identity_check

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
NUL = "\0"  # no name, title or id of ours has one, and PostgreSQL fails on it
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"
MAX_FORM_BYTES = 200_000
MAX_FIELDS = 4000  # two for each student of a course
IDENTITY_CHECK_AGE = dt.timedelta(seconds=60)
HUB_SILENCE_LIMIT = dt.timedelta(minutes=15)

CurrentSite = Annotated[Site, Depends(find_site)]


def session_cookie_name(site: Site) -> str:
    """Return the cookie's name: under https browsers keep siblings from setting it (``__Host-``)."""
    return "__Host-atelier" if site.https else "atelier"


async def load_visitor_or_none(request: Request, site: CurrentSite) -> Visitor | None:
    """Return the visitor. The roster is asked at each request, the hub about its session each minute."""
    secret, _, hub_token = request.cookies.get(session_cookie_name(site), "").partition(".")
    if not secret:
        return None
    visitor = await run_in_threadpool(_read_visitor, site, secret)
    if visitor is None or not await _hub_agrees(site, visitor, hub_token):
        return None
    request.state.visitor = visitor
    return visitor


def _read_visitor(site: Site, secret: str) -> Visitor | None:
    with site.sessions() as session:
        return find_visitor(session, site.city, secret, site.now())


async def _hub_agrees(site: Site, visitor: Visitor, hub_token: str) -> bool:
    """Signing out at the hub (Lab's own menu does that) must end this session too: laptops are shared."""
    age = site.now() - visitor.identity_checked_at
    if age < IDENTITY_CHECK_AGE:
        return True
    try:
        agrees = bool(hub_token) and await find_account(site, hub_token) == visitor.id
    except HubUnreachable:
        if age < HUB_SILENCE_LIMIT:
            return True
        raise HubSilent from None
    await run_in_threadpool(_note_answer, site, visitor.session_key, agrees)
    return agrees


def _note_answer(site: Site, key: str, agrees: bool) -> None:
    with site.sessions.begin() as session:
        if agrees:
            note_identity_check(session, key, site.now())
        else:
            end_session(session, key)


def load_visitor(visitor: Annotated[Visitor | None, Depends(load_visitor_or_none)]) -> Visitor:
    """Return the visitor; raises `SignInNeeded`."""
    if visitor is None:
        raise SignInNeeded
    return visitor


CurrentVisitor = Annotated[Visitor, Depends(load_visitor)]


async def check_request(
    request: Request, site: CurrentSite, visitor: Annotated[Visitor | None, Depends(load_visitor_or_none)]
) -> None:
    """Let an unsafe request pass only from our own page in the visitor's own session.

    Accounts' origins are same-site with ours, so cookies arrive with their forged requests as well: the
    browser's Origin header *and* a token that only our pages know decide. Depended on by the whole router.
    """
    if NUL in request.scope["path"] or NUL in "".join(request.query_params.values()):
        raise Absent
    if request.method in SAFE_METHODS:
        return
    if visitor is None:
        raise SignInNeeded
    if request.headers.get("origin") != site.settings.service_origin:
        raise FormRefused
    form = await read_form(request)
    token = request.headers.get(CSRF_HEADER) or form.get(CSRF_FIELD) or ""
    if not isinstance(token, str) or not secrets.compare_digest(token.encode(), visitor.csrf_token.encode()):
        raise FormRefused


async def read_form(request: Request) -> FormData:
    """Return the form's fields; refuses anything that our own forms do not send."""
    length = request.headers.get("content-length", "")
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if not length.isdecimal() or int(length) > MAX_FORM_BYTES:
        raise FormRefused
    if kind != "application/x-www-form-urlencoded":
        raise FormRefused
    form = await request.form(max_fields=MAX_FIELDS)
    if any(NUL in key or NUL in str(value) for key, value in form.multi_items()):
        raise FormRefused
    return form


SentForm = Annotated[FormData, Depends(read_form)]
