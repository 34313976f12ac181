"""The disk quota without a daemon: how full, what follows, who is told."""

import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from requests.exceptions import ReadTimeout

from hub_config.docker_homes import HOME
from hub_config.docker_quota import (
    CLEARING_UP_FILES,
    FULL_FILE_BYTES,
    ROUND_S,
    START_FILES,
    Keeper,
    Running,
    can_lift,
    describe_quota,
    find_level,
    is_refused,
    is_run_by,
    limit_files,
)
from hub_config.docker_usage import Usage

MB = 1024 * 1024


def make_workspace(folder: Path, disk_mb: int = 100, files: int = 1000) -> Running:
    return Running("c1", "k3aaaaaaaaaa", folder, disk_mb, files)


@pytest.fixture
def program() -> Iterator[subprocess.Popen[str]]:
    """A student's program: writes as many bytes as it is told into a file, and says what became of it."""
    code = (
        "import sys\nfor line in sys.stdin:\n"
        "    path, size = line.split()\n"
        "    try:\n        open(path, 'wb').write(bytes(int(size))); print('written', flush=True)\n"
        "    except OSError as error: print(error.strerror, flush=True)\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) as running:
        yield running
        running.kill()


def write(program: subprocess.Popen[str], path: Path, size: int) -> str:
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(f"{path} {size}\n")
    program.stdin.flush()
    return program.stdout.readline().strip()


# ------------------------------------------------ how full
@pytest.mark.parametrize(
    ("used_mb", "files", "level"),
    [
        (0, 0, "fine"),
        (89, 10, "fine"),
        (90, 10, "warn"),
        (100, 10, "full"),
        (1, 900, "warn"),
        (1, 1000, "full"),
    ],
)
def test_level_is_the_fuller_of_bytes_and_files(tmp_path: Path, used_mb: int, files: int, level: str) -> None:
    assert find_level(Usage(used_mb * MB, files), make_workspace(tmp_path)) == level


# ------------------------------------------------ refusing growth
def test_in_a_full_home_only_small_files_are_written_until_there_is_room(
    program: subprocess.Popen[str], tmp_path: Path
) -> None:
    limit_files([program.pid], FULL_FILE_BYTES, hard=can_lift())
    assert write(program, tmp_path / "large", 1_000_000) == "File too large"
    assert write(program, tmp_path / "small", 1000) == "written"
    limit_files([program.pid], resource.RLIM_INFINITY, hard=can_lift())
    assert write(program, tmp_path / "large", 1_000_000) == "written"


def test_a_process_number_of_somebody_else_is_left_alone() -> None:
    assert is_run_by(os.getpid(), os.getuid())
    assert not is_run_by(os.getpid(), os.getuid() + 251072)
    assert not is_run_by(2**22 + 1, os.getuid())


def test_a_hard_limit_holds_against_who_fights_it() -> None:
    pipe, nobody = subprocess.PIPE, 65534 if can_lift() else None  # students have no rights of root's
    with subprocess.Popen(
        ["sh", "-c", "read line; ulimit -f unlimited"], stdin=pipe, stderr=pipe, text=True, user=nobody
    ) as fighter:
        limit_files([fighter.pid], FULL_FILE_BYTES, hard=True)
        _, said = fighter.communicate("\n")
    assert "ulimit" in said
    assert fighter.returncode != 0


def test_a_program_that_has_ended_is_no_error() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    limit_files([ended.pid], FULL_FILE_BYTES, hard=True)


# ------------------------------------------------ a round
class Daemon:
    """What the quota asks of a Docker client; one running workspace."""

    def __init__(self, root: Path, processes: list[int]) -> None:
        self.root = root
        self.home = root / "volumes" / "home" / "_data"
        self.home.mkdir(parents=True)
        self.processes = processes
        self.told: list[dict[str, Any]] = []
        self.killed: list[str] = []
        self.container = "c1"

    def info(self) -> dict[str, Any]:
        return {"DockerRootDir": str(self.root)}

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        labels = {"atelier.account": "k3aaaaaaaaaa", **describe_quota(1, 20)}
        mounts = [{"Destination": HOME, "Source": str(self.home)}]
        return [{"Id": self.container, "Labels": labels, "Mounts": mounts}]

    def top(self, container: str, **_: Any) -> dict[str, Any]:
        return {"Processes": [[str(number)] for number in self.processes] or None}  # Docker's word for none

    def exec_create(self, container: str, command: list[str]) -> dict[str, Any]:
        self.told.append(json.loads(command[-1]))
        return {"Id": "e1"}

    def exec_start(self, number: str, **_: Any) -> None:
        pass

    def kill(self, container: str) -> None:
        self.killed.append(container)


def test_a_home_is_warned_then_refused_then_free_again(
    program: subprocess.Popen[str], tmp_path: Path
) -> None:
    daemon = Daemon(tmp_path / "docker", [program.pid])
    keeper, file = Keeper(daemon), daemon.home / "file"
    levels = []
    for size, grows in ((100_000, True), (970_000, True), (1_060_000, False), (100_000, True)):
        file.write_bytes(bytes(size))
        keeper.do_round()
        levels.append(daemon.told[-1]["level"] if daemon.told else None)
        grown = write(program, tmp_path / "more", 200_000) == "written"
        assert grown is grows, size
    assert levels == [None, "warn", "full", "fine"]
    assert daemon.told[1] == {"level": "full", "used_mb": 1, "limit_mb": 1}
    assert file.exists()
    assert daemon.killed == []


def test_a_workspace_whose_last_process_has_ended_cuts_no_round_off(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, [])
    (daemon.home / "file").write_bytes(bytes(2 * MB))
    Keeper(daemon).do_round()
    assert daemon.told[-1]["level"] == "full"


def test_who_was_full_when_the_quotas_program_ended_is_free_again_after_clearing_up(
    program: subprocess.Popen[str], tmp_path: Path
) -> None:
    daemon = Daemon(tmp_path / "docker", [program.pid])
    make_full(daemon, Keeper(daemon))
    assert write(program, tmp_path / "large", 1_000_000) == "File too large"
    for file in daemon.home.iterdir():
        file.unlink()
    Keeper(daemon).do_round()
    assert write(program, tmp_path / "large", 1_000_000) == "written"
    assert daemon.told[-1]["level"] == "fine"


@pytest.mark.parametrize("name", ["програма".encode()[:15], b"\xff\xfe", b"Uid: 0"])
def test_a_program_of_any_name_is_refused(name: bytes, tmp_path: Path) -> None:
    rename = "ctypes.CDLL(None).prctl(15, bytes.fromhex(sys.argv[1]))"  # PR_SET_NAME
    code = f"import ctypes, sys; {rename}; print(flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code, name.hex()], stdin=pipe, stdout=pipe) as program:
        assert program.stdout is not None
        program.stdout.readline()
        daemon = Daemon(tmp_path, [program.pid])
        make_full(daemon, Keeper(daemon))
        assert is_refused(program.pid)
        program.kill()


def test_one_account_in_which_a_fault_of_ours_shows_costs_no_other_its_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Two(Daemon):
        def containers(self, **_: Any) -> list[dict[str, Any]]:
            mine = super().containers()[0]
            odd = {**mine, "Id": "odd", "Mounts": [{"Destination": HOME, "Source": "odd"}]}
            return [odd, mine]

    def measure(folder: Path) -> Usage:
        if str(folder) == "odd":
            raise ValueError("unheard of")
        return Usage(2 * MB, 1)

    monkeypatch.setattr("hub_config.docker_quota.measure_home", measure)
    daemon = Two(tmp_path, [])
    Keeper(daemon).do_round()
    assert daemon.told[-1]["level"] == "full"
    assert "its quota is not kept" in caplog.text


def test_a_daemon_that_does_not_answer_costs_one_look(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    daemon = Daemon(tmp_path, [])
    keeper = Keeper(daemon)
    make_full(daemon, keeper)
    answering, daemon.containers = daemon.containers, refuse  # type: ignore[method-assign]
    assert not keeper.try_to_look(0)
    assert "the round was cut off: no answer" in caplog.text
    daemon.containers = answering  # type: ignore[method-assign]
    make_full(daemon, keeper, CLEARING_UP_FILES + 1)
    assert daemon.killed == ["c1"], "what was known of who is full is still known"


def refuse(**_: Any) -> list[dict[str, Any]]:
    raise ReadTimeout("no answer")


def test_who_goes_on_making_files_is_ended_and_may_clear_up_after_the_next_start(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, [])
    keeper = Keeper(daemon)
    keeper.do_round()
    for number in range(22):
        (daemon.home / str(number)).touch()
    keeper.do_round()
    assert daemon.killed == []
    for number in range(CLEARING_UP_FILES + 1):
        (daemon.home / f"more{number}").touch()
    keeper.do_round()
    assert daemon.killed == ["c1"]
    daemon.container = "c2"
    keeper.do_round()
    assert daemon.killed == ["c1"]


def make_full(daemon: Daemon, keeper: Keeper, more: int = 0) -> None:
    """Put more files into the home than its account may have, and let the keeper look."""
    for number in range(30 + more):
        (daemon.home / str(number)).touch()
    keeper.do_round()


def test_a_loop_of_starts_brings_little_each_time(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, [])
    keeper = Keeper(daemon)
    make_full(daemon, keeper)
    make_full(daemon, keeper, CLEARING_UP_FILES + 1)
    assert daemon.killed == ["c1"]
    for start in range(2, 6):
        daemon.container = f"c{start}"
        for number in range(START_FILES):
            (daemon.home / f"{start}-{number}").touch()
        keeper.do_round()
        assert daemon.killed == [f"c{n}" for n in range(1, start)], (
            "what a start itself writes is let through"
        )
        (daemon.home / f"{start}-more").touch()
        keeper.do_round()
        assert daemon.killed == [f"c{n}" for n in range(1, start + 1)]


def test_who_has_cleared_up_begins_anew(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, [])
    keeper = Keeper(daemon)
    make_full(daemon, keeper)
    for file in daemon.home.iterdir():
        file.unlink()
    keeper.do_round()
    make_full(daemon, keeper, CLEARING_UP_FILES // 2)
    make_full(daemon, keeper, CLEARING_UP_FILES)
    assert daemon.killed == []


def test_a_full_accounts_new_programs_are_limited_at_the_next_look(
    program: subprocess.Popen[str], tmp_path: Path
) -> None:
    daemon = Daemon(tmp_path / "docker", [])
    keeper = Keeper(daemon)
    make_full(daemon, keeper)
    assert keeper.look(0)
    daemon.container, daemon.processes = "c2", [program.pid]
    assert not keeper.look(1), "no round is due"
    assert write(program, tmp_path / "large", 1_000_000) == "File too large"


def dig(folder: Path, depth: int, files: int) -> None:
    """Make folders in folders, and files in the deepest."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        with contextlib.suppress(FileExistsError):
            os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    for number in range(files):
        os.close(os.open(str(number), os.O_CREAT, dir_fd=here))
    os.close(here)


def test_what_grows_below_all_depths_is_ended_too(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, [])
    keeper = Keeper(daemon)
    dig(daemon.home, 1200, 0)
    keeper.do_round()
    assert daemon.killed == []
    assert daemon.told[-1]["level"] == "full"
    dig(daemon.home, 1200, 2000)
    keeper.do_round()
    assert daemon.killed == ["c1"]
    subprocess.run(["rm", "-r", str(daemon.home / "d")], check=True)


def test_who_hides_from_the_walk_is_told_and_then_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = Daemon(tmp_path, [])
    keeper = Keeper(daemon)
    monkeypatch.setattr("hub_config.docker_quota.measure_home", lambda _: Usage(0, 1, hidden=True))
    keeper.do_round()
    assert (daemon.killed, daemon.told[-1]["level"]) == ([], "full")
    keeper.do_round()
    assert daemon.killed == ["c1"]


def test_a_round_is_due_after_its_time_or_when_the_disk_fills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = {"bytes": 10_000 * MB, "files": 100_000}

    class Disk:
        f_frsize = 1
        f_bfree = property(lambda _: free["bytes"])
        f_ffree = property(lambda _: free["files"])

    keeper = Keeper(Daemon(tmp_path, []))
    monkeypatch.setattr(os, "statvfs", lambda _: Disk())
    assert keeper.look(0)
    assert not keeper.look(1)
    free["bytes"] -= 40 * MB
    assert keeper.look(2)
    free["files"] -= 3000
    assert keeper.look(3)
    assert not keeper.look(4)
    assert keeper.look(4 + ROUND_S)
