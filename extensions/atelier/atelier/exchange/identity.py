"""Who is asking: the hub says, about the very token that came with the request.

A workspace's own token carries the scope `custom:atelier:exchange`. A token that a visitor of a shared
workspace left there (OAuth) never does, so hostile team code that holds one cannot submit as that visitor.

The hub is one process for all: whoever sends made up tokens asks it little, and keeps nobody else's question
from being asked.
"""

import asyncio
import hashlib
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

import httpx

from atelier.exchange.errors import ExchangeError
from atelier.texts import N_

EXCHANGE_SCOPE = "custom:atelier:exchange"
CACHE_S = 30.0
CACHE_SIZE = 4096
# From one address, which is one workspace's: how many questions are under way at once, and how long a token
# that the hub does not know keeps its place. An honest workspace has one token, asked about twice a minute.
QUESTIONS_AT_ONCE = 2
REFUSED_TURN_S = 0.2

_log = logging.getLogger("atelier.exchange")
_AUTHORIZATION = re.compile(r"(?:token|bearer) +([A-Za-z0-9._~+/=-]{8,512})", re.IGNORECASE)


class HubIdentities:
    """Answers of the hub to ``GET /user``, kept for `CACHE_S`, keyed by the SHA-256 of the token.

    Only that the token is this account's is remembered. Whether the account is active and what it may do
    is asked of the database with every request.
    """

    def __init__(self, hub: httpx.AsyncClient, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._hub = hub
        self._monotonic = monotonic
        self._kept: OrderedDict[bytes, tuple[float, str]] = OrderedDict()
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def find_account(self, authorization: str | None, address: str = "") -> str:
        """Return the account whose workspace token stands in the header ``Authorization``.

        `address`: where the request comes from; unknown tokens from one address wait for each other.

        Raises ExchangeError: `no_token`, `token_refused` (401), `no_exchange_scope` (403),
        `hub_unreachable` (503).
        """
        match = _AUTHORIZATION.fullmatch(authorization or "")
        if not match:
            raise ExchangeError(401, "no_token", N_("The request carries no workspace token."))
        key = hashlib.sha256(match[1].encode()).digest()
        account = self._find_kept(key)
        return account or await self._ask_in_turn(match[1], key, address)

    async def _ask_in_turn(self, token: str, key: bytes, address: str) -> str:
        turn = self._turns.get(address) or asyncio.Semaphore(QUESTIONS_AT_ONCE)
        self._turns[address] = turn  # kept only while somebody waits
        await turn.acquire()
        kept_s = 0.0
        try:
            account = self._find_kept(key)  # asked about by who had the turn before
            if account is None:
                account = _check_own_workspace(await self._ask_hub(token))
                self._keep(key, account)
            return account
        except ExchangeError as refused:
            kept_s = REFUSED_TURN_S if refused.status in (401, 403) else 0.0
            raise
        finally:
            asyncio.get_running_loop().call_later(kept_s, turn.release)

    def _find_kept(self, key: bytes) -> str | None:
        until, account = self._kept.get(key, (0.0, ""))
        if account and self._monotonic() < until:
            return account
        self._kept.pop(key, None)
        return None

    def _keep(self, key: bytes, account: str) -> None:
        self._kept[key] = (self._monotonic() + CACHE_S, account)
        while len(self._kept) > CACHE_SIZE:
            self._kept.popitem(last=False)

    async def _ask_hub(self, token: str) -> dict[str, Any]:
        try:
            answer = await self._hub.get("user", headers={"Authorization": f"token {token}"})
        except httpx.HTTPError as error:
            raise _hub_unreachable(type(error).__name__) from error
        if answer.status_code in (401, 403):
            raise ExchangeError(
                401, "token_refused", N_("This workspace's token no longer counts. Restart it.")
            )
        if answer.status_code != 200:
            raise _hub_unreachable(f"HTTP {answer.status_code}")
        try:
            user = answer.json()
        except ValueError as error:
            raise _hub_unreachable("no JSON") from error
        return user if isinstance(user, dict) else {}


def _check_own_workspace(user: dict[str, Any]) -> str:
    name, scopes = user.get("name"), user.get("scopes")
    own = {EXCHANGE_SCOPE, f"{EXCHANGE_SCOPE}!user={name}", f"{EXCHANGE_SCOPE}!server={name}/"}
    known = user.get("kind") == "user" and isinstance(name, str) and isinstance(scopes, list)
    if not known or own.isdisjoint(scopes if isinstance(scopes, list) else []):
        text = N_("Only a workspace's own token may exchange files; this is another kind of token.")
        raise ExchangeError(403, "no_exchange_scope", text)
    return str(name)


def _hub_unreachable(cause: str) -> ExchangeError:
    _log.warning("hub-unreachable: %s", cause)
    text = N_("Atelier cannot check right now who you are. Nothing is lost: try again in a minute.")
    return ExchangeError(503, "hub_unreachable", text, headers={"Retry-After": "10"})
