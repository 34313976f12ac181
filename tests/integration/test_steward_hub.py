"""The steward against a real JupyterHub: accounts, shares, ends of rights, healing."""

import asyncio
import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from atelier import roster
from atelier.steward.hub import HubClient
from atelier.steward.repair import BACKLOG_AT_ONCE, Steward
from atelier.steward.run import Loop
from atelier.store import course_account, team_account
from atelier.store.models import Course, Enrolment, Person, Project, Team, TeamMembership, WorkspaceStop
from sqlalchemy import Engine, select

from hub_config.city import City, parse_city
from tests.databases import Databases
from tests.steward_hub import TOKEN, SmallHub, run_hub
from tests.waiting import POLL_S, wait_until

pytestmark = pytest.mark.hub

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
CITY = """
name: Град
schools:
  one: {name: Първо, domains: [one.example], first_administrator: a@one.example, scale: {kind: percent}}
"""


@dataclass
class House:
    """A hub, a roster with one team of three and one teacher, and a steward between them."""

    hub: SmallHub
    steward: Steward
    city: City
    teacher: str
    members: list[str]
    course: str
    team: str
    team_id: str

    @property
    def database_url(self) -> str:
        engine: Engine = self.steward.sessions.kw["bind"]
        return engine.url.render_as_string(hide_password=False)

    async def tick_until_stopped(self, account: str) -> None:
        """Let the steward finish its stops, as its loop does once a second."""
        deadline = time.monotonic() + 30
        while self.hub.is_running(account):
            assert time.monotonic() < deadline, f"{account} still runs"
            await self.steward.finish_stops()
            await asyncio.sleep(POLL_S)

    def leave(self, person_id: str) -> None:
        with self.steward.sessions.begin() as session:
            query = select(TeamMembership).where(TeamMembership.person_id == person_id)
            session.scalars(query).one().until_at = NOW
            roster.note_change(session, "a member left", NOW)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallHub]:
    with run_hub(tmp_path_factory.mktemp("hub")) as running:
        yield running


@pytest.fixture
async def house(hub: SmallHub, databases: Databases):
    hub.remove_all_accounts()
    sessions = databases.open_migrated()
    client = HubClient(hub.api, TOKEN)
    steward = Steward(client, sessions, parse_city(CITY), lambda: NOW)
    with sessions.begin() as session:
        people = [_person(role) for role in ("teacher", "student", "student", "student")]
        course = Course(school_id="one", slug="geo", title="География", created_at=NOW)
        session.add_all([*people, course])
        session.flush()
        project = Project(course_id=course.id, title="Река", created_at=NOW)
        session.add(project)
        session.flush()
        team = Team(project_id=project.id, name="Отбор", created_at=NOW)
        session.add(team)
        session.flush()
        teacher, *members = (person.id for person in people)
        session.add(Enrolment(course_id=course.id, person_id=teacher, role="teacher", from_at=NOW))
        session.add_all(
            Enrolment(course_id=course.id, person_id=m, role="student", from_at=NOW) for m in members
        )
        session.add_all(TeamMembership(team_id=team.id, person_id=m, from_at=NOW) for m in members)
        roster.note_change(session, "first", NOW)
    yield House(
        hub,
        steward,
        steward.city,
        teacher,
        members,
        course_account(course.id),
        team_account(team.id),
        team.id,
    )
    await client.close()


def _person(role: str) -> Person:
    return Person(school_id="one", role=role, given_name="Ива", family_name="Иванова", created_at=NOW)


async def test_accounts_and_shares_appear_and_a_second_round_changes_nothing(house: House):
    assert await house.steward.sweep()
    assert {house.teacher, *house.members, house.course, house.team} <= house.hub.names()
    assert house.hub.people_of(house.team) == {house.teacher, *house.members}
    assert house.hub.people_of(house.course) == {house.teacher}
    assert not await house.steward.sweep()


async def test_a_member_who_leaves_loses_the_share_and_the_workspace_is_stopped(house: House):
    await house.steward.sweep()
    house.hub.start_workspace(house.team)
    house.leave(house.members[0])
    await house.steward.follow()
    assert house.members[0] not in house.hub.people_of(house.team)
    with house.steward.sessions() as session:
        assert session.scalars(select(WorkspaceStop.account)).all() == [house.team]
    await house.tick_until_stopped(house.team)
    await house.steward.finish_stops()
    with house.steward.sessions() as session:
        assert session.scalars(select(WorkspaceStop.done_at)).all() == [NOW]


async def test_a_stop_that_a_dead_steward_left_behind_is_done_by_the_next_one(house: House):
    await house.steward.sweep()
    house.hub.start_workspace(house.team)
    house.leave(house.members[1])
    await house.steward.follow()  # this one dies here, before its stops
    heir = Steward(house.steward.hub, house.steward.sessions, house.city, lambda: NOW)
    house.steward = heir
    await house.tick_until_stopped(house.team)


async def test_a_deactivated_person_loses_tokens_server_and_every_shared_workspace(house: House):
    await house.steward.sweep()
    gone = house.members[2]
    house.hub.start_workspace(gone)
    house.hub.start_workspace(house.team)
    house.hub.ask("POST", f"users/{gone}/tokens", json={"note": "own"})
    with house.steward.sessions.begin() as session:
        roster.deactivate(session, gone, NOW)
    await house.steward.follow()
    assert house.hub.ask("GET", f"users/{gone}/tokens").json()["api_tokens"] == []
    await house.tick_until_stopped(gone)
    await house.tick_until_stopped(house.team)
    assert gone not in house.hub.people_of(house.team)
    assert gone in house.hub.names(), "the account stays: its home is not lost"
    assert not await house.steward.sweep()


async def test_a_dissolved_team_is_shared_with_nobody_and_stopped(house: House):
    await house.steward.sweep()
    house.hub.start_workspace(house.team)
    with house.steward.sessions.begin() as session:
        session.get_one(Team, house.team_id).dissolved_at = NOW
        roster.note_change(session, "dissolved", NOW)
    await house.steward.follow()
    assert house.hub.people_of(house.team) == set()
    await house.tick_until_stopped(house.team)


async def test_one_account_that_the_hub_refuses_does_not_stop_the_others(house: House, caplog):
    wanted = house.steward._load_wanted()
    bad = "no/name"
    plan = {"accounts": wanted.accounts | {bad}, "shares": {**wanted.shares, house.team: frozenset({bad})}}
    house.steward._load_wanted = lambda: type(wanted)(**plan)  # type: ignore[method-assign]
    await house.steward.sweep()
    assert {house.teacher, house.course, house.team} <= house.hub.names()
    assert "order-failed: create" in caplog.text
    assert TOKEN not in caplog.text


async def test_accounts_that_are_not_ours_are_left_alone(house: House):
    house.hub.ask("POST", "users/prof-smith")
    house.hub.ask("POST", "shares/prof-smith/", json={"user": "prof-smith"})
    await house.steward.sweep()
    await house.steward.sweep()
    assert "prof-smith" in house.hub.names()


async def test_a_change_on_the_roster_reaches_the_hub_with_the_next_tick(house: House):
    loop = Loop(house.steward, 1.0, 45.0, asyncio.get_running_loop().time)
    await loop.tick()
    with house.steward.sessions.begin() as session:
        session.add(newcomer := _person("student"))
        session.flush()
        course_id = house.course.removeprefix("course-")
        session.add(Enrolment(course_id=course_id, person_id=newcomer.id, role="student", from_at=NOW))
        session.add(TeamMembership(team_id=house.team_id, person_id=newcomer.id, from_at=NOW))
        roster.note_change(session, "joined", NOW)
    await loop.tick()
    assert newcomer.id in house.hub.people_of(house.team)


async def test_an_emptied_hub_is_whole_again_when_it_answers(house: House, caplog):
    caplog.set_level("INFO")
    loop = Loop(house.steward, 1.0, 45.0, asyncio.get_running_loop().time)
    await loop.tick()
    house.hub.stop()
    house.hub.empty_database()
    loop.heartbeat_due_s = 0.0
    await loop.tick()
    assert "hub-silent" in caplog.text
    house.hub.start()
    assert house.team not in house.hub.names()
    await loop.tick()
    assert "hub-back" in caplog.text
    assert house.hub.people_of(house.team) == {house.teacher, *house.members}


async def test_a_wrong_token_is_one_message_and_no_end(house: House, caplog):
    stranger = HubClient(house.hub.api, "not-the-token")
    house.steward.hub = stranger
    loop = Loop(house.steward, 1.0, 45.0, asyncio.get_running_loop().time)
    for _ in range(3):
        loop.sweep_due_s = 0.0
        await loop.tick()
    assert caplog.text.count("hub-refuses") == 1
    await stranger.close()


def test_the_process_repairs_the_hub_and_ends_when_asked(house: House, tmp_path: Path):
    city_file = tmp_path / "city.yaml"
    city_file.write_text(CITY, encoding="utf-8")
    environment = {
        **os.environ,
        "ATELIER_CITY_FILE": str(city_file),
        "ATELIER_DATABASE_URL": house.database_url,
        "ATELIER_HUB_API_URL": house.hub.api,
        "ATELIER_STEWARD_HUB_TOKEN": TOKEN,
    }
    log = tmp_path / "steward.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "atelier", "steward"]
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        everybody = {house.teacher, *house.members}
        wait_until(lambda: house.hub.people_of(house.team) == everybody, 30, lambda: log.read_text())
    finally:
        process.terminate()
        assert process.wait(15) == 0, log.read_text()
    assert TOKEN not in log.read_text()


async def test_a_right_that_ends_at_a_set_instant_ends_without_a_change_on_the_roster(house: House):
    now = [NOW]
    house.steward.clock = lambda: now[0]
    at_s = [1000.0]
    loop = Loop(house.steward, 1.0, 45.0, lambda: at_s[0])
    with house.steward.sessions.begin() as session:
        query = select(TeamMembership).where(TeamMembership.person_id == house.members[0])
        session.scalars(query).one().until_at = NOW + dt.timedelta(hours=1)
    await loop.tick()
    assert house.members[0] in house.hub.people_of(house.team)
    now[0] += dt.timedelta(hours=1)
    at_s[0] += 45.0
    loop.sweep_due_s = at_s[0] + 1000.0  # a large city's full round is not due yet
    await loop.tick()
    assert house.members[0] not in house.hub.people_of(house.team)


async def test_in_an_empty_hub_shared_accounts_come_first_and_the_rest_in_turns(house: House):
    with house.steward.sessions.begin() as session:
        session.add_all(_person("student") for _ in range(BACKLOG_AT_ONCE + 5))
    await house.steward.sweep()
    assert house.hub.people_of(house.team) == {house.teacher, *house.members}
    assert len(house.hub.names()) == BACKLOG_AT_ONCE + 6
    await house.steward.create_some()
    assert len(house.hub.names()) == BACKLOG_AT_ONCE + 11
    assert not await house.steward.sweep()


async def test_what_nobody_foresaw_is_logged_and_the_steward_goes_on(house: House, caplog):
    at_s = [1000.0]
    loop = Loop(house.steward, 1.0, 45.0, lambda: at_s[0])
    whole = house.steward.clock
    house.steward.clock = lambda: 1 // 0  # type: ignore[assignment,return-value]
    await loop.tick()
    assert "unexpected-error" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    house.steward.clock = whole
    at_s[0] += 60
    await loop.tick()
    assert house.hub.people_of(house.team) == {house.teacher, *house.members}
    assert loop.trouble is None


async def test_the_loop_ends_at_once_in_the_middle_of_a_round(house: House):
    stopping, begun = asyncio.Event(), asyncio.Event()

    async def wait_for_ever() -> None:
        begun.set()
        await asyncio.Event().wait()

    house.steward.hub.check_up = wait_for_ever  # type: ignore[method-assign]
    loop = Loop(house.steward, 1.0, 45.0, asyncio.get_running_loop().time)
    running = asyncio.create_task(loop.run(stopping))
    await begun.wait()
    stopping.set()
    await asyncio.wait_for(running, 5)
