"""What a student puts into the home does not keep the own workspace shut."""

from pathlib import Path

import pytest

from tests.atelier_stack import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.hub

STUDENT = "home.files@students.school-a.example"
START_WITHIN_S = 90


def test_files_named_like_modules_do_not_keep_a_workspace_from_starting(stack: Stack) -> None:
    stack.add_people(f"Георги Игров {STUDENT} student")
    account = stack.find_person(STUDENT)
    wait_until(lambda: stack.ask_hub("GET", f"users/{account}").status_code == 200, 60, "no account")
    stack.start_workspace(account, START_WITHIN_S)
    home = find_home(stack, account)
    assert stack.ask_hub("DELETE", f"users/{account}/server").status_code in (202, 204)
    wait_until(lambda: is_stopped(stack, account), START_WITHIN_S, f"{account} did not stop")
    for name in ("random.py", "json.py", "nbgrader.py", "jupyter_server.py"):
        (home / name).write_text("raise RuntimeError('my game')")
    stack.start_workspace(account, START_WITHIN_S)
    assert stack.is_ready(account)


def find_home(stack: Stack, account: str) -> Path:
    """The account's home below the stack's data."""
    return next(path for path in stack.house.data_dir.rglob(account) if path.parent.name == "homes")


def is_stopped(stack: Stack, account: str) -> bool:
    answer = stack.ask_hub("GET", f"users/{account}").json()
    return not answer["servers"] and not answer.get("pending")
