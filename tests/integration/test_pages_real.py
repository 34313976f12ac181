"""Claims about the pages with the real hub: who it names gets in, who signs out there is out here."""

import datetime as dt
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from atelier.store.models import WebSession

from tests.atelier_stack import Browser, Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.hub

TEACHER = "teacher@school-a.example"
STUDENT = "aleksandra.angelova@students.school-a.example"


def let_a_minute_pass(stack: Stack) -> None:
    """Make each session's last question to the hub 61 s older; nobody sleeps."""
    with stack.session() as session:
        for row in session.query(WebSession):
            row.identity_checked_at -= dt.timedelta(seconds=61)


def is_on_my_work(stack: Stack, browser: Browser) -> bool:
    page = browser.get(stack.pages_url, follow_redirects=False)
    return page.status_code == 200 and "sign-out" in page.text


def find_csrf_token(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_a_sign_in_lands_on_my_work_and_the_hub_still_agrees_a_minute_later(stack: Stack) -> None:
    browser = stack.sign_in(STUDENT)
    assert is_on_my_work(stack, browser)
    let_a_minute_pass(stack)
    assert is_on_my_work(stack, browser)


def test_signing_out_at_the_hub_is_signing_out_of_the_pages(stack: Stack) -> None:
    browser = stack.sign_in(STUDENT)
    assert is_on_my_work(stack, browser)
    assert browser.get(f"{stack.public_url}/hub/logout").status_code == 200
    let_a_minute_pass(stack)
    assert not is_on_my_work(stack, browser)


def test_a_session_cookie_that_was_exchanged_keeps_nothing_open(stack: Stack) -> None:
    """A page of any account's origin can set it: it is for all names below the hub's."""
    browser = stack.sign_in(STUDENT)
    assert is_on_my_work(stack, browser)
    (session,) = [cookie for cookie in browser.cookies.jar if cookie.name == "jupyterhub-session-id"]
    session.value = "exchanged-by-a-page"
    assert browser.get(f"{stack.public_url}/hub/logout").status_code == 200
    let_a_minute_pass(stack)
    assert not is_on_my_work(stack, browser)


def test_signing_out_of_the_pages_is_signing_out_at_the_hub(stack: Stack) -> None:
    browser = stack.sign_in(STUDENT)
    page = browser.get(stack.pages_url)
    origin = stack.pages_url.split("/services/")[0]
    answer = browser.post(
        f"{stack.pages_url}sign-out",
        data={"csrf_token": find_csrf_token(page.text)},
        headers={"Origin": origin},
    )
    assert answer.status_code == 200
    assert not is_on_my_work(stack, browser)
    there = browser.get(f"{stack.public_url}/hub/home", follow_redirects=False)
    assert there.status_code == 302, "the hub asks who it is"


def test_while_the_hub_is_down_pages_go_on_and_new_sign_ins_are_told(stack: Stack) -> None:
    browser, stranger = stack.sign_in(STUDENT), stack.browser()
    with stack.down("hub"):
        let_a_minute_pass(stack)
        assert is_on_my_work(stack, browser)
        begun = stranger.get(f"{stack.pages_url}sign-in", follow_redirects=False)
        state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
        page = stranger.get(f"{stack.pages_url}oauth_callback", params={"code": "x", "state": state})
        assert page.status_code == 503
        assert "В момента входът не работи" in page.text
    assert is_on_my_work(stack, browser)


def test_the_workspace_button_starts_the_own_workspace(stack: Stack) -> None:
    browser = stack.sign_in(STUDENT)
    person = stack.find_person(STUDENT)
    link = re.search(rf'href="([^"]+/hub/spawn/{person}[^"]*)"', browser.get(stack.pages_url).text)
    assert link is not None
    page = browser.get(link[1].replace("&amp;", "&"))
    assert page.status_code == 200, page.text
    assert f"/hub/spawn-pending/{person}" in str(page.url) or f"{person}." in str(page.url)
    wait_until(lambda: stack.is_ready(person), 90, "the workspace did not start")
    opened = browser.get(link[1].replace("&amp;", "&"))
    assert opened.url.host == f"{person}.atelier.localhost"
    assert opened.url.path == f"/user/{person}/lab"


def test_no_secret_of_a_sign_in_is_in_a_log(stack: Stack) -> None:
    browser = stack.sign_in(TEACHER)
    secret, _, token = browser.cookies.get("atelier", "").strip('"').partition(".")
    assert secret
    assert token
    logs = stack.describe_logs() + stack.read_log("web") + stack.read_log("hub")
    assert secret not in logs
    assert token not in logs
    assert not re.search(r"[?&](code|state)=[A-Za-z0-9]", stack.read_log("web"))
