"""What holds for every answer, whoever wrote the handler."""

import logging
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from atelier.settings import SERVICE_PREFIX

_log = logging.getLogger("atelier.web")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NOT_FOR_BROWSERS = (f"{SERVICE_PREFIX}internal/", f"{SERVICE_PREFIX}api/", f"{SERVICE_PREFIX}metrics")

_PROXY_MARKS = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "forwarded")

# A handler may set a stricter or richer value of its own; these hold where it says nothing.
_DEFAULT_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class OwnHostOnly:
    """Pages answer on the service's own host only: another name is another origin, with other scripts."""

    def __init__(self, app: ASGIApp, origin: str) -> None:
        self.app = app
        self.host = _normal_host(origin)
        self.scheme = urlsplit(origin).scheme

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._allows(scope):
            response = PlainTextResponse("404: no such page on this host\n", status_code=404)
            return await response(scope, receive, send)
        return await self.app(scope, receive, send)

    def _allows(self, scope: Scope) -> bool:
        if scope["path"].startswith(_NOT_FOR_BROWSERS):
            return True
        hosts = Headers(scope=scope).getlist("host")
        return len(hosts) == 1 and _normal_host(f"{self.scheme}://{hosts[0]}") == self.host


class DirectOnly:
    """For what came through the proxy, the wrapped application is not there: 404 for any method and path."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and any(mark in Headers(scope=scope) for mark in _PROXY_MARKS):
            return await PlainTextResponse("404: not found\n", status_code=404)(scope, receive, send)
        return await self.app(scope, receive, send)


class NoFailureEscapes:
    """Keeps a failure inside a mounted application, which has answered it: pages would answer again."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception:  # noqa: BLE001 (the last place that can log it)
            _log.exception("failed: %s %s", scope.get("method"), quote(scope["path"])[:300])


class SafeHeaders:
    """Puts the defaults on each answer, and takes CORS headers off: no other origin ever reads from here."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _DEFAULT_HEADERS.items():
                    headers.setdefault(name, value)
                for name in [n for n in headers if n.lower().startswith("access-control-")]:
                    del headers[name]
            await send(message)

        await self.app(scope, receive, send_safely if scope["type"] == "http" else send)


def _normal_host(origin: str) -> tuple[str, int] | None:
    parts = urlsplit(origin)
    try:
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except ValueError:
        return None
    return (parts.hostname or "").rstrip("."), port
