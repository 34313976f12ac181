"""The few questions and orders that the steward has for the hub's REST API (JupyterHub 6.1).

Scopes of the steward's token, each with its reason, are in docs/architecture.md ("What the steward may do").
"""

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from atelier.steward.compare import Share

PAGE_SIZE = 200  # the hub's own maximum
PAGINATED = "application/jupyterhub-pagination+json"
TIMEOUT_S = 20.0  # a stop answers after at most 10 s, finished or not (Spawner's slow_stop_timeout)
SHARED_SCOPES = ["access:servers", "servers"]


class HubUnreachable(Exception):
    """The hub gave no answer, or not as a hub that is up does."""


class HubRefused(Exception):
    """The hub answered a single order with an error. The message has status and reason, no token."""


@dataclass(frozen=True, slots=True)
class Server:
    """A default server that is starting, up or stopping. `pending`: 'spawn', 'stop' or None."""

    ready: bool
    pending: str | None = None
    started_at: dt.datetime | None = None
    last_activity_at: dt.datetime | None = None


class HubClient:
    """One connection pool to one hub."""

    def __init__(self, api_url: str, token: str) -> None:
        headers = {"Authorization": f"token {token}"}
        self._http = httpx.AsyncClient(
            base_url=api_url.rstrip("/") + "/", headers=headers, timeout=TIMEOUT_S, trust_env=False
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def check_up(self) -> None:
        """Raise HubUnreachable unless the hub answers."""
        await self._ask("GET", "")

    async def read_accounts(self) -> dict[str, bool]:
        """Return every account and whether its default server is up, starting or stopping."""
        return {user["name"]: _is_up(user) async for user in self._pages("users")}

    async def read_account(self, name: str) -> dict[str, bool]:
        """Return one account as `read_accounts` does; {} when the hub has none of that name."""
        answer = await self._ask("GET", _path("users", name), missing_ok=True)
        return {} if answer is None else {name: _is_up(answer.json())}

    async def read_shares(self, owner: str) -> dict[Share, frozenset[str]]:
        """Return who may open `owner`'s default server, with which scopes."""
        found = {}
        async for share in self._pages(_path("shares", owner), missing_ok=True):
            if share["server"]["name"] == "":
                group = share["kind"] == "group"
                to = share["group" if group else "user"]["name"]
                found[Share(owner, to, group)] = frozenset(share["scopes"])
        return found

    async def create_accounts(self, names: Sequence[str]) -> None:
        """Create accounts that do not exist yet, all at once. The hub gives each its default server's row."""
        await self._ask("POST", "users", json={"usernames": list(names)}, fine=(201, 409))

    async def grant(self, share: Share) -> None:
        body = {"user": share.to, "scopes": SHARED_SCOPES}
        await self._ask("POST", _path("shares", share.owner, ""), json=body)

    async def revoke(self, share: Share) -> None:
        """Take a share away, whatever its scopes. It is fine when it is gone already."""
        body = {"group" if share.group else "user": share.to}
        await self._ask("PATCH", _path("shares", share.owner, ""), json=body, missing_ok=True)

    async def stop_server(self, name: str) -> bool:
        """Ask for a stop of the default server; return whether it is down. Repeat until it is."""
        answer = await self._ask("DELETE", _path("users", name, "server"), fine=(202, 204), missing_ok=True)
        return answer is None or answer.status_code == 204

    async def read_servers(self) -> dict[str, Server]:
        """Return the default servers that are starting, up or stopping, by account."""
        users = self._pages("users", state="active")
        return {user["name"]: _read_server(user["servers"][""]) async for user in users if _is_up(user)}

    async def start_server(self, name: str) -> int:
        """Ask for a start of the default server; return the status.

        201: up; 202: starting; 400: somebody was faster, or it is stopping; 404: no such account yet; 429:
        too many starts under way. Waits for the start, up to the hub's `slow_spawn_timeout` (10 s). Raises
        HubRefused for a start that failed: also for a 503, when the hub itself says it (no home is left, the
        image is missing).
        """
        fine = (201, 202, 400, 404, 429)
        answer = await self._ask("POST", _path("users", name, "server"), fine=fine)
        assert answer is not None
        return answer.status_code

    async def report_activity(self, name: str, at: dt.datetime) -> None:
        """Tell the hub that `name`'s default server was needed at `at`; an earlier time changes nothing."""
        body = {"servers": {"": {"last_activity": at.astimezone(dt.UTC).isoformat()}}}
        await self._ask("POST", _path("users", name, "activity"), json=body, missing_ok=True)

    async def delete_tokens(self, name: str) -> int:
        """Delete all tokens of an account; return how many there were."""
        answer = await self._ask("GET", _path("users", name, "tokens"), missing_ok=True)
        tokens = [] if answer is None else answer.json()["api_tokens"]
        for token in tokens:
            # One OAuth token takes all others of its client with it: a 404 for the next is fine.
            await self._ask(
                "DELETE", _path("users", name, "tokens", token["id"]), fine=(204,), missing_ok=True
            )
        return len(tokens)

    async def delete_tokens_for(self, name: str, owner: str) -> None:
        """Delete the tokens with which `name`'s browser is known to `owner`'s server."""
        answer = await self._ask("GET", _path("users", name, "tokens"), missing_ok=True)
        for token in [] if answer is None else answer.json()["api_tokens"]:
            # The answer has no client id, only its description: "Server at …/user/NAME/".
            if token["oauth_client"].endswith(f"/user/{owner}/"):
                await self._ask("DELETE", _path("users", name, "tokens", token["id"]), missing_ok=True)

    async def _pages(
        self, path: str, missing_ok: bool = False, **filters: str
    ) -> AsyncIterator[dict[str, Any]]:
        offset: int | None = 0
        while offset is not None:
            params: dict[str, int | str] = {"offset": offset, "limit": PAGE_SIZE, **filters}
            answer = await self._ask("GET", path, params=params, missing_ok=missing_ok)
            if answer is None:
                return
            page = answer.json()
            if isinstance(page, list):
                raise HubUnreachable(f"{path} answered without pages; is this JupyterHub 6?")
            for item in page["items"]:
                yield item
            following = page["_pagination"]["next"]
            offset = following["offset"] if following else None

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        fine: tuple[int, ...] = (200, 201, 202, 204),
        missing_ok: bool = False,
        json: Any = None,
        params: dict[str, int | str] | None = None,
    ) -> httpx.Response | None:
        """Send one request. Returns None for a 404 when `missing_ok`."""
        headers = {"Accept": PAGINATED} if params else {}
        try:
            answer = await self._http.request(method, path, json=json, params=params, headers=headers)
        except httpx.TransportError as error:
            raise HubUnreachable(f"{method} {path}: {type(error).__name__}") from error
        if answer.status_code in fine:
            return answer
        if answer.status_code == 404 and missing_ok:
            return None
        if answer.status_code in (502, 503, 504) and not _is_the_hubs_own(answer):
            raise HubUnreachable(f"{method} {path}: {answer.status_code}")
        raise HubRefused(f"{method} {path}: {answer.status_code} {_reason(answer)}")


def _path(*parts: str) -> str:
    """Join the parts of a path; a name that is not ours may hold any character."""
    return "/".join(quote(part, safe="") for part in parts)


def _is_up(user: dict[str, Any]) -> bool:
    return "" in user.get("servers", {})  # the hub lists active servers only


def _read_server(server: dict[str, Any]) -> Server:
    return Server(
        bool(server["ready"]),
        server["pending"],
        _read_instant(server["started"]),
        _read_instant(server["last_activity"]),
    )


def _read_instant(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None


def _is_the_hubs_own(answer: httpx.Response) -> bool:
    """Whether an error comes from a hub that is up: its API says it in JSON, with the status in it.

    A spawner's HTTPError keeps its status on the way through the hub; what stands in for a hub that is down
    (a proxy) has a page of its own.
    """
    try:
        return bool(answer.json()["status"] == answer.status_code)
    except (ValueError, TypeError, KeyError):
        return False


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("message", ""))[:200]
    except (ValueError, AttributeError):
        return ""
