"""The hub's questions to the service: who is this, and is the account still active?

The last answer about each account is kept for 15 minutes and used only while the service does not answer
(docs/architecture.md, "The internal interface").
"""

import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import quote

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

KEEP_S = 15 * 60
ANSWER_TIMEOUT_S = 5.0
MAX_CONNECTIONS = 50
LOG = logging.getLogger(__name__)


class ServiceDown(Exception):
    """The service gave no usable answer, and no kept answer is young enough."""


class SignInRefused(Exception):
    """Somebody is not let in. `code` is a key of `hub_config.refusals.REFUSALS`."""

    def __init__(self, code: str, school: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.school = school


@dataclass(frozen=True)
class Account:
    """What the service says about an account (`GET internal/accounts/<account>`)."""

    account: str
    kind: Literal["personal", "team", "course"]
    active: bool
    display_name: str
    initials: str
    color: str
    language: str
    zone: str
    school: str | None = None
    course: str | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    busy_s: int = 0  # for so long yet an announced lesson needs its workspace

    @property
    def user_info(self) -> dict[str, str]:
        """What live editing shows of somebody, in Jupyter's words."""
        return {"display_name": self.display_name, "initials": self.initials, "color": self.color}


@dataclass(frozen=True)
class Answer:
    """A status and a JSON body of the service."""

    status: int
    body: Mapping[str, Any]


class Ask(Protocol):
    """Send one question to the service. Raises ServiceDown when there is no answer."""

    def __call__(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Awaitable[Answer]: ...


def connect_service(url: str, token: str) -> Ask:
    """Return the way to ask the service at `url`, the base of ``internal/`` with a slash at its end.

    The connections are its own: a provider that hangs must not delay the answer who is still who.
    """
    clients: list[AsyncHTTPClient] = []

    async def ask(method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        request = HTTPRequest(
            f"{url}{path}",
            method=method,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            body=json.dumps(body) if body is not None else None,
            connect_timeout=ANSWER_TIMEOUT_S,
            request_timeout=ANSWER_TIMEOUT_S,
            follow_redirects=False,
        )
        if not clients:  # only here is the hub's event loop running
            clients.append(AsyncHTTPClient(force_instance=True, max_clients=MAX_CONNECTIONS))
        try:
            response = await clients[0].fetch(request, raise_error=False)
            content = json.loads(response.body or b"{}")
        except (HTTPClientError, OSError, ValueError) as error:
            raise ServiceDown(f"{method} {path}: {error}") from error
        return Answer(response.code, content if isinstance(content, dict) else {})

    return ask


class Accounts:
    """Asks the service about accounts and sign-ins, and keeps the last answers. One per hub process."""

    def __init__(
        self,
        ask: Ask,
        clock: Callable[[], float] = time.monotonic,
        keep_s: float = KEEP_S,
        log: logging.Logger = LOG,
    ) -> None:
        self._ask = ask
        self._log = log
        self._clock = clock
        self._keep_s = keep_s
        self._kept: dict[str, tuple[float, Account | None]] = {}

    async def find(self, name: str) -> Account | None:
        """Return the account, or None when the service knows none of that name.

        Raises ServiceDown when the service does not answer and its last answer is over 15 minutes old.
        """
        try:
            answer = await self._ask("GET", f"accounts/{quote(name, safe='')}")
            account = _read_account(answer, name)
        except ServiceDown as down:
            self._log.warning("The service does not answer about %s: %s", name, down)
            return self._find_kept(name)
        self._keep(name, account)
        return account

    def find_language_of(self, name: str) -> str | None:
        """Return the language of an account from the last answer, without asking."""
        _, account = self._kept.get(name, (0.0, None))
        return account.language if account else None

    async def sign_in(self, attempt: Mapping[str, Any]) -> Account:
        """Return the account of the person whom the service recognises. Raises SignInRefused.

        A positive answer is never kept for a later sign-in: new sign-ins wait until the service is back.
        """
        try:
            answer = await self._ask("POST", "sign-in", attempt)
            person = _read_person(answer)
            account = await self.find(person)
        except ServiceDown as down:
            self._log.warning("No sign-in: %s", down)
            raise SignInRefused("service_down") from down
        if account is None or not account.active or account.kind != "personal":
            raise SignInRefused("deactivated", account.school if account else None)
        return account

    def _keep(self, name: str, account: Account | None) -> None:
        now = self._clock()
        if len(self._kept) % 1000 == 999:
            self._kept = {n: kept for n, kept in self._kept.items() if now - kept[0] <= self._keep_s}
        self._kept[name] = (now, account)

    def _find_kept(self, name: str) -> Account | None:
        answered_at, account = self._kept.get(name, (float("-inf"), None))
        if self._clock() - answered_at > self._keep_s:
            raise ServiceDown(f"no answer about {name} is kept from the last {self._keep_s:.0f} s")
        return account


def _read_account(answer: Answer, name: str) -> Account | None:
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise ServiceDown(f"accounts/{name}: unexpected status {answer.status}")
    known = {key: answer.body[key] for key in Account.__dataclass_fields__ if key in answer.body}
    try:
        account = Account(**known)
    except TypeError as error:
        raise ServiceDown(f"accounts/{name}: {error}") from error
    if account.account != name:
        raise ServiceDown(f"accounts/{name}: the answer is about {account.account}")
    return account


def _read_person(answer: Answer) -> str:
    if answer.status == 403:
        school = answer.body.get("school")
        raise SignInRefused(str(answer.body.get("refusal")), school if isinstance(school, str) else None)
    person = answer.body.get("person")
    if answer.status != 200 or not isinstance(person, str):
        raise ServiceDown(f"sign-in: unexpected status {answer.status}")
    return person
