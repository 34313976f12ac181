"""Claims about teams: one per person and project, ended but never deleted."""

import contextlib
import datetime as dt
import random

import pytest
from atelier import projects
from atelier.projects import NotFound, ProjectError
from atelier.store.models import ClassMembership, RosterChange, Team, TeamMembership
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from tests.databases import DatabaseServer
from tests.small_school import HOUR, NOW, SmallSchool, open_small_school


def count_changes(school: SmallSchool) -> int:
    return school.session.scalar(select(func.count(RosterChange.id))) or 0


def members(school: SmallSchool, team: Team, at: dt.datetime) -> set[str]:
    return {person.id for person in projects.list_members(school.session, team.id, at)}


def test_members_change_from_now_on_and_the_past_stays(school: SmallSchool) -> None:
    ada, boris, *_ = school.students
    team = school.add_team("Облаци", ada)
    later = NOW + HOUR
    projects.set_team_members(school.session, team.id, [boris.id], later)
    assert members(school, team, NOW) == {ada.id}
    assert members(school, team, later) == {boris.id}
    rows = school.session.scalars(select(TeamMembership).where(TeamMembership.team_id == team.id)).all()
    assert {(row.person_id, row.until_at) for row in rows} == {(ada.id, later), (boris.id, None)}


def test_each_change_of_a_team_wakes_the_steward_and_no_change_does_not(school: SmallSchool) -> None:
    ada, *_ = school.students
    team = school.add_team("Облаци")
    before = count_changes(school)
    projects.set_team_members(school.session, team.id, [ada.id], NOW)
    assert count_changes(school) == before + 1
    projects.set_team_members(school.session, team.id, [ada.id], NOW + HOUR)
    assert count_changes(school) == before + 1
    projects.dissolve_team(school.session, team.id, NOW + HOUR)
    assert count_changes(school) == before + 2
    projects.dissolve_team(school.session, team.id, NOW + HOUR)
    assert count_changes(school) == before + 2


def test_nobody_is_in_two_teams_of_one_project(school: SmallSchool) -> None:
    ada, boris, *_ = school.students
    first, second = school.add_team("Облаци", ada), school.add_team("Вълни")
    with pytest.raises(ProjectError) as caught:
        projects.set_team_members(school.session, second.id, [ada.id, boris.id], NOW + HOUR)
    assert caught.value.code == "in_other_team"
    assert "Ада Ангелова" in str(caught.value)
    assert "Облаци" in str(caught.value)
    assert members(school, second, NOW + HOUR) == set(), "half of a refused change was made"
    projects.set_team_members(school.session, second.id, [ada.id, boris.id], NOW + HOUR, move=True)
    assert members(school, first, NOW + HOUR) == set()
    assert members(school, second, NOW + HOUR) == {ada.id, boris.id}


def test_the_same_person_may_be_in_teams_of_two_projects(school: SmallSchool) -> None:
    ada, *_ = school.students
    first = school.add_team("Облаци", ada)
    other = projects.create_project(school.session, school.course.id, title="Вода", now=NOW)
    second = projects.create_team(school.session, other.id, "Облаци", NOW)
    projects.set_team_members(school.session, second.id, [ada.id], NOW)
    assert projects.find_team_of(school.session, ada.id, school.project.id, NOW) is first
    assert {t.id for t in projects.list_teams_of(school.session, ada.id, NOW)} == {first.id, second.id}


def test_only_students_of_the_course_join_a_team(school: SmallSchool) -> None:
    team = school.add_team("Облаци")
    stranger = school.add_person("student", "Чужд", "Ученик", "sou-2")
    for person_id in (stranger.id, school.teacher.id, "nobody000000"):
        with pytest.raises(ProjectError) as caught:
            projects.set_team_members(school.session, team.id, [person_id], NOW)
        assert caught.value.code == "not_a_student"


def test_a_dissolved_team_keeps_its_past_and_takes_nobody(school: SmallSchool) -> None:
    ada, *_ = school.students
    team = school.add_team("Облаци", ada)
    later = NOW + HOUR
    projects.dissolve_team(school.session, team.id, later)
    assert projects.list_teams(school.session, school.project.id) == []
    assert projects.list_teams(school.session, school.project.id, dissolved=True) == [team]
    assert projects.find_team_of(school.session, ada.id, school.project.id, later) is None
    assert members(school, team, NOW) == {ada.id}
    with pytest.raises(ProjectError) as caught:
        projects.set_team_members(school.session, team.id, [ada.id], later)
    assert caught.value.code == "team_dissolved"


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\u202eb", "a\x00b"])
def test_impossible_team_names_are_refused(school: SmallSchool, name: str) -> None:
    with pytest.raises(ProjectError) as caught:
        projects.create_team(school.session, school.project.id, name, NOW)
    assert caught.value.code == "bad_team_name"


def test_team_names_are_unique_in_a_project_whatever_the_case(school: SmallSchool) -> None:
    team = school.add_team("Облаци")
    with pytest.raises(ProjectError) as caught:
        projects.create_team(school.session, school.project.id, " облаци ", NOW)
    assert caught.value.code == "team_name_taken"
    assert projects.rename_team(school.session, team.id, "ОБЛАЦИ", NOW).name == "ОБЛАЦИ"


def test_teams_are_listed_in_the_order_people_count(school: SmallSchool) -> None:
    for name in ("Екип 10", "Екип 2", "Арда"):
        school.add_team(name)
    names = [team.name for team in projects.list_teams(school.session, school.project.id)]
    assert names == ["Арда", "Екип 2", "Екип 10"]


def test_forming_teams_places_everybody_once_and_only_those_without_a_team(school: SmallSchool) -> None:
    ada = school.students[0]
    school.add_team("Екип 1", ada)
    formed = projects.form_teams(
        school.session, school.project.id, 2, NOW, name="Екип", chooser=random.Random(7)
    )
    assert [team.name for team in formed] == ["Екип 2", "Екип 3"]
    placed = [p.id for team in formed for p in projects.list_members(school.session, team.id, NOW)]
    assert sorted(placed) == sorted(s.id for s in school.students[1:])
    assert projects.list_students_without_team(school.session, school.project.id, NOW) == []
    assert projects.form_teams(school.session, school.project.id, 2, NOW) == []


def test_a_deactivated_student_is_no_longer_listed_as_a_member(school: SmallSchool) -> None:
    ada, boris, *_ = school.students
    team = school.add_team("Облаци", ada, boris)
    ada.deactivated_at = NOW
    school.session.flush()
    assert members(school, team, NOW + HOUR) == {boris.id}


def test_a_team_that_is_not_there_is_named_so(school: SmallSchool) -> None:
    with pytest.raises(NotFound):
        projects.set_team_members(school.session, "nothing00000", [], NOW)


def test_who_leaves_the_class_is_in_none_of_its_teams(school: SmallSchool) -> None:
    ada, boris, *_ = school.students
    team = school.add_team("Облаци", ada, boris)
    place = school.session.scalars(select(ClassMembership).where(ClassMembership.person_id == ada.id)).one()
    place.until_at = NOW + HOUR
    school.session.flush()
    assert members(school, team, NOW + HOUR) == {boris.id}
    assert projects.list_teams_of(school.session, ada.id, NOW + HOUR) == []
    assert projects.list_teams_of(school.session, ada.id, NOW) == [team]


moves = st.lists(st.tuples(st.integers(0, 2), st.sets(st.integers(0, 4)), st.booleans()), max_size=8)


@settings(max_examples=30, deadline=None)
@given(moves)
def test_whatever_is_asked_for_nobody_ends_up_in_two_teams(
    database_server: DatabaseServer, asked: list[tuple[int, set[int], bool]]
) -> None:
    with database_server.open_session() as session:
        place_as_asked(open_small_school(session), asked)


def place_as_asked(school: SmallSchool, asked: list[tuple[int, set[int], bool]]) -> None:
    teams = [school.add_team(name) for name in ("А", "Б", "В")]
    for hour, (team, chosen, move) in enumerate(asked, 1):
        people = [school.students[number].id for number in chosen]
        with contextlib.suppress(ProjectError):
            projects.set_team_members(school.session, teams[team].id, people, NOW + hour * HOUR, move=move)
            assert members(school, teams[team], NOW + hour * HOUR) == set(people)
    now = NOW + 9 * HOUR
    placed = [person_id for team in teams for person_id in members(school, team, now)]
    assert len(placed) == len(set(placed))
    rows = school.session.scalars(select(TeamMembership)).all()
    assert all(row.until_at is None or row.from_at <= row.until_at for row in rows)
