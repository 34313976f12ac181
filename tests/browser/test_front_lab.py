"""Lab through the front server in a real browser: whose files it loads, and what happens without them."""

import fnmatch
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.chromium import CHROMIUM
from tests.components import require_file
from tests.front_stack import FrontStack, check_nginx
from tests.waiting import wait_until

pytestmark = [pytest.mark.hub, pytest.mark.browser]

# A name as a city has one: browsers treat `localhost` specially in more than one place.
HOST = "atelier.test"
FIRST = "aleksandra.angelova@students.school-a.example"
SECOND = "andrey.atanasov@students.school-a.example"
LAB_WITHIN_MS = 90_000


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontStack]:
    check_nginx()
    with FrontStack(tmp_path_factory.mktemp("front"), host=HOST) as running:
        yield running


@pytest.fixture
def chromium(front: FrontStack) -> Iterator[Browser]:
    require_file(CHROMIUM, "install Debian's package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=front.chromium_arguments)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Loaded:
    """One answer that a page got."""

    url: str
    status: int
    protocol: str
    from_cache: bool


def note_answers(context: BrowserContext, page: Page) -> list[Loaded]:
    """Return a list that fills with every answer the page gets."""
    answers: list[Loaded] = []

    def note(event: dict[str, Any]) -> None:
        answer = event["response"]
        kept = bool(answer.get("fromDiskCache")) or event["requestId"] in from_memory
        answers.append(Loaded(answer["url"], answer["status"], answer.get("protocol", ""), kept))

    from_memory: set[str] = set()
    session = context.new_cdp_session(page)
    session.on("Network.requestServedFromCache", lambda event: from_memory.add(event["requestId"]))
    session.on("Network.responseReceived", note)
    session.send("Network.enable")
    return answers


def open_lab(front: FrontStack, context: BrowserContext, email: str) -> tuple[Page, list[Loaded]]:
    """Sign in and open one's own workspace."""
    page = front.signed_in_page(context, email)
    answers = note_answers(context, page)
    go_to_lab(front, page)
    return page, answers


def go_to_lab(front: FrontStack, page: Page) -> None:
    """Start the workspace of who is signed in and wait until Lab is whole."""
    page.goto(f"{front.public_url}/hub/spawn", wait_until="commit")
    wait_for_lab(page)


def wait_for_lab(page: Page) -> None:
    page.wait_for_selector(".jp-LabShell .jp-Launcher, .jp-LabShell .jp-Notebook", timeout=LAB_WITHIN_MS)
    page.wait_for_selector("#jp-main-statusbar", timeout=LAB_WITHIN_MS)


def list_scripts(answers: list[Loaded]) -> list[Loaded]:
    return [
        answer
        for answer in answers
        if answer.url.partition("?")[0].endswith(".js") and "/hub/" not in answer.url
    ]


def test_the_next_student_at_the_same_laptop_loads_no_file_of_lab_again(
    front: FrontStack, chromium: Browser
) -> None:
    context = chromium.new_context(locale="bg")
    page, first = open_lab(front, context, FIRST)
    scripts = list_scripts(first)
    assert len(scripts) > 20
    assert {script.url.partition("/lab")[0] for script in scripts} == {front.static_url}
    assert not any(script.from_cache for script in scripts)
    assert {script.protocol for script in scripts} == {"h2"}
    page.wait_for_load_state("networkidle")  # what is still on its way would not be kept
    page.close()
    context.clear_cookies()

    _, second = open_lab(front, context, SECOND)
    again = list_scripts(second)
    assert len(again) >= len(scripts) - 2
    assert [script.url for script in again if not script.from_cache] == []
    context.close()


# What a cookie may not be, and why not: docs/decisions/front-server.md, "Cookies".
EXCEPTIONS = {
    # Lab's scripts read it by this name; JupyterHub sets it at the hub's or the workspace's path.
    "_xsrf": {"__Host-", "hidden from scripts"},
    # JupyterHub tells every host the same, so that signing out counts in open workspaces at once.
    "jupyterhub-session-id": {"__Host-", "for one host"},
    # JupyterHub's answer to who comes to a workspace unknown: ten minutes, which no option changes.
    "__Host-jupyterhub-user-*-oauth-state*": {"ends with the browser"},
    # The script in Lab's page sets it and looks whether the browser took it.
    "__Host-atelier-own-files": {"hidden from scripts"},
}


def list_faults(cookie: Mapping[str, Any]) -> set[str]:
    """Return what a cookie is not although it should be."""
    qualities = {
        "secure": cookie["secure"],
        "ends with the browser": cookie["expires"] == -1,
        "for one host": not cookie["domain"].startswith("."),
        "__Host-": cookie["name"].startswith("__Host-"),
        "hidden from scripts": cookie["httpOnly"],
    }
    return {quality for quality, present in qualities.items() if not present}


def check_jar(context: BrowserContext, *expected: str) -> None:
    """Check every cookie of ours in the browser. Each pattern of `expected` must be among their names."""
    cookies = [cookie for cookie in context.cookies() if cookie["domain"].endswith(HOST)]
    names = [cookie["name"] for cookie in cookies]
    assert [pattern for pattern in expected if not fnmatch.filter(names, pattern)] == [], names
    for cookie in cookies:
        allowed = [EXCEPTIONS[pattern] for pattern in EXCEPTIONS if fnmatch.fnmatch(cookie["name"], pattern)]
        assert list_faults(cookie) <= set().union(*allowed), cookie


def test_cookies_are_bound_to_their_host_and_end_with_the_browser(
    front: FrontStack, chromium: Browser
) -> None:
    context = chromium.new_context(locale="bg")
    page = context.new_page()
    page.goto(f"{front.pages_url}sign-in")
    page.wait_for_selector("#sign-in")
    check_jar(context, "__Host-atelier-sign-in-*", "_xsrf")
    page.click("#sign-in")
    page.click(f'button:has(small:text("{FIRST}"))', trial=True)
    check_jar(context, "__Host-atelier-sign-in", "__Host-atelier-sign-in-*", "_xsrf")
    page.click(f'button:has(small:text("{FIRST}"))')
    page.wait_for_url(f"{front.pages_url}**")
    signed_in = ("__Host-atelier", "__Host-jupyterhub-hub-login", "_xsrf", "jupyterhub-session-id")
    check_jar(context, *signed_in)
    go_to_lab(front, page)
    check_jar(context, "__Host-jupyterhub-user-*", *signed_in)
    context.close()

    stranger = chromium.new_context(locale="bg")
    page = stranger.new_page()
    page.goto(f"{front.account_url(front.find_person(FIRST))}lab")
    page.wait_for_selector("#sign-in")
    check_jar(stranger, "__Host-jupyterhub-user-*-oauth-state", "_xsrf")
    stranger.close()


def test_code_runs_and_widgets_show_through_the_front(front: FrontStack, chromium: Browser) -> None:
    context = chromium.new_context(locale="bg")
    page, _ = open_lab(front, context, FIRST)
    page.click('.jp-LauncherCard[data-category="Тетрадка"], .jp-LauncherCard[data-category="Notebook"]')
    cell = page.locator(".jp-Notebook .cm-content").first
    cell.wait_for(timeout=LAB_WITHIN_MS)
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=LAB_WITHIN_MS)
    cell.click()
    page.keyboard.type("import ipywidgets; ipywidgets.IntSlider(description='front')")
    slider = page.locator(".jp-OutputArea .widget-slider")

    def press_and_look() -> bool:
        cell.click()
        page.keyboard.press("Control+Enter")  # lost without a word until the kernel is connected
        page.wait_for_timeout(500)
        return slider.count() > 0

    wait_until(press_and_look, 60, "no widget is shown")
    context.close()


def test_a_changed_setting_is_kept_although_settings_are_shared(front: FrontStack, chromium: Browser) -> None:
    context = chromium.new_context(locale="bg")
    page, answers = open_lab(front, context, SECOND)
    assert page.locator('body[data-jp-theme-light="true"]').count() == 1
    assert list_asked(answers, "/lab/api/settings?", "/lab/api/translations/bg_BG") == []
    assert len(list_asked(answers, f"{front.static_url}/answers/")) == 2
    page.evaluate(
        """async () => {
          const config = JSON.parse(document.getElementById('jupyter-config-data').textContent);
          await fetch(config.baseUrl + 'lab/api/settings/@jupyterlab/apputils-extension:themes', {
            method: 'PUT',
            headers: {'Authorization': 'token ' + config.token, 'Content-Type': 'application/json'},
            body: JSON.stringify({raw: '{"theme": "JupyterLab Dark"}'}),
          });
        }"""
    )
    page.reload(wait_until="commit")
    page.wait_for_selector('body[data-jp-theme-light="false"]', state="attached", timeout=LAB_WITHIN_MS)
    context.close()


def list_asked(answers: list[Loaded], *parts: str) -> list[str]:
    """Return the addresses that hold one of the parts; the mere list of settings' names does not count."""
    urls = [answer.url for answer in answers if "ids_only" not in answer.url]
    return [url for url in urls if any(part in url for part in parts)]


@pytest.mark.parametrize("missing", ["main", "jlab_core"])
def test_without_the_shared_files_lab_comes_from_the_workspace_itself(
    front: FrontStack, chromium: Browser, tmp_path: Path, missing: str
) -> None:
    context = chromium.new_context(locale="bg")
    published = next((front.house.static_dir / "shared" / "lab").glob(f"*/{missing}.*.js"))
    context.route(f"**/{published.name}*", lambda route: _refuse_shared(front, route))
    _, answers = open_lab(front, context, FIRST)
    own = [script for script in list_scripts(answers) if not script.url.startswith(front.static_url)]
    assert any(published.name in script.url for script in own)
    check_jar(context, "__Host-atelier-own-files")
    context.close()


def press_shift(page: Page) -> None:
    page.keyboard.press("Shift")


def click_below(page: Page) -> None:
    page.click("#jp-main-statusbar", position={"x": 500, "y": 10})


def test_who_touches_the_empty_page_gets_lab_all_the_same(front: FrontStack, chromium: Browser) -> None:
    context = chromium.new_context(locale="bg")
    page, _ = open_lab(front, context, FIRST)
    held: list[Any] = []
    context.route(f"{front.static_url}/lab/*/main.*", lambda route: held.append(route))
    page.reload(wait_until="commit")
    wait_until(lambda: page.evaluate("window.isBefore = true") and held, 10, "no script was asked for")
    press_shift(page)
    page.mouse.click(400, 300)
    held.pop().fulfill(status=404, body="")
    wait_for_lab(page)
    assert not page.evaluate("window.isBefore")
    check_jar(context, "__Host-atelier-own-files")
    context.close()


@pytest.mark.parametrize("touch", [press_shift, click_below])
def test_a_shared_file_that_fails_later_takes_the_page_from_nobody_who_works(
    front: FrontStack, chromium: Browser, touch: Callable[[Page], None]
) -> None:
    context = chromium.new_context(locale="bg")
    page, _ = open_lab(front, context, FIRST)
    touch(page)
    lose_a_shared_file(front, page, "script")
    page.wait_for_function("window.isTold")
    assert "__Host-atelier-own-files" in list_names(context)
    # Had the page gone, there would be nothing left to answer from.
    assert page.evaluate("fetch('api').then(answer => answer.text()).then(() => window.isBefore)")
    context.close()


def test_a_shared_file_that_fails_later_brings_who_only_looks_a_whole_page(
    front: FrontStack, chromium: Browser
) -> None:
    context = chromium.new_context(locale="bg")
    page, _ = open_lab(front, context, FIRST)
    # A picture in a notebook may name any address.
    lose_a_shared_file(front, page, "img")
    page.wait_for_function("window.isTold")
    assert page.evaluate("fetch('api').then(answer => answer.text()).then(() => window.isBefore)")
    assert "__Host-atelier-own-files" not in list_names(context)
    with page.expect_request(lambda request: request.is_navigation_request()):
        lose_a_shared_file(front, page, "script")
    page.wait_for_function("!window.isBefore")
    wait_for_lab(page)
    context.close()


def lose_a_shared_file(front: FrontStack, page: Page, kind: str) -> None:
    """Let an element of the page ask for a file that is not there: then the page `isBefore` and `isTold`."""
    page.evaluate(
        """([kind, address]) => {
          window.isBefore = true;
          const element = Object.assign(document.createElement(kind), {src: address});
          element.onerror = () => { window.isTold = true; };
          document.head.append(element);
        }""",
        [kind, f"{front.static_url}/lab/gone/gone.js"],
    )


def list_names(context: BrowserContext) -> list[str]:
    return [cookie["name"] for cookie in context.cookies()]


def _refuse_shared(front: FrontStack, route: Any) -> None:
    if route.request.url.startswith(front.static_url):
        route.fulfill(status=404, body="")
    else:
        route.continue_()


def test_a_front_that_was_never_filled_shows_lab_all_the_same(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    check_nginx()
    require_file(CHROMIUM, "install Debian's package chromium")
    stack = FrontStack(tmp_path_factory.mktemp("empty"), host=HOST)
    empty = tmp_path / "static"
    shutil.copytree(stack.house.static_dir / "pages", empty / "pages")
    stack.serve_files_from(empty)
    with stack as front, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=front.chromium_arguments)
        page, answers = open_lab(front, browser.new_context(locale="bg"), SECOND)
        assert page.locator(".jp-LabShell").count() == 1
        assert any("/user/" in script.url for script in list_scripts(answers))
        browser.close()
