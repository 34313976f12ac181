"""A course's forms one after another, and values that one kind of database refuses or takes for another."""

import pytest
from atelier.store.models import Mark
from fastapi import FastAPI
from sqlalchemy import func, select

from tests.databases import Databases
from tests.pages_town import Town, fresh_town
from tests.unit.test_pages_course import read_form


@pytest.fixture(scope="module")
def town(shared_databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Town:
    return fresh_town(tmp_path_factory.mktemp("files"), shared_databases)


@pytest.fixture(scope="module")
def app(town: Town) -> FastAPI:
    return town.make_app()


def test_teams_deadlines_and_marks_are_kept(town: Town, app: FastAPI) -> None:
    client = town.open_as("teacher", app)
    people = f"courses/geo/projects/{town.ids['project']}"
    work = "courses/geo/assignments/climate-team"
    forms = [
        (f"{people}/teams", {"name": "Звезди"}),
        (f"{people}/draw", {"size": "2"}),
        (f"{work}/due", {"due": "2026-12-01T20:00"}),
        ("courses/geo/projects", {"title": "Вода"}),
        ("language", {"language": "bg"}),
    ]
    for path, fields in forms:
        assert client.fill_in(path, fields).status_code == 303, path
    adjusted = {**read_form(client.see(work).text), f"adjust-{town.students[4]}": "-1", "action": "confirm"}
    shown = client.fill_in(f"{work}/marks", adjusted)
    assert shown.status_code == 200
    assert client.fill_in(f"{work}/marks", {**read_form(shown.text), "action": "confirm"}).status_code == 303
    with town.sessions() as session:
        assert session.scalar(select(func.count(Mark.id))) == 20
    own = town.submissions[f"climate-team:team-{town.ids['team']}"]
    student = town.open_as("student", app)
    for path in ("", f"feedback/{own}", f"feedback/{own}/files/0", f"submissions/{own}/archive"):
        assert student.see(path).status_code == 200, path


def test_an_odd_id_in_an_address_is_absent_and_no_failure(town: Town, app: FastAPI) -> None:
    client = town.open_as("teacher", app)
    for odd in ("x" * 300, "%00", "a%00b", "\u202e", "';--", "%F0%9F%92%A9"):
        for path in (f"courses/{odd}", f"feedback/{odd}", f"submissions/{odd}/archive"):
            assert client.see(path).status_code == 404, path
        for path in (f"courses/geo/assignments/{odd}", f"courses/geo/people?project={odd}"):
            assert client.see(path).status_code == 404, path


def test_odd_text_in_a_form_is_refused_in_a_sentence_and_no_failure(town: Town, app: FastAPI) -> None:
    client = town.open_as("teacher", app)
    people = f"courses/geo/projects/{town.ids['project']}"
    for odd in ("a\x00b", "x" * 5000, "\ud7ff\U0010ffff", " "):
        for path, name in (
            (f"{people}/teams", "name"),
            (f"{people}/teams/{town.ids['team']}", "name"),
            ("courses/geo/projects", "title"),
            ("courses/geo/classes", "class"),
            ("start", "title"),
            ("start", "template"),
            ("courses/geo/assignments/climate-start/due", "due"),
            ("courses/geo/assignments/climate-start/marks", "digest"),
            ("language", "language"),
        ):
            fields = {"template": "small-rain", "title": "x", "action": "confirm", name: odd}
            assert client.fill_in(path, fields).status_code in (303, 403, 404, 409, 422), (path, odd[:9])
