"""The sidebar's server part with the real nbgrader plug-ins and the real web process."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import Databases
from tests.exchange_stand import Stand, open_stand, pack
from tests.lab_stand_in import Lab, start_lab

COURSE = "geo-8a"
HOMEWORK = {"course": COURSE, "assignment": "hw1"}
BULGARIAN = {"Accept-Language": "bg"}
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture(scope="module")
def stand(shared_databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with open_stand(tmp_path_factory.mktemp("stand"), shared_databases.migrate()) as running:
        yield running


def _start(stand: Stand, role: str, kind: str, folder: Path) -> contextlib.AbstractContextManager[Lab]:
    return start_lab(
        folder,
        stand.url,
        kind,
        token=stand.tokens[role],
        account=stand.accounts[role],
        real_plugins=True,
    )


@pytest.fixture(scope="module")
def student(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with _start(stand, "student", "personal", tmp_path_factory.mktemp("student")) as lab:
        yield lab


@pytest.fixture(scope="module")
def team(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with _start(stand, "team", "team", tmp_path_factory.mktemp("team")) as lab:
        yield lab


def _find(lab: Lab, name: str) -> dict[str, object]:
    status, answer = lab.ask("atelier/assignments")
    assert status == 200, answer
    found: dict[str, object] = next(
        assignment
        for course in answer["courses"]
        for assignment in course["assignments"]
        if assignment["name"] == name
    )
    return found


def test_before_the_release_there_is_nothing_to_fetch_and_the_reason_is_a_sentence(
    stand: Stand, student: Lab
) -> None:
    assert _find(student, "hw1")["release"] is None
    status, answer = student.ask("atelier/fetch", HOMEWORK)
    assert status == 409
    assert answer["message"]
    assert "Traceback" not in answer["message"]


def test_student_fetches_submits_and_opens_it_again(stand: Stand, student: Lab) -> None:
    stand.release()
    assert student.ask("atelier/fetch", HOMEWORK)[1]["fetched_version"] == 1
    work = student.home / COURSE / "hw1" / "hw1.ipynb"
    work.write_text('{"mine": 1}')
    status, receipt = student.ask("atelier/submit", HOMEWORK)
    assert status == 200, receipt
    assert receipt["account"] == stand.accounts["student"]
    work.write_text('{"mine": 2}')
    status, copy = student.ask("atelier/restore", {"submission_id": receipt["id"]})
    assert status == 200, copy
    assert (student.home / copy["folder"] / "hw1.ipynb").read_text() == '{"mine": 1}'
    assert work.read_text() == '{"mine": 2}'
    listed = _find(student, "hw1")
    assert listed["state"] == "submitted"
    assert [kept["id"] for kept in listed["submissions"]] == [receipt["id"]]  # type: ignore[attr-defined]


def test_copy_of_an_earlier_submission_is_not_submitted_again(stand: Stand, student: Lab) -> None:
    stand.release()
    student.ask("atelier/fetch", HOMEWORK)
    first = student.ask("atelier/submit", HOMEWORK)[1]
    student.ask("atelier/restore", {"submission_id": first["id"]})
    second = student.ask("atelier/submit", HOMEWORK)[1]
    assert second["file_count"] == first["file_count"]


def test_new_release_is_announced_and_fetching_it_keeps_changed_files(stand: Stand, student: Lab) -> None:
    stand.release()
    student.ask("atelier/fetch", HOMEWORK)
    work = student.home / COURSE / "hw1" / "hw1.ipynb"
    work.write_text('{"mine": 3}')
    with stand.client("course") as course:
        course.post(f"/courses/{COURSE}/assignments/hw1/releases", content=pack({"hw1.ipynb": b'{"new": 1}'}))
    known = _find(student, "hw1")
    assert known["fetched_version"] != known["release"]["version"]  # type: ignore[index]
    answer = student.ask("atelier/fetch", HOMEWORK)[1]
    assert answer["fetched_version"] == known["release"]["version"]  # type: ignore[index]
    assert len(answer["put_beside"]) == 1
    assert work.read_text() == '{"mine": 3}'


@pytest.mark.parametrize("language", [BULGARIAN, ENGLISH])
def test_refused_folder_is_explained_in_the_language_that_lab_shows(
    stand: Stand, student: Lab, language: dict[str, str]
) -> None:
    stand.release()
    student.ask("atelier/fetch", HOMEWORK)
    link = student.home / COURSE / "hw1" / "link"
    link.symlink_to("/etc/passwd")
    try:
        status, answer = student.ask("atelier/submit", HOMEWORK, **language)
    finally:
        link.unlink()
    assert status == 409
    assert "link" in answer["message"]
    assert any("а" <= letter <= "я" for letter in answer["message"]) is (language is BULGARIAN)


def test_team_workspace_shows_and_submits_the_teams_work_only(stand: Stand, team: Lab) -> None:
    stand.release("project1")
    answer = team.ask("atelier/assignments")[1]
    assert [a["name"] for course in answer["courses"] for a in course["assignments"]] == ["project1"]
    body = {"course": COURSE, "assignment": "project1"}
    team.ask("atelier/fetch", body)
    status, receipt = team.ask("atelier/submit", body)
    assert (status, receipt["account"]) == (200, stand.accounts["team"])
    assert team.ask("atelier/fetch", HOMEWORK)[0] == 409


def test_submission_of_another_account_cannot_be_opened(stand: Stand, student: Lab, team: Lab) -> None:
    stand.release()
    student.ask("atelier/fetch", HOMEWORK)
    receipt = student.ask("atelier/submit", HOMEWORK)[1]
    assert team.ask("atelier/restore", {"submission_id": receipt["id"]})[0] == 404


def test_feedback_before_it_is_confirmed_is_a_sentence(stand: Stand, student: Lab) -> None:
    stand.release()
    student.ask("atelier/fetch", HOMEWORK)
    student.ask("atelier/submit", HOMEWORK)
    status, answer = student.ask("atelier/feedback", HOMEWORK, **BULGARIAN)
    assert (status, answer["error"]) == (404, "no_feedback")
    assert answer["message"] == "Още няма обратна връзка. Опитайте отново по-късно."
