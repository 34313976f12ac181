"""Claims about My work: each state of each assignment, receipts, and only confirmed marks."""

import re
from pathlib import Path

import pytest
from atelier import marks, projects
from atelier.store.models import Submission

from tests.databases import Databases
from tests.pages_town import Town, fresh_town


@pytest.fixture
def town(databases: Databases, tmp_path: Path) -> Town:
    return fresh_town(tmp_path, databases)


def read_states(town: Town, who: str) -> dict[str, str]:
    """The pages' words for each assignment's state, by title; a mark stands for itself."""
    page = town.open_as(who).see("").text
    found = {}
    for item in re.findall(r"<li>\s*<h3>(.*?)</h3>(.*?)</li>\s*(?=<li>|</ul>)", page, re.S):
        state = re.search(r'class="(?:state[^"]*|mark)">(?:<span[^>]*>[^<]*</span>)?([^<]+)<', item[1])
        found[item[0]] = state[1].strip() if state else "?"
    return found


def confirm(town: Town, name: str) -> None:
    with town.sessions.begin() as session:
        assignment = projects.find_assignment(session, town.ids["course-geo"], name)
        preview = marks.preview_marks(session, town.city, assignment.id, town.now)
        marks.confirm_marks(
            session, town.city, assignment.id, town.ids["teacher"], preview.digest, {}, town.now
        )


def test_each_assignment_shows_its_state(town: Town) -> None:
    town.ids["without-team"] = town.students[27]
    assert read_states(town, "student") == {
        "Първи стъпки с данните": "предадено",
        "Доклад на екипа": "предадено",
        "Графика на температурите": "просрочено",
        "Какво предлагаме": "още не е пуснато",
    }
    assert read_states(town, "without-team")["Доклад на екипа"] == "още няма екип"


def test_a_mark_is_seen_only_when_it_is_confirmed(town: Town) -> None:
    assert read_states(town, "student")["Първи стъпки с данните"] == "предадено"
    confirm(town, "climate-start")
    assert read_states(town, "student")["Първи стъпки с данните"] == "6.00"
    page = town.open_as("student").see("").text
    assert "20 от 20 точки" in page


def test_a_broken_submission_is_not_a_mark(town: Town) -> None:
    confirm(town, "climate-start")
    town.ids["unlucky"] = town.students[7]
    assert read_states(town, "unlucky")["Първи стъпки с данните"] == "предадено"


def test_the_receipt_is_shown_with_its_time_on_the_schools_clock(town: Town) -> None:
    own = town.submissions[f"climate-start:{town.ids['student']}"]
    page = town.open_as("student").see("").text
    assert own in page
    with town.sessions() as session:
        received = session.get_one(Submission, own).received_at
    assert f'datetime="{received.isoformat()}"' in page
    assert "20 ное, 11:30" in page, "09:30 UTC is 11:30 in Sofia in November"


def test_a_student_sees_no_others_marks_or_names_outside_the_team(town: Town) -> None:
    confirm(town, "climate-start")
    page = town.open_as("student").see("").text
    assert "Борислав Бонев" in page, "of the same team"
    assert "Габриела Георгиева" not in page
    assert "5.80" not in page


def test_buttons_lead_through_the_hub_to_the_right_workspace(town: Town) -> None:
    page = town.open_as("student").see("").text
    student, team = town.ids["student"], town.ids["team"]
    hub = "http://atelier.localhost:8000/hub/spawn"
    assert f"{hub}/{student}?next=%2Fuser%2F{student}%2Flab" in page
    assert f"{hub}/team-{team}?next=%2Fuser%2Fteam-{team}%2Flab%2Fworkspaces%2F{student}" in page
    course = town.ids["course-geo"]
    assert f"{hub}/course-{course}?next=" in town.open_as("teacher").see("").text


def test_who_is_in_no_course_is_told_what_happens_next(town: Town) -> None:
    page = town.open_as("far-student").see("").text
    assert "You are not in a course yet" in page
    assert "when a teacher starts one" in page


def test_a_submission_comes_back_as_it_was_sent(town: Town) -> None:
    import gzip

    own = town.submissions[f"climate-start:{town.ids['student']}"]
    answer = town.open_as("student").see(f"submissions/{own}/archive")
    assert town.ids["student"].encode() in gzip.decompress(answer.content)
    assert answer.headers["content-type"] == "application/gzip"
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.headers["cache-control"] == "no-store"


def test_a_team_names_its_course_since_two_courses_may_do_the_same_project(town: Town) -> None:
    page = town.open_as("student").see("").text
    with town.sessions() as session:
        course = projects.find_course(session, "geo")
    assert re.search(rf"Моят екип · (<bdi>)?{re.escape(course.title)}", page)
