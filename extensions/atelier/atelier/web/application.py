"""The application of the web process: three interfaces below one prefix, each with its own rules.

* ``internal/``  the hub asks who is who (a token of its own, never through the proxy);
* ``api/v1/``    workspaces move archives (their own hub token, never through the proxy either);
* everything else: pages for people (a session of their own, on the service's own host).

The first two are applications of their own, so that none shares error pages, body limits or sign-in with
another.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path

import httpx
from fastapi import FastAPI
from starlette.routing import Route

from atelier import exchange, pages
from atelier.services import Services
from atelier.settings import SERVICE_PREFIX, WebSettings
from atelier.store import BlobStore, SessionFactory, make_session_factory, open_database, utc_now
from atelier.web.access_log import AccessLog
from atelier.web.internal import create_internal_app
from atelier.web.metrics import AnswerMetrics, CountRequests, Metrics
from atelier.web.security import DirectOnly, NoFailureEscapes, OwnHostOnly, SafeHeaders
from hub_config.city import City, load_city

PAGE_BODY_LIMIT_BYTES = 1024 * 1024
HUB_TIMEOUT_S = 10.0
# The hub answers one question after the other: more at once only wait, there instead of here.
HUB_CONNECTIONS = 32
_STALE_UPLOAD_S = 24 * 3600.0


def create_app(
    settings: WebSettings,
    *,
    city: City | None = None,
    sessions: SessionFactory | None = None,
    hub: httpx.AsyncClient | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> FastAPI:
    """Return the web process's application. What is not given is made from `settings`; creates no tables."""
    services = Services(
        settings=settings,
        city=city or load_city(settings.city_file),
        sessions=sessions or make_session_factory(open_database(settings.database_url)),
        blobs=BlobStore(Path(settings.blob_dir)),
        hub=hub or _make_hub_client(settings),
        workspaces_hub=hub or _make_hub_client(settings),
        clock=clock,
    )
    services.blobs.prepare()
    app = FastAPI(
        title="Atelier",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        max_body_size=PAGE_BODY_LIMIT_BYTES,
    )
    app.state.services = services
    metrics = Metrics(services)
    _mount_for_machines(app, services, metrics)
    pages.install(app, services)
    app.add_middleware(OwnHostOnly, origin=settings.service_origin)
    app.add_middleware(SafeHeaders)
    app.add_middleware(AccessLog)
    app.add_middleware(CountRequests, metrics=metrics)
    return app


def _mount_for_machines(app: FastAPI, services: Services, metrics: Metrics) -> None:
    """What is no page and knows no session; nothing that came through the proxy finds it."""
    app.mount(f"{SERVICE_PREFIX}internal", NoFailureEscapes(DirectOnly(create_internal_app(services))))
    app.mount(f"{SERVICE_PREFIX}api/v1", NoFailureEscapes(DirectOnly(exchange.create_api(services))))
    answer = DirectOnly(AnswerMetrics(metrics, services))
    app.router.routes.append(Route(f"{SERVICE_PREFIX}metrics", answer, methods=["GET"]))


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    await asyncio.to_thread(services.blobs.remove_stale_incoming, _STALE_UPLOAD_S, time.time())
    try:
        yield
    finally:
        await services.hub.aclose()
        await services.workspaces_hub.aclose()


def _make_hub_client(settings: WebSettings) -> httpx.AsyncClient:
    # trust_env off: a proxy variable of the host must not see workspaces' tokens.
    limits = httpx.Limits(max_connections=HUB_CONNECTIONS)
    return httpx.AsyncClient(
        base_url=settings.hub_api_url, timeout=HUB_TIMEOUT_S, limits=limits, trust_env=False
    )
