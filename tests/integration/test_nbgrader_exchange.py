"""The verbs of nbgrader against a real web process: what one account sends arrives at the other."""

import datetime as dt
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from atelier_nbgrader import restore
from atelier_nbgrader.exchange.client import ServiceClient, ServiceRefusal
from atelier_nbgrader.gradebook import open_gradebook
from nbgrader.exchange import ExchangeError

from tests.components import require_sandbox
from tests.cutting_proxy import CuttingProxy
from tests.databases import Databases
from tests.exchange_stand import Stand, open_stand
from tests.nbgrader_course import CANARY, RIGHT, TestCourse, make_source
from tests.nbgrader_workspaces import Workspace, make_mate, make_workspace, own_path

SLUG = "geo-8a"


@pytest.fixture
def stand(databases: Databases, tmp_path: Path) -> Iterator[Stand]:
    (tmp_path / "service").mkdir()
    with open_stand(tmp_path / "service", databases.migrate()) as running:
        yield running


@pytest.fixture
def student(stand: Stand, tmp_path: Path) -> Workspace:
    return make_workspace(stand, "student", tmp_path / "student")


@pytest.fixture
def team(stand: Stand, tmp_path: Path) -> Workspace:
    return make_workspace(stand, "team", tmp_path / "team")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course directory with `hw1` and `project1` generated from a source notebook, made once."""
    home = tmp_path_factory.mktemp("generated")
    environ = {"ATELIER_KIND": "course", "ATELIER_COURSE": SLUG, "ATELIER_ACCOUNT": "course-aaaaaaaaaaaa"}
    workspace = Workspace(home, {**environ, "HOME": str(home), "PATH": own_path()})
    with workspace.entered():
        for assignment in ("hw1", "project1"):
            source = home / SLUG / "source" / assignment
            source.mkdir(parents=True)
            nbformat.write(make_source(), source / "squares.ipynb")
            (source / "data.csv").write_text("a,b\n1,2\n", encoding="utf-8")
            made = course_of(workspace).make_api().generate_assignment(assignment)
            assert made["success"], made
    return home / SLUG


@pytest.fixture
def teacher(stand: Stand, tmp_path: Path, generated: Path) -> Workspace:
    workspace = make_workspace(stand, "course", tmp_path / "course")
    shutil.copytree(generated, workspace.home / SLUG)
    return workspace


def course_of(workspace: Workspace) -> TestCourse:
    return TestCourse(workspace.home, workspace.config)


def release(teacher: Workspace, assignment: str = "hw1") -> Any:
    return teacher.run("ReleaseAssignment", SLUG, assignment)


def solve(workspace: Workspace, assignment: str = "hw1", source: str = RIGHT) -> Path:
    """Fetch and fill the solution cell; returns the folder."""
    workspace.run("FetchAssignment", SLUG, assignment)
    folder = workspace.home / SLUG / assignment
    notebook = nbformat.read(folder / "squares.ipynb", as_version=4)
    notebook.cells[1].source = source
    nbformat.write(notebook, folder / "squares.ipynb")
    return folder


# ---------------------------------------------------------------- release and fetch
def test_released_files_reach_student_without_solution_and_hidden_tests(
    teacher: Workspace, student: Workspace
) -> None:
    release(teacher)
    fetched = student.run("FetchAssignment", SLUG, "hw1")
    folder = student.home / SLUG / "hw1"
    assert fetched.version == 1
    assert sorted(file.name for file in folder.iterdir()) == [".atelier", "data.csv", "squares.ipynb"]
    assert CANARY not in (folder / "squares.ipynb").read_text()


def test_same_files_make_no_new_release(teacher: Workspace) -> None:
    first, second = release(teacher), release(teacher)
    assert first.release["version"] == second.release["version"] == 1


def test_corrected_release_updates_untouched_files_and_keeps_changed_ones(
    teacher: Workspace, student: Workspace
) -> None:
    release(teacher)
    folder = solve(student)
    mine = (folder / "squares.ipynb").read_bytes()
    released = teacher.home / SLUG / "release" / "hw1"
    (released / "data.csv").write_text("corrected\n")
    notebook = nbformat.read(released / "squares.ipynb", as_version=4)
    notebook.cells[0].source = "# Squares, corrected"
    nbformat.write(notebook, released / "squares.ipynb")
    release(teacher)
    fetched = student.run("FetchAssignment", SLUG, "hw1")
    assert fetched.put_beside == ["squares (release 2).ipynb"]
    assert (folder / "data.csv").read_text() == "corrected\n"
    assert (folder / "squares.ipynb").read_bytes() == mine
    assert "corrected" in (folder / "squares (release 2).ipynb").read_text()
    again = student.run("FetchAssignment", SLUG, "hw1")
    assert again.put_beside == []


def test_fetch_brings_a_lost_file_back(teacher: Workspace, student: Workspace) -> None:
    release(teacher)
    folder = solve(student)
    (folder / "data.csv").unlink()
    student.run("FetchAssignment", SLUG, "hw1")
    assert (folder / "data.csv").is_file()


def test_fetch_of_somebody_elses_assignment_is_a_sentence(teacher: Workspace, student: Workspace) -> None:
    with pytest.raises(ExchangeError, match=r"\w+ \w+"):
        student.run("FetchAssignment", SLUG, "project1")


# ---------------------------------------------------------------- submit
def test_submit_gives_a_receipt_that_is_kept_but_not_submitted(
    teacher: Workspace, student: Workspace, stand: Stand
) -> None:
    release(teacher)
    folder = solve(student)
    first = student.run("Submit", SLUG, "hw1")
    kept = json.loads(next((folder / ".receipts").glob("*-*.json")).read_text())
    assert kept == first.receipt
    assert first.receipt["account"] == student.account
    second = student.run("Submit", SLUG, "hw1")
    assert second.receipt["id"] != first.receipt["id"]
    assert second.receipt["sha256"] == first.receipt["sha256"], "receipts are no part of the work"


def test_team_workspace_submits_for_the_team(teacher: Workspace, team: Workspace) -> None:
    release(teacher, "project1")
    solve(team, "project1")
    submitted = team.run("Submit", SLUG, "project1", quiet_s=0.01)
    assert submitted.receipt["account"] == team.account


@pytest.mark.parametrize("cuts", [1, 3])
def test_submission_over_a_cut_connection_is_stored_once(
    teacher: Workspace, student: Workspace, stand: Stand, cuts: int
) -> None:
    """One cut is repaired by the plug-in itself; after three it gives up, and the next submit gets the
    receipt."""
    release(teacher)
    solve(student)
    port = int(stand.url.split(":")[2].split("/")[0])
    proxy = CuttingProxy(port, cuts)
    direct = student.environ["ATELIER_SERVICE_URL"]
    student.environ["ATELIER_SERVICE_URL"] = direct.replace(str(port), str(proxy.port))
    if cuts == 3:
        with pytest.raises(ExchangeError, match="Nothing is lost"):
            student.run("Submit", SLUG, "hw1")
    submitted = student.run("Submit", SLUG, "hw1")
    proxy.close()
    assert submitted.receipt["account"] == student.account
    assert stand.count("submission") == 1


def test_link_is_refused_before_sending_with_its_name(
    teacher: Workspace, student: Workspace, stand: Stand
) -> None:
    release(teacher)
    folder = solve(student)
    (folder / "pictures").symlink_to("/etc")
    with pytest.raises(ExchangeError, match=r"pictures.*link"):
        student.run("Submit", SLUG, "hw1")
    assert stand.count("submission") == 0


def test_refusal_of_the_service_reaches_the_student_as_its_sentence(
    teacher: Workspace, student: Workspace, stand: Stand
) -> None:
    import random

    release(teacher)
    folder = solve(student)
    (folder / "big.bin").write_bytes(random.Random(1).randbytes(9_000_000))  # the school allows 8 MB
    with pytest.raises(ExchangeError, match="8"):
        student.run("Submit", SLUG, "hw1")
    assert stand.count("submission") == 0


def test_own_earlier_submission_opens_again_read_only(
    teacher: Workspace, student: Workspace, team: Workspace, stand: Stand
) -> None:
    release(teacher)
    folder = solve(student)
    first = student.run("Submit", SLUG, "hw1").receipt
    (folder / "squares.ipynb").write_text("lost")
    with student.entered():
        restored = restore.restore(first["id"], student.home)
    assert restored.parent == folder
    assert RIGHT.splitlines()[0] in (restored / "squares.ipynb").read_text()
    assert (restored / "squares.ipynb").stat().st_mode & 0o222 == 0
    assert (folder / "squares.ipynb").read_text() == "lost"
    again = student.run("Submit", SLUG, "hw1").receipt
    names = list_archive(student, again["id"])
    assert not [name for name in names if "submission-" in name]
    with team.entered(), pytest.raises(ServiceRefusal) as refused:
        restore.restore(first["id"], team.home)
    assert refused.value.status == 404


def list_archive(workspace: Workspace, submission_id: str) -> list[str]:
    with workspace.entered(), ServiceClient.of_workspace() as service:
        target = workspace.home / "downloaded.tar.gz"
        service.download(f"submissions/{submission_id}/archive", target, 10**9)
    with tarfile.open(target) as archive:
        return archive.getnames()


# ---------------------------------------------------------------- collect
def test_collect_writes_names_due_dates_and_time(
    teacher: Workspace, student: Workspace, stand: Stand
) -> None:
    release(teacher)
    with teacher.entered(), ServiceClient.of_workspace() as service:
        service.put(f"courses/{SLUG}/assignments/hw1", {"due_at": "2026-10-25T03:30:00+03:00"})
    solve(student)
    student.run("Submit", SLUG, "hw1")
    collected = teacher.run("Collect", SLUG, "hw1")
    assert collected.collected == [student.account]
    folder = teacher.home / SLUG / "submitted" / student.account / "hw1"
    assert (folder / "timestamp.txt").read_text() == "2026-11-09 08:00:00.000000 UTC"
    course = course_of(teacher)
    assert course.coursedir.get_existing_timestamp(str(folder)) == dt.datetime(2026, 11, 9, 8)  # noqa: DTZ001
    with open_gradebook(course.coursedir) as gradebook:
        known = gradebook.find_student(student.account)
        assert (known.first_name, known.last_name) == ("Ада", "01 Пробна")
        assert gradebook.find_assignment("hw1").duedate == dt.datetime(2026, 10, 25, 0, 30)  # noqa: DTZ001
        team = gradebook.find_student(stand.accounts["team"])
        assert team.last_name == "Синички"
        assert "Ада Пробна" in team.first_name


def test_collect_keeps_the_earlier_submission_when_a_newer_takes_its_place(
    teacher: Workspace, student: Workspace, stand: Stand
) -> None:
    release(teacher)
    folder = solve(student)
    student.run("Submit", SLUG, "hw1")
    teacher.run("Collect", SLUG, "hw1")
    (folder / "more.txt").write_text("more")
    stand.clock.now += dt.timedelta(minutes=5)
    newer = student.run("Submit", SLUG, "hw1").receipt
    assert teacher.run("Collect", SLUG, "hw1").collected == [], "without --update nothing is replaced"
    assert teacher.run("Collect", SLUG, "hw1", update=True).collected == [student.account]
    root = teacher.home / SLUG
    assert (root / "submitted" / student.account / "hw1" / "more.txt").read_text() == "more"
    earlier = root / ".atelier" / "earlier" / "hw1" / student.account / "2026-11-09_08-00-00"
    assert (earlier / "squares.ipynb").is_file()
    assert not (earlier / "more.txt").exists()
    assert course_of(teacher).desk.find_receipt("hw1", student.account) == newer


def test_one_submission_that_cannot_be_unpacked_never_stops_the_others(
    teacher: Workspace, student: Workspace, stand: Stand, tmp_path: Path
) -> None:
    release(teacher, "project1")
    for role in ("team", "other team"):
        workspace = make_workspace(stand, role, tmp_path / role)
        folder = solve(workspace, "project1")
        (folder / "who.txt").write_text(role)  # equal bytes would be one blob
        workspace.run("Submit", SLUG, "project1", quiet_s=0.01)
    broken = stand.accounts["team"]
    stand.ruin_blob(broken)
    collected = teacher.run("Collect", SLUG, "project1")
    assert list(collected.broken) == [broken]
    assert collected.collected == [stand.accounts["other team"]]
    assert not (teacher.home / SLUG / "submitted" / broken).joinpath("project1").exists()


def test_a_notebook_that_would_fill_the_memory_is_not_collected_and_stops_nobody(
    teacher: Workspace, stand: Stand, tmp_path: Path
) -> None:
    release(teacher, "project1")
    for role in ("team", "other team"):
        workspace = make_workspace(stand, role, tmp_path / role)
        folder = solve(workspace, "project1")
        if role == "team":
            (folder / "huge.ipynb").write_bytes(b'{"cells": []}' + b" " * 1_200_000)
        (folder / "who.txt").write_text(role)
        workspace.run("Submit", SLUG, "project1", quiet_s=0.01)
    collected = teacher.run("Collect", SLUG, "project1", notebook_max_mb=1)
    assert list(collected.broken) == [stand.accounts["team"]]
    assert "huge.ipynb" in collected.broken[stand.accounts["team"]]
    assert collected.collected == [stand.accounts["other team"]]


def test_files_named_like_nbgraders_own_cannot_forge_time_or_identity(
    teacher: Workspace, student: Workspace
) -> None:
    release(teacher)
    folder = solve(student)
    (folder / "timestamp.txt").write_text("1999-01-01 00:00:00 UTC")
    (folder / ".atelier.json").write_text('{"id": "somebody-else"}')
    receipt = student.run("Submit", SLUG, "hw1").receipt
    teacher.run("Collect", SLUG, "hw1")
    collected = teacher.home / SLUG / "submitted" / student.account / "hw1"
    assert (collected / "timestamp.txt").read_text().startswith("2026-11-09")
    assert course_of(teacher).desk.find_receipt("hw1", student.account)["id"] == receipt["id"]


# ---------------------------------------------------------------- feedback, results
@pytest.mark.sandbox
def test_walk_from_release_to_staged_results_and_feedback(
    teacher: Workspace, student: Workspace, stand: Stand, tmp_path: Path
) -> None:
    require_sandbox()
    release(teacher)
    mate = make_mate(stand, tmp_path)
    solve(student)
    receipt = student.run("Submit", SLUG, "hw1").receipt
    solve(mate, source=f"{RIGHT}\nimport os; os._exit(0)")
    broken = mate.run("Submit", SLUG, "hw1").receipt
    api = course_of(teacher).make_api
    with teacher.entered():
        assert api().collect("hw1")["success"]
        assert api().autograde("hw1", student.account)["success"]
        assert not api().autograde("hw1", mate.account)["success"]
        assert api().generate_feedback("hw1")["success"]
        released = api().release_feedback("hw1")
        assert released["success"], released
    staged = {row.submission_id: row for row in stand.list_staged()}
    assert float(staged[receipt["id"]].points) == 5
    assert float(staged[receipt["id"]].max_points) == 9
    assert staged[receipt["id"]].feedback_id
    assert staged[broken["id"]].points is None
    assert "kernel" in staged[broken["id"]].problem
    assert staged[broken["id"]].feedback_id is None
    # Nobody sees it before a teacher has confirmed it.
    assert student.run("FetchFeedback", SLUG, "hw1").fetched == []
    stand.confirm_feedback()
    fetched = student.run("FetchFeedback", SLUG, "hw1").fetched
    page = (fetched[0] / "squares.html").read_text()
    assert "Content-Security-Policy" in page
    assert CANARY not in page
    with teacher.entered():
        assert api().release_feedback("hw1")["success"]
    assert stand.count("feedback") == 1, "the same feedback is sent once"


# ---------------------------------------------------------------- list, courses
def test_list_shows_own_released_and_submitted_work(
    teacher: Workspace, student: Workspace, team: Workspace
) -> None:
    release(teacher)
    before = student.run("List", "", "").answer
    assert [(info["assignment_id"], info["status"]) for info in before] == [("hw1", "released")]
    solve(student)
    student.run("Submit", SLUG, "hw1")
    assert student.run("List", "", "").answer[0]["status"] == "fetched"
    submitted = student.run("List", "", "", cached=True).answer
    assert submitted[0]["submissions"][0]["student_id"] == student.account
    assert team.run("List", "", "").answer == []


def test_a_release_cannot_be_taken_away(teacher: Workspace) -> None:
    release(teacher)
    with pytest.raises(ExchangeError, match="corrected"):
        teacher.run("List", SLUG, "hw1", remove=True)


def test_courses_come_from_the_roster(student: Workspace) -> None:
    from nbgrader.auth import Authenticator

    with student.entered():
        authenticator = Authenticator(config=student.config)
        assert authenticator.has_access(student.account, SLUG)
        assert not authenticator.has_access(student.account, "chem-9b")
