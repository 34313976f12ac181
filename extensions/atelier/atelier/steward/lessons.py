"""The steward's part in announced lessons: workspaces run when the bell rings, and stop after the lesson.

Nothing is kept that is not in the service's database or in the hub: a steward that was killed looks at both
and goes on. Starts and stops run beside the steward's rounds, for the hub answers them only after seconds,
and a right that ends must not wait for that.
"""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from atelier import lessons
from atelier.steward.hub import HubClient, HubRefused, HubUnreachable
from atelier.steward.lesson_plan import LessonPlan, LessonRules, is_done_with, plan_lessons
from atelier.store import SessionFactory
from atelier.store.models import Course
from hub_config.city import City

log = logging.getLogger("atelier.steward")

LOOK_EVERY_S = 5.0
MOST_ATTEMPTS = 3  # for one account and lesson: a workspace that cannot start must not keep the hub busy
AT_ONCE = dt.datetime.min.replace(tzinfo=dt.UTC)
RETRY = dt.timedelta(seconds=60)
KEEP_ATTEMPTS = dt.timedelta(hours=12)
BUSY_RETRY = dt.timedelta(seconds=10)
STOPS_AT_ONCE = 4
REPORTS_AT_ONCE = 4


@dataclass
class Attempts:
    """How often a start was tried for one account and lesson, and when the next may be."""

    count: int = 0
    next_at: dt.datetime = AT_ONCE


@dataclass
class LessonKeeper:
    """Keeps one hub's workspaces as the announced lessons want them. What it remembers only saves work."""

    hub: HubClient
    sessions: SessionFactory
    city: City
    clock: Callable[[], dt.datetime]
    starts_at_once: int = 4
    quiet: dt.timedelta = dt.timedelta(minutes=10)
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    stopping: set[str] = field(default_factory=set)
    attempts: dict[tuple[str, dt.datetime], Attempts] = field(default_factory=dict)
    done_with: set[lessons.Occurrence] = field(default_factory=set)
    look_due_s: float = 0.0

    async def look(self, active: frozenset[str], monotonic: Callable[[], float]) -> None:
        """Look every 5 s what lessons need, less often while the hub is slow. Raises HubUnreachable."""
        begun_s = monotonic()
        if begun_s < self.look_due_s:
            return
        self.look_due_s = begun_s + LOOK_EVERY_S
        await self.keep(active)
        # As with full rounds, the hub gives at most a tenth of its time to this.
        self.look_due_s = max(self.look_due_s, begun_s + 10 * (monotonic() - begun_s))

    async def keep(self, active: frozenset[str]) -> LessonPlan:
        """Start, stop and report what lessons need now; `active`: accounts that may run at all.

        Starts and stops go on after this returns, see `settle`.
        """
        now = self.clock()
        with self.sessions() as session:
            due, over = lessons.list_due(session, now), lessons.list_over(session, now, self.done_with)
            self._forget(now)
            if not due and not over:
                return LessonPlan()
            rules = LessonRules(self.quiet, self.city, _load_schools(session))
        servers = await self.hub.read_servers()
        plan = plan_lessons(due, over, active, servers, rules, now)
        self.done_with |= {lesson.when for lesson in over if is_done_with(lesson, servers)}
        self._start_some(plan, now)
        self._stop_some(plan)
        await self._report(plan, now)
        return plan

    async def settle(self) -> None:
        """Wait until the starts and stops that are under way have been answered."""
        while self.tasks:
            await asyncio.wait(self.tasks.values())

    def _forget(self, now: dt.datetime) -> None:
        """Forget what is about lessons of hours ago."""
        self.done_with = {when for when in self.done_with if now - when.ends_at < lessons.OVER_FOR}
        self.attempts = {key: tried for key, tried in self.attempts.items() if now - key[1] < KEEP_ATTEMPTS}

    def _start_some(self, plan: LessonPlan, now: dt.datetime) -> None:
        mine = {account for account in self.tasks if account not in self.stopping}
        free = self.starts_at_once - len(plan.under_way | mine)
        for account, when in plan.start:
            tried = self.attempts.setdefault((account, when.starts_at), Attempts())
            if free <= 0:
                return
            if account in self.tasks or tried.count >= MOST_ATTEMPTS or now < tried.next_at:
                continue
            free -= 1
            tried.count += 1
            tried.next_at = now + RETRY * tried.count
            self._begin(account, self._start(account, tried))

    def _stop_some(self, plan: LessonPlan) -> None:
        for account in plan.stop:
            if account not in self.tasks and len(self.stopping) < STOPS_AT_ONCE:
                self.stopping.add(account)
                self._begin(account, self._stop(account))

    def _begin(self, account: str, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks[account] = task
        task.add_done_callback(lambda _: self._end(account))

    def _end(self, account: str) -> None:
        self.tasks.pop(account, None)
        self.stopping.discard(account)

    async def _start(self, account: str, tried: Attempts) -> None:
        try:
            status = await self.hub.start_server(account)
        except HubRefused as refusal:
            log.error("lesson-start-failed: account=%s attempt=%d: %s", account, tried.count, refusal)
        except HubUnreachable:
            tried.count -= 1  # the next tick says that the hub is silent
        else:
            if status in (404, 429):
                tried.count -= 1
                tried.next_at = self.clock() + BUSY_RETRY
            elif status != 400:
                log.info("lesson-started: account=%s", account)

    async def _stop(self, account: str) -> None:
        try:
            await self.hub.stop_server(account)
        except HubUnreachable:
            return
        except HubRefused as refusal:
            log.error("order-failed: stop %s: %s", account, refusal)
        else:
            log.info("lesson-stopped: account=%s", account)

    async def _report(self, plan: LessonPlan, now: dt.datetime) -> None:
        limit = asyncio.Semaphore(REPORTS_AT_ONCE)

        async def report(account: str) -> None:
            async with limit:
                try:
                    await self.hub.report_activity(account, now)
                except HubRefused as refusal:
                    log.error("order-failed: report activity of %s: %s", account, refusal)

        await asyncio.gather(*(report(account) for account in plan.report))


def _load_schools(session: Session) -> dict[str, str]:
    """The school of each course that is not archived."""
    query = select(Course.id, Course.school_id).where(Course.archived_at.is_(None))
    return {row.id: row.school_id for row in session.execute(query)}
