"""The Makefile's promises: bare `make` explains every target; a machine that lacks something is told."""

import os
import re
import subprocess
from pathlib import Path

import pytest

import tests.run

REPOSITORY = Path(__file__).resolve().parents[2]
MAKEFILE = (REPOSITORY / "Makefile").read_text()
TARGETS = re.findall(r"^([a-z-]+):(?!=)", MAKEFILE, flags=re.MULTILINE)


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        command, cwd=REPOSITORY, env={**clean, **environment}, capture_output=True, text=True, check=False
    )


def make_program(folder: Path, name: str, script: str) -> Path:
    """Write an executable shell script."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("target", TARGETS)
def test_bare_make_explains_each_target(target: str) -> None:
    answer = run("make")
    assert answer.returncode == 0
    assert re.search(rf"^  make {target} +\S+", answer.stdout, flags=re.MULTILINE)


def test_the_two_commands_are_targets() -> None:
    assert {"run", "test", "reset", "tour", "lock", "clean", "check"} <= set(TARGETS)


def test_tests_run_last_so_that_their_summary_is_the_last_line() -> None:
    rule = re.search(r"^test:.*\n((?:\t.*\n)+)", MAKEFILE, flags=re.MULTILINE)
    assert rule
    assert "tests.run" in rule[1].splitlines()[-1]


def test_what_failed_in_one_part_of_the_tests_is_told_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, claim in (("side", False), ("alone", True)):
        (tmp_path / f"test_{name}.py").write_text(f"def test_{name}(): assert {claim}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tests.run.SIDE_BY_SIDE", ("test_side.py",))
    monkeypatch.setattr("tests.run.UNDISTURBED", ("test_alone.py",))
    assert tests.run.main() == 1
    *_, name, total = capsys.readouterr().out.splitlines()
    assert name.startswith("FAILED test_side.py::test_side")
    assert "1 failed" in total


def test_a_python_that_is_too_old_gets_one_message_with_the_repair(tmp_path: Path) -> None:
    old = make_program(tmp_path, "python", 'case "$1" in -V) echo Python 3.9.18;; *) exit 1;; esac')
    answer = run("sh", "setup/find_python.sh", PYTHON=str(old))
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert "needs Python 3.11 or newer" in answer.stderr
    assert "Python 3.9.18" in answer.stderr
    assert "apt-get install python3" in answer.stderr


def test_a_python_without_venv_is_told_which_package_is_missing(tmp_path: Path) -> None:
    bare = make_program(tmp_path, "python", 'case "$2" in *ensurepip*) exit 1;; *) exit 0;; esac')
    answer = run("sh", "setup/find_python.sh", PYTHON=str(bare))
    assert answer.returncode == 1
    assert "apt-get install python3-venv" in answer.stderr


def test_the_systems_python_comes_before_one_that_a_shim_puts_first(tmp_path: Path) -> None:
    if not Path("/usr/bin/python3").exists():
        pytest.skip("there is no /usr/bin/python3")
    make_program(tmp_path, "python3", "exit 0")
    answer = run("sh", "setup/find_python.sh", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}", PYTHON="")
    if answer.stdout.strip() != "/usr/bin/python3":
        pytest.skip("/usr/bin/python3 cannot make virtual environments here")
    assert answer.returncode == 0
