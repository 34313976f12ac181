"""Two commands that change a town do not run at the same time, and `make deploy` is no upgrade."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import __main__ as commands
from deploy import lock
from deploy.first_time import check_same_version
from deploy.lock import alone
from deploy.problem import DeployProblem
from deploy.versions import STATE

HOLD = (
    "import sys, pathlib; from deploy import lock; lock.LOCK = pathlib.Path(sys.argv[1])\n"
    "with lock.alone('make upgrade'):\n    print('held', flush=True); sys.stdin.read()\n"
)


@pytest.fixture(autouse=True)
def own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "LOCK", tmp_path / "deploy.lock")


@pytest.fixture
def upgrading(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """An upgrade in another process that goes on until its input ends."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "deploy.lock")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as running:
        assert running.stdout
        assert running.stdout.readline() == "held\n"
        yield running
        running.kill()


@pytest.mark.parametrize("command", ["upgrade", "rollback", "restore"])
def test_the_second_command_is_told_of_the_first(
    command: str,
    upgrading: subprocess.Popen[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def never(*_: object, **__: object) -> None:
        raise AssertionError("two commands at work")

    for name in ("find_stores", "find_settings", "load_town"):
        monkeypatch.setattr(commands, name, lambda *_: None)
    for name in ("upgrade", "rollback", "restore_backup"):
        monkeypatch.setattr(commands, name, never)
    monkeypatch.setattr("deploy.stack.find_compose", list)
    monkeypatch.setattr("deploy.town_images.find_tag", str)
    monkeypatch.setattr(sys, "argv", ["deploy", command, *(["x"] if command == "restore" else [])])
    assert commands.main() == 1
    assert f"make upgrade (process {upgrading.pid}) is at work" in capsys.readouterr().err


def test_a_command_that_was_killed_holds_nothing(upgrading: subprocess.Popen[str]):
    upgrading.kill()
    upgrading.wait()
    with alone("make deploy"):
        assert lock.LOCK.read_text().startswith("make deploy (process ")


def test_the_nightly_backup_waits_for_an_upgrade(upgrading: subprocess.Popen[str]):
    with pytest.raises(DeployProblem), alone("make rollback"):
        pass
    assert upgrading.stdin
    upgrading.stdin.close()
    with alone("make backup", wait=True):
        assert "make backup" in lock.LOCK.read_text()


def test_deploying_another_version_is_led_to_an_upgrade(tmp_path: Path):
    check_same_version(tmp_path, "0.1.0-bbbbbbbbbbbb")
    (tmp_path / STATE).write_text('{"tag": "0.1.0-aaaaaaaaaaaa"}')
    check_same_version(tmp_path, "0.1.0-aaaaaaaaaaaa")
    with pytest.raises(DeployProblem, match=r"make upgrade.*git checkout aaaaaaaaaaaa, then"):
        check_same_version(tmp_path, "0.1.0-bbbbbbbbbbbb")
