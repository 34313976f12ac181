"""Claims about the Course pages: teams, deadlines, the list to confirm."""

import datetime as dt
import html
import re
from decimal import Decimal
from pathlib import Path

import pytest
from atelier import marks, projects, roster
from atelier.store.models import (
    Assignment,
    ClassMembership,
    CourseClass,
    Mark,
    SchoolClass,
    StagedResult,
    Submission,
    TeamMembership,
)
from sqlalchemy import func, select

from tests.databases import Databases
from tests.pages_town import PageClient, Town, fresh_town

START = "courses/geo/assignments/climate-start"
TEAM = "courses/geo/assignments/climate-team"


@pytest.fixture
def town(databases: Databases, tmp_path: Path) -> Town:
    return fresh_town(tmp_path, databases)


@pytest.fixture
def teacher(town: Town) -> PageClient:
    return town.open_as("teacher")


def find_due(town: Town, name: str = "climate-start") -> dt.datetime | None:
    with town.sessions() as session:
        return projects.find_assignment(session, town.ids["course-geo"], name).due_at


def read_form(page: str) -> dict[str, str]:
    """The hidden and text fields of the page, as a browser would send them."""
    fields = {}
    for tag in re.findall(r"<input[^>]*>", page):
        attributes = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
        if "name" in attributes and attributes.get("type") not in ("checkbox", "radio"):
            fields[attributes["name"]] = html.unescape(attributes.get("value", ""))
    return fields


def list_marks(town: Town) -> list[Mark]:
    with town.sessions() as session:
        return list(session.scalars(select(Mark)))


# ------------------------------------------------ deadlines
def test_a_deadline_is_typed_on_the_schools_clock_and_kept_as_an_instant(
    town: Town, teacher: PageClient
) -> None:
    assert teacher.fill_in(f"{START}/due", {"due": "2026-12-01T20:00"}).status_code == 303
    assert find_due(town) == dt.datetime(2026, 12, 1, 18, 0, tzinfo=dt.UTC)
    page = teacher.see(START).text
    assert 'value="2026-12-01T20:00"' in page


def test_an_empty_deadline_takes_it_away(town: Town, teacher: PageClient) -> None:
    teacher.fill_in(f"{START}/due", {"due": ""})
    assert find_due(town) is None


def test_a_time_that_clocks_skip_is_refused_with_the_reason(town: Town, teacher: PageClient) -> None:
    before = find_due(town)
    answer = teacher.fill_in(f"{START}/due", {"due": "2027-03-28T03:30"})
    assert answer.status_code == 409
    assert "часовникът се мести напред" in answer.text
    assert find_due(town) == before


def test_a_time_that_comes_twice_is_asked_about(town: Town, teacher: PageClient) -> None:
    before = find_due(town)
    answer = teacher.fill_in(f"{START}/due", {"due": "2026-10-25T03:30"})
    assert find_due(town) == before
    page = teacher.get(answer.headers["location"]).text
    assert 'name="turn"' in page
    assert 'value="2026-10-25T03:30"' in page
    teacher.fill_in(f"{START}/due", {"due": "2026-10-25T03:30", "turn": "first"})
    assert find_due(town) == dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)
    teacher.fill_in(f"{START}/due", {"due": "2026-10-25T03:30", "turn": "second"})
    assert find_due(town) == dt.datetime(2026, 10, 25, 1, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "due", ["tomorrow", "2026-13-01T10:00", "2026-12-01T10:00+09:00", "<b>", "9999-12-31T23:59"]
)
def test_what_is_no_local_time_is_refused_in_a_sentence(due: str, town: Town, teacher: PageClient) -> None:
    before = find_due(town)
    answer = teacher.fill_in(f"{START}/due", {"due": due})
    assert answer.status_code in (409, 422)
    assert "<b>" not in answer.text, "what was typed is shown as text"
    assert find_due(town) == before


def test_a_made_up_time_in_the_address_is_not_shown(teacher: PageClient) -> None:
    assert "wicked" not in teacher.see(f'{START}?twice="><wicked>').text


# ------------------------------------------------ teams
def members(town: Town, team_id: str) -> set[str]:
    with town.sessions() as session:
        return {p.id for p in projects.list_members(session, team_id, town.now)}


def test_a_student_is_moved_and_is_in_one_team(town: Town, teacher: PageClient) -> None:
    student, project = town.students[0], town.ids["project"]
    with town.sessions() as session:
        other = projects.list_teams(session, project)[3].id
    fields = {f"team-{student}": other, f"was-{student}": town.ids["team"]}
    answer = teacher.fill_in(f"courses/geo/projects/{project}/members", fields)
    assert answer.status_code == 303
    assert student not in members(town, town.ids["team"])
    assert student in members(town, other)


def test_what_was_not_changed_in_the_form_is_left_as_it_is_now(town: Town, teacher: PageClient) -> None:
    """Another teacher has moved somebody meanwhile: an unchanged field must not move the student back."""
    student, project = town.students[0], town.ids["project"]
    with town.sessions.begin() as session:
        other = projects.list_teams(session, project)[3].id
        projects.set_team_members(session, other, [*members(town, other), student], town.now, move=True)
    fields = {f"team-{student}": town.ids["team"], f"was-{student}": town.ids["team"]}
    teacher.fill_in(f"courses/geo/projects/{project}/members", fields)
    assert student in members(town, other)


@pytest.mark.parametrize("person", ["far-student", "other-student", "teacher"])
def test_only_students_of_the_course_come_into_a_team(person: str, town: Town, teacher: PageClient) -> None:
    stranger, team = town.ids[person], town.ids["team"]
    path = f"courses/geo/projects/{town.ids['project']}/members"
    answer = teacher.fill_in(path, {f"team-{stranger}": team, f"was-{stranger}": ""})
    assert answer.status_code == 404
    assert stranger not in members(town, team)


def test_a_team_of_another_course_cannot_be_used(town: Town, teacher: PageClient) -> None:
    with town.sessions.begin() as session:
        foreign = projects.create_project(session, town.ids["course-math"], title="Числа", now=town.now)
        team = projects.create_team(session, foreign.id, "Екип", town.now)
    student = town.students[27]
    for project in (town.ids["project"], foreign.id):
        answer = teacher.fill_in(
            f"courses/geo/projects/{project}/members", {f"team-{student}": team.id, f"was-{student}": ""}
        )
        assert answer.status_code == 404
    assert teacher.see(f"courses/geo/people?project={foreign.id}").status_code == 404
    assert members(town, team.id) == set()


def test_saving_the_teams_unchanged_writes_nothing(town: Town, teacher: PageClient) -> None:
    def count() -> int:
        with town.sessions() as session:
            return session.scalar(select(func.count(TeamMembership.id))) or 0

    before = count()
    page = teacher.see("courses/geo/people").text
    fields = read_form(page)
    for name, options in re.findall(r'<select[^>]*name="(team-[a-z0-9]+)">(.*?)</select>', page, re.S):
        chosen = re.search(r'value="([a-z0-9]*)" selected', options)
        fields[name] = chosen[1] if chosen else ""
    assert sum(key.startswith("team-") for key in fields) >= 28
    teacher.fill_in(f"courses/geo/projects/{town.ids['project']}/members", fields)
    assert count() == before


def test_a_taken_team_name_is_refused_in_a_sentence(town: Town, teacher: PageClient) -> None:
    answer = teacher.fill_in(f"courses/geo/projects/{town.ids['project']}/teams", {"name": "екип 1"})
    assert answer.status_code == 409
    assert "Вече има" in answer.text
    assert "/courses/geo/people" in answer.text, "a way back"


def test_the_rest_is_put_into_teams_by_lot(town: Town, teacher: PageClient) -> None:
    path = f"courses/geo/projects/{town.ids['project']}/draw"
    before = members(town, town.ids["team"])
    for size in ("", "1", "13", "x", "²", "9" * 9):
        assert teacher.fill_in(path, {"size": size}).status_code == 409
    assert teacher.fill_in(path, {"size": "2"}).status_code == 303
    with town.sessions() as session:
        assert projects.list_students_without_team(session, town.ids["project"], town.now) == []
        assert {t.name for t in projects.list_teams(session, town.ids["project"])} >= {"Екип 7"}
    assert members(town, town.ids["team"]) == before, "who has a team stays in it"


def test_a_team_is_renamed_and_only_an_empty_one_removed(town: Town, teacher: PageClient) -> None:
    path = f"courses/geo/projects/{town.ids['project']}/teams"
    teacher.fill_in(f"{path}/{town.ids['team']}", {"name": "Облаци", "action": "rename"})
    teacher.fill_in(f"{path}/{town.ids['team']}", {"name": "Облаци", "action": "remove"})
    assert len(members(town, town.ids["team"])) == 4
    teacher.fill_in(path, {"name": "Празен"})
    with town.sessions() as session:
        empty = next(t for t in projects.list_teams(session, town.ids["project"]) if t.name == "Празен")
    teacher.fill_in(f"{path}/{empty.id}", {"name": "Празен", "action": "remove"})
    with town.sessions() as session:
        names = {team.name for team in projects.list_teams(session, town.ids["project"])}
    assert "Облаци" in names
    assert "Празен" not in names


def test_a_class_that_came_later_is_added_once_and_only_from_the_own_school(
    town: Town, teacher: PageClient
) -> None:
    with town.sessions.begin() as session:
        later = SchoolClass(school_id="sou-1", name="8Б", school_year=2026)
        foreign = SchoolClass(school_id="sou-2", name="8", school_year=2026)
        session.add_all([later, foreign])
        session.flush()
        newcomer = ClassMembership(
            class_id=later.id, person_id=town.ids["other-student"], number=1, from_at=town.now
        )
        session.add(newcomer)
    assert "8Б" in teacher.see("courses/geo/people").text
    for _ in range(2):
        assert teacher.fill_in("courses/geo/classes", {"class": later.id}).status_code == 303
    assert teacher.fill_in("courses/geo/classes", {"class": foreign.id}).status_code == 404
    with town.sessions() as session:
        assert roster.is_student(session, town.ids["other-student"], town.ids["course-geo"], town.now)
        assert session.scalar(select(func.count(CourseClass.id))) == 3


def test_students_are_listed_by_number(teacher: PageClient) -> None:
    page = teacher.see("courses/geo/people").text
    table = page[page.index("<tbody>") :]
    assert re.findall(r'<td class="num">(\d+)</td>', table) == [str(n) for n in range(1, 29)]


# ------------------------------------------------ marks
def test_the_list_names_each_student_and_what_would_become_of_each(teacher: PageClient) -> None:
    page = teacher.see(START).text
    assert "25 от 28" in page
    assert "23 нови оценки" in page
    assert "1 проблем" in page
    assert "не се отваря: файлът е повреден" in page
    assert page.count("<tr") == 29
    assert page.count('class="missing"') == 3


def test_confirming_makes_marks_with_the_teachers_id_and_none_for_the_rest(
    town: Town, teacher: PageClient
) -> None:
    fields = {**read_form(teacher.see(START).text), "action": "confirm"}
    answer = teacher.fill_in(f"{START}/marks", fields)
    assert answer.status_code == 303
    found = list_marks(town)
    assert len(found) == 23
    assert {mark.confirmed_by for mark in found} == {town.ids["teacher"]}
    assert not {mark.person_id for mark in found} & set(town.students[25:])
    assert "Оценките са потвърдени" in teacher.get(answer.headers["location"]).text


def test_each_member_of_a_team_gets_a_mark_and_one_an_adjustment(town: Town, teacher: PageClient) -> None:
    page = teacher.see(TEAM).text
    member = town.students[4]
    fields = {**read_form(page), f"adjust-{member}": "-1,5", "action": "confirm"}
    answer = teacher.fill_in(f"{TEAM}/marks", fields)
    assert answer.status_code == 200, "an adjustment that was not worked out is shown first"
    assert list_marks(town) == []
    assert "още нищо не е потвърдено" in answer.text
    shown = {**read_form(answer.text), "action": "confirm"}
    assert shown[f"adjust-{member}"] == "-1,5"
    assert teacher.fill_in(f"{TEAM}/marks", shown).status_code == 303
    found = {mark.person_id: mark for mark in list_marks(town)}
    assert len(found) == 20
    assert found[member].points == found[town.students[5]].points - Decimal("1.5")
    assert found[member].adjustment == Decimal("-1.5")


def test_what_is_shown_with_adjustments_is_what_is_then_confirmed(town: Town, teacher: PageClient) -> None:
    member = town.students[4]
    fields = {**read_form(teacher.see(TEAM).text), f"adjust-{member}": "-2", "action": "show"}
    shown = teacher.fill_in(f"{TEAM}/marks", fields).text
    row = next(r for r in shown.split("<tr") if f"adjust-{member}" in r)
    promised = re.search(r"<b>([\d.]+)</b>", row)
    assert promised is not None
    teacher.fill_in(f"{TEAM}/marks", {**read_form(shown), "action": "confirm"})
    kept = next(mark for mark in list_marks(town) if mark.person_id == member)
    assert kept.mark == promised[1]


def test_a_page_that_answers_a_form_leads_back_to_a_page(town: Town, teacher: PageClient) -> None:
    fields = {**read_form(teacher.see(TEAM).text), f"adjust-{town.students[4]}": "-2", "action": "show"}
    shown = teacher.fill_in(f"{TEAM}/marks", fields)
    assert shown.headers["HX-Push-Url"] == "false"
    assert teacher.get(read_form(shown.text)["next"]).status_code == 200
    refused = teacher.fill_in(f"{TEAM}/due", {"due": "x"})
    assert teacher.get(read_form(refused.text)["next"]).status_code == 200


def test_a_list_that_changed_after_it_was_shown_is_not_confirmed(town: Town, teacher: PageClient) -> None:
    fields = {**read_form(teacher.see(START).text), "action": "confirm"}
    with town.sessions.begin() as session:
        submission_id = town.submissions[f"climate-start:{town.students[0]}"]
        assignment_id = session.get_one(Submission, submission_id).assignment_id
        result = marks.Result(submission_id=submission_id, points=Decimal(3), max_points=Decimal(20))
        marks.stage_results(session, assignment_id, [result], "course-x", town.now)
    answer = teacher.fill_in(f"{START}/marks", fields)
    assert list_marks(town) == []
    assert "Списъкът се е променил" in teacher.get(answer.headers["location"]).text


def test_pressing_confirm_twice_makes_each_mark_once(town: Town, teacher: PageClient) -> None:
    fields = {**read_form(teacher.see(START).text), "action": "confirm"}
    for _ in range(2):
        assert teacher.fill_in(f"{START}/marks", fields).status_code == 303
    assert len(list_marks(town)) == 23


@pytest.mark.parametrize("typed", ["abc", "1e9", "nan", "infinity", "1,5,5", "100", "-100"])
def test_an_impossible_adjustment_is_refused_in_a_sentence(
    typed: str, town: Town, teacher: PageClient
) -> None:
    fields = {**read_form(teacher.see(TEAM).text), f"adjust-{town.students[4]}": typed, "action": "show"}
    answer = teacher.fill_in(f"{TEAM}/marks", fields)
    assert answer.status_code in (409, 422)
    assert list_marks(town) == []


def test_an_adjustment_for_somebody_outside_the_list_is_refused(town: Town, teacher: PageClient) -> None:
    fields = {
        **read_form(teacher.see(TEAM).text),
        f"adjust-{town.ids['far-student']}": "5",
        "action": "confirm",
    }
    assert teacher.fill_in(f"{TEAM}/marks", fields).status_code == 409
    assert list_marks(town) == []


def test_working_out_adjustments_writes_nothing(town: Town, teacher: PageClient) -> None:
    fields = {**read_form(teacher.see(TEAM).text), f"adjust-{town.students[4]}": "-1", "action": "show"}
    assert teacher.fill_in(f"{TEAM}/marks", fields).status_code == 200
    assert list_marks(town) == []
    with town.sessions() as session:
        assert session.scalar(select(func.count(StagedResult.id))) == 30


def test_work_that_waits_for_a_hand_counts_only_when_the_teacher_says_so(
    town: Town, teacher: PageClient
) -> None:
    page = teacher.see(f"{START}?ungraded=1").text
    assert "24 нови оценки" in page
    teacher.fill_in(f"{START}/marks", {**read_form(page), "action": "confirm"})
    assert len(list_marks(town)) == 24


# ------------------------------------------------ assignments
def test_assignments_are_only_found_in_their_own_course(town: Town) -> None:
    with town.sessions() as session:
        assert session.scalar(select(func.count(Assignment.id))) == 4
    assert town.open_as("colleague").see("courses/math/assignments/climate-start").status_code == 404
