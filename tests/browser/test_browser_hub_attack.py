"""A script in a workspace that somebody visits: what it can do on the hub in the visitor's name."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.atelier_stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.hub, pytest.mark.browser]

ATTACKER = "attack.one@students.school-a.example"
VICTIM = "attack.two@students.school-a.example"
TEACHER = "attack.teacher@school-a.example"
SEND = """async ([url, method, body]) => {
  try {
    const headers = {"Content-Type": "text/plain"};
    const answer = await fetch(url, {method, body, credentials: "include", headers});
    return {status: answer.status, text: (await answer.text()).slice(0, 200)};
  } catch (error) { return {blocked: String(error)}; }
}"""


@pytest.fixture(scope="module")
def visited(stack: Stack, chromium: Browser) -> Page:
    """The victim's browser on a page of a team workspace, where the attacker's script runs."""
    stack.add_people(
        f"Тереза Учителска {TEACHER} teacher",
        f"Злати Нападателев {ATTACKER} student",
        f"Яна Жертвова {VICTIM} student",
    )
    course = stack.make_course("attack-hub", TEACHER, [ATTACKER, VICTIM])
    account = stack.make_team(course, "Екип", [ATTACKER, VICTIM])
    wait_until(lambda: stack.ask_hub("GET", f"users/{account}").status_code == 200, 30, "no account")
    stack.start_workspace(account)
    page = stack.signed_in_page(chromium.new_context(locale="bg-BG"), VICTIM)
    # The hub's form token for this session exists: the attack is not stopped by its absence.
    page.goto(f"{stack.public_url}/hub/spawn-pending/{account}")
    page.wait_for_url("**/lab**")
    return page


def read_hub_state(stack: Stack, person: str) -> Any:
    user = stack.ask_hub("GET", f"users/{person}").json()
    tokens = stack.ask_hub("GET", f"users/{person}/tokens").json()["api_tokens"]
    made = [token["id"] for token in tokens if not token.get("oauth_client")]
    shares = stack.ask_hub("GET", f"shares/{person}/").json()["items"]
    return sorted(user["servers"]), made, shares


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/hub/api/user", None),
        ("GET", "/hub/api/users/{victim}/tokens", None),
        ("POST", "/hub/api/users/{victim}/tokens", "{}"),
        ("POST", "/hub/api/users/{victim}/server", "{}"),
        ("POST", "/hub/api/shares/{victim}/", '{"user": "{attacker}"}'),
        ("POST", "/hub/spawn", "x=1"),
        ("POST", "/hub/spawn/{victim}", "x=1"),
        ("POST", "/hub/login", "username=a"),
    ],
)
def test_script_in_a_shared_workspace_does_nothing_on_the_hub(
    stack: Stack, visited: Page, method: str, path: str, body: str | None
) -> None:
    people = {"victim": stack.find_person(VICTIM), "attacker": stack.find_person(ATTACKER)}
    filled = [
        text and text.replace("{victim}", people["victim"]).replace("{attacker}", people["attacker"])
        for text in (path, body)
    ]
    before = read_hub_state(stack, people["victim"])
    answer = visited.evaluate(SEND, [f"{stack.public_url}{filled[0]}", method, filled[1]])
    assert "blocked" in answer, answer  # nothing of the answer is readable from another origin
    assert read_hub_state(stack, people["victim"]) == before


def test_script_cannot_frame_the_hub(stack: Stack, visited: Page) -> None:
    frame = f"""() => new Promise(resolve => {{
      const frame = document.createElement("iframe");
      frame.src = {stack.public_url + "/hub/login"!r};
      frame.onload = () => {{ try {{ resolve(frame.contentDocument === null ? "other" : "empty"); }}
                             catch (e) {{ resolve("other"); }} }};
      document.body.append(frame);
    }})"""
    problems: list[str] = []
    visited.on("console", lambda message: problems.append(message.text))
    visited.evaluate(frame)
    assert any("frame-ancestors" in text or "refused to connect" in text.lower() for text in problems)
