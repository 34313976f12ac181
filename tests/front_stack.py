"""The whole of Atelier behind its front server: TLS with an authority of the test's own, real nginx."""

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Self

import httpx

from front.certificate import find_key_pin
from front.trial import FrontHouse, find_nginx, make_trial, start_front
from tests.atelier_stack import Browser, Stack
from tests.chromium import ARGUMENTS
from tests.components import skip_or_fail


class FrontTransport(httpx.BaseTransport):
    """Connects every name below `host` to 127.0.0.1; the certificate must be right for the name."""

    def __init__(self, house: FrontHouse) -> None:
        assert house.certificate is not None
        self.context = ssl.create_default_context(cafile=str(house.certificate.authority))
        self._transport = httpx.HTTPTransport(verify=self.context)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        there = request.url.copy_with(host="127.0.0.1")
        extensions = {**request.extensions, "sni_hostname": request.url.host}
        return self._transport.handle_request(
            httpx.Request(
                request.method, there, headers=request.headers, stream=request.stream, extensions=extensions
            )
        )

    def close(self) -> None:
        self._transport.close()


class FrontStack(Stack):
    """A `Stack` whose public address is the front's."""

    house: FrontHouse

    def __init__(self, data_dir: Path, *, host: str = "atelier.localhost") -> None:
        super().__init__(data_dir)
        self.house = make_trial(self.demo, host=host)

    def start(self) -> Self:
        super().start()
        try:
            start_front(self.demo, self.house)
        except BaseException:
            self.stop()
            raise
        return self

    def serve_files_from(self, static_dir: Path) -> None:
        """Let the front look for its files elsewhere. Before the start."""
        self.house = self.demo.house = replace(self.house, static_dir=static_dir)

    def browser(self, language: str = "bg") -> Browser:
        browser = Browser(language)
        browser._transport.close()
        browser._transport = FrontTransport(self.house)
        self._clients.append(browser)
        return browser

    @property
    def static_url(self) -> str:
        """Where all accounts find Lab's files."""
        return self.house.front_settings.static_url

    @property
    def chromium_arguments(self) -> list[str]:
        """Chromium trusts this one key as if an authority had signed it, and finds the names here.

        With certificate errors merely ignored it would keep nothing in its cache.
        """
        assert self.house.certificate is not None
        return [
            *ARGUMENTS,
            f"--ignore-certificate-errors-spki-list={find_key_pin(self.house.certificate.certificate)}",
            f"--host-resolver-rules=MAP *.{self.house.host} 127.0.0.1, MAP {self.house.host} 127.0.0.1",
        ]


def check_nginx() -> None:
    """Skip a test where nginx is not installed; fail in CI."""
    try:
        find_nginx()
    except FileNotFoundError as error:
        skip_or_fail(str(error))
