"""Cookies of a workspace: each ends with the browser, and under https no other account can set it."""

from types import SimpleNamespace
from typing import Any

import atelier_lab
import pytest
from atelier_lab.shared_files import find_cookie_name, install_shared_files, wants_own_files

NOW_S = 1_800_000_000
HTTPS = "https://atelier--service.atelier.example/services/atelier/"
ENVIRON = {
    "ATELIER_KIND": "personal",
    "ATELIER_STATIC_URL": "https://static--service.atelier.example",
    "ATELIER_PAGES_URL": HTTPS,
}


@pytest.mark.parametrize(
    ("pages_url", "name"),
    [
        (HTTPS, "__Host-atelier-own-files"),
        ("http://atelier--service.atelier.localhost:8000/services/atelier/", "atelier-own-files"),
        (None, "atelier-own-files"),
    ],
)
def test_no_other_account_can_send_a_browser_to_the_workspaces_own_files_under_https(
    pages_url: str | None, name: str
) -> None:
    assert find_cookie_name({"ATELIER_PAGES_URL": pages_url} if pages_url else {}) == name


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (str(NOW_S), True),
        (str(NOW_S - 3599), True),
        (str(NOW_S + 60), True),  # the machine's clock was set back meanwhile
        (str(NOW_S - 3600), False),
        (str(NOW_S + 3600), False),
        ("1", False),
        ("", False),
        (None, False),
        ("9" * 400, False),
        ("-1", False),
        ("٣", False),
        (f"{NOW_S}\n", False),
    ],
)
def test_the_shared_files_are_tried_again_after_an_hour_although_the_cookie_has_no_end(
    value: str | None, expected: bool
) -> None:
    assert wants_own_files(value, NOW_S) is expected


def ask_page(cookies: dict[str, str], now_s: float) -> dict[str, Any]:
    app = SimpleNamespace(settings={})
    install_shared_files(app, ENVIRON, lambda: now_s)
    page: dict[str, Any] = app.settings["page_config_hook"](SimpleNamespace(get_cookie=cookies.get), {})
    return page


def test_a_page_whose_files_fail_says_so_with_the_servers_time_and_is_believed() -> None:
    name, _, value = ask_page({}, NOW_S + 0.9)["atelierOwnFilesCookie"].partition("=")
    assert (name, value) == ("__Host-atelier-own-files", str(NOW_S))
    assert "atelierStaticUrl" not in ask_page({name: value}, NOW_S + 5)
    assert "atelierStaticUrl" in ask_page({name: value}, NOW_S + 3600)
    assert "atelierStaticUrl" in ask_page({"atelier-own-files": value}, NOW_S + 5)


@pytest.mark.parametrize("https", [True, False])
async def test_the_cross_site_token_of_a_workspace_is_secure_and_ends_with_the_browser_under_https(
    https: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATELIER_PAGES_URL", HTTPS if https else HTTPS.replace("https", "http"))
    monkeypatch.delenv("ATELIER_STATIC_URL", raising=False)
    before = {"path": "/user/k3x1a2b3c4d5/"}
    app = SimpleNamespace(settings={"xsrf_cookie_kwargs": before})
    await atelier_lab._start_jupyter_server_extension(SimpleNamespace(web_app=app))
    own = {"secure": True, "max-age": ""} if https else {}
    assert app.settings["xsrf_cookie_kwargs"] == {**before, **own}
