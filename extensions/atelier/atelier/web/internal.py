"""The internal interface: the hub asks who somebody is and whether an account is still active.

The contract stands in docs/architecture.md. Only the hub holds the token, and it comes straight over the
internal network: a request that went through the proxy does not find this interface at all.
"""

import dataclasses
import secrets
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from atelier import lessons, roster
from atelier.services import Services, get_services

BODY_LIMIT_BYTES = 16 * 1024

AnyServices = Annotated[Services, Depends(get_services)]


class SignInQuestion(BaseModel):
    """What the provider said about somebody who wants to sign in."""

    model_config = ConfigDict(extra="forbid")

    provider: str = Field(max_length=40)
    subject: str = Field(min_length=1, max_length=255)
    email: str | None = Field(None, max_length=254)
    email_verified: bool = False
    hosted_domain: str | None = Field(None, max_length=253)


def check_asked_by_hub(request: Request, services: AnyServices) -> None:
    """Raise 401 for whoever does not hold the hub's token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    expected = services.settings.hub_service_token.get_secret_value()
    if scheme.lower() != "bearer" or not secrets.compare_digest(token.encode(), expected.encode()):
        raise HTTPException(401)


def create_internal_app(services: Services) -> FastAPI:
    """Return the application that is mounted at ``internal/``."""
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        max_body_size=BODY_LIMIT_BYTES,
        dependencies=[Depends(check_asked_by_hub)],
    )
    app.state.services = services
    app.post("/sign-in")(answer_sign_in)
    app.get("/accounts/{account}")(answer_account)
    app.get("/health")(answer_health)
    return app


def answer_sign_in(question: SignInQuestion, services: AnyServices) -> JSONResponse:
    """Say who this is (200), or why nobody gets in (403)."""
    now = services.clock()
    attempt = roster.SignInAttempt(**question.model_dump())
    try:
        with services.sessions.begin() as session:
            person = roster.sign_in(session, services.city, attempt, now)
            account = roster.find_account(session, services.city, person.id, now)
    except roster.Refusal as refusal:
        return JSONResponse({"refusal": refusal.code, "school": refusal.school}, status_code=403)
    shown = ("display_name", "initials", "color", "language")
    return JSONResponse({"person": account.account, **{name: getattr(account, name) for name in shown}})


def answer_account(account: str, services: AnyServices) -> dict[str, Any]:
    """Say what an account is, whether it is active, and for how long a lesson needs its workspace.

    404 when there is none of that name.
    """
    now = services.clock()
    with services.sessions() as session:
        try:
            found = roster.find_account(session, services.city, account, now)
        except LookupError as absent:
            raise HTTPException(404) from absent
        busy_s = lessons.find_busy_s(session, account, now) if found.active else 0
    return {**dataclasses.asdict(found), "busy_s": busy_s}


def answer_health(services: AnyServices) -> dict[str, bool]:
    """Answer once the database answers."""
    with services.sessions() as session:
        session.execute(text("SELECT 1"))
    return {"ok": True}
