"""One round of the steward: read what is wanted, read what the hub has, repair the difference.

Everything here may be repeated and interrupted anywhere. One account that fails never stops the others: it
is logged and tried again in the next full round.
"""

import asyncio
import datetime as dt
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from atelier.steward.compare import HubState, Plan, Share, compare, is_ours
from atelier.steward.hub import HubClient, HubRefused
from atelier.steward.stops import list_open_stops, mark_stopped, request_stop
from atelier.steward.wanted import Wanted, find_wanted
from atelier.store import SessionFactory
from hub_config.city import City

Item = TypeVar("Item")
log = logging.getLogger("atelier.steward")

CREATE_AT_ONCE = 20  # about 6 ms of the hub's time each, in which it answers nobody
BACKLOG_AT_ONCE = 100
PARALLEL = 8  # orders that the hub works on at the same time
FEW_ACCOUNTS = 50  # up to so many changed accounts are looked at one by one; more are a full round


@dataclass
class Steward:
    """Keeps one hub as roster and projects want it. What it remembers only saves work."""

    hub: HubClient
    sessions: SessionFactory
    city: City
    clock: Callable[[], dt.datetime]
    last_wanted: Wanted = field(default_factory=Wanted)
    closed: set[str] = field(default_factory=set)
    foreign: frozenset[str] = frozenset()
    backlog: list[str] = field(default_factory=list)

    async def sweep(self) -> Plan:
        """Compare everything and repair it. Returns what was found to do. Raises HubUnreachable."""
        wanted = self._load_wanted()
        accounts = await self.hub.read_accounts()
        owners = sorted(name for name in accounts if "-" in name and is_ours(name))
        plan = compare(wanted, await self._read_state(accounts, owners), self.closed)
        self._note_foreign(plan)
        return await self._carry_out(wanted, plan)

    async def follow(self) -> Plan:
        """Repair only what changed on the roster since the last round. Raises HubUnreachable."""
        wanted = self._load_wanted()
        changed = wanted.list_differences(self.last_wanted)
        if len(changed) > FEW_ACCOUNTS or not self.last_wanted.accounts:
            return await self.sweep()
        accounts: dict[str, bool] = {}
        for name in changed:
            accounts |= await self.hub.read_account(name)
        state = await self._read_state(accounts, sorted(accounts))
        part = Wanted(
            frozenset(wanted.accounts & changed),
            {name: people for name, people in wanted.shares.items() if name in changed},
        )
        return await self._carry_out(wanted, compare(part, state, self.closed))

    def forget(self) -> None:
        """Forget what saved work: the hub may have come back with another database."""
        self.closed.clear()
        self.backlog.clear()
        self.last_wanted = Wanted()

    async def create_some(self) -> None:
        """Create some of the accounts that nobody waits for. Between two calls other work gets its turn."""
        some, self.backlog = self.backlog[:BACKLOG_AT_ONCE], self.backlog[BACKLOG_AT_ONCE:]
        await self._create([name for name in some if name in self.last_wanted.accounts])

    async def finish_stops(self) -> None:
        """Stop what must stop and is not down yet; what is still stopping is asked again next time."""
        with self.sessions() as session:
            accounts = list_open_stops(session)
        await self._for_each(accounts, "stop", self._stop)

    async def _read_state(self, accounts: dict[str, bool], owners: Iterable[str]) -> HubState:
        """Return the accounts given and the shares that `owners` have granted.

        An owner whose shares the hub does not tell is left out of this round, shares and all.
        """
        shares: dict[Share, frozenset[str]] = {}
        unread: set[str] = set()
        for owner in owners:
            try:
                shares |= await self.hub.read_shares(owner)
            except HubRefused as refusal:
                log.error("order-failed: read shares of %s: %s", owner, refusal)
                unread.add(owner)
        return HubState(accounts, shares, frozenset(unread))

    def _load_wanted(self) -> Wanted:
        with self.sessions() as session:
            return find_wanted(session, self.city, self.clock())

    async def _carry_out(self, wanted: Wanted, plan: Plan) -> Plan:
        """Rights that end come first, then what people wait for.

        Accounts that share nothing come last: the hub makes a person's account at sign-in anyway, and in an
        emptied hub there may be thousands.
        """
        if plan.close and not wanted.accounts:
            log.error("roster-empty: nothing is closed; %d accounts in the hub", len(plan.close))
            plan = Plan(create=plan.create, grant=plan.grant)
        self._request_stops(plan.revoke)
        await self._for_each(plan.revoke, "revoke", self._revoke)
        shared = {name for share in plan.grant for name in (share.owner, share.to)}
        await self._create([name for name in plan.create if name in shared])
        await self._for_each(plan.grant, "grant", self._grant)
        await self._for_each(plan.close, "close", self._close)
        self.closed -= wanted.accounts
        self.last_wanted = wanted
        self.backlog = sorted({*self.backlog, *plan.create} - shared)
        await self.create_some()
        if plan:
            log.info(
                "repaired: created=%d granted=%d revoked=%d closed=%d",
                *(len(part) for part in (plan.create, plan.grant, plan.revoke, plan.close)),
            )
        return plan

    # ---------------------------------------- single orders
    def _request_stops(self, revoked: Iterable[Share]) -> None:
        owners = sorted({share.owner for share in revoked})
        if owners:
            with self.sessions.begin() as session:
                for owner in owners:
                    request_stop(session, owner, "a share ended", self.clock())

    async def _revoke(self, share: Share) -> None:
        await self.hub.revoke(share)
        if not share.group:
            await self.hub.delete_tokens_for(share.to, share.owner)

    async def _grant(self, share: Share) -> None:
        await self.hub.grant(share)

    async def _create(self, names: Sequence[str]) -> None:
        for start in range(0, len(names), CREATE_AT_ONCE):
            some = names[start : start + CREATE_AT_ONCE]
            try:
                await self.hub.create_accounts(some)
            except HubRefused:  # find out which one it is
                await self._for_each(some, "create", lambda name: self.hub.create_accounts([name]))

    async def _close(self, name: str) -> None:
        """End an account's rights: its tokens, then its server. Its files and rows stay."""
        count = await self.hub.delete_tokens(name)
        if not await self.hub.stop_server(name):
            with self.sessions.begin() as session:
                request_stop(session, name, "the account ended", self.clock())
        self.closed.add(name)
        log.info("closed: account=%s tokens=%d", name, count)

    async def _stop(self, account: str) -> None:
        if await self.hub.stop_server(account):
            with self.sessions.begin() as session:
                mark_stopped(session, account, self.clock())
            log.info("stopped: account=%s", account)

    async def _for_each(
        self, items: Iterable[Item], verb: str, do: Callable[[Item], Awaitable[object]]
    ) -> None:
        limit = asyncio.Semaphore(PARALLEL)

        async def one(item: Item) -> None:
            async with limit:
                try:
                    await do(item)
                except HubRefused as refusal:
                    log.error("order-failed: %s %s: %s", verb, item, refusal)

        # Let all others end before a silent hub stops the round: what was ordered must not go on unseen.
        results = await asyncio.gather(*(one(item) for item in items), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _note_foreign(self, plan: Plan) -> None:
        found = frozenset(plan.foreign)
        for name in sorted(found - self.foreign):
            log.warning("foreign-account: account=%r is not ours and is left alone", name)
        self.foreign = found
