"""Prometheus metrics of the web process: how much is asked, how fast it is answered, are its stores well.

No label names a person, an account, a course or an address: only the area of the service and the kind of
answer. Asked with a token of its own, straight over the internal network; without that setting there is none.
"""

import asyncio
import secrets
import shutil
import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from atelier.services import Services
from atelier.settings import SERVICE_PREFIX

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
AREAS = {"api/": "exchange", "internal/": "internal", "static/": "static", "metrics": "metrics"}
BUCKETS_S = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)


class Metrics:
    """The web process's numbers. One for each application, so that tests do not share them."""

    def __init__(self, services: Services) -> None:
        self.registry = CollectorRegistry()
        labels = ("area", "status")
        self.requests = Counter(
            "atelier_requests",
            "Answered requests, by area and class of status.",
            labels,
            registry=self.registry,
        )
        self.seconds = Histogram(
            "atelier_request_seconds",
            "Time to answer a request, uploads included.",
            ("area",),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.registry.register(Stores(services))

    def note(self, path: str, status: int, took_s: float) -> None:
        """Count one answered request."""
        area = find_area(path)
        self.requests.labels(area, f"{status // 100}xx").inc()
        self.seconds.labels(area).observe(took_s)


class Stores(Collector):
    """Looks at database and archives when it is asked."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def describe(self) -> Iterator[Metric]:
        """Nothing is looked at when the collector is registered."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield whether the database answers and in how many seconds, and the room left for archives."""
        took_s = self._ask_database()
        up = GaugeMetricFamily("atelier_database_up", "1 when the service's database answers.")
        up.add_metric([], 0 if took_s is None else 1)
        yield up
        if took_s is not None:
            seconds = GaugeMetricFamily("atelier_database_answer_seconds", "Time of a smallest question.")
            seconds.add_metric([], took_s)
            yield seconds
        free = GaugeMetricFamily("atelier_archives_free_bytes", "Room left on the archives' disk.")
        free.add_metric([], shutil.disk_usage(self._services.blobs.root).free)
        yield free

    def _ask_database(self) -> float | None:
        began = time.monotonic()
        try:
            with self._services.sessions() as session:
                session.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return None
        return time.monotonic() - began


class CountRequests:
    """Counts every request that the wrapped application answers."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began, status = time.monotonic(), 499

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            self.metrics.note(scope["path"], status, time.monotonic() - began)


def find_area(path: str) -> str:
    """Return which part of the service a path belongs to: one of a handful of words."""
    if not path.startswith(SERVICE_PREFIX):
        return "elsewhere"
    inside = path.removeprefix(SERVICE_PREFIX)
    return next((area for start, area in AREAS.items() if inside.startswith(start)), "pages")


class AnswerMetrics:
    """The page that Prometheus reads: 404 for whoever does not hold the token: nobody else learns of it."""

    def __init__(self, metrics: Metrics, services: Services) -> None:
        secret = services.settings.metrics_token
        self._expected = f"Bearer {secret.get_secret_value()}".encode() if secret else None
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get("authorization", "").encode()
        response: Response = PlainTextResponse("404: not found\n", status_code=404)
        if self._expected is not None and secrets.compare_digest(given, self._expected):
            # A thread: the database may be slow to answer just when somebody wants to know why.
            page = await asyncio.to_thread(generate_latest, self._metrics.registry)
            response = Response(page, media_type=CONTENT_TYPE)
        await response(scope, receive, send)
