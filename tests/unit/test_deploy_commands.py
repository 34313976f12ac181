"""`python -m deploy …`: what is passed on, and the exit codes that make, timers and scripts go by."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy import __main__ as commands
from deploy import look, stack
from deploy.checks import Finding
from deploy.first_time import prepare_town

ANSWERS = {
    "domain": "atelier.example.bg",
    "google_client_id": "1.apps.googleusercontent.com",
    "operator": "tech@school.example",
    "google_client_secret": "secret",
}


@pytest.fixture
def town(tmp_path: Path) -> Path:
    prepare_town(tmp_path, ANSWERS, as_root=False)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["deploy", *arguments])
    return commands.main()


@pytest.mark.parametrize(("level", "code"), [("error", 1), ("warning", 0)])
def test_a_check_ends_with_the_code_of_its_worst_finding(
    level: str, code: int, town: Path, monkeypatch: pytest.MonkeyPatch
):
    found = Finding(level, "disk", "full", "make room")  # type: ignore[arg-type]
    monkeypatch.setattr(look, "look_at_machine", lambda *_: [found])
    assert run(monkeypatch, "check", f"--town={town}") == code


def test_nothing_deployed_is_an_error_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, "check", f"--town={tmp_path}") == 1
    assert "Repair: make deploy" in capsys.readouterr().err


def test_who_is_not_root_is_told_so(
    town: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    assert run(monkeypatch, "check", f"--town={town}") == 1
    assert "Repair: run this as root" in capsys.readouterr().err


def test_compose_is_called_with_the_towns_files(town: Path, monkeypatch: pytest.MonkeyPatch):
    called: list[list[str]] = []

    def call(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        called.append(command)
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(stack, "find_compose", lambda: ["docker-compose"])
    monkeypatch.setattr(stack.subprocess, "run", call)
    assert run(monkeypatch, "compose", f"--town={town}", "logs", "--tail=5", "web") == 3
    ((program, *options, verb, tail, service),) = called
    assert (program, verb, tail, service) == ("docker-compose", "logs", "--tail=5", "web")
    assert f"--env-file={town}/compose.env" in options


def test_the_services_commands_work_on_the_town(town: Path, monkeypatch: pytest.MonkeyPatch):
    seen: dict[str, str] = {}

    def call(command: list[str], env: dict[str, str], **_: object) -> subprocess.CompletedProcess[str]:
        seen.update(env, command=" ".join(command[1:]))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(commands.subprocess, "run", call)
    assert run(monkeypatch, "atelier", f"--town={town}", "roster", "import", "8a.csv", "--apply") == 0
    assert seen["command"] == "-m atelier roster import 8a.csv --apply"
    assert seen["ATELIER_CITY_FILE"] == f"{town}/city.yaml"
    assert seen["ATELIER_DATABASE_URL"].endswith(f"?host={town}/run/postgresql")
