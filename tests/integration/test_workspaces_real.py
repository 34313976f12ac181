"""Workspaces on a real hub: whose token may what, what a stop leaves, what a restart of the hub keeps."""

import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from hub_config.rights import EXCHANGE_SCOPE
from hub_config.workspaces import YSTORE
from tests.atelier_stack import Browser, Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.hub

TEACHER = "work.teacher@school-a.example"
MEMBERS = ["work.one@students.school-a.example", "work.two@students.school-a.example"]
BROKEN = "work.three@students.school-a.example"
OUTSIDER = "filip.arsov@school-b.example"
START_WITHIN_S = 90


@dataclass(frozen=True)
class TeamWorkspace:
    """A running team workspace with a member's browser in it."""

    account: str
    visitor: str
    browser: Browser
    page: httpx.Response
    own_token: str

    @property
    def visitors_token(self) -> str:
        """The member's OAuth token, as hostile code in the team's server can read it."""
        found = re.search(r'"token":\s*"([^"]+)"', self.page.text)
        assert found
        return found[1]


@pytest.fixture(scope="module")
def team(stack: Stack) -> TeamWorkspace:
    stack.add_people(
        f"Тереза Учителска {TEACHER} teacher",
        f"Андрей Атанасов {MEMBERS[0]} student",
        f"Боряна Бонева {MEMBERS[1]} student",
        f"Вера Вълчева {BROKEN} student",
    )
    course = stack.make_course("live-hub", TEACHER, MEMBERS)
    account = stack.make_team(course, "Екип", MEMBERS)
    browser = stack.sign_in(MEMBERS[0])
    page = open_workspace(stack, browser, account)
    return TeamWorkspace(account, stack.find_person(MEMBERS[0]), browser, page, read_own_token(account))


def open_workspace(stack: Stack, browser: Browser, account: str) -> httpx.Response:
    """Start a workspace by its link and open it, as a person does. Returns Lab's page."""
    spawn = f"{stack.public_url}/hub/spawn/{account}"
    wait_until(lambda: browser.get(spawn).status_code == 200, START_WITHIN_S, f"{account} did not open")
    wait_until(lambda: stack.is_ready(account), START_WITHIN_S, f"{account} did not start")
    page = browser.get(f"{stack.account_url(account)}lab")
    assert page.status_code == 200, f"{page.status_code} {page.url}: {page.text[:1000]}"
    return page


def read_environment(account: str) -> dict[str, str]:
    """Return the environment of an account's server process."""
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            is_server = "atelier_lab.start.server" in process.cmdline()
            if is_server and environment.get("JUPYTERHUB_USER") == account:
                return environment
        except psutil.Error:
            continue
    raise AssertionError(f"{account} does not run")


def read_own_token(account: str) -> str:
    return read_environment(account)["JUPYTERHUB_API_TOKEN"]


def ask_who(stack: Stack, token: str) -> dict[str, object]:
    answer = httpx.get(f"{stack.house.hub_api_url}/user", headers={"Authorization": f"token {token}"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


# ------------------------------------------------ tokens
def test_workspaces_own_token_may_use_the_exchange(stack: Stack, team: TeamWorkspace) -> None:
    who = ask_who(stack, team.own_token)
    assert who["name"] == team.account
    assert EXCHANGE_SCOPE in who["scopes"]


def test_token_of_a_visiting_member_is_no_mark_of_the_workspace(stack: Stack, team: TeamWorkspace) -> None:
    who = ask_who(stack, team.visitors_token)
    assert who["name"] == team.visitor
    assert EXCHANGE_SCOPE not in who["scopes"]
    assert [
        scope for scope in who["scopes"] if not scope.startswith(("access:servers!", "read:users:"))
    ] == []


@pytest.mark.parametrize("whose", ["own_token", "visitors_token"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "users", None),
        ("GET", "users/{visitor}/tokens", None),
        ("POST", "users/{visitor}/tokens", {"expires_in": 60}),
        ("POST", "users/{account}/tokens", {"scopes": [EXCHANGE_SCOPE]}),
        ("POST", "users/{visitor}/server", None),
        ("DELETE", "users/{account}/server", None),
        ("POST", "shares/{account}/", {"user": "{visitor}"}),
        ("POST", "shutdown", {}),
    ],
)
def test_tokens_inside_a_workspace_change_nothing_on_the_hub(
    stack: Stack, team: TeamWorkspace, whose: str, method: str, path: str, body: dict[str, object] | None
) -> None:
    answer = httpx.request(
        method,
        f"{stack.house.hub_api_url}/{path.format(account=team.account, visitor=team.visitor)}",
        headers={"Authorization": f"token {getattr(team, whose)}"},
        json=body,
    )
    assert answer.status_code in (403, 404), answer.text


def test_person_can_neither_make_tokens_nor_share(stack: Stack, team: TeamWorkspace) -> None:
    browser = stack.sign_in(MEMBERS[1])
    me = stack.find_person(MEMBERS[1])
    browser.get(f"{stack.public_url}/hub/spawn-pending/{me}")
    xsrf = next(c.value for c in browser.cookies.jar if c.name == "_xsrf" and c.path == "/hub/")
    headers = {"X-XSRFToken": xsrf or "", "Referer": f"{stack.public_url}/hub/home"}
    for path, body in [
        (f"users/{me}/tokens", {}),
        (f"shares/{me}/", {"user": stack.find_person(MEMBERS[0])}),
        (f"share-codes/{me}/", {}),
    ]:
        answer = browser.post(f"{stack.public_url}/hub/api/{path}", json=body, headers=headers)
        assert answer.status_code in (403, 404), f"{path}: {answer.text}"


# ------------------------------------------------ who gets in
def test_outsider_gets_neither_into_nor_near_a_team(stack: Stack, team: TeamWorkspace) -> None:
    outsider = stack.sign_in(OUTSIDER)
    assert outsider.get(f"{stack.public_url}/hub/spawn/{team.account}").status_code == 404
    page = outsider.get(f"{stack.account_url(team.account)}lab")
    assert page.status_code in (403, 404)
    assert "jupyter-config-data" not in page.text


def test_member_enters_without_a_question_by_the_hub(team: TeamWorkspace) -> None:
    assert "jupyter-config-data" in team.page.text
    assert [hop for hop in team.page.history if hop.status_code == 200] == []


# ------------------------------------------------ what is in it
def test_environment_holds_no_secret_of_the_hub(stack: Stack, team: TeamWorkspace) -> None:
    environment = read_environment(team.account)
    leaked = [name for name, value in environment.items() if value in stack.house.secrets.values()]
    assert leaked == []
    assert environment["ATELIER_KIND"] == "team"
    assert environment["ATELIER_ACCOUNT"] == team.account
    assert not any(
        name.startswith(("ATELIER_GOOGLE", "ATELIER_HUB_", "ATELIER_CITY")) for name in environment
    )


def test_member_is_shown_under_the_own_name(stack: Stack, team: TeamWorkspace) -> None:
    me = team.browser.get(f"{stack.account_url(team.account)}api/me").json()["identity"]
    assert (me["username"], me["display_name"], me["initials"]) == (team.visitor, "Андрей Атанасов", "АА")


def reach(stack: Stack, account: str, token: str) -> tuple[str, dict[str, str]]:
    """Return a workspace's address on the proxy and headers: Python resolves no ``*.localhost``."""
    host = stack.account_url(account).split("/")[2]
    base = f"127.0.0.1:{stack.house.ports.public}/user/{account}/api/"
    return base, {"Authorization": f"token {token}", "Host": host}


def open_live_session(stack: Stack, account: str, token: str) -> httpx.Response:
    """Ask a workspace for a live document; 404 where nothing is edited live."""
    base, headers = reach(stack, account, token)
    file = {"type": "file", "format": "text", "content": "текст"}
    written = httpx.put(f"http://{base}contents/live.txt", headers=headers, json=file)
    assert written.status_code in (200, 201), written.text
    session = {"type": "file", "format": "text"}
    return httpx.put(f"http://{base}collaboration/session/live.txt", headers=headers, json=session)


async def test_live_history_lies_where_nobody_looks(stack: Stack, team: TeamWorkspace) -> None:
    base, headers = reach(stack, team.account, team.own_token)
    session = open_live_session(stack, team.account, team.own_token).json()
    room = f"text:file:{session['fileId']}?sessionId={session['sessionId']}"
    socket = await websocket_connect(HTTPRequest(f"ws://{base}collaboration/room/{room}", headers=headers))
    home = stack.house.homes_dir / team.account
    wait_until(lambda: (home / YSTORE).exists(), 20, "no live history was written")
    socket.close()
    listing = team.browser.get(f"{stack.account_url(team.account)}api/contents/").json()["content"]
    assert [entry["name"] for entry in listing if "ystore" in entry["name"]] == []
    assert not (home / ".jupyter_ystore.db").exists()


def test_only_team_workspaces_edit_live(stack: Stack, team: TeamWorkspace) -> None:
    person = stack.find_person(MEMBERS[0])
    open_workspace(stack, team.browser, person)
    assert open_live_session(stack, team.account, team.own_token).status_code in (200, 201)
    assert open_live_session(stack, person, read_own_token(person)).status_code == 404


def test_workspace_cannot_be_framed(team: TeamWorkspace) -> None:
    assert "frame-ancestors 'none'" in team.page.headers["content-security-policy"]


def test_log_of_a_workspace_keeps_no_session_and_no_token(stack: Stack, team: TeamWorkspace) -> None:
    log = (stack.house.hub_dir / "logs" / f"{team.account}.log").read_text(errors="replace")
    cookies = [cookie.value for cookie in team.browser.cookies.jar if len(cookie.value or "") >= 16]
    assert [value for value in [*cookies, team.own_token, team.visitors_token] if value in log] == []


# ------------------------------------------------ stopping and restarting
def start_kernel(stack: Stack, account: str, token: str) -> psutil.Process:
    """Start a kernel in a workspace and return its process."""
    base, headers = reach(stack, account, token)
    before = set(list_home_processes(stack, account))
    answer = httpx.post(f"http://{base}kernels", headers=headers, json={"name": "python3"}, timeout=60)
    assert answer.status_code == 201, answer.text
    return wait_until(
        lambda: next(iter(set(list_home_processes(stack, account)) - before), None), 30, "no kernel appeared"
    )


def list_home_processes(stack: Stack, account: str) -> list[psutil.Process]:
    home = str(Path(stack.house.homes_dir) / account)
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOME") == home:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def test_restart_of_the_hub_keeps_workspaces_and_their_kernels(stack: Stack, team: TeamWorkspace) -> None:
    kernel = start_kernel(stack, team.account, team.own_token)
    stack.restart("hub")
    wait_until(lambda: stack.is_ready(team.account), 30, "the hub did not find the workspace again")
    assert kernel.is_running()
    assert team.browser.get(f"{stack.account_url(team.account)}api/kernels").status_code == 200
    assert ask_who(stack, team.own_token)["name"] == team.account


def test_stop_leaves_no_process_of_the_account(stack: Stack, team: TeamWorkspace) -> None:
    person = stack.find_person(MEMBERS[1])
    browser = stack.sign_in(MEMBERS[1])
    open_workspace(stack, browser, person)
    start_kernel(stack, person, read_own_token(person))
    stubborn = psutil.Popen(
        ["/bin/sh", "-c", "trap '' TERM INT HUP; while :; do sleep 1; done"],
        env={"HOME": str(Path(stack.house.homes_dir) / person), "PATH": "/usr/bin:/bin"},
        start_new_session=True,
    )
    answer = stack.ask_hub("DELETE", f"users/{person}/server")
    assert answer.status_code in (202, 204), answer.text
    wait_until(lambda: not list_home_processes(stack, person), 40, "something is left")
    stubborn.wait(5)


def test_workspace_that_cannot_start_says_so_at_once_and_starts_when_the_cause_is_gone(
    stack: Stack, team: TeamWorkspace
) -> None:
    person = stack.find_person(BROKEN)
    browser = stack.sign_in(BROKEN)
    obstacle = stack.house.homes_dir / person / ".local" / "share" / "jupyter"
    obstacle.parent.mkdir(parents=True)
    obstacle.write_text("a file where Jupyter wants a folder")
    browser.get(f"{stack.public_url}/hub/spawn/{person}")
    pending = f"{stack.public_url}/hub/spawn-pending/{person}"
    page = wait_until(
        lambda: found if "не тръгна</h1>" in (found := browser.get(pending)).text else None,
        START_WITHIN_S / 2,
        "no page says that it did not start",
    )
    assert page.status_code == 500
    assert "Traceback" not in page.text
    obstacle.unlink()
    assert open_workspace(stack, browser, person).status_code == 200


def test_who_presses_start_sees_that_it_starts_while_the_service_is_slow_to_answer(
    stack: Stack, team: TeamWorkspace
) -> None:
    person = stack.find_person(MEMBERS[1])
    browser = stack.sign_in(MEMBERS[1])
    web = stack.demo.processes["web"].pid
    os.kill(web, signal.SIGSTOP)
    try:
        page = browser.get(f"{stack.public_url}/hub/spawn/{person}")
    finally:
        os.kill(web, signal.SIGCONT)
    assert "<h1>Работното място се пуска</h1>" in page.text
    assert "new EventSource(" in page.text
    wait_until(lambda: stack.is_ready(person), START_WITHIN_S, f"{person} did not start")
