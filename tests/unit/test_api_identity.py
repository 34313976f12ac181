"""Who is asking: only what the hub says about the token counts."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from atelier.exchange.errors import ExchangeError
from atelier.exchange.identity import CACHE_S, CACHE_SIZE, HubIdentities

from tests.exchange_stand import SCOPE, HubStandIn, Stand, open_stand

ACCOUNT = "k23456789abc"


@pytest.fixture
def hub() -> Iterator[HubStandIn]:
    hub = HubStandIn()
    yield hub
    hub.close()


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with open_stand(tmp_path) as stand:
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
