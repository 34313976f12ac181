"""Every page and every form on a real PostgreSQL: it refuses queries that SQLite lets pass."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from atelier.store.models import Mark
from fastapi import FastAPI
from sqlalchemy import func, select

from tests.pages_town import Town, build_town
from tests.postgresql import run_postgresql
from tests.unit.test_pages_course import read_form

PAGES = [
    ("student", ""),
    ("teacher", ""),
    ("teacher", "courses/geo"),
    ("teacher", "courses/geo/people"),
    ("teacher", "courses/geo/assignments/climate-start"),
    ("teacher", "courses/geo/assignments/climate-team"),
    ("teacher", "courses/geo/marks.csv"),
    ("teacher", "start"),
    ("school-admin", "school"),
]


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    # Not pytest's folder: the server's user may not enter it, and a socket's path is at most 107 bytes long.
    with tempfile.TemporaryDirectory(prefix="atelier-pg-") as outer:
        Path(outer).chmod(0o755)
        folder, files = Path(outer) / "pg", Path(outer) / "files"
        folder.mkdir()
        files.mkdir()
        with run_postgresql(folder) as url:
            yield build_town(files, database_url=url)


@pytest.fixture(scope="module")
def app(town: Town) -> FastAPI:
    return town.make_app()


@pytest.mark.parametrize(("who", "path"), PAGES)
def test_each_page_is_shown(who: str, path: str, town: Town, app: FastAPI) -> None:
    assert town.open_as(who, app).see(path).status_code == 200


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
