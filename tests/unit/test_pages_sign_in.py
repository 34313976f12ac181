"""Claims about the service's own sign-in. A function plays the hub here; tests/browser has the real one."""

import datetime as dt
import hashlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from atelier import roster
from atelier.settings import SERVICE_PREFIX
from atelier.store.models import Base, Person, Team, WebSession
from authlib.oauth2.rfc7636.challenge import create_s256_code_challenge
from sqlalchemy import func, select

from tests.databases import Databases
from tests.pages_town import PageClient, Town, fresh_town

TOKEN = "hub-token-1"


class FakeHub:
    """Answers `oauth2/token` and `user` as the hub does. `owner` None: no such token; `down`: no answer."""

    def __init__(self) -> None:
        self.owner: str | None = None
        self.down = False
        self.challenge = ""
        self.used_codes: set[str] = set()
        self.asked: list[str] = []

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.down:
            raise httpx.ConnectError("refused")
        if request.url.path.endswith("/oauth2/token"):
            return self._give_token({k: v[0] for k, v in parse_qs(request.content.decode()).items()})
        known = self.owner and request.headers["authorization"] == f"Bearer {TOKEN}"
        return httpx.Response(200, json={"name": self.owner}) if known else httpx.Response(403, json={})

    def _give_token(self, form: dict[str, str]) -> httpx.Response:
        fits = create_s256_code_challenge(form["code_verifier"]) == self.challenge
        fits = fits and form["client_id"] == "service-atelier" and form["client_secret"] == "web-hub-secret"
        if not fits or form["code"] in self.used_codes:
            return httpx.Response(400, json={"error": "invalid_grant"})
        self.used_codes.add(form["code"])
        return httpx.Response(200, json={"access_token": TOKEN, "token_type": "Bearer"})


@pytest.fixture
def town(databases: Databases, tmp_path: Path) -> Town:
    return fresh_town(tmp_path, databases)


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
def client(town: Town, hub: FakeHub) -> PageClient:
    return town.open_as("nobody", town.make_app(hub.client()))


def begin(client: PageClient, hub: FakeHub, back: str = "") -> dict[str, str]:
    """Go to the hub as far as its authorize page; returns what it was asked."""
    answer = client.get(f"{SERVICE_PREFIX}sign-in", params={"next": back} if back else {})
    assert answer.status_code == 303
    query = {k: v[0] for k, v in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    hub.challenge = query["code_challenge"]
    return query


def finish(client: PageClient, state: str, code: str = "code-1") -> httpx.Response:
    return client.get(f"{SERVICE_PREFIX}oauth_callback", params={"code": code, "state": state})


def count_sessions(town: Town) -> int:
    with town.sessions() as session:
        return session.scalar(select(func.count()).select_from(WebSession)) or 0


def test_a_sign_in_asks_the_public_hub_with_a_challenge_and_comes_back(
    client: PageClient, hub: FakeHub, town: Town
) -> None:
    hub.owner = town.ids["student"]
    query = begin(client, hub, f"{SERVICE_PREFIX}courses/geo?x=1")
    assert query["client_id"] == "service-atelier"
    assert query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == f"{town.origin}{SERVICE_PREFIX}oauth_callback"
    answer = finish(client, query["state"])
    assert answer.headers["location"] == f"{SERVICE_PREFIX}courses/geo?x=1"
    assert client.see("").status_code == 200


def check_bound_to_host_and_browser_run(cookie: str) -> None:
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/;" in cookie + ";"
    for attribute in ("domain", "max-age", "expires"):
        assert attribute not in cookie.lower()


def test_cookies_are_for_this_host_and_this_browser_run_only(
    client: PageClient, hub: FakeHub, town: Town
) -> None:
    hub.owner = town.ids["student"]
    (attempt,) = client.see("sign-in").headers.get_list("set-cookie")
    check_bound_to_host_and_browser_run(attempt)
    cookies = finish(client, begin(client, hub)["state"]).headers.get_list("set-cookie")
    check_bound_to_host_and_browser_run(next(c for c in cookies if c.startswith("atelier=")))


@pytest.mark.parametrize(("age_s", "status"), [(599, 303), (600, 400), (-1, 400)])
def test_an_attempt_ends_after_ten_minutes_although_its_cookie_does_not(
    client: PageClient, hub: FakeHub, town: Town, age_s: int, status: int
) -> None:
    hub.owner = town.ids["student"]
    state = begin(client, hub)["state"]
    town.now += dt.timedelta(seconds=age_s)
    assert finish(client, state).status_code == status
    assert count_sessions(town) == (1 if status == 303 else 0)


@pytest.mark.parametrize("begun", ["", "0", "-1", "1e9", "nan", "٣", "9" * 400])
def test_an_attempt_whose_time_is_missing_or_made_up_signs_nobody_in(
    client: PageClient, hub: FakeHub, town: Town, begun: str
) -> None:
    hub.owner = town.ids["student"]
    state = begin(client, hub)["state"]
    (name,) = (name for name in client.cookies if name.startswith("atelier-sign-in-"))
    attempt = {key: values[0] for key, values in parse_qs(client.cookies[name].strip('"')).items()}
    assert attempt["begun"]
    client.cookies.clear()
    client.cookies.set(name, urlencode({**attempt, "begun": begun}))
    assert finish(client, state).status_code == 400
    assert not hub.asked, "the hub was not even asked"


def test_attempts_that_are_over_do_not_pile_up_in_an_open_browser(
    client: PageClient, hub: FakeHub, town: Town
) -> None:
    begun = [f"atelier-sign-in-{begin(client, hub)['state'][:8]}" for _ in range(3)]
    assert set(begun) <= set(client.cookies), "attempts of the last ten minutes belong to other tabs"
    town.now += dt.timedelta(minutes=10)
    last = f"atelier-sign-in-{begin(client, hub)['state'][:8]}"
    assert [name for name in client.cookies if name.startswith("atelier-sign-in-")] == [last]


def test_under_https_cookies_cannot_be_set_by_other_hosts(town: Town, hub: FakeHub) -> None:
    town.settings = town.settings.model_copy(update={"public_url": "https://atelier.example.bg"})
    client = town.open_as("nobody", town.make_app(hub.client()))
    hub.owner = town.ids["student"]
    begun = client.see("sign-in")
    assert begun.headers["set-cookie"].startswith("__Host-atelier-sign-in-")
    state = begin(client, hub)["state"]
    cookies = finish(client, state).headers.get_list("set-cookie")
    cookie = next(c for c in cookies if c.startswith("__Host-atelier="))
    assert "Secure" in cookie
    assert "Path=/" in cookie


def test_the_database_holds_no_secret_that_opens_a_session(
    client: PageClient, hub: FakeHub, town: Town
) -> None:
    hub.owner = town.ids["student"]
    finish(client, begin(client, hub)["state"])
    secret = client.cookies["atelier"].strip('"').partition(".")[0]
    with town.sessions() as session:
        row = session.scalars(select(WebSession)).one()
        assert row.secret_sha256 == hashlib.sha256(secret.encode()).hexdigest()
        for table in Base.metadata.sorted_tables:
            assert secret not in str(session.execute(select(table)).all()), table.name


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "/hub/logout", f"{SERVICE_PREFIX}\\x"]
)
def test_nobody_is_sent_elsewhere_after_signing_in(
    back: str, client: PageClient, hub: FakeHub, town: Town
) -> None:
    hub.owner = town.ids["student"]
    answer = finish(client, begin(client, hub, back)["state"])
    assert answer.headers["location"] == SERVICE_PREFIX


def test_two_tabs_sign_in_at_the_same_time(client: PageClient, hub: FakeHub, town: Town) -> None:
    hub.owner = town.ids["student"]
    first = begin(client, hub)
    challenge = hub.challenge
    second = begin(client, hub)
    assert finish(client, second["state"], "code-2").status_code == 303
    hub.challenge = challenge
    assert finish(client, first["state"], "code-1").status_code == 303


def test_a_code_that_this_browser_did_not_ask_for_signs_nobody_in(
    client: PageClient, hub: FakeHub, town: Town
):
    """Login CSRF: an attacker's own code, bound to the empty verifier, in a link without any state."""
    hub.owner, hub.challenge = town.ids["student"], create_s256_code_challenge("")
    assert finish(client, "").status_code == 400
    client.cookies.set("atelier-sign-in-", "state=&verifier=&next=")
    assert finish(client, "").status_code == 400
    assert client.see("").status_code == 303, "nobody is signed in"
    assert not hub.asked, "the hub was not even asked"


@pytest.mark.parametrize("spoil", ["state", "verifier", "used code", "no attempt"])
def test_a_callback_that_is_not_the_answer_to_our_question_starts_no_session(
    spoil: str, client: PageClient, hub: FakeHub, town: Town
) -> None:
    hub.owner = town.ids["student"]
    state = begin(client, hub)["state"]
    if spoil == "state":
        state = state[:8] + "x" * 40
    elif spoil == "verifier":
        hub.challenge = "another"
    elif spoil == "used code":
        hub.used_codes.add("code-1")
    else:
        client.cookies.clear()
    answer = finish(client, state)
    assert answer.status_code == 400
    assert "sign-in" in answer.text
    assert count_sessions(town) == 0


def test_a_text_in_the_callback_is_never_shown(client: PageClient) -> None:
    answer = client.see("oauth_callback?error=x&error_description=Call+0900-EVIL&state=Call+0900-EVIL")
    assert answer.status_code == 400
    assert "EVIL" not in answer.text


def test_only_an_active_person_gets_pages(client: PageClient, hub: FakeHub, town: Town) -> None:
    with town.sessions.begin() as session:
        roster.deactivate(session, town.ids["far-student"], town.now)
        team = session.scalars(select(Team)).first()
        assert team is not None
    course = f"course-{town.ids['course-geo']}"
    for number, owner in enumerate((f"team-{team.id}", course, town.ids["far-student"], "service-x")):
        hub.owner = owner
        answer = finish(client, begin(client, hub)["state"], f"code-{number}")
        assert answer.status_code == 403, owner
        assert "/hub/logout" in answer.text
    assert count_sessions(town) == 0


def test_people_of_a_school_that_left_the_city_are_told_so_and_not_sent_in_circles(
    client: PageClient, hub: FakeHub, town: Town
) -> None:
    hub.owner = town.ids["far-student"]
    finish(client, begin(client, hub)["state"])
    left = {name: school for name, school in town.city.schools.items() if name != "sou-2"}
    town.city = town.city.model_copy(update={"schools": left})
    client = town.open_as("nobody", town.make_app(hub.client()))
    assert finish(client, begin(client, hub)["state"], "code-2").status_code == 403
    assert town.open_as("far-student").see("").status_code == 303


def test_a_deactivated_person_is_out_at_the_next_request(town: Town) -> None:
    client = town.open_as("student")
    assert client.see("").status_code == 200
    with town.sessions.begin() as session:
        roster.deactivate(session, town.ids["student"], town.now)
    assert client.see("").headers["location"].startswith(f"{SERVICE_PREFIX}sign-in")


def test_who_no_longer_teaches_a_course_no_longer_sees_it(town: Town) -> None:
    client = town.open_as("teacher")
    assert client.see("courses/geo").status_code == 200
    with town.sessions.begin() as session:
        roster.end_enrolment(session, town.ids["teacher"], town.ids["course-geo"], town.now)
    assert client.see("courses/geo").status_code == 404


@pytest.fixture
def signed_in(client: PageClient, hub: FakeHub, town: Town) -> PageClient:
    hub.owner = town.ids["student"]
    finish(client, begin(client, hub)["state"])
    hub.asked.clear()
    return client


def later(town: Town, **span: float) -> None:
    town.now += dt.timedelta(**span)


def test_signing_out_at_the_hub_ends_the_session_within_a_minute(
    signed_in: PageClient, hub: FakeHub, town: Town
) -> None:
    hub.owner = None
    later(town, seconds=61)
    assert signed_in.see("").status_code == 303
    assert count_sessions(town) == 0


def test_another_persons_sign_in_at_the_hub_does_not_show_the_first_ones_pages(
    signed_in: PageClient, hub: FakeHub, town: Town
) -> None:
    hub.owner = town.ids["far-student"]
    later(town, seconds=61)
    assert signed_in.see("").status_code == 303


def test_the_hub_is_asked_once_a_minute_and_not_at_each_page(
    signed_in: PageClient, hub: FakeHub, town: Town
) -> None:
    for _ in range(3):
        signed_in.see("")
    assert hub.asked == []
    later(town, seconds=61)
    for _ in range(3):
        assert signed_in.see("").status_code == 200
    assert len(hub.asked) == 1


def test_while_the_hub_is_silent_its_last_answer_holds_for_a_quarter_of_an_hour(
    signed_in: PageClient, hub: FakeHub, town: Town
) -> None:
    hub.down = True
    later(town, minutes=14)
    assert signed_in.see("").status_code == 200
    later(town, minutes=2)
    answer = signed_in.see("")
    assert answer.status_code == 503
    hub.down = False
    assert signed_in.see("").status_code == 200, "the session survived the silence"


def test_a_silent_hub_at_sign_in_is_a_page_that_says_so(client: PageClient, hub: FakeHub) -> None:
    state = begin(client, hub)["state"]
    hub.down = True
    assert finish(client, state).status_code == 503


def test_a_session_ends_after_a_school_day(signed_in: PageClient, town: Town) -> None:
    later(town, hours=13)
    assert signed_in.see("").status_code == 303


def test_signing_out_ends_the_session_even_for_a_copied_cookie(town: Town) -> None:
    client = town.open_as("student")
    copied = client.cookies["atelier"]
    answer = client.fill_in("sign-out", {})
    assert answer.headers["location"] == "http://atelier.localhost:8000/hub/logout"
    thief = town.open_as("nobody")
    thief.cookies.set("atelier", copied)
    assert thief.see("").status_code == 303


def test_a_form_sent_after_the_session_ended_says_that_nothing_was_saved(town: Town) -> None:
    answer = town.open_as("nobody").fill_in("language", {"language": "bg"}, **{"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"].startswith(f"{SERVICE_PREFIX}sign-in")


def test_the_persons_choice_of_language_wins_over_the_schools(town: Town) -> None:
    client = town.open_as("student")
    assert "Моята работа" in client.see("").text
    answer = client.fill_in("language", {"language": "en", "next": f"{SERVICE_PREFIX}"})
    assert answer.status_code == 303
    assert "My work" in client.see("").text
    client.fill_in("language", {"language": "tlh"})
    with town.sessions() as session:
        assert session.get_one(Person, town.ids["student"]).language == "en"


def test_a_school_has_its_language_and_a_stranger_the_browsers(town: Town, hub: FakeHub) -> None:
    assert "My work" in town.open_as("far-student").see("").text
    client = town.open_as("nobody", town.make_app(hub.client()))
    texts: list[tuple[str, Callable[[str], bool]]] = [
        ("de, en;q=0.5", lambda text: "Signing in was interrupted" in text),
        ("bg-BG", lambda text: "Входът беше прекъснат" in text),
        ("", lambda text: "Входът беше прекъснат" in text),
    ]
    for accepted, is_right in texts:
        answer = client.get(f"{SERVICE_PREFIX}oauth_callback", headers={"Accept-Language": accepted})
        assert is_right(answer.text), accepted
