"""Releases, feedback and results: versions, each only for whom it is."""

import datetime as dt
import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from atelier import marks, projects
from atelier.store.models import Feedback, Project, Submission
from sqlalchemy import select

from hub_config.city import parse_city
from tests.databases import Databases
from tests.exchange_stand import CITY, HOUR, NOW, Stand, open_stand, pack

FIRST, SECOND = pack({"hw1.ipynb": b"first"}), pack({"hw1.ipynb": b"second"})
HW = "/courses/geo-8a/assignments/hw1"


@pytest.fixture
def stand(databases: Databases, tmp_path: Path) -> Iterator[Stand]:
    with open_stand(tmp_path, databases.migrate()) as stand:
        yield stand


def ask(stand: Stand, role: str, method: str, path: str, **kwargs: Any) -> httpx.Response:
    with stand.client(role) as client:
        return client.request(method, path, **kwargs)


# ------------------------------------------------------------------ releases
def test_a_corrected_release_is_the_one_students_fetch(stand: Stand) -> None:
    for version, content in enumerate((FIRST, SECOND), 1):
        released = ask(stand, "course", "POST", f"{HW}/releases", content=content)
        assert (released.status_code, released.json()["version"]) == (201, version)
        fetched = ask(stand, "student", "GET", f"{HW}/releases/latest")
        assert fetched.content == content
        assert fetched.headers["atelier-version"] == str(version)
        assert fetched.headers["etag"] == f'"{hashlib.sha256(content).hexdigest()}"'
        assert fetched.headers["content-type"] == "application/gzip"
    assert stand.count("release") == 2


def test_releasing_the_same_bytes_again_makes_no_version(stand: Stand) -> None:
    first = ask(stand, "course", "POST", f"{HW}/releases", content=FIRST)
    again = ask(stand, "course", "POST", f"{HW}/releases", content=FIRST)
    assert (again.status_code, again.json()) == (200, first.json())
    ask(stand, "course", "POST", f"{HW}/releases", content=SECOND)
    assert ask(stand, "course", "POST", f"{HW}/releases", content=FIRST).json()["version"] == 3


def test_a_release_that_is_there_already_is_not_sent_again(stand: Stand) -> None:
    stand.release()
    etag = ask(stand, "student", "GET", f"{HW}/releases/latest").headers["etag"]
    again = ask(stand, "student", "GET", f"{HW}/releases/latest", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")


def test_what_was_never_released_is_not_found(stand: Stand) -> None:
    assert ask(stand, "student", "GET", f"{HW}/releases/latest").status_code == 404


# ------------------------------------------------------------------ assignments
def test_a_course_workspace_creates_and_changes_an_assignment(stand: Stand) -> None:
    path = "/courses/geo-8a/assignments/hw2"
    made = ask(stand, "course", "PUT", path, json={"title": "Втора", "due_at": "2026-11-20T22:00:00+02:00"})
    assert made.status_code == 200
    assert made.json()["due_at"] == "2026-11-20T20:00:00Z"
    assert made.json()["zone"] == "Europe/Sofia"
    kept = ask(stand, "course", "PUT", path, json={"title": "Трета"}).json()
    assert (kept["title"], kept["due_at"]) == ("Трета", "2026-11-20T20:00:00Z")
    assert ask(stand, "course", "PUT", path, json={"due_at": None}).json()["due_at"] is None
    for wrong in (
        {"due_at": "2026-11-20T22:00:00"},
        {"due_at": "9999-12-31T23:59:59Z"},
        {"due_at": "9999-12-31T23:59:59-23:59"},
        {"due_at": "0001-01-01T00:00:00+14:00"},
        {"kind": "pair"},
        {"name": "x"},
        {"title": ""},
        {"title": "a\0b"},
    ):
        assert ask(stand, "course", "PUT", path, json=wrong).status_code == 422
    assert ask(stand, "course", "PUT", "/courses/geo-8a/assignments/Bad%20Name", json={}).status_code == 422


def test_each_account_sees_the_assignments_it_works_on(stand: Stand) -> None:
    seen = {
        role: [a["name"] for a in ask(stand, role, "GET", "/courses/geo-8a/assignments").json()]
        for role in ("student", "team", "course")
    }
    assert seen == {"student": ["hw1"], "team": ["project1"], "course": ["hw1", "project1"]}


def test_the_state_follows_the_work(stand: Stand) -> None:
    def state() -> str:
        return str(ask(stand, "student", "GET", "/courses/geo-8a/assignments").json()[0]["state"])

    stand.release()
    ask(stand, "course", "PUT", HW, json={"due_at": (NOW + HOUR).isoformat()})
    assert state() == "open"
    stand.clock.now += 2 * HOUR
    assert state() == "late"
    submission_id = stand.submit().json()["id"]
    assert state() == "submitted"
    stage_feedback(stand, submission_id, confirm=True)
    assert state() == "returned"


def test_me_lists_the_courses_and_the_role_in_each(stand: Stand) -> None:
    me = ask(stand, "teacher", "GET", "/me").json()
    assert me["kind"] == "personal"
    assert me["courses"] == [
        {
            "slug": "geo-8a",
            "title": "Курс geo-8a",
            "role": "teacher",
            "zone": "Europe/Sofia",
            "language": "bg",
        }
    ]
    assert ask(stand, "team", "GET", "/me").json()["courses"][0]["role"] == "team"
    assert ask(stand, "course", "GET", "/me").json()["courses"][0]["role"] == "course"


def test_the_roster_is_that_of_the_one_course(stand: Stand) -> None:
    entries = ask(stand, "course", "GET", "/courses/geo-8a/roster").json()
    people = [(e["number"], e["given_name"]) for e in entries if e["kind"] == "person"]
    assert people == [(1, "Ада"), (2, "Борис"), (3, "Вяра"), (4, "Гео")]
    teams = {
        e["family_name"]: [m["given_name"] for m in e["members"]] for e in entries if e["kind"] == "team"
    }
    assert {name: sorted(members) for name, members in teams.items()} == {
        "Синички": ["Ада", "Борис"],
        "Врабчета": ["Вяра", "Гео"],
    }


# ------------------------------------------------------------------ feedback and results
def stage_feedback(stand: Stand, submission_id: str, content: bytes = FIRST, confirm: bool = False) -> str:
    answer = ask(stand, "course", "POST", f"/submissions/{submission_id}/feedback", content=content)
    assert answer.status_code == 201
    if confirm:
        with stand.sessions.begin() as session:
            session.get_one(Feedback, answer.json()["id"]).confirmed_at = stand.clock()
    return str(answer.json()["id"])


def test_feedback_is_hidden_until_a_teacher_confirmed_it(stand: Stand) -> None:
    stand.release()
    submission_id = stand.submit().json()["id"]
    stage_feedback(stand, submission_id)
    path = f"/submissions/{submission_id}/feedback"
    assert ask(stand, "student", "GET", path).status_code == 404
    assert ask(stand, "student", "GET", "/courses/geo-8a/assignments").json()[0]["feedback"] is None
    second = stage_feedback(stand, submission_id, SECOND, confirm=True)
    assert ask(stand, "student", "GET", path).content == SECOND
    shown = ask(stand, "student", "GET", "/courses/geo-8a/assignments").json()[0]["feedback"]
    assert (shown["version"], shown["submission_id"]) == (2, submission_id)
    third = stage_feedback(stand, submission_id, pack({"a.html": b"third"}))
    assert ask(stand, "student", "GET", path).content == SECOND
    assert second != third


def test_staging_the_same_feedback_again_makes_no_version(stand: Stand) -> None:
    stand.release()
    submission_id = stand.submit().json()["id"]
    first = stage_feedback(stand, submission_id)
    again = ask(stand, "course", "POST", f"/submissions/{submission_id}/feedback", content=FIRST)
    assert (again.status_code, again.json()) == (200, {"id": first, "version": 1})


def test_results_are_staged_and_a_mark_is_seen_only_when_confirmed(stand: Stand) -> None:
    stand.release()
    submission_id = stand.submit().json()["id"]
    result = {
        "submission_id": submission_id,
        "points": 4.5,
        "max_points": 6,
        "problem": None,
        "needs_manual_grade": False,
        "feedback_id": stage_feedback(stand, submission_id),
    }
    staged = ask(stand, "course", "POST", f"{HW}/results", json=[result])
    assert (staged.status_code, staged.json()[0]["version"]) == (201, 1)
    assert ask(stand, "student", "GET", "/courses/geo-8a/assignments").json()[0]["mark"] is None
    confirm_marks(stand)
    shown = ask(stand, "student", "GET", "/courses/geo-8a/assignments").json()[0]
    assert (shown["mark"]["points"], shown["mark"]["max_points"]) == (4.5, 6.0)
    assert shown["state"] == "returned"


def confirm_marks(stand: Stand) -> None:
    with stand.sessions.begin() as session:
        assignment_id = session.scalars(select(Submission.assignment_id)).one()
        city, now = parse_city(CITY), stand.clock() + dt.timedelta(seconds=1)
        preview = marks.preview_marks(session, city, assignment_id, now)
        teacher_id = stand.people["teacher"].id
        marks.confirm_marks(session, city, assignment_id, teacher_id, preview.digest, {}, now)


def test_a_result_for_another_courses_submission_is_refused_whole(stand: Stand) -> None:
    stand.release()
    submission_id = stand.submit().json()["id"]
    good = {"submission_id": submission_id, "points": 1, "max_points": 2}
    alien = {"submission_id": "zzzzzzzzzzzz", "points": 1, "max_points": 2}
    answer = ask(stand, "course", "POST", f"{HW}/results", json=[good, alien])
    assert (answer.status_code, answer.json()["error"]) == (422, "unknown_submission")
    assert stand.count("staged_result") == 0


# ------------------------------------------------------------------ template
def test_the_template_is_sent_whole_and_nothing_beside_it(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "templates" / "climate"
    (folder / "source" / "hw1").mkdir(parents=True)
    (folder / "source" / "hw1" / "hw1.ipynb").write_bytes(b"{}" * 1000)
    (folder / "README.md").write_text("за учителя")
    (folder / "secret").symlink_to("/etc/passwd")
    with stand.sessions.begin() as session:
        session.scalars(select(Project)).one().template = "climate"
    # Whether template.yaml is right is another room's question.
    monkeypatch.setattr(projects, "find_template", lambda _folder, name: type("T", (), {"name": name}))
    archive = ask(stand, "course", "GET", "/courses/geo-8a/template")
    assert archive.status_code == 200
    with tarfile.open(fileobj=io.BytesIO(archive.content), mode="r:gz") as packed:
        assert packed.getnames() == ["README.md", "source/hw1/hw1.ipynb"]
        content = packed.extractfile("source/hw1/hw1.ipynb")
        assert content is not None
        assert content.read() == b"{}" * 1000
    assert archive.content == ask(stand, "course", "GET", "/courses/geo-8a/template").content
    assert ask(stand, "student", "GET", "/courses/geo-8a/template").status_code == 404


# ------------------------------------------------------------------ what operators must know
def test_a_lost_blob_is_a_sentence_for_people_and_a_line_for_operators(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    stand.release()
    receipt = stand.submit().json()
    stand.blobs.find(receipt["sha256"]).unlink()
    answer = ask(stand, "student", "GET", f"/submissions/{receipt['id']}/archive")
    assert (answer.status_code, answer.json()["error"]) == (500, "blob_lost")
    assert f"blob-lost: blob {receipt['sha256']}" in caplog.text
    assert ask(stand, "student", "GET", f"/submissions/{receipt['id']}").status_code == 200


def test_submitting_the_lost_bytes_again_brings_them_back(stand: Stand) -> None:
    stand.release()
    work = pack({"hw1.ipynb": b"{}"})
    receipt = stand.submit(content=work).json()
    path = stand.blobs.find(receipt["sha256"])
    for damage in (path.unlink, lambda: path.write_bytes(b"cut")):
        damage()
        again = stand.submit(content=work, key=f"again-{path.exists()}-{path.name[:4]}")
        assert again.status_code == 201
        assert hashlib.sha256(path.read_bytes()).hexdigest() == receipt["sha256"]
