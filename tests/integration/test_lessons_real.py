"""An announced lesson in the real house: its workspaces run before the bell, and stop after it."""

import asyncio
import datetime as dt
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

import httpx
import pytest
from atelier import lessons
from atelier.steward.hub import HubClient, Server
from atelier.store import utc_now
from atelier.store.models import Lesson, Project, Team

from tests.atelier_stack import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.hub

TEACHER = "bell.teacher@school-a.example"
STUDENT = "bell.student@students.school-a.example"
SOFIA = ZoneInfo("Europe/Sofia")
MINUTES = 5


@contextmanager
def steward_of_the_test(stack: Stack) -> Iterator[subprocess.Popen[bytes]]:
    """A steward that starts one workspace at a time and stops what was quiet for a second."""
    environment = {
        **stack.house.steward_environment,
        "ATELIER_STEWARD_LESSON_STARTS": "1",
        "ATELIER_STEWARD_LESSON_QUIET_S": "1",
    }
    with (stack.house.logs_dir / "steward-of-the-test.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "atelier", "steward"], env=environment, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def announce(stack: Stack, course_id: str, team: str, starts_at: dt.datetime) -> str:
    teacher_id, now = stack.find_person(TEACHER), utc_now()
    with stack.session() as session:
        project = session.get_one(Project, session.get_one(Team, team.removeprefix("team-")).project_id)
        local = starts_at.astimezone(SOFIA).replace(tzinfo=None)
        said = lessons.Announcement(local, "Europe/Sofia", MINUTES, project_id=project.id)
        return lessons.announce(session, course_id, said, teacher_id=teacher_id, now=now).id


def move(stack: Stack, lesson_id: str, starts_at: dt.datetime) -> None:
    """Set the lesson to another time, instead of waiting for it."""
    local = starts_at.astimezone(SOFIA).replace(tzinfo=None)
    with stack.session() as session:
        lesson = session.get_one(Lesson, lesson_id)
        lesson.first_on = lesson.last_on = local.date()
        lesson.bell = local.time()


def servers_of(stack: Stack, *accounts: str) -> dict[str, Server]:
    async def read() -> dict[str, Server]:
        hub = HubClient(stack.house.hub_api_url, stack.house.secrets["steward_hub_token"])
        try:
            return await hub.read_servers()
        finally:
            await hub.close()

    return {name: server for name, server in asyncio.run(read()).items() if name in accounts}


def ask_busy_s(stack: Stack, account: str) -> int:
    token = stack.house.secrets["hub_service_token"]
    url = f"{stack.house.web_url}/services/atelier/internal/accounts/{account}"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    return int(answer.json()["busy_s"])


def report_activity(stack: Stack, account: str, at: dt.datetime) -> None:
    async def report() -> None:
        hub = HubClient(stack.house.hub_api_url, stack.house.secrets["steward_hub_token"])
        await hub.report_activity(account, at)
        await hub.close()

    asyncio.run(report())


def test_a_lessons_workspaces_run_before_the_bell_and_stop_after_it_although_the_steward_is_killed(
    stack: Stack,
) -> None:
    stack.add_people(f"Бела Звънецова {TEACHER} teacher", f"Боян Звънецов {STUDENT} student")
    course = stack.make_course("bell", TEACHER, [STUDENT])
    team = stack.make_team(course, "Звънци", [STUDENT])
    student = stack.find_person(STUDENT)
    accounts = (student, team)
    starts_at = (utc_now() + dt.timedelta(minutes=6)).replace(second=0, microsecond=0)
    with stack.down("steward"):
        lesson_id = announce(stack, course, team, starts_at)
        assert all(0 < ask_busy_s(stack, a) <= 11 * 60 for a in accounts), "told to what is started now"
        with steward_of_the_test(stack) as first:
            wait_until(lambda: servers_of(stack, *accounts), 60, "no workspace was started")
            first.send_signal(signal.SIGKILL)
            first.wait(10)
        with steward_of_the_test(stack):
            wait_until(lambda: all(map(stack.is_ready, accounts)), 120, "not all workspaces run")
            assert utc_now() < starts_at, "they run before the bell"
            running = servers_of(stack, *accounts)
            first_up, last_up = sorted(server.started_at or starts_at for server in running.values())
            assert first_up < last_up, "one at a time"

            at = utc_now() - dt.timedelta(milliseconds=1)
            report_activity(stack, student, at)
            reported = servers_of(stack, student)[student].last_activity_at
            assert reported is not None
            assert reported >= at.replace(microsecond=0), "the hub believes the steward"

            move(stack, lesson_id, utc_now() - dt.timedelta(minutes=MINUTES))
            wait_until(lambda: not servers_of(stack, *accounts), 60, "not all workspaces stopped")
    assert ask_busy_s(stack, student) == 0
