"""Who is asking: only what the hub says about the token counts."""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from atelier.exchange.errors import ExchangeError
from atelier.exchange.identity import (
    CACHE_S,
    CACHE_SIZE,
    QUESTIONS_AT_ONCE,
    REFUSED_TURN_S,
    HubIdentities,
)
from atelier.web import create_app

from hub_config.city import parse_city
from tests.databases import Databases
from tests.exchange_stand import CITY, SCOPE, HubStandIn, Stand, make_settings, open_stand

ACCOUNT = "k23456789abc"


@pytest.fixture
def hub() -> Iterator[HubStandIn]:
    hub = HubStandIn()
    yield hub
    hub.close()


@pytest.fixture
def stand(databases: Databases, tmp_path: Path) -> Iterator[Stand]:
    with open_stand(tmp_path, databases.migrate()) as stand:
        yield stand


async def find(hub: HubStandIn, authorization: str | None) -> str:
    async with httpx.AsyncClient(base_url=hub.url) as client:
        return await HubIdentities(client).find_account(authorization)


async def refusal(hub: HubStandIn, authorization: str | None) -> tuple[int, str]:
    with pytest.raises(ExchangeError) as refused:
        await find(hub, authorization)
    return refused.value.status, refused.value.code


@pytest.mark.parametrize("scope", [SCOPE, f"{SCOPE}!user={ACCOUNT}", f"{SCOPE}!server={ACCOUNT}/"])
async def test_a_workspaces_own_token_is_its_account(hub: HubStandIn, scope: str) -> None:
    token = hub.add_token("a-workspace-token", ACCOUNT, [scope, "users:activity!user=x"])
    assert await find(hub, f"token {token}") == ACCOUNT
    assert await find(hub, f"Bearer {token}") == ACCOUNT
    assert hub.questions == [token, token]


@pytest.mark.parametrize(
    "scopes",
    [
        [],
        ["access:servers!server=team-abcdefghijkl/"],
        ["inherit", "self", "admin:users"],
        [f"{SCOPE}!user=somebodyelse"],
        [f"{SCOPE}!user="],
        [f"{SCOPE}!group=class"],
        [f"{SCOPE}s"],
        [f"x{SCOPE}"],
        [f"{SCOPE}:read"],
        [f"{SCOPE}!server=team-abcdefghijkl/"],
    ],
)
async def test_any_other_token_is_refused(hub: HubStandIn, scopes: list[str]) -> None:
    hub.add_token("visitors-oauth-token", ACCOUNT, scopes)
    assert await refusal(hub, "token visitors-oauth-token") == (403, "no_exchange_scope")


async def test_a_service_is_not_an_account(hub: HubStandIn) -> None:
    hub.add_token("the-stewards-token", "steward", [SCOPE], kind="service")
    assert await refusal(hub, "token the-stewards-token") == (403, "no_exchange_scope")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "token",
        "token ",
        "Basic dXNlcjpwYXNz",
        "token a b",
        "token short",
        "token äöüäöü",
        "x" * 999,
    ],
)
async def test_without_a_proper_token_the_hub_is_not_even_asked(hub: HubStandIn, header: str | None) -> None:
    assert await refusal(hub, header) == (401, "no_token")
    assert hub.questions == []


async def test_an_unknown_token_is_refused(hub: HubStandIn) -> None:
    assert await refusal(hub, "token nobodys-token") == (401, "token_refused")


async def test_a_hub_in_trouble_is_not_a_refusal(hub: HubStandIn) -> None:
    for hub.status in (500, 502, 404, 302, 429):
        assert await refusal(hub, "token a-workspace-token") == (503, "hub_unreachable")
    hub.close()
    assert await refusal(hub, "token a-workspace-token") == (503, "hub_unreachable")


async def test_an_answer_is_remembered_for_half_a_minute_and_no_longer(hub: HubStandIn) -> None:
    hub.add_token("a-workspace-token", ACCOUNT, [SCOPE])
    now = 1000.0
    async with httpx.AsyncClient(base_url=hub.url) as client:
        identities = HubIdentities(client, monotonic=lambda: now)
        for _ in range(3):
            assert await identities.find_account("token a-workspace-token") == ACCOUNT
        assert len(hub.questions) == 1
        hub.users.clear()
        now += CACHE_S - 0.1
        assert await identities.find_account("token a-workspace-token") == ACCOUNT
        now += 0.2
        with pytest.raises(ExchangeError, match="token_refused"):
            await identities.find_account("token a-workspace-token")
    assert CACHE_S <= 30


async def test_what_is_remembered_is_bounded_and_holds_no_token() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"kind": "user", "name": ACCOUNT, "scopes": [SCOPE]})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://hub") as client:
        identities = HubIdentities(client)
        for number in range(CACHE_SIZE + 10):
            await identities.find_account(f"token workspace-{number:08}")
    assert len(identities._kept) == CACHE_SIZE
    assert not [key for key in identities._kept if b"workspace" in key]


class SlowHub(httpx.AsyncBaseTransport):
    """Answers when it is let; counts who waits. Knows one token."""

    def __init__(self) -> None:
        self.asked = self.waiting = self.most = 0
        self.may_answer = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await self.may_answer.wait()
        self.waiting -= 1
        if request.headers["Authorization"] != "token a-workspace-token":
            return httpx.Response(403)
        return httpx.Response(200, json={"kind": "user", "name": ACCOUNT, "scopes": [SCOPE]})


async def test_made_up_tokens_of_one_workspace_keep_nobody_elses_question_waiting() -> None:
    slow = SlowHub()
    async with httpx.AsyncClient(transport=slow, base_url="http://hub") as client:
        identities = HubIdentities(client)
        made_up = [
            asyncio.create_task(identities.find_account(f"token made-up-{number:08}", "10.0.0.2"))
            for number in range(50)
        ]
        other = asyncio.create_task(identities.find_account("token a-workspace-token", "10.0.0.3"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert slow.waiting == QUESTIONS_AT_ONCE + 1, "the other workspace's question is among them"
        slow.may_answer.set()
        assert await other == ACCOUNT
        # A refused one keeps its turn for a while: as fast as the hub answers is too fast.
        await asyncio.wait(made_up, timeout=REFUSED_TURN_S * 2.5)
        assert slow.asked <= 1 + QUESTIONS_AT_ONCE * 4
        for task in made_up:
            task.cancel()
        await asyncio.wait(made_up)
    assert slow.most == QUESTIONS_AT_ONCE + 1


async def test_many_requests_with_one_new_token_are_few_questions() -> None:
    slow = SlowHub()
    slow.may_answer.set()
    async with httpx.AsyncClient(transport=slow, base_url="http://hub") as client:
        identities = HubIdentities(client)
        asking = (identities.find_account("token a-workspace-token", "10.0.0.2") for _ in range(40))
        assert await asyncio.gather(*asking) == [ACCOUNT] * 40
        assert slow.asked <= QUESTIONS_AT_ONCE
        gc.collect()
        assert not identities._turns, "an address is remembered while it asks"


async def test_no_refusal_is_remembered(hub: HubStandIn) -> None:
    async with httpx.AsyncClient(base_url=hub.url) as client:
        identities = HubIdentities(client)
        with pytest.raises(ExchangeError):
            await identities.find_account("token a-workspace-token")
        hub.add_token("a-workspace-token", ACCOUNT, [SCOPE])
        assert await identities.find_account("token a-workspace-token") == ACCOUNT


# ------------------------------------------------------------------ through the whole process
def test_a_hub_that_is_down_gives_503_with_a_sentence(stand: Stand) -> None:
    stand.hub.status = 503
    with stand.client("student") as client:
        answer = client.get("/me", headers={"Accept-Language": "en"})
        assert "Нищо не е загубено" in client.get("/me").json()["message"]
    assert answer.status_code == 503
    assert answer.json()["error"] == "hub_unreachable"
    assert "Nothing is lost" in answer.json()["message"]
    assert answer.headers["retry-after"]


def test_workspaces_and_people_ask_the_hub_over_connections_of_their_own(
    databases: Databases, tmp_path: Path
) -> None:
    settings = make_settings(tmp_path, "http://127.0.0.1:9/hub/api", databases.migrate())
    app = create_app(settings, city=parse_city(CITY))
    services = app.state.services
    assert services.workspaces_hub is not services.hub
    (api,) = [route.app for route in app.routes if getattr(route, "path", "").endswith("/api/v1")]
    while not hasattr(api, "state"):
        api = api.app
    assert api.state.identities._hub is services.workspaces_hub


def test_a_token_in_the_address_or_a_cookie_does_not_count(stand: Stand) -> None:
    token = stand.tokens["student"]
    with stand.client("nobody") as client:
        assert client.get("/me", params={"token": token}).status_code == 401
        assert client.get("/me", headers={"Cookie": f"token={token}"}).status_code == 401
        assert client.get("/me", headers={"X-Forwarded-User": "x", "Remote-User": "x"}).status_code == 401


def test_an_account_the_roster_does_not_know_is_refused(stand: Stand) -> None:
    for account in ("k23456789abc", "team-k23456789abc", "course-k23456789abc", "admin", "team-", "../x"):
        token = stand.hub.add_workspace(account).replace("/", "_")
        stand.hub.users[token] = stand.hub.users.pop(f"workspace-{account}")
        with stand.client("nobody") as client:
            answer = client.get("/me", headers={"Authorization": f"token {token}"})
        assert (answer.status_code, answer.json()["error"]) == (403, "account_inactive")
