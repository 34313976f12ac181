"""Who gets past the authenticator: the decision table, under every setting that lets people in."""

import time
from collections.abc import Mapping
from http.cookies import Morsel, SimpleCookie
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlparse

import pytest
from jupyterhub.handlers.base import BaseHandler
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application, create_signed_value

from hub_config.accounts import Accounts, Answer, SignInRefused
from hub_config.city import City, parse_city
from hub_config.sign_in import (
    ACCOUNT_PATTERN,
    AtelierAuthenticator,
    CallbackHandler,
    SignInHandler,
    check_claims,
    name_state_cookie,
)

CITY = """
name: Град
schools:
  one:
    name: Първо
    domains: [one.example, students.one.example]
    first_administrator: admin@one.example
  two:
    name: Второ
    domains: [two.example]
    first_administrator: admin@two.example
"""
MARIA = {"id": "1093", "email": "maria@one.example", "verified_email": True, "hd": "one.example"}
PERSON = "k3aaaaaaaaaa"
LETTING_IN = [
    {"allow_all": True},
    {"allow_existing_users": True},
    {"allowed_users": {PERSON, "1093", "maria@one.example"}},
    {"admin_users": {PERSON, "1093"}},
    {"allowed_scopes": ["openid"]},
]


@pytest.fixture(scope="module")
def city() -> City:
    return parse_city(CITY)


class Played(AtelierAuthenticator):
    """The authenticator with Google's two answers played; everything after them is real."""

    user: Mapping[str, Any] = {}

    def build_access_tokens_request_params(self, handler: Any, data: Any = None) -> dict[str, Any]:
        return {}

    async def get_token_info(self, handler: Any, params: dict[str, Any]) -> dict[str, Any]:
        return {"access_token": "provider-token", "token_type": "Bearer", "scope": "openid email"}

    async def token_to_user(self, token_info: dict[str, Any]) -> dict[str, Any]:
        return dict(self.user)


def make_authenticator(
    city: City, user: Mapping[str, Any], sign_in: Answer, **settings: Any
) -> tuple[Played, list[Mapping[str, Any]]]:
    """Return the authenticator and the list of what it asks the service at sign-in."""
    asked: list[Mapping[str, Any]] = []

    async def ask(method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        if path == "sign-in":
            asked.append(body or {})
            return sign_in
        name = path.rpartition("/")[2]
        about = {"account": name, "kind": "personal", "active": True, "display_name": "М", "initials": "М"}
        return Answer(200, {**about, "color": "#111111", "language": "bg", "zone": "Europe/Sofia"})

    authenticator = Played(
        city=city,
        accounts=Accounts(ask),
        username_pattern=ACCOUNT_PATTERN,
        enable_auth_state=False,
        **settings,
    )
    authenticator.user = user
    return authenticator, asked


YES = Answer(200, {"person": PERSON})


@pytest.mark.parametrize("settings", LETTING_IN)
async def test_person_on_the_roster_signs_in_under_the_opaque_id(
    city: City, settings: dict[str, Any]
) -> None:
    authenticator, asked = make_authenticator(city, MARIA, YES, **settings)
    model = await authenticator.get_authenticated_user(None, None)
    assert model["name"] == PERSON
    assert model["admin"] is False
    assert model["user_info"]["initials"] == "М"
    assert asked == [
        {
            "provider": "google",
            "subject": "1093",
            "email": "maria@one.example",
            "email_verified": True,
            "hosted_domain": "one.example",
        }
    ]


@pytest.mark.parametrize("settings", LETTING_IN)
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"email": None}, "no_email"),
        ({"email": "maria"}, "no_email"),
        ({"id": ""}, "no_email"),
        ({"verified_email": False}, "unverified"),
        ({"verified_email": "true"}, "unverified"),
        ({"verified_email": None}, "unverified"),
        ({"hd": None}, "personal_account"),
        ({"hd": ""}, "personal_account"),
        ({"hd": "other.example"}, "other_domain"),
        ({"hd": "one.example.evil.example"}, "other_domain"),
        ({"email": "maria@other.example"}, "other_domain"),
        ({"email": "maria@one.example@other.example"}, "other_domain"),
    ],
)
async def test_no_setting_lets_in_whom_google_does_not_prove(
    city: City, settings: dict[str, Any], change: dict[str, Any], code: str
) -> None:
    authenticator, asked = make_authenticator(city, {**MARIA, **change}, YES, **settings)
    with pytest.raises(SignInRefused) as refused:
        await authenticator.get_authenticated_user(None, None)
    assert refused.value.code == code
    assert asked == []  # the service never binds such an account


@pytest.mark.parametrize("settings", LETTING_IN)
@pytest.mark.parametrize("code", ["not_on_roster", "deactivated", "address_taken", "other_domain"])
async def test_no_setting_lets_in_whom_the_roster_refuses(
    city: City, settings: dict[str, Any], code: str
) -> None:
    no = Answer(403, {"refusal": code, "school": "one"})
    authenticator, _ = make_authenticator(city, MARIA, no, **settings)
    with pytest.raises(SignInRefused) as refused:
        await authenticator.get_authenticated_user(None, None)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "name", ["team-k3aaaaaaaaaa", "course-k3aaaaaaaaaa", "admin", "k3aaaaaaaaaa/x", "1093"]
)
@pytest.mark.parametrize("settings", LETTING_IN)
async def test_nobody_signs_in_as_anything_but_a_person(
    city: City, settings: dict[str, Any], name: str
) -> None:
    authenticator, _ = make_authenticator(city, MARIA, Answer(200, {"person": name}), **settings)
    try:
        model = await authenticator.get_authenticated_user(None, None)
    except SignInRefused:
        model = None
    assert model is None


async def test_name_that_the_service_did_not_give_is_refused(city: City) -> None:
    authenticator, _ = make_authenticator(city, MARIA, YES)
    model = {"auth_state": {authenticator.user_auth_state_key: MARIA}, "atelier_person": PERSON}
    with pytest.raises(SignInRefused):
        await authenticator.check_blocked_users("zzzzzzzzzzzz", model)
    with pytest.raises(SignInRefused):
        await authenticator.check_blocked_users(
            PERSON, {"auth_state": {authenticator.user_auth_state_key: MARIA}}
        )


def test_second_domain_of_a_school_is_accepted(city: City) -> None:
    check_claims({**MARIA, "email": "ivan@students.one.example", "hd": "students.one.example"}, city)
    check_claims({**MARIA, "email": "IVAN@Students.One.Example", "hd": "one.example"}, city)


def test_only_the_callback_may_exchange_a_code(city: City) -> None:
    authenticator = AtelierAuthenticator(city=city)
    with pytest.raises(Exception, match="403"):
        authenticator.build_access_tokens_request_params(object())
    assert authenticator.callback_handler is CallbackHandler


def test_contact_is_shown_only_for_a_known_school(city: City) -> None:
    authenticator = AtelierAuthenticator(city=city)
    assert authenticator.find_contact("one") == "admin@one.example"
    assert authenticator.find_contact("<script>") is None
    assert authenticator.find_contact(None) is None


@pytest.mark.parametrize(
    ("url", "bound"), [("https://atelier.example/", True), ("http://a.localhost:1/", False)]
)
def test_no_workspace_can_set_the_cookie_of_a_sign_in_under_https(url: str, bound: bool) -> None:
    handler = SimpleNamespace(settings={"public_url": urlparse(url)})
    assert name_state_cookie(handler).startswith("__Host-") is bound


SECRET = b"s" * 32


def make_handler(kind: type[BaseHandler], url: str, **cookies: str) -> BaseHandler:
    """Return a handler as it stands before a request that brings `cookies`."""
    header = "; ".join(f"{name.replace('_', '-')}={value}" for name, value in cookies.items())
    request = HTTPServerRequest(
        start_line=RequestStartLine("GET", "/hub/", "HTTP/1.1"),
        headers=HTTPHeaders({"Cookie": header, "Host": "atelier.example"}),
        connection=Mock(),
    )
    hub = SimpleNamespace(base_url="/hub/")
    settings: dict[str, Any] = {"cookie_secret": SECRET, "public_url": urlparse(url), "hub": hub}
    return kind(Application(**settings), request)


def read_set_cookie(handler: BaseHandler) -> Morsel[str]:
    (cookie,) = handler._new_cookie.values()
    (read,) = SimpleCookie(cookie.OutputString()).values()
    return read


@pytest.mark.parametrize("url", ["https://atelier.example/", "http://a.localhost:1/"])
def test_the_cookie_of_a_sign_in_ends_with_the_browser(url: str) -> None:
    handler = make_handler(SignInHandler, url)
    handler.set_state_cookie("state")
    cookie = read_set_cookie(handler)
    assert cookie.key == name_state_cookie(handler)
    assert (cookie["expires"], cookie["max-age"], cookie["domain"]) == ("", "", "")
    assert (cookie["path"], bool(cookie["secure"])) == ("/", url.startswith("https:"))
    assert cookie["httponly"]


@pytest.mark.parametrize(("age_s", "expected"), [(0, "state"), (3590, "state"), (3610, "")])
def test_a_sign_in_is_over_after_an_hour_although_its_cookie_is_not(age_s: int, expected: str) -> None:
    begun_at = time.time() - age_s
    kept = create_signed_value(SECRET, "atelier-sign-in", "state", clock=lambda: begun_at).decode()
    handler = make_handler(CallbackHandler, "http://a.localhost:1/", atelier_sign_in=kept)
    assert handler.get_state_cookie() == expected


def test_a_sign_in_whose_time_was_changed_is_over() -> None:
    now = int(time.time())
    kept = create_signed_value(SECRET, "atelier-sign-in", "state", clock=lambda: now - 7200).decode()
    renewed = kept.replace(str(now - 7200), str(now))
    assert renewed != kept
    handler = make_handler(CallbackHandler, "http://a.localhost:1/", atelier_sign_in=renewed)
    assert handler.get_state_cookie() == ""
