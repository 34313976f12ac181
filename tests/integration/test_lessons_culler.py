"""Announced lessons against a real hub and the real idle culler, with the steward's own scopes."""

import asyncio
import datetime as dt
import logging
from pathlib import Path
from zoneinfo import ZoneInfo

import jupyterhub_idle_culler
import pytest
from atelier import lessons
from atelier.steward import lesson_plan
from atelier.steward.hub import HubClient
from atelier.steward.lessons import LessonKeeper
from atelier.store import SessionFactory, utc_now

from hub_config import services
from hub_config.city import parse_city
from hub_config.workspaces import ACTIVITY_INTERVAL_S
from tests.databases import Databases
from tests.small_school import CITY, open_small_school
from tests.steward_hub import ADMIN_TOKEN, TOKEN, SmallHub, run_hub
from tests.waiting import wait_until

pytestmark = pytest.mark.hub

# The steward and the culler live half an hour ahead of the hub, which takes reports from so far ahead. What
# was started just now has been idle for that long, and a quarter of an hour lies between "idle" and "needed".
AHEAD = dt.timedelta(minutes=30)
IDLE_S = 15 * 60


def test_reports_come_often_enough_for_the_shortest_timeout_of_the_culler() -> None:
    shortest_s = services.find_longest_limits(parse_city(CITY))[0]
    assert shortest_s >= 2 * ACTIVITY_INTERVAL_S
    assert lesson_plan.REPORT_AFTER.total_seconds() <= ACTIVITY_INTERVAL_S


def tell_time() -> dt.datetime:
    return utc_now() + AHEAD


def make_keeper(hub: SmallHub, sessions: SessionFactory, now: dt.datetime) -> tuple[LessonKeeper, list[str]]:
    """Return a steward's keeper and the students whose lesson began three minutes ago."""
    with sessions.begin() as session:
        school = open_small_school(session)
        local = (now - dt.timedelta(minutes=3)).astimezone(ZoneInfo("Europe/Sofia")).replace(tzinfo=None)
        said = lessons.Announcement(local, "Europe/Sofia", 40)
        lessons.announce(session, school.course.id, said, teacher_id=school.teacher.id, now=now)
        students = sorted(student.id for student in school.students[:2])
    return LessonKeeper(HubClient(hub.api, TOKEN), sessions, parse_city(CITY), tell_time), students


async def test_the_real_culler_stops_who_is_idle_but_no_workspace_of_a_lesson(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jupyterhub_idle_culler, "utcnow", tell_time)
    with run_hub(tmp_path) as hub:
        keeper, students = make_keeper(hub, databases.open_migrated(), tell_time())
        bystander = "k3bystander1"
        await keeper.hub.create_accounts([*students, bystander])
        hub.start_workspace(bystander)
        async with asyncio.timeout(60):
            while not all(map(hub.is_running, students)):
                await keeper.keep(frozenset(students))
                await keeper.settle()
            await keeper.keep(frozenset(students))
            logger = logging.getLogger("culler")
            await jupyterhub_idle_culler.cull_idle(hub.api, ADMIN_TOKEN, IDLE_S, logger)  # type: ignore[no-untyped-call]
        wait_until(lambda: not hub.is_running(bystander), 30, "the culler stopped nobody")
        assert all(map(hub.is_running, students))
        await keeper.hub.close()
