"""The steward and announced lessons: what is started, kept and stopped, at which rate, after being killed."""

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from atelier import lessons
from atelier.steward.hub import HubRefused, HubUnreachable, Server
from atelier.steward.lessons import LessonKeeper
from atelier.store.models import Lesson

from hub_config.city import parse_city
from tests.databases import Databases
from tests.small_school import CITY, NOW, SmallSchool, open_small_school

BELL = dt.datetime(2026, 11, 16, 6, 0, tzinfo=dt.UTC)  # 08:00 in Sofia
MINUTE = dt.timedelta(minutes=1)
END = BELL + 40 * MINUTE


@dataclass
class StandInHub:
    """The hub's part of the conversation: servers that start when told to and stop when asked."""

    clock: Callable[[], dt.datetime]
    servers: dict[str, Server] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    trouble: Exception | None = None
    status: int = 202

    async def read_servers(self) -> dict[str, Server]:
        return dict(self.servers)

    async def start_server(self, name: str) -> int:
        self.asked.append(name)
        await asyncio.sleep(0)
        if self.trouble:
            raise self.trouble
        if self.status in (201, 202):
            assert name not in self.servers, "asked to start what is up"
            self.servers[name] = Server(False, "spawn", self.clock(), self.clock())
        return self.status

    async def stop_server(self, name: str) -> bool:
        self.stops.append(name)
        del self.servers[name]
        return True

    async def report_activity(self, name: str, at: dt.datetime) -> None:
        self.reports.append(name)
        self.use(name, at)

    def finish_starts(self) -> None:
        for name, server in self.servers.items():
            self.servers[name] = Server(True, None, server.started_at, server.last_activity_at)

    def use(self, name: str, at: dt.datetime) -> None:
        self.servers[name] = Server(True, None, self.servers[name].started_at, at)

    def run(self, *names: str, since: dt.datetime, used_at: dt.datetime) -> None:
        self.servers |= {name: Server(True, None, since, used_at) for name in names}


@dataclass
class Place:
    """A school with one lesson at the bell, a stand-in hub, and a steward whose clock is set by the test."""

    school: SmallSchool
    lesson: Lesson
    hub: StandInHub
    keeper: LessonKeeper
    now: dt.datetime = BELL - 10 * MINUTE
    active: frozenset[str] = frozenset()

    async def keep(self, now: dt.datetime | None = None) -> None:
        """Let the steward look once at `now`, and the hub answer all it asks."""
        self.now = now or self.now
        await self.keeper.keep(self.active)
        await self.keeper.settle()

    async def start_all(self, now: dt.datetime) -> None:
        while len(self.hub.servers) < len(self.active):
            await self.keep(now)
            self.hub.finish_starts()

    def kill(self) -> None:
        """A new steward that knows nothing of what the last one did."""
        old = self.keeper
        self.keeper = LessonKeeper(old.hub, old.sessions, old.city, old.clock, old.starts_at_once, old.quiet)


@pytest.fixture
def place(databases: Databases) -> Place:
    sessions = databases.open_migrated()
    with sessions.begin() as session:
        school = open_small_school(session)
        said = lessons.Announcement(dt.datetime(2026, 11, 16, 8, 0), "Europe/Sofia", 40)  # noqa: DTZ001
        lesson = lessons.announce(session, school.course.id, said, teacher_id=school.teacher.id, now=NOW)
    hub = StandInHub(lambda: found.now)
    keeper = LessonKeeper(hub, sessions, parse_city(CITY), lambda: found.now, starts_at_once=2)  # type: ignore[arg-type]
    found = Place(school, lesson, hub, keeper)
    found.active = frozenset(student.id for student in school.students)
    return found


async def test_nothing_is_asked_of_the_hub_before_the_lesson_is_prepared(place: Place) -> None:
    await place.keep(BELL - 11 * MINUTE)
    assert not place.hub.asked


async def test_workspaces_start_before_the_bell_and_only_so_many_at_a_time(place: Place) -> None:
    place.now = BELL - 10 * MINUTE
    await place.keep()
    await place.keep()
    assert len(place.hub.asked) == 2, "two are under way, the third waits"
    place.hub.finish_starts()
    await place.keep()
    assert len(place.hub.asked) == 4
    place.hub.finish_starts()
    await place.keep()
    assert set(place.hub.asked) == place.active
    assert len(place.hub.asked) == len(place.active)


async def test_starts_of_people_themselves_count_so_that_lessons_give_way(place: Place) -> None:
    place.hub.servers = {name: Server(False, "spawn", BELL) for name in ("k3somebody11", "k3somebody22")}
    await place.keep()
    assert not place.hub.asked


async def test_a_steward_killed_while_starting_goes_on_without_double_work(place: Place) -> None:
    await place.keep()
    assert len(place.hub.servers) == 2
    place.kill()
    await place.keep()
    assert len(place.hub.asked) == 2, "the hub says that two are under way"
    place.hub.finish_starts()
    place.kill()
    await place.start_all(place.now)
    assert sorted(place.hub.asked) == sorted(place.active)


async def test_two_looks_while_the_hub_has_not_answered_ask_once(place: Place) -> None:
    await place.keeper.keep(place.active)
    await place.keeper.keep(place.active)
    await place.keeper.settle()
    assert len(place.hub.asked) == 2


async def test_nobody_inactive_is_started(place: Place) -> None:
    somebody = min(place.active)
    place.active -= {somebody}
    await place.start_all(place.now)
    assert somebody not in place.hub.asked
    place.active = frozenset()
    place.hub.servers.clear()
    place.hub.asked.clear()
    await place.keep()
    assert not place.hub.asked


async def test_a_workspace_that_cannot_start_is_tried_three_times_and_keeps_no_place(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.hub.trouble = HubRefused("POST users/x/server: 500 ended while starting")
    place.active = frozenset([min(place.active)])
    for minute in range(-10, 40):
        await place.keep(BELL + minute * MINUTE)
    assert len(place.hub.asked) == 3
    assert "lesson-start-failed" in caplog.text


@pytest.mark.parametrize("status", [404, 429])
async def test_a_busy_hub_or_an_account_to_come_costs_no_attempt(place: Place, status: int) -> None:
    place.active = frozenset([min(place.active)])
    place.hub.status = status
    for minute in range(-10, 0):
        await place.keep(BELL + minute * MINUTE)
    assert len(place.hub.asked) == 10
    place.hub.status = 202
    await place.keep(BELL)
    assert len(place.hub.servers) == 1


async def test_a_silent_hub_costs_no_attempt_and_stops_nobody(place: Place) -> None:
    place.active = frozenset([min(place.active)])
    place.hub.trouble = HubUnreachable("POST: ConnectError")
    for minute in range(-10, 0):
        await place.keep(BELL + minute * MINUTE)
    place.hub.trouble = None
    await place.keep(BELL)
    assert len(place.hub.servers) == 1


async def test_the_culler_hears_during_the_lesson_that_its_workspaces_are_needed(place: Place) -> None:
    await place.start_all(BELL - 5 * MINUTE)
    place.hub.reports.clear()
    await place.keep(BELL - MINUTE)
    assert not place.hub.reports, "before the bell nothing has been idle for long"
    for second in range(0, 40 * 60, 30):
        await place.keep(BELL + dt.timedelta(seconds=second))
        ages = [place.now - (server.last_activity_at or BELL) for server in place.hub.servers.values()]
        assert max(ages) <= dt.timedelta(seconds=150), "the culler's timeout is never below 240 s"
    reported = len(place.hub.reports)
    assert reported <= len(place.active) * 20
    await place.keep(END)
    assert len(place.hub.reports) == reported, "after the end, activity is somebody's"


async def test_what_is_stopped_during_the_lesson_runs_again(place: Place) -> None:
    await place.start_all(BELL - 5 * MINUTE)
    gone = min(place.active)
    del place.hub.servers[gone]
    await place.keep(BELL + 20 * MINUTE)
    assert gone in place.hub.servers


async def test_unused_workspaces_stop_ten_minutes_after_the_lesson_and_not_before(place: Place) -> None:
    await place.start_all(BELL - 5 * MINUTE)
    await place.keep(BELL + 39 * MINUTE)
    await place.keep(END + 9 * MINUTE)
    assert not place.hub.stops
    await place.keep(END + 10 * MINUTE)
    await place.keep(END + 10 * MINUTE)
    assert set(place.hub.stops) == place.active


async def test_who_goes_on_working_is_not_stopped_until_quiet(place: Place) -> None:
    await place.start_all(BELL - 5 * MINUTE)
    busy = min(place.active)
    place.hub.use(busy, END + 8 * MINUTE)
    await place.keep(END + 10 * MINUTE)
    await place.keep(END + 17 * MINUTE)
    assert busy in place.hub.servers
    place.kill()
    await place.keep(END + 18 * MINUTE)
    assert busy not in place.hub.servers


async def test_a_workspace_that_somebody_had_open_or_opens_later_is_left_alone(place: Place) -> None:
    early, late, *_ = sorted(place.active)
    place.hub.run(early, since=BELL - 60 * MINUTE, used_at=BELL - 15 * MINUTE)
    place.hub.run(late, since=END + MINUTE, used_at=END + MINUTE)
    await place.keep(END + 30 * MINUTE)
    assert not place.hub.stops


async def test_the_next_lesson_keeps_what_the_last_one_would_stop(place: Place) -> None:
    with place.keeper.sessions.begin() as session:
        said = lessons.Announcement(dt.datetime(2026, 11, 16, 8, 50), "Europe/Sofia", 40)  # noqa: DTZ001
        course_id, teacher_id = place.school.course.id, place.school.teacher.id
        lessons.announce(session, course_id, said, teacher_id=teacher_id, now=NOW)
    await place.start_all(BELL - 5 * MINUTE)
    await place.keep(END + 15 * MINUTE)
    assert not place.hub.stops
    assert set(place.hub.servers) == place.active


async def test_a_removed_lessons_workspaces_stop_when_quiet(place: Place) -> None:
    await place.start_all(BELL - 5 * MINUTE)
    with place.keeper.sessions.begin() as session:
        lessons.remove(session, place.school.course.id, place.lesson.id, BELL)
    await place.keep(BELL + 9 * MINUTE)
    assert not place.hub.stops
    await place.keep(BELL + 10 * MINUTE)
    await place.keep()
    assert set(place.hub.stops) == place.active


async def test_a_forgotten_workspace_that_would_end_during_the_lesson_starts_anew_before_it(
    place: Place,
) -> None:
    forgotten, fresh, in_use, *_ = sorted(place.active)
    place.active = frozenset([forgotten, fresh, in_use])
    place.hub.run(forgotten, since=BELL - 90 * MINUTE, used_at=BELL - 50 * MINUTE)  # idle after an hour
    place.hub.run(fresh, since=BELL - 90 * MINUTE, used_at=BELL - 19 * MINUTE)  # idle after the end
    place.hub.run(in_use, since=BELL - 12 * 60 * MINUTE, used_at=BELL - 11 * MINUTE)  # too old at the bell
    await place.keep(BELL - 10 * MINUTE)
    assert place.hub.stops == [forgotten], "somebody was active in the old one a minute ago"
    await place.keep()
    place.hub.finish_starts()
    await place.keep(BELL + MINUTE)
    assert place.hub.stops == [forgotten], "after the bell nobody is interrupted"
    assert set(place.hub.servers) == place.active


async def test_a_lesson_with_nothing_left_to_stop_is_not_looked_at_again(place: Place) -> None:
    await place.start_all(BELL - 5 * MINUTE)
    for minute in (10, 11, 12):
        await place.keep(END + minute * MINUTE)
    assert not place.hub.servers
    (done,) = place.keeper.done_with
    assert done.lesson_id == place.lesson.id
    with place.keeper.sessions() as session:
        assert not lessons.list_over(session, place.now, place.keeper.done_with)
    await place.keep(END + 3 * 60 * MINUTE)
    assert not place.keeper.done_with


async def test_a_slow_hub_is_asked_less_often(place: Place) -> None:
    seconds = iter([0.0, 2.0, 19.0, 21.0, 21.0])
    await place.keeper.look(place.active, lambda: next(seconds))
    await place.keeper.look(place.active, lambda: next(seconds))
    await place.keeper.settle()
    assert len(place.hub.asked) == 2
    assert place.keeper.look_due_s == 20.0
