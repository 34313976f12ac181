"""The page of a course's lessons: announcing, asking back, removing; without scripts as well."""

import datetime as dt
import re
from pathlib import Path

import pytest
from atelier import lessons
from atelier.store.models import Lesson, LessonSkip, SchoolClass
from fastapi import FastAPI
from sqlalchemy import select

from tests.databases import Databases
from tests.pages_town import Town, fresh_town

PAGE = "courses/geo/lessons"
MONDAY = {"starts": "2026-11-30T08:00", "minutes": "40", "personal": "1"}


@pytest.fixture
def town(databases: Databases, tmp_path: Path) -> Town:
    return fresh_town(tmp_path, databases)


@pytest.fixture
def app(town: Town) -> FastAPI:
    return town.make_app()


def newest(town: Town) -> Lesson:
    with town.sessions() as session:
        return session.scalars(select(Lesson).where(Lesson.id != town.ids["lesson"])).one()


def count(town: Town) -> int:
    with town.sessions() as session:
        return len(session.scalars(select(Lesson)).all())


def test_a_teacher_announces_a_weekly_lesson_and_sees_its_weeks(town: Town, app: FastAPI) -> None:
    client = town.open_as("teacher", app)
    fields = MONDAY | {"last_on": "2026-12-07", "class": town.ids["class"], "project": town.ids["project"]}
    answer = client.fill_in(PAGE, fields)
    assert (answer.status_code, answer.headers["location"].endswith("lessons?done=announced")) == (303, True)
    lesson = newest(town)
    assert (lesson.announced_by, lesson.zone) == (town.ids["teacher"], "Europe/Sofia")
    text = client.see(f"{PAGE}?done=announced").text
    assert "Урокът е обявен" in text
    assert text.count("всяка седмица до 7 декември 2026") == 2
    assert "08:00" in text
    assert "08:40" in text
    with town.sessions() as session:
        (due,) = lessons.list_due(session, dt.datetime(2026, 11, 30, 6, tzinfo=dt.UTC))
    assert len(due.accounts) == 28 + 7


def test_the_page_says_what_goes_on_now_in_the_readers_language(town: Town, app: FastAPI) -> None:
    client = town.open_as("teacher", app)
    assert "след 30 минути" in client.see(PAGE).text
    client.fill_in("language", {"language": "en"})
    text = client.see(PAGE).text
    assert "Coming lessons" in text
    assert "teams of “Климатът на нашия град”" in text
    assert "in 30 minutes" in text


def test_one_day_of_a_weekly_lesson_or_all_are_removed(town: Town, app: FastAPI) -> None:
    client = town.open_as("teacher", app)
    path = f"{PAGE}/{town.ids['lesson']}"
    assert client.see(PAGE).text.count('name="day"') == 4
    assert client.fill_in(path, {"day": "2026-11-30", "action": "day"}).status_code == 303
    assert client.see(PAGE).text.count('name="day"') == 3
    assert client.fill_in(path, {"day": "2026-12-07", "action": "all"}).status_code == 303
    assert client.see(PAGE).text.count('name="day"') == 0
    assert client.fill_in(path, {"day": "2026-12-07", "action": "all"}).status_code == 404


@pytest.mark.parametrize("day", ["2026-11-24", "2025-11-24", "2027-01-04"])
def test_a_day_without_the_lesson_cannot_be_removed(town: Town, app: FastAPI, day: str) -> None:
    client = town.open_as("teacher", app)
    assert client.fill_in(f"{PAGE}/{town.ids['lesson']}", {"day": day}).status_code == 404
    with town.sessions() as session:
        assert session.scalars(select(LessonSkip)).all() == []


def test_another_courses_teacher_cannot_remove_it_through_her_own_course(town: Town, app: FastAPI) -> None:
    client = town.open_as("colleague", app)
    path = f"courses/math/lessons/{town.ids['lesson']}"
    assert client.fill_in(path, {"action": "all"}).status_code == 404
    with town.sessions() as session:
        assert town.load(session, Lesson, "lesson").removed_at is None


def test_another_courses_project_and_another_schools_class_cannot_be_started(
    town: Town, app: FastAPI
) -> None:
    with town.sessions.begin() as session:
        foreign = SchoolClass(school_id="sou-2", name="8B", school_year=2026)
        session.add(foreign)
        session.flush()
    client = town.open_as("colleague", app)
    for fields in ({"project": town.ids["project"]}, {"class": foreign.id}):
        assert client.fill_in("courses/math/lessons", MONDAY | fields).status_code == 409
    assert count(town) == 1


def test_a_time_that_comes_twice_is_asked_for_with_all_that_was_typed(town: Town, app: FastAPI) -> None:
    client = town.open_as("teacher", app)
    fields = {"starts": "2027-10-31T03:30", "minutes": "55", "project": town.ids["project"]}
    page = client.fill_in(PAGE, fields)
    assert page.status_code == 200
    assert 'name="turn"' in page.text
    assert re.search(r'name="minutes"[^>]*value="55"', page.text)
    assert re.search(r'name="starts" value="2027-10-31T03:30"', page.text)
    assert f'value="{town.ids["project"]}" selected' in page.text
    assert 'name="personal" value="1" checked' not in page.text
    assert count(town) == 1
    assert client.fill_in(PAGE, fields | {"turn": "second"}).status_code == 303
    assert newest(town).fold == 1


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"starts": "2027-03-28T03:30"}, 409, "не съществува"),
        ({"starts": ""}, 422, "Изберете деня и часа"),
        ({"starts": "soon"}, 422, "soon"),
        ({"minutes": "1e3"}, 409, "от 5 до 480 минути"),
        ({"minutes": "9999999999"}, 409, "от 5 до 480 минути"),
        ({"last_on": "2026-13-01"}, 422, "не е дата"),
        ({"last_on": "2026-11-01"}, 409, "преди първия"),
        ({"starts": "2026-11-16T08:00"}, 409, "вече е минал"),
        ({"personal": ""}, 409, "Не са избрани"),
    ],
)
def test_what_must_be_changed_is_said_beside_the_form_as_it_was_typed(
    town: Town, app: FastAPI, fields: dict[str, str], status: int, said: str
) -> None:
    sent = MONDAY | {"minutes": "41"} | fields
    page = town.open_as("teacher", app).fill_in(PAGE, sent)
    assert page.status_code == status
    assert said in page.text
    assert 'role="alert"' in page.text
    assert f'value="{sent["starts"]}"' in page.text
    assert count(town) == 1
