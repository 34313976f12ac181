"""Sign-in and the way into a workspace in a real Chromium, as a person meets them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.atelier_stack import Stack

pytestmark = [pytest.mark.hub, pytest.mark.browser]

STUDENT = "viktoriya.daneva@students.school-a.example"


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(locale="bg-BG", viewport={"width": 1366, "height": 768})
    yield context
    context.close()


def test_refused_person_reads_why_and_gets_in_with_the_right_account(
    stack: Stack, context: BrowserContext
) -> None:
    page = context.new_page()
    page.goto(stack.public_url)
    page.click("#sign-in")
    page.click('button:has(small:text("iva.petrova@gmail.example"))')
    expect(page.locator("h1")).to_have_text("Това е личен профил")
    page.click("text=Друг профил")
    page.click(f'button:has(small:text("{STUDENT}"))')
    page.wait_for_url(f"{stack.pages_url}**")


def test_page_of_a_starting_workspace_opens_it_by_itself(stack: Stack, context: BrowserContext) -> None:
    page = stack.signed_in_page(context, STUDENT)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{stack.public_url}/hub/spawn")
    page.wait_for_url("**/lab**", timeout=90_000)
    page.wait_for_selector("#jp-main-dock-panel", timeout=60_000)
    assert problems == []


def test_workspace_that_is_not_running_offers_to_start(stack: Stack, context: BrowserContext) -> None:
    email = "gabriela.dimova@students.school-a.example"
    page = stack.signed_in_page(context, email)
    page.goto(f"{stack.account_url(stack.find_person(email))}lab")
    expect(page.locator("h1")).to_have_text("Работното място не е пуснато")
    page.click("#start")
    page.wait_for_url("**/lab**", timeout=90_000)
