"""What the hub does differently where people come through the front server."""

from http.cookies import SimpleCookie
from pathlib import Path
from unittest.mock import Mock

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application, RequestHandler
from traitlets.config import Config

from hub_config.city import parse_city
from hub_config.configure import configure
from hub_config.settings import HubSettings

CITY = """
name: Град
schools:
  one: {name: Първо, domains: [one.example], first_administrator: admin@one.example}
"""
STATIC = "https://static--service.atelier.example"


def make_config(public_url: str, static_url: str | None = None) -> Config:
    settings = HubSettings(
        city_file=Path("city.yaml"),
        data_dir=Path("/data"),
        public_url=public_url,
        static_url=static_url,
        google_client_id="client",
        google_client_secret="secret",  # type: ignore[arg-type]
        web_hub_token=32 * "w",  # type: ignore[arg-type]
        steward_hub_token=32 * "s",  # type: ignore[arg-type]
        hub_service_token="service",  # type: ignore[arg-type]
        proxy_token="proxy",  # type: ignore[arg-type]
    )
    config = Config()
    configure(config, settings, parse_city(CITY))
    return config


@pytest.mark.parametrize("secure", [True, False])
def test_cookies_end_with_the_browser_and_are_secure_under_https(secure: bool) -> None:
    config = make_config("https://atelier.example" if secure else "http://atelier.localhost:8000")
    settings = config.JupyterHub.tornado_settings
    assert settings["xsrf_cookie_kwargs"]["secure"] is secure
    # tornado keeps a cookie for 30 days unless it is told not to
    assert ("expires_days" in settings["cookie_options"]) is secure
    assert settings["cookie_options"].get("expires_days") is None


@pytest.mark.parametrize("secure", [True, False])
def test_the_cross_site_token_ends_with_the_browser_whatever_hour_jupyterhub_gives_it(secure: bool) -> None:
    config = make_config("https://atelier.example" if secure else "http://atelier.localhost:8000")
    kwargs = config.JupyterHub.tornado_settings["xsrf_cookie_kwargs"]
    asked = RequestStartLine("GET", "/hub/", "HTTP/1.1")
    request = HTTPServerRequest(start_line=asked, headers=HTTPHeaders({"Host": "a"}), connection=Mock())
    handler = RequestHandler(Application(), request)
    # As jupyterhub._xsrf_utils does it for who is not signed in; tests/browser has the real one.
    with pytest.deprecated_call():
        handler.set_cookie("_xsrf", "token", **{**kwargs, "path": "/hub/", "max_age": 3600})
    cookie = SimpleCookie(handler._new_cookie["_xsrf"].OutputString())["_xsrf"]
    assert (cookie["max-age"], cookie["expires"], cookie["domain"]) == ("", "", "")
    assert (cookie["path"], cookie["samesite"], bool(cookie["secure"])) == ("/hub/", "Lax", secure)


def test_workspaces_are_told_of_shared_files_only_where_there_are_any() -> None:
    assert make_config("https://atelier.example", STATIC).AtelierWorkspace.static_url == STATIC
    assert make_config("https://atelier.example").AtelierWorkspace.static_url == ""
