"""`make backup` of a running city with engine local, `make restore` into an empty folder, and the city starts
from there: what a student had, handed in and was told is the same.
"""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from demo.house import REPOSITORY
from hub_config.local_processes import list_processes_at_home
from tests.atelier_stack import Stack
from tests.exchange_stand import pack
from tests.waiting import wait_until

pytestmark = pytest.mark.hub

STUDENT = "backup.one@students.school-a.example"
TEACHER = "backup.teacher@school-a.example"
WORK = pack({"hw1.ipynb": b'{"cells": []}'})


def run_deploy(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "deploy", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def call(stack: Stack, account: str) -> httpx.Client:
    """Ask the exchange with the token that the account's workspace holds."""
    found = list_processes_at_home(stack.house.homes_dir, account)
    token = next(t for process in found if (t := process.environ().get("JUPYTERHUB_API_TOKEN")))
    base = f"{stack.house.web_url}/services/atelier/api/v1"
    return httpx.Client(
        base_url=base, headers={"Authorization": f"token {token}"}, trust_env=False, timeout=30
    )


def work_a_while(stack: Stack) -> tuple[str, str, dict[str, object]]:
    """A course, a release, a submission, a file at home. Returns course, student (accounts) and receipt."""
    stack.add_people(f"Ученик Проба {STUDENT} student", f"Учител Проба {TEACHER} teacher")
    course = f"course-{stack.make_course('backup', TEACHER, [STUDENT])}"
    student = stack.find_person(STUDENT)
    wait_until(lambda: stack.ask_hub("GET", f"users/{course}").status_code == 200, 30, "no course account")
    stack.sign_in(STUDENT)
    for account in (course, student):
        stack.start_workspace(account)
    path = "/courses/backup/assignments/hw1"
    with call(stack, course) as client:
        assert client.put(path, json={"title": "Задача"}).status_code in (200, 201)
        assert client.post(f"{path}/releases", content=pack({"hw1.ipynb": b"{}"})).status_code == 201
    (stack.house.homes_dir / student / "бележки.md").write_text("моите бележки")
    with call(stack, student) as client:
        answer = client.post(f"{path}/submissions", content=WORK, headers={"Idempotency-Key": "backup-1"})
        assert answer.status_code == 201, answer.text
        return course, student, answer.json()


def test_a_city_goes_on_from_its_backup(tmp_path: Path):
    with Stack(tmp_path / "first", demo_people=False) as stack:
        _, student, receipt = work_a_while(stack)
        run_deploy("backup", "--demo", str(stack.house.data_dir))
    (backup,) = (tmp_path / "first" / "backups").iterdir()
    printed = run_deploy("restore", str(backup), "--demo", str(tmp_path / "second"))
    assert "equal hashes" in printed
    with Stack(tmp_path / "second", demo_people=False) as stack:
        stack.set_account(STUDENT, hosted_domain=STUDENT.partition("@")[2])
        assert (stack.house.homes_dir / student / "бележки.md").read_text() == "моите бележки"
        browser = stack.sign_in(STUDENT)
        assert browser.get(f"{stack.pages_url}submissions/{receipt['id']}/archive").content == WORK
        stack.start_workspace(student)
        with call(stack, student) as client:
            assert client.get(f"/submissions/{receipt['id']}").json() == receipt
            again = client.post(
                "/courses/backup/assignments/hw1/submissions",
                content=WORK,
                headers={"Idempotency-Key": "backup-1"},
            )
            assert again.json() == receipt


def test_a_restore_without_a_backup_says_what_to_give(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "deploy", "restore", "", "--demo", str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "FROM=" in done.stderr
    assert "Traceback" not in done.stderr
