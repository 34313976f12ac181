"""A team workspace on the real hub: members are shown by name, initials and colour."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.atelier_stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.hub, pytest.mark.browser]

SLOW_MS = 90_000
expect.set_options(timeout=SLOW_MS)
SCREEN: Any = {"width": 1366, "height": 768}
TEACHER = "names.teacher@school-a.example"
MEMBERS = ["names.one@students.school-a.example", "names.two@students.school-a.example"]
WHITE = "rgb(255, 255, 255)"


@pytest.fixture(scope="module")
def team(stack: Stack) -> str:
    """A running team workspace of Цветелина and Юлиян; its account."""
    stack.add_people(
        f"Тереза Учителска {TEACHER} teacher",
        f"Цветелина Щерева {MEMBERS[0]} student",
        f"Юлиян Ъглов {MEMBERS[1]} student",
    )
    course = stack.make_course("names-live", TEACHER, MEMBERS)
    account = stack.make_team(course, "Имена", MEMBERS)
    wait_until(lambda: stack.ask_hub("GET", f"users/{account}").status_code == 200, 60, "no account")
    stack.start_workspace(account)
    return account


def open_team(stack: Stack, chromium: Browser, email: str, account: str) -> Page:
    page: Page = stack.signed_in_page(chromium.new_context(viewport=SCREEN, locale="bg-BG"), email)
    layout = stack.find_person(email)
    wait_until(lambda: _may_open(page, stack, account, layout), 60, f"{email} may not open {account}")
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=SLOW_MS)
    return page


def _may_open(page: Page, stack: Stack, account: str, layout: str) -> bool:
    answer = page.goto(f"{stack.account_url(account)}lab/workspaces/{layout}", timeout=SLOW_MS)
    return answer is not None and answer.status == 200


def open_members(page: Page) -> None:
    page.locator('.lm-TabBar-tab[data-id="jp-collaboration-panel"]').click(timeout=SLOW_MS)


def test_members_see_each_other_by_name_initials_and_colour(
    stack: Stack, chromium: Browser, team: str
) -> None:
    one, two = (open_team(stack, chromium, email, team) for email in MEMBERS)
    for page in (one, two):
        open_members(page)
    for page, name, initials in ((one, "Юлиян Ъглов", "ЮЪ"), (two, "Цветелина Щерева", "ЦЩ")):
        shown = page.locator(".jp-Collaborator", has_text=name)
        expect(shown).to_be_visible(timeout=SLOW_MS)
        icon = shown.locator(".jp-CollaboratorIcon")
        expect(icon).to_have_text(initials)
        expect(icon).not_to_have_css("background-color", "rgba(0, 0, 0, 0)")
        expect(icon.locator("span").first).to_have_css("color", WHITE)
    colours = [
        page.locator(".jp-Collaborator .jp-CollaboratorIcon").first.evaluate("e => e.style.backgroundColor")
        for page in (one, two)
    ]
    assert all(re.fullmatch(r"rgb\(.*\)", colour) for colour in colours)
    # Who opens a team's workspace is the roster's word: nothing offers to share a link.
    expect(one.get_by_role("button", name=re.compile("Share"))).to_have_count(0)
    for page in (one, two):
        page.context.close()
