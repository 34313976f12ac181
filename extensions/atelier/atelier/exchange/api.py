"""The exchange's application, mounted at ``api/v1/``: its routes, its errors, its OpenAPI description."""

import logging
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from atelier.exchange import archive_routes, course_routes
from atelier.exchange.arrival import Arrivals
from atelier.exchange.draining import DrainRefusedBody
from atelier.exchange.errors import ExchangeError
from atelier.exchange.identity import HubIdentities
from atelier.refused import Refused
from atelier.services import Services
from atelier.texts import N_, choose_language, translate
from hub_config.city import City

_log = logging.getLogger("atelier.exchange")
JSON_BODY_LIMIT_BYTES = 1024 * 1024

_HTTP_TEXTS = {
    404: ("not_found", N_("There is nothing here for you at this address.")),
    405: ("method_not_allowed", N_("This address does not take that kind of request.")),
    413: ("too_large", N_("The request is too large.")),
}


class RefusalView(BaseModel):
    """Every answer of 400 or more."""

    error: str = Field(description="A stable code, see docs/exchange.md.")
    message: str = Field(description="A sentence for the person who waits, in their language.")


def create_api(services: Services) -> FastAPI:
    """Return the exchange's application."""
    app = FastAPI(
        title="Atelier exchange",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        openapi_url="/openapi.json",
        max_body_size=JSON_BODY_LIMIT_BYTES,
        responses={"4XX": {"model": RefusalView}, "5XX": {"model": RefusalView}},
    )
    app.state.services = services
    app.state.identities = HubIdentities(services.workspaces_hub)
    app.state.arrivals = Arrivals(services.blobs)
    app.add_middleware(DrainRefusedBody)
    app.include_router(course_routes.router)
    app.include_router(archive_routes.router)
    app.add_exception_handler(ExchangeError, _answer_refusal)
    app.add_exception_handler(Refused, _answer_room_refusal)
    app.add_exception_handler(DataError, _answer_impossible_value)
    app.add_exception_handler(RequestValidationError, _answer_bad_request)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(Exception, _answer_failure)
    return app


def find_language(request: Request) -> str:
    """Return the reader's language: what `Accept-Language` asks for, else the account's, else the city's."""
    city: City = request.app.state.services.city
    default = getattr(request.state, "language", city.language)
    return choose_language(request.headers.get("accept-language", ""), default)


def _answer(request: Request, status: int, code: str, template: str, **params: object) -> JSONResponse:
    message = translate(find_language(request))(template) % params
    return JSONResponse({"error": code, "message": message}, status_code=status)


async def _answer_refusal(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ExchangeError)
    _log.info("refused: %s %s %s", error.code, request.method, quote(request.url.path)[:300])
    answer = _answer(request, error.status, error.code, error.template, **error.params)
    answer.headers.update(error.headers)
    return answer


async def _answer_room_refusal(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    status = 404 if isinstance(error, LookupError) else 422
    return _answer(request, status, error.code, error.template, **error.params)


async def _answer_bad_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    where = ".".join(str(part) for part in (error.errors() or [{"loc": ()}])[0]["loc"])
    return _answer(
        request, 422, "bad_request", N_("The request is not as the exchange expects it: %(at)s."), at=where
    )


async def _answer_impossible_value(request: Request, _error: Exception) -> JSONResponse:
    # PostgreSQL refuses what SQLite only fails to find, e.g. a NUL in an id.
    return _answer(
        request, 422, "bad_request", N_("The request is not as the exchange expects it: %(at)s."), at="value"
    )


async def _answer_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    fallback = ("refused", N_("The request was refused."))
    code, template = _HTTP_TEXTS.get(error.status_code, fallback)
    answer = _answer(request, error.status_code, code, template)
    answer.headers.update(error.headers or {})
    return answer


async def _answer_failure(request: Request, _error: Exception) -> JSONResponse:
    text = N_("Atelier could not do this. Nothing was stored; try again. If it stays so, tell your school.")
    return _answer(request, 500, "failed", text)
