"""What to do for announced lessons at one instant, from what is due and what the hub has. Asks nobody."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from atelier.lessons import DueLesson, Occurrence
from atelier.steward.hub import Server
from hub_config.city import City, WorkspaceLimits

# The hub's culler never has a timeout below 240 s (hub_config.services): reporting this often is enough.
REPORT_AFTER = dt.timedelta(seconds=120)


@dataclass(frozen=True)
class LessonPlan:
    """Accounts whose workspace should be started (first bell first), stopped, reported as needed."""

    start: Sequence[tuple[str, Occurrence]] = ()
    stop: Sequence[str] = ()
    report: Sequence[str] = ()
    under_way: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class LessonRules:
    """How long a workspace must be quiet to be stopped, and the ends that it has by itself."""

    quiet: dt.timedelta
    city: City
    school_of: Mapping[str, str]  # by course

    def limits_of(self, account: str, when: Occurrence) -> WorkspaceLimits | None:
        """The limits of an account's workspace in a lesson; None for a school that left the city file."""
        school = self.city.schools.get(self.school_of.get(when.course_id, ""))
        return school.limits.of("team" if account.startswith("team-") else "personal") if school else None


def plan_lessons(
    due: Iterable[DueLesson],
    over: Iterable[DueLesson],
    active: frozenset[str],
    servers: Mapping[str, Server],
    rules: LessonRules,
    now: dt.datetime,
) -> LessonPlan:
    """Return what to do now. `active`: accounts of the roster that may run at all."""
    wanted: dict[str, Occurrence] = {}
    for lesson in due:
        for account in lesson.accounts:
            if account in active:
                wanted.setdefault(account, lesson.when)
    start = [(account, when) for account, when in wanted.items() if account not in servers]
    renew = [a for a, when in wanted.items() if a in servers and _must_renew(a, when, servers[a], rules, now)]
    report = [a for a, when in wanted.items() if a in servers and _must_report(when, servers[a], now)]
    ended = [
        account
        for lesson in over
        for account in lesson.accounts
        if account in servers
        and account not in wanted
        and _must_stop(lesson.when, servers[account], rules, now)
    ]
    under_way = frozenset(account for account, server in servers.items() if server.pending == "spawn")
    return LessonPlan(start, sorted({*renew, *ended}), report, under_way)


def is_done_with(lesson: DueLesson, servers: Mapping[str, Server]) -> bool:
    """Whether none of the workspaces that were started for a lesson is left; no other can join them."""
    return not any(a in servers and _was_started_for(lesson.when, servers[a]) for a in lesson.accounts)


def _was_started_for(when: Occurrence, server: Server) -> bool:
    return server.started_at is None or when.prepare_at <= server.started_at < when.ends_at


def _must_renew(account: str, when: Occurrence, server: Server, rules: LessonRules, now: dt.datetime) -> bool:
    """Whether a workspace from before would end by itself during the lesson, and nobody is active in it now.

    It was started with its school's idle time; one that is started now gets the whole lesson
    (`lessons.find_busy_s`).
    """
    limits = rules.limits_of(account, when)
    started, used = server.started_at, server.last_activity_at
    if not server.ready or limits is None or started is None or used is None or now >= when.starts_at:
        return False
    if started >= when.prepare_at or now - used < rules.quiet:
        return False
    ends_at = min(
        used + dt.timedelta(seconds=limits.idle_s), started + dt.timedelta(seconds=limits.max_age_s)
    )
    return ends_at < when.ends_at


def _must_report(when: Occurrence, server: Server, now: dt.datetime) -> bool:
    """Whether the hub's culler must hear that the workspace is needed.

    Never outside the lesson: after it, activity in the hub is somebody's.
    """
    used = server.last_activity_at
    return (
        server.ready and when.starts_at <= now < when.ends_at and (used is None or now - used > REPORT_AFTER)
    )


def _must_stop(when: Occurrence, server: Server, rules: LessonRules, now: dt.datetime) -> bool:
    """Whether a workspace was started for a lesson that is over, and nobody was active for `quiet` since.

    One that somebody had open before, or opened afterwards, is left to its school's idle time.
    """
    if not server.ready or not _was_started_for(when, server):
        return False
    return now - max(when.ends_at, server.last_activity_at or when.ends_at) >= rules.quiet
