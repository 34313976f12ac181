"""The steward in the real house: who leaves a team is out while typing; an emptied hub heals by itself."""

import asyncio
import contextlib
import json
import uuid
from pathlib import Path

import httpx
import pytest
from atelier import projects
from atelier.store import utc_now
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, websocket_connect

from tests.atelier_stack import Browser, Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.hub, pytest.mark.undisturbed]  # it promises seconds

TEACHER = "second.teacher@school-a.example"
MEMBERS = ["dariya.zheleva@students.school-a.example", "deyan.zlatanov@students.school-a.example"]
OUT_WITHIN_S = 60
HEALED_WITHIN_S = 60


def _open(stack: Stack, browser: Browser, account: str) -> int:
    return browser.get(f"{stack.account_url(account)}lab").status_code


def _own_host(stack: Stack, url: str) -> tuple[str, str]:
    """The address with which this machine reaches an account's host name, and that host name."""
    parts = httpx.URL(url)
    return str(parts.copy_with(host="127.0.0.1")), parts.netloc.decode()


async def _connect(stack: Stack, browser: Browser, url: str) -> WebSocketClientConnection:
    """Open a websocket as the browser's tab does: with its cookies, from the workspace's own page."""
    request = browser.build_request("GET", url)
    address, host = _own_host(stack, url)
    headers = {"Host": host, "Cookie": request.headers["cookie"], "Origin": f"http://{host}"}
    return await websocket_connect(HTTPRequest(address.replace("http:", "ws:", 1), headers=headers))


def _typing(code: str) -> str:
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": "tab", "username": "tab"}
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    return json.dumps(message)


async def _type_until_cut(socket: WebSocketClientConnection, message: str) -> None:
    """Go on typing until the connection ends."""
    reading = asyncio.create_task(_read_to_end(socket))
    while not (await asyncio.wait({reading}, timeout=0.2))[0]:
        with contextlib.suppress(WebSocketClosedError):
            await socket.write_message(message)


async def _read_to_end(socket: WebSocketClientConnection) -> None:
    while await socket.read_message() is not None:
        pass


def _start_kernel_and_terminal(stack: Stack, browser: Browser, account: str) -> tuple[str, str]:
    """Start both as the page does, with the cross-site token from its cookie."""
    base = stack.account_url(account)
    token = next(
        c.value for c in browser.cookies.jar if c.name == "_xsrf" and c.domain.startswith(account) and c.value
    )
    headers = {"X-XSRFToken": token, "Sec-Fetch-Mode": "cors"}
    kernel = browser.post(f"{base}api/kernels", headers=headers, json={"name": "python3"})
    terminal = browser.post(f"{base}api/terminals", headers=headers, json={})
    assert (kernel.status_code, terminal.status_code) == (201, 200), f"{kernel.text} {terminal.text}"
    return (
        f"{base}api/kernels/{kernel.json()['id']}/channels",
        f"{base}terminals/websocket/{terminal.json()['name']}",
    )


def _tokens_for(stack: Stack, person: str, account: str) -> list[str]:
    tokens = stack.ask_hub("GET", f"users/{person}/tokens").json()["api_tokens"]
    return [token["id"] for token in tokens if account in token["oauth_client"]]


async def test_a_member_who_leaves_is_cut_off_while_typing_and_the_others_go_on(stack: Stack) -> None:
    course = stack.make_course("steward-leave", TEACHER, MEMBERS)
    team = stack.make_team(course, "Тръгващи", MEMBERS)
    leaver, stays = (stack.find_person(email) for email in MEMBERS)
    tab, other_tab = stack.sign_in(MEMBERS[0]), stack.sign_in(MEMBERS[1])
    spawn = f"{stack.public_url}/hub/spawn/{team}"
    wait_until(lambda: tab.get(spawn).status_code == 200, 90, "the team's workspace did not open")
    wait_until(lambda: stack.is_ready(team), 90, "the team's workspace did not start")
    assert (_open(stack, tab, team), _open(stack, other_tab, team)) == (200, 200)
    kernel, terminal = _start_kernel_and_terminal(stack, tab, team)
    typing = [
        asyncio.create_task(_type_until_cut(await _connect(stack, tab, kernel), _typing("1 + 1"))),
        asyncio.create_task(_type_until_cut(await _connect(stack, tab, terminal), '["stdin", "#"]')),
    ]
    assert _tokens_for(stack, leaver, team), "the browser is known to the team's server"
    assert not (await asyncio.wait(typing, timeout=2))[0], "typing goes on while nothing has changed"

    with stack.session() as session:
        projects.set_team_members(session, team.removeprefix("team-"), [stays], utc_now())
    await asyncio.wait_for(asyncio.gather(*typing), OUT_WITHIN_S)

    def start_again() -> bool:
        return other_tab.get(spawn).status_code == 200 and stack.is_ready(team)

    await asyncio.to_thread(wait_until, start_again, 90, "the others cannot open it again")
    assert _open(stack, other_tab, team) == 200
    assert _open(stack, tab, team) in (403, 404)
    assert tab.get(f"{stack.account_url(team)}api/kernels").status_code == 403
    assert tab.get(spawn).status_code in (403, 404)
    assert _tokens_for(stack, leaver, team) == []


def test_an_emptied_hub_is_whole_again_within_a_minute(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        course = stack.make_course("steward-heal", TEACHER, MEMBERS)
        team = stack.make_team(course, "Лекувани", MEMBERS)
        expected = {stack.find_person(email) for email in [TEACHER, *MEMBERS]}

        def people() -> set[str]:
            items = stack.ask_hub("GET", f"shares/{team}").json().get("items", [])
            return {share["user"]["name"] for share in items}

        wait_until(lambda: people() == expected, 30, "the team was not shared")
        with stack.down("hub"):
            databases = [*Path(stack.house.hub_dir).glob("*.sqlite*")]
            assert databases
            for database in databases:
                database.unlink()
        wait_until(lambda: people() == expected, HEALED_WITHIN_S, "the hub was not healed")
        assert stack.sign_in(MEMBERS[0]).get(stack.pages_url).status_code == 200
