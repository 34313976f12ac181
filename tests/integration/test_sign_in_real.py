"""Sign-in end to end: a real provider, the real hub, the real roster. What people see, and what logs keep."""

import re
import sqlite3
from contextlib import closing
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from tests.atelier_stack import Browser, Stack

pytestmark = pytest.mark.hub

TEACHER = "teacher@school-a.example"
STUDENT = "aleksandra.angelova@students.school-a.example"
TEXTS = {
    "bg": {"personal_account": "Това е личен профил", "again": "Друг профил"},
    "en": {"personal_account": "This is a personal account", "again": "Use another account"},
}
REFUSED = {
    "iva.petrova@gmail.example": "personal_account",
    "guest@other-town.example": "other_domain",
    "new.student@school-a.example": "unverified",
    "nobody@school-a.example": "not_on_roster",
    "yavor.uzunov@students.school-a.example": "deactivated",
    "—": "no_email",
}
EVIL = "EVIL<script>alert(1)</script>"


def find_refusal(page: httpx.Response) -> str:
    found = re.search(r'data-refusal="(\w+)"', page.text)
    assert found, f"{page.status_code} {page.url}: {page.text[:500]}"
    return found[1]


def stop_before_callback(stack: Stack, browser: Browser, email: str) -> str:
    """Sign in at the provider, but do not follow it back. Returns the callback's address."""
    chooser = stack.open_chooser(browser)
    browser.follow_redirects = False
    answer = stack.choose(browser, chooser, email)
    while "oauth_callback" not in answer.headers["location"]:
        answer = browser.get(httpx.URL(str(answer.url)).join(answer.headers["location"]))
    browser.follow_redirects = True
    return answer.headers["location"]


@pytest.fixture(scope="module", autouse=True)
def hub_log_begins_at(stack: Stack) -> int:
    """Where this module's lines begin in the log of the hub, which other modules use as well."""
    return len(stack.read_log("hub"))


@pytest.fixture
def browser(stack: Stack) -> Browser:
    return stack.browser()


@pytest.mark.parametrize("email", [TEACHER, STUDENT, "admin@school-b.example"])
def test_person_on_the_roster_lands_on_my_work(stack: Stack, email: str) -> None:
    page = stack.try_sign_in(email)
    assert page.status_code == 200
    assert str(page.url).startswith(stack.pages_url)


@pytest.mark.parametrize("language", ["bg", "en"])
@pytest.mark.parametrize(("email", "code"), REFUSED.items())
def test_refusal_says_why_and_offers_another_account(
    stack: Stack, email: str, code: str, language: str
) -> None:
    page = stack.try_sign_in(email, language)
    assert page.status_code == 403
    assert find_refusal(page) == code
    assert f'<html lang="{language}">' in page.text
    assert TEXTS[language]["again"] in page.text
    assert page.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("language", ["bg", "en"])
def test_refusal_is_in_the_readers_language(stack: Stack, language: str) -> None:
    page = stack.try_sign_in("iva.petrova@gmail.example", language)
    assert TEXTS[language]["personal_account"] in page.text


def test_refusal_of_a_school_names_its_administrator(stack: Stack) -> None:
    assert "admin@school-a.example" in stack.try_sign_in("nobody@school-a.example").text
    assert "admin@school-a.example" not in stack.try_sign_in("guest@other-town.example").text


def test_use_another_account_leads_to_the_chooser_and_in(stack: Stack, browser: Browser) -> None:
    refused = stack.choose(browser, stack.open_chooser(browser), "nobody@school-a.example")
    link = re.search(r'href="(/hub/oauth_login\?other_account=1)"', refused.text)
    assert link
    chooser = stack.open_chooser(browser, link[1])
    prompts = [dict(parse_qsl(hop.url.query.decode())).get("prompt") for hop in chooser.history]
    assert "select_account" in prompts
    assert stack.choose(browser, chooser, TEACHER).status_code == 200


def test_cancelling_is_no_error(stack: Stack, browser: Browser) -> None:
    chooser = stack.open_chooser(browser)
    page = browser.post_form(chooser, str(chooser.url.path) + "/cancel", {})
    assert (page.status_code, find_refusal(page)) == (403, "cancelled")


# ------------------------------------------------ identities
def test_new_owner_of_an_address_never_gets_the_old_owners_account(stack: Stack) -> None:
    email = "reused@school-a.example"
    stack.import_roster("primer", [f",Стара,Ученичка,{email},teacher,"])
    stack.set_account(email, hosted_domain="school-a.example", id="200000000000000000001")
    stack.sign_in(email)
    stack.set_account(email, hosted_domain="school-a.example", id="200000000000000000002")
    page = stack.try_sign_in(email)
    assert (page.status_code, find_refusal(page)) == (403, "address_taken")


def test_same_name_on_two_domains_of_a_school_is_two_people(stack: Stack) -> None:
    addresses = ["ivan@school-a.example", "ivan@students.school-a.example"]
    stack.import_roster(
        "primer", [f",Иван,Първи,{addresses[0]},teacher,", f"30,Иван,Втори,{addresses[1]},student,11Ю"]
    )
    for email in addresses:
        stack.set_account(email, hosted_domain=email.partition("@")[2])
    people = {stack.find_person(email) for email in addresses}
    assert len(people) == 2
    assert {read_account(stack, stack.sign_in(email)) for email in addresses} == people


def read_account(stack: Stack, browser: Browser) -> str:
    """Ask the hub whose session the browser has."""
    answer = browser.get(f"{stack.public_url}/hub/spawn-pending/nobody")
    assert answer.status_code == 404
    return str(browser.get(f"{stack.public_url}/hub/api/user").json()["name"])


def test_account_that_the_provider_renamed_stays_the_same_person(stack: Stack) -> None:
    stack.import_roster("primer", [",Мая,Нова,maya@school-a.example,teacher,"])
    stack.set_account("maya@school-a.example", hosted_domain="school-a.example", id="300000000000000000001")
    before = read_account(stack, stack.sign_in("maya@school-a.example"))
    stack.set_account(
        "maya.nova@school-a.example", hosted_domain="school-a.example", id="300000000000000000001"
    )
    assert read_account(stack, stack.sign_in("maya.nova@school-a.example")) == before


# ------------------------------------------------ broken and hostile callbacks
@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=abc",
        "state=abc",
        "code=abc&state=abc",
        f"error={EVIL}",
        f"error=access_denied&error_description={EVIL}",
        f"error=server_error&error_description={EVIL}&state=e30=",
        "code=abc&state=%FF%FE",
        "code=%FF&state=e30=",
        "code=abc&state=bnVsbA==",
        "code=abc&state=WzFd",
        "code=a&code=b&state=c&state=d",
    ],
)
@pytest.mark.parametrize("began", [False, True])
def test_forged_callback_gets_a_page_of_ours(stack: Stack, browser: Browser, query: str, began: bool) -> None:
    if began:
        stack.open_chooser(browser)
    page = browser.get(f"{stack.public_url}/hub/oauth_callback?{query}")
    assert page.status_code in (400, 403)
    assert "EVIL" not in page.text
    assert "Traceback" not in page.text


def test_texts_of_the_provider_are_never_shown(stack: Stack, browser: Browser) -> None:
    chooser = stack.open_chooser(browser)
    state = next(
        value
        for hop in chooser.history
        for key, value in parse_qsl(urlsplit(hop.headers.get("location", "")).query)
        if key == "state"
    )
    page = browser.get(
        f"{stack.public_url}/hub/oauth_callback",
        params={"state": state, "error": "temporarily_unavailable", "error_description": EVIL},
    )
    assert (page.status_code, find_refusal(page)) == (503, "provider_down")
    assert "EVIL" not in page.text


def test_second_tab_gets_a_page_that_explains(stack: Stack, browser: Browser) -> None:
    first = stack.open_chooser(browser)
    stack.open_chooser(browser)
    page = stack.choose(browser, first, TEACHER)
    assert (page.status_code, find_refusal(page)) == (400, "lost_state")


def test_late_tab_of_somebody_who_is_in_goes_to_my_work(stack: Stack, browser: Browser) -> None:
    first = stack.open_chooser(browser)
    second = stack.open_chooser(browser)
    assert stack.choose(browser, second, TEACHER).status_code == 200
    page = stack.choose(browser, first, TEACHER)
    assert page.status_code == 200
    assert str(page.url).startswith(stack.pages_url)


def test_code_works_once(stack: Stack, browser: Browser) -> None:
    callback = stop_before_callback(stack, browser, TEACHER)
    cookies = httpx.Cookies(browser.cookies)
    assert browser.get(callback).status_code == 200
    thief = stack.browser()
    thief.cookies = cookies
    page = thief.get(callback)
    assert (page.status_code, find_refusal(page)) == (400, "lost_state")


def test_callback_of_another_browser_signs_nobody_in(stack: Stack, browser: Browser) -> None:
    callback = stop_before_callback(stack, browser, TEACHER)
    victim = stack.browser()
    page = victim.get(callback)
    assert (page.status_code, find_refusal(page)) == (400, "lost_state")


def test_form_posted_to_the_login_page_signs_nobody_in(stack: Stack, browser: Browser) -> None:
    browser.get(f"{stack.public_url}/hub/login")
    form = {"username": "k3aaaaaaaaaa", "code": "abc", "_xsrf": browser.cookies.get("_xsrf", "")}
    page = browser.post(f"{stack.public_url}/hub/login", data=form)
    assert page.status_code == 403
    assert browser.get(f"{stack.public_url}/hub/api/user").status_code == 403


# ------------------------------------------------ somebody does not answer
def test_provider_that_is_down_gets_a_page(stack: Stack, browser: Browser) -> None:
    callback = stop_before_callback(stack, browser, TEACHER)
    with stack.down("provider"):
        page = browser.get(callback)
    assert (page.status_code, find_refusal(page)) == (503, "provider_down")


def test_without_the_service_new_sign_ins_wait_and_those_inside_go_on(stack: Stack) -> None:
    inside = stack.sign_in(TEACHER)
    with stack.down("web"):
        page = stack.try_sign_in(STUDENT)
        assert (page.status_code, find_refusal(page)) == (503, "service_down")
        assert inside.get(f"{stack.public_url}/hub/api/user").status_code == 200
    assert stack.try_sign_in(STUDENT).status_code == 200


# ------------------------------------------------ the hub's own pages
@pytest.mark.parametrize("path", ["/hub/home", "/hub/token", "/hub/", "/"])
def test_hubs_own_pages_lead_to_my_work(stack: Stack, path: str) -> None:
    page = stack.sign_in(STUDENT).get(f"{stack.public_url}{path}")
    assert page.status_code == 200
    assert str(page.url).startswith(stack.pages_url)


@pytest.mark.parametrize(
    ("path", "status"), [("/hub/nothing-EVIL", 404), ("/hub/admin", 403), ("/hub/spawn/EVIL", 404)]
)
@pytest.mark.parametrize(("language", "title"), [("bg", "Моята работа"), ("en", "My work")])
def test_hubs_errors_are_pages_of_ours(
    stack: Stack, path: str, status: int, language: str, title: str
) -> None:
    email = "filip.arsov@school-b.example" if language == "en" else STUDENT
    page = stack.sign_in(email).get(f"{stack.public_url}{path}")
    assert page.status_code == status
    assert title in page.text
    assert "EVIL" not in page.text


def test_login_page_has_one_button(stack: Stack) -> None:
    page = stack.browser("bg").get(f"{stack.public_url}/hub/login")
    assert "Вход с училищния Google профил" in page.text
    assert page.text.count('class="btn') == 1
    assert "не са отделени едно от друго" in page.text


# ------------------------------------------------ logs
@pytest.fixture(scope="module")
def walked(stack: Stack) -> set[str]:
    """Every code, state, token and session that some sign-ins have used."""
    seen: set[str] = set()
    for email in [STUDENT, "nobody@school-a.example"]:
        browser = stack.browser()
        last = stack.choose(browser, stack.open_chooser(browser), email)
        for hop in [*last.history, last]:
            seen |= {
                value
                for address in (str(hop.url), hop.headers.get("location", ""))
                for key, value in parse_qsl(urlsplit(address).query)
                if key in ("code", "state", "code_challenge", "token")
            }
        seen |= {cookie.value for cookie in browser.cookies.jar if cookie.value and "session" in cookie.name}
    browser.get(f"{stack.public_url}/hub/oauth_callback?code=forgedcode12&state=forgedstate12")
    return seen | {"forgedcode12", "forgedstate12"}


def test_no_log_keeps_a_code_a_state_or_a_secret(stack: Stack, walked: set[str]) -> None:
    assert len(walked) > 6
    secrets = {value for value in [*walked, *stack.house.secrets.values()] if len(value) >= 8}
    logs = {path.name: path.read_text(errors="replace") for path in stack.house.data_dir.rglob("*.log")}
    assert "hub.log" in logs
    leaks = [(name, secret[:6]) for name, text in logs.items() for secret in secrets if secret in text]
    assert leaks == []


def test_hub_stores_nothing_that_the_provider_gave(stack: Stack, walked: set[str]) -> None:
    database = stack.house.hub_dir / "jupyterhub.sqlite"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        count, states = connection.execute(
            "SELECT count(*), count(encrypted_auth_state) FROM users WHERE last_activity IS NOT NULL"
        ).fetchone()
        names = [name for (name,) in connection.execute("SELECT name FROM users")]
    assert count > 0
    assert states == 0
    assert [name for name in names if not re.fullmatch(r"((team|course)-)?[a-z][a-z0-9]{11}", name)] == []


def test_database_files_are_for_their_processes_user_only(stack: Stack, walked: set[str]) -> None:
    folders = (stack.house.hub_dir, stack.house.service_dir)
    files = [
        file for folder in folders for pattern in ("*.sqlite*", "*.db*") for file in folder.glob(pattern)
    ]
    assert {"jupyterhub.sqlite", "atelier.db", "atelier.db-wal"} <= {file.name for file in files}
    assert {
        file.name: oct(file.stat().st_mode & 0o777) for file in files if file.stat().st_mode & 0o077
    } == {}


def test_no_sign_in_of_this_module_was_a_server_error(
    stack: Stack, hub_log_begins_at: int, walked: set[str]
) -> None:
    hub = stack.read_log("hub")[hub_log_begins_at:]
    assert re.findall(r"(?m)^.*\] 500 .*$", hub) == []
    assert "Traceback" not in hub
