"""What a workspace is started with, by kind, and what is left of it when it has stopped."""

import asyncio
import dataclasses
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import psutil
import pytest
from tornado.web import HTTPError

from hub_config import docker_engine
from hub_config.accounts import Account, ServiceDown
from hub_config.city import WorkspaceLimits
from hub_config.docker_engine import DockerWorkspace
from hub_config.local_processes import list_processes_at_home, stop_processes, stop_workspaces
from hub_config.workspaces import AtelierWorkspace, LocalWorkspace, describe_environment, list_arguments
from tests.waiting import wait_until

LIMITS = WorkspaceLimits(memory_mb=512, idle_s=600, max_age_s=3600)


def make_account(kind: str, course: str | None = None) -> Account:
    prefix = "" if kind == "personal" else f"{kind}-"
    return Account(f"{prefix}k3aaaaaaaaaa", kind, True, "М", "М", "#1", "bg", "Europe/Sofia", "one", course)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["personal", "course"])
def test_only_teams_edit_live(kind: str) -> None:
    assert "--YDocExtension.disable_rtc=True" in list_arguments(make_account(kind), LIMITS)
    assert "--YDocExtension.disable_rtc=True" not in list_arguments(make_account("team"), LIMITS)


def test_history_of_typing_lies_outside_the_visible_files_and_is_squashed() -> None:
    arguments = dict(a.removeprefix("--").split("=", 1) for a in list_arguments(make_account("team"), LIMITS))
    assert arguments["SQLiteYStore.db_path"].startswith(".")
    assert int(arguments["SQLiteYStore.squash_after_inactivity_of"]) <= 24 * 3600


@pytest.mark.parametrize("kind", ["personal", "team", "course"])
def test_idle_parts_end_after_the_schools_time(kind: str) -> None:
    arguments = list_arguments(make_account(kind), LIMITS)
    assert "--MappingKernelManager.cull_idle_timeout=600" in arguments
    assert "--ServerApp.shutdown_no_activity_timeout=600" in arguments
    assert "--TerminalManager.cull_inactive_timeout=600" in arguments


@pytest.mark.parametrize(("busy_s", "expected_s"), [(0, 600), (120, 600), (2700, 2700)])
def test_a_workspace_of_a_lesson_does_not_end_as_idle_before_the_lesson(busy_s: int, expected_s: int) -> None:
    account = dataclasses.replace(make_account("personal"), busy_s=busy_s)
    arguments = list_arguments(account, LIMITS)
    for timeout in (
        "MappingKernelManager.cull_idle_timeout",
        "ServerApp.shutdown_no_activity_timeout",
        "TerminalManager.cull_inactive_timeout",
    ):
        assert f"--{timeout}={expected_s}" in arguments


def test_environment_is_what_the_architecture_promises() -> None:
    environment = describe_environment(
        make_account("course", "geo-8a"), "http://127.0.0.1:1/services/atelier", "p/"
    )
    assert environment == {
        "ATELIER_SERVICE_URL": "http://127.0.0.1:1/services/atelier",
        "ATELIER_PAGES_URL": "p/",
        "ATELIER_KIND": "course",
        "ATELIER_ACCOUNT": "course-k3aaaaaaaaaa",
        "ATELIER_COURSE": "geo-8a",
        "ATELIER_LANGUAGE": "bg",
        "ATELIER_ZONE": "Europe/Sofia",
    }


def test_the_architecture_names_every_variable_of_a_workspace() -> None:
    page = (Path(__file__).parents[2] / "docs/architecture.md").read_text(encoding="utf-8")
    environment = describe_environment(make_account("course", "geo-8a"), "s", "p", "https://city.example/lab")
    assert [name for name in environment if f"| `{name}` |" not in page] == []


def test_course_is_named_in_course_workspaces_only() -> None:
    assert "ATELIER_COURSE" not in describe_environment(make_account("team"), "s", "p")


def start_sleeper(home: Path, *, stubborn: bool = False) -> subprocess.Popen[bytes]:
    code = "import signal,sys,time\n"
    code += "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if stubborn else ""
    code += "print('ready', flush=True)\ntime.sleep(300)"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={"HOME": str(home)},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.mark.parametrize("stubborn", [False, True])
def test_stopping_one_account_ends_its_processes_and_nobody_elses(tmp_path: Path, stubborn: bool) -> None:
    mine = start_sleeper(tmp_path / "k3aaaaaaaaaa", stubborn=stubborn)
    other = start_sleeper(tmp_path / "k3bbbbbbbbbb")
    try:
        stop_processes(list_processes_at_home(tmp_path, "k3aaaaaaaaaa"), timeout_s=0.5)
        wait_until(lambda: mine.poll() is not None, 20, "it goes on")
        assert other.poll() is None
    finally:
        for process in (mine, other):
            process.kill()
            process.wait()


def test_stopping_the_city_ends_every_workspace_but_nothing_beside_it(tmp_path: Path) -> None:
    homes = tmp_path / "homes"
    inside = [start_sleeper(homes / "k3aaaaaaaaaa"), start_sleeper(homes / "team-k3bbbbbbbbbb")]
    beside = [
        start_sleeper(tmp_path),
        start_sleeper(homes),
        start_sleeper(tmp_path / "homes2" / "k3cccccccccc"),
    ]
    try:
        assert stop_workspaces(homes) == 2
        assert not any(psutil.pid_exists(p.pid) for p in inside)
        assert all(p.poll() is None for p in beside)
    finally:
        for process in [*inside, *beside]:
            process.kill()
            process.wait()


def make_resumed(homes: Path, name: str, pid: int) -> LocalWorkspace:
    """A workspace as a hub that was started again knows it: by a process number alone."""
    spawner = LocalWorkspace(homes_dir=str(homes), user=SimpleNamespace(name=name), orm_spawner=None)
    spawner.pid = pid
    return spawner


async def test_a_started_again_hub_knows_its_workspaces(tmp_path: Path) -> None:
    process = start_sleeper(tmp_path / "k3aaaaaaaaaa")
    try:
        assert await make_resumed(tmp_path, "k3aaaaaaaaaa", process.pid).poll() is None
    finally:
        process.kill()
        process.wait()


async def test_another_program_with_the_number_of_a_workspace_is_no_workspace(tmp_path: Path) -> None:
    stranger = start_sleeper(tmp_path / "k3bbbbbbbbbb")
    try:
        spawner = make_resumed(tmp_path, "k3aaaaaaaaaa", stranger.pid)
        assert await spawner.poll() == 0
        await spawner.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_a_dead_workspace_that_nobody_has_collected_is_not_running(tmp_path: Path) -> None:
    process = start_sleeper(tmp_path / "k3aaaaaaaaaa")
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - dead, and still listed
    try:
        assert await make_resumed(tmp_path, "k3aaaaaaaaaa", process.pid).poll() == 0
    finally:
        process.wait()


class Starting:
    """Stands in for a spawner: whether its server has ended is what the test says."""

    user = SimpleNamespace(name="k3aaaaaaaaaa")
    logs_dir = "logs"

    def __init__(self, *, ended: bool) -> None:
        self.ended = ended

    async def poll(self) -> int | None:
        return 1 if self.ended else None

    async def _check_alive(self) -> None:
        if self.ended:
            raise HTTPError(500, "it ended while starting")


class Accounts:
    """The service's word about one account, or its silence."""

    def __init__(self, said: Account | ServiceDown | None) -> None:
        self._said = said

    async def find(self, name: str) -> Account | None:
        if isinstance(self._said, ServiceDown):
            raise self._said
        return self._said


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (dataclasses.replace(make_account("team"), active=False), 403),
        (None, 403),
        (ServiceDown("no answer"), 503),
    ],
)
async def test_whoever_asks_for_it_no_workspace_starts_without_the_services_word(
    said: Account | ServiceDown | None, status: int
) -> None:
    workspace: Any = SimpleNamespace(
        authenticator=SimpleNamespace(accounts=Accounts(said)), user=SimpleNamespace(name="team-k3aaaaaaaaaa")
    )
    with pytest.raises(HTTPError, match="team-k3aaaaaaaaaa") as refused:
        await AtelierWorkspace.load_account(workspace)
    assert refused.value.status_code == status


@pytest.mark.parametrize("engine", [LocalWorkspace, DockerWorkspace])
async def test_a_server_that_listens_is_waited_for_no_longer(engine: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        await engine._wait_until_listening(Starting(ended=False), *listening.getsockname())


@pytest.mark.parametrize("engine", [LocalWorkspace, DockerWorkspace])
async def test_a_server_that_has_ended_is_not_waited_for(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_engine, "STATE_POLL_S", 0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody else gets the port, and nothing listens on it
        with pytest.raises(HTTPError, match="ended while starting"):
            await engine._wait_until_listening(Starting(ended=True), *silent.getsockname())


async def test_neither_a_start_nor_a_removal_waits_behind_stops_that_were_ordered_before() -> None:
    ended = threading.Event()

    class Stopping(Starting):
        workers = stop_workers = 1
        _pools: ClassVar[dict[str, Any]] = {}
        _lines, _order = DockerWorkspace._lines, DockerWorkspace._order

        def _docker(self, method: str) -> str:
            if method == "stop":
                ended.wait(10)
            return method

    workspace: Any = Stopping(ended=False)
    stops = [DockerWorkspace.docker(workspace, "stop") for _ in range(5)]
    try:
        for method in ("create_container", "remove_container"):
            assert await asyncio.wait_for(DockerWorkspace.docker(workspace, method), 5) == method
        assert not any(stop.done() for stop in stops)
    finally:
        ended.set()
        await asyncio.gather(*stops)
