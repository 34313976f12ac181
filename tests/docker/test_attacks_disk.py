"""Who fills the disk is refused, told and, if nothing else helps, ended; the neighbour works on."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import websocket

from hub_config.docker_quota import DISK_LABEL, FILES_LABEL, LOOK_S, Keeper
from tests.docker.attack_cells import find_attack, read_outcome, write_cell, write_prelude
from tests.docker.neighbour import SAMPLES, check_neighbour, measure_cells_s, run_beside
from tests.docker_notebook import KernelGone, Notebook, open_notebook
from tests.docker_school import STUDENTS, DockerSchool
from tests.waiting import wait_until

pytestmark = pytest.mark.docker

DISK_MB, FILES = 100, 2000
TOLD = "Няма повече място за файловете ви"


class SmallHomes:
    """The daemon, with a quota that a test can fill."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def containers(self, **options: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._client.containers(**options)
        for item in found:
            item["Labels"] |= {DISK_LABEL: str(DISK_MB), FILES_LABEL: str(FILES)}
        return found


@pytest.fixture
def keeper(docker_school: DockerSchool) -> Iterator[Keeper]:
    """`python -m hub_config.docker_quota`, beside the daemon."""
    ended = threading.Event()
    with docker_school.stack.town.daemon.connect() as client:
        keeper = Keeper(SmallHomes(client.api))

        def keep() -> None:
            while not ended.wait(LOOK_S):
                keeper.look(time.monotonic())

        thread = threading.Thread(target=keep, daemon=True)
        thread.start()
        yield keeper
        ended.set()
        thread.join(60)


@pytest.fixture
def neighbour(docker_school: DockerSchool) -> Iterator[Notebook]:
    docker_school.ensure_running(docker_school.anna)
    with open_notebook(docker_school.stack, docker_school.anna, STUDENTS[0]) as notebook:
        yield notebook


@pytest.fixture
def attacker(docker_school: DockerSchool) -> Iterator[Notebook]:
    """The hostile student's notebook; what the attack has written is cleared away at the end."""
    school, name = docker_school, docker_school.boris
    school.ensure_running(name)
    notebook = Notebook.open(school.stack, name, school.stack.sign_in(STUDENTS[1]))
    yield notebook
    wait_until(lambda: school.stack.is_ready(name) or not school.stack.is_running(name), 60, "it hangs")
    school.ensure_running(name)
    school.stack.run_inside(name, "import shutil; shutil.rmtree('many', True)", 300)
    school.stack.run_inside(name, "import pathlib; [p.unlink(True) for p in pathlib.Path().glob('big*')]")
    school.stack.stop_workspace(name)


@pytest.mark.usefixtures("keeper")
def test_who_fills_the_disk_is_refused_and_told_and_can_go_on_after_clearing_up(
    attacker: Notebook, neighbour: Notebook
) -> None:
    usual_s = measure_cells_s(neighbour, SAMPLES)
    cell = write_cell(find_attack("disk", "disk"))
    attacker.run(write_prelude({"disk_mb": DISK_MB}))
    said, meanwhile_s = run_beside(neighbour, attacker, [cell])
    outcome = read_outcome(said)
    assert (outcome["won"], outcome["odd"]) == ({}, {})
    assert outcome["refused"]["bytes"].startswith(("EFBIG", "EDQUOT"))
    check_neighbour(usual_s, meanwhile_s, neighbour)

    grow = "open('/home/work/big2', 'wb').write(bytes(1_000_000))"
    said = wait_until(lambda: s if TOLD in (s := attacker.run(grow)) else None, 30, "nobody said why")
    assert "1_000_000" in said or "File too large" in said
    attacker.run("import os; os.remove('/home/work/big')")
    wait_until(lambda: "Error" not in attacker.run(grow), 60, "the limit was not lifted")


def test_who_makes_files_without_end_is_ended_and_may_clear_up(
    keeper: Keeper, attacker: Notebook, neighbour: Notebook, docker_school: DockerSchool
) -> None:
    stack, name = docker_school.stack, docker_school.boris
    before = stack.find_container(name).id
    usual_s = measure_cells_s(neighbour, SAMPLES)
    attacker.run(write_prelude({"home_files": 100_000}))
    ended = threading.Event()

    def attack() -> None:
        try:
            attacker.run(write_cell(find_attack("disk", "file_numbers")), 120)
        except (KernelGone, OSError, websocket.WebSocketException):
            ended.set()

    thread = threading.Thread(target=attack, daemon=True)
    thread.start()
    meanwhile_s = measure_cells_s(neighbour, SAMPLES)
    check_neighbour(usual_s, meanwhile_s, neighbour)
    wait_until(lambda: not stack.is_running(name), 90, "it goes on making files")
    thread.join(30)
    assert ended.is_set()
    docker_school.ensure_running(name)
    assert stack.find_container(name).id != before
    count = int(stack.run_inside(name, "import os; print(len(os.listdir('many')))"))
    assert FILES < count < 300_000, "what was written stays, and it was bounded"
