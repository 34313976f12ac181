"""Letting a refused sender finish, so that it can read why.

A server that answers and closes while a client still sends makes the client's system throw the answer away:
the student would see "connection reset" instead of "nothing has been handed out yet".
"""

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DRAIN_S = 20.0
DRAIN_BYTES = 1 << 30


class DrainRefusedBody:
    """Before an answer of 400 or more goes out, reads the rest of the body and forgets it, for a while.

    A client that waits for `100 Continue` has not sent anything yet: it gets its answer at once.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        body = _Body(receive, waits=Headers(scope=scope).get("expect", "").lower() == "100-continue")

        async def send_after_body(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                await body.drain()
            await send(message)

        await self.app(scope, body.receive, send_after_body)


class _Body:
    def __init__(self, receive: Receive, waits: bool) -> None:
        self._receive = receive
        self._untouched = waits
        self._ended = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._untouched = False
        self._ended = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        drained = 0
        # The framework's own limit may end it as well (HTTPException): then the answer goes out now.
        with contextlib.suppress(TimeoutError, HTTPException):
            async with asyncio.timeout(DRAIN_S):
                while not self._ended and not self._untouched and drained < DRAIN_BYTES:
                    drained += len((await self.receive()).get("body", b""))
