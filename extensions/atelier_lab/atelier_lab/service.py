"""The exchange's HTTP interface, as this workspace's server part uses it.

Tornado's own client is used because the server has it loaded already: another HTTP library costs each
workspace memory.
"""

import json
from collections.abc import Callable
from typing import Any

from tornado.httpclient import HTTPError, HTTPRequest, HTTPResponse
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from atelier_lab.workspace import Workspace

CONNECT_TIMEOUT_S = 5
REQUEST_TIMEOUT_S = 20
ARCHIVE_TIMEOUT_S = 300
ARCHIVE_LIMIT_MB = 1024


class ServiceUnreachable(Exception):
    """No answer, or not one of the service's."""


class ServiceRefused(Exception):
    """The service answered with 4xx: `code` for programs, `message` for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class Service:
    """Asks the service with the workspace's own token."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._client = SimpleAsyncHTTPClient(
            force_instance=True, max_body_size=ARCHIVE_LIMIT_MB * 1024 * 1024
        )

    async def get(self, path: str, language: str) -> Any:
        """The JSON answer to `GET api/v1/<path>`.

        Raises ServiceUnreachable or ServiceRefused.
        """
        response = await self._fetch(path, language, REQUEST_TIMEOUT_S)
        try:
            return json.loads(response.body)
        except ValueError as error:
            raise ServiceUnreachable(f"GET {path}: the answer is not JSON") from error

    async def download(self, path: str, language: str, write: Callable[[bytes], object]) -> None:
        """Stream the body of `GET api/v1/<path>` into `write`. Raises as `get` does, and the OSError that
        `write` raised.
        """
        refusal = bytearray()
        status = 200
        unwritten: OSError | None = None

        def on_header(line: str) -> None:
            nonlocal status
            if line.startswith("HTTP/"):
                status = int(line.split()[1])

        def on_chunk(chunk: bytes) -> None:
            nonlocal unwritten
            if status != 200:
                refusal.extend(chunk[: 65536 - len(refusal)])
            elif unwritten is None:
                try:
                    write(chunk)
                except OSError as error:
                    # Raised here, it would be a connection that broke: the service would seem to be silent.
                    unwritten = error

        await self._fetch(path, language, ARCHIVE_TIMEOUT_S, on_header, on_chunk, refusal)
        if unwritten is not None:
            raise unwritten

    async def _fetch(
        self,
        path: str,
        language: str,
        timeout_s: float,
        on_header: Callable[[str], None] | None = None,
        on_chunk: Callable[[bytes], None] | None = None,
        refusal: bytearray | None = None,
    ) -> HTTPResponse:
        if not self._workspace.service_url:
            raise ServiceUnreachable("ATELIER_SERVICE_URL is not set")
        request = HTTPRequest(
            f"{self._workspace.service_url}/api/v1/{path}",
            headers={"Authorization": f"token {self._workspace.token}", "Accept-Language": language},
            connect_timeout=CONNECT_TIMEOUT_S,
            request_timeout=timeout_s,
            follow_redirects=False,
            header_callback=on_header,
            streaming_callback=on_chunk,
        )
        try:
            return await self._client.fetch(request)
        except HTTPError as error:
            raise _explain(error, path, refusal) from None
        except (OSError, ValueError) as error:
            raise ServiceUnreachable(f"GET {path}: {error}") from error


def _explain(error: HTTPError, path: str, refusal: bytearray | None) -> ServiceRefused | ServiceUnreachable:
    """A refusal is a 4xx with the service's JSON; anything else means that the service does not answer."""
    body = bytes(refusal) if refusal else (error.response.body if error.response else b"")
    try:
        answer = json.loads(body)
        if 400 <= error.code < 500:
            return ServiceRefused(error.code, str(answer["error"]), str(answer["message"]))
    except (ValueError, KeyError, TypeError):
        pass
    return ServiceUnreachable(f"GET {path}: {error.code} {error.message}")
