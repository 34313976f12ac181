"""One line per request: method, path, status, milliseconds. No query string, no header, no token."""

import logging
import time
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger("atelier.access")


class AccessLog:
    """The web process's access log. uvicorn's own is off: it writes query strings, and so OAuth codes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = time.monotonic()
        # 499, as nginx has it: nobody was there any more when an answer could have been given.
        status = 499

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            took_ms = (time.monotonic() - started) * 1000
            _log.info("%s %s %d %.0f ms", scope["method"], quote(scope["path"])[:300], status, took_ms)
