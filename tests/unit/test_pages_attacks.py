"""Claims about attacks: forged forms, frames, names, addresses, files. A student's origin is same-site."""

import re
from pathlib import Path

import httpx
import pytest
from atelier import marks
from atelier.pages import ROUTERS
from atelier.settings import SERVICE_PREFIX
from atelier.store.models import Person, Submission, WebSession
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import select

from tests.databases import Databases
from tests.pages_town import Town, fresh_town

FORGED_ORIGINS = (
    "http://student.atelier.localhost:8000",
    "http://atelier.localhost:8000",
    "https://atelier--service.atelier.localhost:8000",
    "http://atelier--service.atelier.localhost:8001",
    "http://atelier--service.atelier.localhost:8000.evil.example",
    "null",
    "",
)


@pytest.fixture
def town(databases: Databases, tmp_path: Path) -> Town:
    return fresh_town(tmp_path, databases)


@pytest.fixture
def app(town: Town) -> FastAPI:
    return town.make_app()


def list_unsafe_paths() -> list[str]:
    return sorted(
        {
            re.sub(r"\{.*?\}", "geo", route.path.lstrip("/"))
            for router in ROUTERS
            for route in router.routes
            if isinstance(route, APIRoute) and route.methods - {"GET", "HEAD"}
        }
    )


def confirm(town: Town, name: str = "climate-start") -> str:
    """Confirm the marks of an assignment; return the first student's submission."""
    own = town.submissions[f"{name}:{town.ids['student']}"]
    with town.sessions.begin() as session:
        assignment_id = session.get_one(Submission, own).assignment_id
        preview = marks.preview_marks(session, town.city, assignment_id, town.now)
        marks.confirm_marks(
            session, town.city, assignment_id, town.ids["teacher"], preview.digest, {}, town.now
        )
    return own


@pytest.mark.parametrize("path", list_unsafe_paths())
@pytest.mark.parametrize("origin", FORGED_ORIGINS)
def test_a_form_from_another_origin_does_nothing_even_with_the_right_token(
    path: str, origin: str, town: Town, app: FastAPI
) -> None:
    client = town.open_as("teacher", app)
    answer = client.fill_in(path, {"language": "en", "title": "x"}, Origin=origin)
    assert answer.status_code == 403
    assert "Нищо не е променено" in answer.text


def test_a_form_without_an_origin_does_nothing(town: Town, app: FastAPI) -> None:
    client = town.open_as("teacher", app)
    data = {"csrf_token": town.csrf_token("teacher"), "language": "en"}
    assert client.post(f"{SERVICE_PREFIX}language", data=data).status_code == 403


@pytest.mark.parametrize("path", list_unsafe_paths())
@pytest.mark.parametrize("token", ["", "x", "foreign"])
def test_a_form_without_this_sessions_token_does_nothing(
    path: str, token: str, town: Town, app: FastAPI
) -> None:
    client = town.open_as("teacher", app)
    if token == "foreign":
        town.sign_in("student")
        token = town.csrf_token("student")
    answer = client.fill_in(path, {"csrf_token": token, "language": "en"})
    assert answer.status_code == 403
    with town.sessions() as session:
        assert session.get_one(Person, town.ids["teacher"]).language is None
        assert session.scalars(select(WebSession).where(WebSession.person_id == town.ids["teacher"])).all()


def test_the_token_of_an_earlier_session_of_the_same_person_does_nothing(town: Town, app: FastAPI) -> None:
    town.sign_in("teacher")
    old = town.csrf_token("teacher")
    client = town.open_as("teacher", app)
    with town.sessions() as session:
        tokens = session.scalars(select(WebSession.csrf_token)).all()
    new = next(token for token in tokens if token != old)
    statuses = [client.fill_in("language", {"csrf_token": token}).status_code for token in (old, new)]
    assert sorted(statuses) == [303, 403]


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "multipart/form-data; boundary=x"])
def test_a_body_that_our_forms_do_not_send_is_refused(kind: str, town: Town, app: FastAPI) -> None:
    client = town.open_as("teacher", app)
    headers = {"Origin": town.origin, "Content-Type": kind, "X-CSRF-Token": town.csrf_token("teacher")}
    assert (
        client.post(f"{SERVICE_PREFIX}language", content=b"language=en", headers=headers).status_code == 403
    )


def test_a_huge_form_is_refused(town: Town, app: FastAPI) -> None:
    answer = town.open_as("teacher", app).fill_in("language", {"language": "x" * 300_000})
    assert answer.status_code == 403


def test_the_token_may_come_in_a_header(town: Town, app: FastAPI) -> None:
    client = town.open_as("teacher", app)
    token = town.csrf_token("teacher")
    answer = client.fill_in("language", {"csrf_token": "", "language": "en"}, **{"X-CSRF-Token": token})
    assert answer.status_code == 303


def check_page_headers(answer: httpx.Response) -> None:
    """No frame may hold the page, no foreign or inline script runs, nothing keeps it or is told about it."""
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "object-src 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers


PAGES = (
    "",
    "start",
    "courses/geo",
    "courses/geo/people",
    "courses/geo/lessons",
    "courses/geo/assignments/climate-start",
    "courses/geo/assignments/climate-team",
    "absent",
)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_forbids_frames_inline_scripts_and_keeping(path: str, town: Town, app: FastAPI) -> None:
    answer = town.open_as("teacher", app).see(path)
    check_page_headers(answer)
    assert not re.search(r"<script(?![^>]* src=)", answer.text)
    assert not re.search(r"\s(on[a-z]+|style)\s*=", answer.text), "the policy would block it"


def test_an_unforeseen_failure_is_a_page_without_a_traceback(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("atelier.pages.work_pages.list_course_cards", fail)
    client = town.open_as("student")
    client._transport.raise_server_exceptions = False  # type: ignore[attr-defined]
    answer = client.see("")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "Traceback" not in answer.text
    assert "Нещо при нас се обърка" in answer.text
    check_page_headers(answer)


@pytest.mark.parametrize("path", PAGES)
def test_hostile_names_are_only_text(path: str, town: Town, app: FastAPI) -> None:
    text = town.open_as("teacher", app).see(path).text
    assert "<script>document" not in text
    assert "<b>Екип" not in text
    assert "\u202e" not in text, "a name turns the direction of the page"


def test_hostile_names_are_shown_and_not_left_out(town: Town, app: FastAPI) -> None:
    text = town.open_as("teacher", app).see("courses/geo/people").text
    assert "&lt;script&gt;document.title=" in text
    assert "ШоннеЮ" in text
    assert "&lt;b&gt;Екип&lt;/b&gt; 7" in text


def test_the_table_of_marks_holds_no_formula(town: Town, app: FastAPI) -> None:
    confirm(town)
    answer = town.open_as("teacher", app).see("courses/geo/marks.csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert "attachment" in answer.headers["content-disposition"]
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert lines[0].count(";") >= 6
    for line in lines[1:]:
        for cell in line.split(";"):
            assert not re.match(r'"?\s*[=+@|%-]', cell), cell


def test_feedback_is_shut_off_from_our_origin(town: Town, app: FastAPI) -> None:
    own = confirm(town)
    client = town.open_as("student", app)
    assert f"feedback/{own}" in client.see("").text
    page = client.see(f"feedback/{own}")
    assert "climate-start</bdi>" in page.text, "the notebook's name; .html is nothing to a child"
    assert "plot.png" not in page.text, "only pages are shown; other files come in the archive"
    answer = client.see(f"feedback/{own}/files/0")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox;"), "without allow-scripts and allow-same-origin"
    assert "allow" not in policy
    assert "default-src 'none'" in policy
    assert b"Score: 8 of 10" in answer.content
    assert client.see(f"feedback/{own}/files/1").status_code == 404, "the picture is no page"


@pytest.mark.parametrize("number", ["-1", "99", "0x0", "0/", "%2e%2e%2fatelier.sqlite", "１"])
def test_a_file_of_the_feedback_has_a_number_and_nothing_else(number: str, town: Town, app: FastAPI) -> None:
    own = confirm(town)
    assert town.open_as("student", app).see(f"feedback/{own}/files/{number}").status_code == 404


@pytest.mark.parametrize(
    "path",
    ["static/../site.py", "static/%2e%2e/site.py", "static/..%2fsite.py", "static/hub/../../../../../x"],
)
def test_static_files_come_from_their_folder_only(path: str, town: Town, app: FastAPI) -> None:
    assert town.open_as("nobody", app).see(path).status_code in (303, 404)


def test_other_host_names_find_nothing(town: Town, app: FastAPI) -> None:
    client = town.open_as("teacher", app)
    for host in ("abc.atelier.localhost:8000", "evil.example", "127.0.0.1:8082"):
        assert client.get(SERVICE_PREFIX, headers={"Host": host}).status_code == 404


def test_what_was_typed_comes_back_as_text_in_a_refusal(town: Town, app: FastAPI) -> None:
    client = town.open_as("teacher", app)
    probe = "<img src=x onerror=alert(1)>"
    path = "courses/geo/assignments/climate-start/due"
    answers = [
        client.fill_in(path, {"due": probe}),
        client.fill_in(f"courses/geo/projects/{town.ids['project']}/teams", {"name": probe * 4}),
        client.fill_in("start", {"template": probe, "title": probe}),
        client.fill_in("courses/geo/assignments/climate-start/marks", {f"adjust-{probe}": probe}),
        client.fill_in("courses/geo/lessons", {"starts": probe, "minutes": probe, "project": probe}),
        client.fill_in(
            "courses/geo/lessons", {"starts": "2026-12-01T08:00", "last_on": probe, "class": probe}
        ),
        client.fill_in(f"courses/geo/lessons/{town.ids['lesson']}", {"day": probe}),
    ]
    for answer in answers:
        assert answer.status_code in (404, 409, 422)
        assert "<img src=x" not in answer.text


def test_what_a_file_made_grading_say_is_only_text(town: Town, app: FastAPI) -> None:
    from decimal import Decimal

    with town.sessions.begin() as session:
        own = town.submissions[f"climate-start:{town.ids['student']}"]
        assignment_id = session.get_one(Submission, own).assignment_id
        problem = "<script>alert(1)</script> cannot be opened"
        result = marks.Result(submission_id=own, points=None, max_points=Decimal(20), problem=problem)
        marks.stage_results(session, assignment_id, [result], "course-x", town.now)
    text = town.open_as("teacher", app).see("courses/geo/assignments/climate-start").text
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
