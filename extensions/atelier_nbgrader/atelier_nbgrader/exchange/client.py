"""The service's exchange over HTTP, as this workspace's own account.

The token is the identity: nothing in a request says who sends it.
"""

import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from atelier_nbgrader.language import translate as _

CHUNK_BYTES = 256 * 1024
TIMEOUT = httpx.Timeout(30.0, read=120.0)


class ServiceRefusal(Exception):
    """The service said no; the message is its sentence in the workspace's language.

    `code` is the exchange's code (`too_large`, `no_release`, …) or `unreachable` when no answer came.
    """

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class ServiceClient:
    """One account's view of the exchange. Paths are relative to `api/v1/`, parts are quoted by `path()`."""

    def __init__(
        self, service_url: str, token: str, language: str = "en", transport: httpx.BaseTransport | None = None
    ) -> None:
        headers = {"Authorization": f"token {token}", "Accept-Language": language}
        self._http = httpx.Client(
            base_url=f"{service_url.rstrip('/')}/api/v1/",
            headers=headers,
            timeout=TIMEOUT,
            transport=transport,
            # the service is on the inside: a proxy variable set by a student must not matter
            trust_env=False,
        )

    @classmethod
    def of_workspace(cls, environ: Mapping[str, str] = os.environ) -> "ServiceClient":
        """The client for the workspace this runs in. Raises ServiceRefusal outside of one."""
        try:
            url, token = environ["ATELIER_SERVICE_URL"], environ["JUPYTERHUB_API_TOKEN"]
        except KeyError as missing:
            raise ServiceRefusal(
                "unreachable",
                _("{name} is not set: this works only inside a workspace of Atelier.").format(
                    name=missing.args[0]
                ),
            ) from None
        return cls(url, token, environ.get("ATELIER_LANGUAGE", "en"))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> "ServiceClient":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def get(self, where: str) -> Any:
        """A JSON answer."""
        return self._ask("GET", where)

    def put(self, where: str, body: Any) -> Any:
        return self._ask("PUT", where, body)

    def post(self, where: str, body: Any) -> Any:
        return self._ask("POST", where, body)

    def upload(self, where: str, archive: io.BytesIO, headers: Mapping[str, str] | None = None) -> Any:
        """POST an archive, piece by piece; returns the JSON answer."""
        size = {"Content-Length": str(archive.getbuffer().nbytes), "Content-Type": "application/gzip"}
        try:
            answer = self._http.post(
                where, content=_read_chunks(archive), headers={**size, **(headers or {})}
            )
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        _check_answer(answer)
        return _read_json(answer)

    def download(self, where: str, target: Path, most_bytes: int) -> Mapping[str, str]:
        """GET a file into `target`, streamed; returns the answer's headers.

        Raises ServiceRefusal when it is larger than `most_bytes`, cut, or not what its ETag (SHA-256)
        promises.
        """
        seen, digest = 0, hashlib.sha256()
        try:
            with self._http.stream("GET", where) as answer, target.open("wb") as out:
                if answer.is_error:
                    answer.read()
                    _check_answer(answer)
                for chunk in answer.iter_bytes(CHUNK_BYTES):
                    seen += len(chunk)
                    if seen > most_bytes:
                        raise ServiceRefusal(
                            "too_large",
                            _("The archive is larger than {size} MB.").format(size=most_bytes // 1_000_000),
                        )
                    digest.update(chunk)
                    out.write(chunk)
                headers = answer.headers
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        expected = headers.get("ETag", "").removeprefix("W/").strip('"')
        if len(expected) == 64 and expected != digest.hexdigest():
            raise ServiceRefusal("broken_archive", _("The archive arrived damaged. Try again."))
        return headers

    def _ask(self, method: str, where: str, body: Any = None) -> Any:
        try:
            answer = self._http.request(method, where, json=body)
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        _check_answer(answer)
        return _read_json(answer)


def path(*parts: str) -> str:
    """Parts of an address, each quoted: a name with a slash stays one part."""
    return "/".join(quote(part, safe="") for part in parts)


def _read_chunks(archive: io.BytesIO) -> Iterator[bytes]:
    archive.seek(0)  # it was sent before when the connection was cut
    while chunk := archive.read(CHUNK_BYTES):
        yield chunk


def _read_json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise ServiceRefusal("unreachable", _("The service gave an answer that cannot be read.")) from error


def _check_answer(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    try:
        said = answer.json()
        code, message = str(said["error"]), str(said["message"])
    except (ValueError, KeyError, TypeError):
        code = "unreachable"
        message = _("The service answered {status}. Try again in a minute.").format(status=answer.status_code)
    raise ServiceRefusal(code, message, answer.status_code)


def _unreachable(error: httpx.HTTPError) -> ServiceRefusal:
    text = _("The service cannot be reached ({reason}). Nothing is lost: try again in a minute.")
    return ServiceRefusal("unreachable", text.format(reason=type(error).__name__))
