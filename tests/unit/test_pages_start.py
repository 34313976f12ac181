"""Claims about starting a course from a template, and what a refusal says."""

from pathlib import Path

import pytest
from atelier import projects, roster
from atelier.store.models import Course
from sqlalchemy import func, select

from tests.databases import Databases
from tests.pages_town import Town, fresh_town


@pytest.fixture
def town(databases: Databases, tmp_path: Path) -> Town:
    return fresh_town(tmp_path, databases)


def find_course(town: Town, title: str) -> Course | None:
    with town.sessions() as session:
        return session.scalars(select(Course).where(Course.title == title)).one_or_none()


def test_a_teacher_without_a_course_is_told_what_to_do_and_can_do_it(town: Town) -> None:
    client = town.open_as("new-teacher")
    assert "/start" in client.see("").text
    fields = {"template": "small-rain", "title": "География 9", "class": town.ids["class"]}
    answer = client.fill_in("start", fields)
    assert answer.status_code == 303
    assert client.get(answer.headers["location"]).status_code == 200
    course = find_course(town, "География 9")
    assert course is not None
    with town.sessions() as session:
        assert [a.name for a in projects.list_assignments(session, course.id)] == ["rain-start"]
        assert len(roster.list_students(session, course.id, town.now)) == 28
        assert [p.id for p in roster.list_teachers(session, course.id, town.now)] == [town.ids["new-teacher"]]


def test_a_teacher_starts_a_course_for_nobody_else(town: Town) -> None:
    fields = {"template": "small-rain", "title": "Чужд", "teacher": town.ids["colleague"]}
    town.open_as("teacher").fill_in("start", fields)
    course = find_course(town, "Чужд")
    assert course is not None
    with town.sessions() as session:
        assert not roster.is_teacher(session, town.ids["colleague"], course.id, town.now)


def test_an_administrator_starts_a_course_for_a_teacher_and_does_not_teach_it(town: Town) -> None:
    client = town.open_as("school-admin")
    fields = {"template": "small-rain", "title": "За колегата", "teacher": town.ids["colleague"]}
    answer = client.fill_in("start", fields)
    assert answer.headers["location"].endswith("school?done=started")
    assert "За колегата" in client.get(answer.headers["location"]).text
    course = find_course(town, "За колегата")
    assert course is not None
    assert client.see(f"courses/{course.slug}").status_code == 404


@pytest.mark.parametrize(
    "spoil",
    [
        {"template": "../../etc"},
        {"template": "nix"},
        {"title": ""},
        {"title": "x" * 300},
        {"class": "nix"},
        {"teacher": "far-teacher"},
        {"teacher": ""},
    ],
)
def test_a_course_that_cannot_be_started_is_refused_in_a_sentence(spoil: dict[str, str], town: Town) -> None:
    fields = {"template": "small-rain", "title": "Ново", "class": "class", "teacher": "teacher", **spoil}
    fields = {key: town.ids.get(value, value) for key, value in fields.items()}
    answer = town.open_as("school-admin").fill_in("start", fields)
    assert answer.status_code == 409
    with town.sessions() as session:
        assert session.scalar(select(func.count(Course.id))) == 3


def test_a_broken_template_is_left_out_and_refused_by_name(town: Town) -> None:
    teacher = town.open_as("teacher")
    (town.folder / "templates" / "small-rain" / "template.yaml").write_text("name: [")
    page = teacher.see("start")
    assert page.status_code == 200
    assert "няма шаблони" in page.text
    answer = teacher.fill_in("start", {"template": "small-rain", "title": "Ново"})
    assert answer.status_code == 409
    assert "small-rain" in answer.text
