"""Who fills disk or memory is refused, told and, if nothing else helps, ended; the neighbour works on."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import websocket

from hub_config.docker_quota import DISK_LABEL, FILES_LABEL, LOOK_S, Keeper
from tests.docker.attack_cells import (
    FOLDER,
    check_refused,
    find_attack,
    read_outcome,
    write_cell,
    write_prelude,
)
from tests.docker.neighbour import ATTACK_WITHIN_S, working_beside
from tests.docker_notebook import KernelGone, Notebook
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
                keeper.try_to_look(time.monotonic())

        thread = threading.Thread(target=keep, daemon=True)
        thread.start()
        yield keeper
        ended.set()
        thread.join(60)


def start_anew(school: DockerSchool, account: str) -> None:
    """Stop a workspace, whatever state it is in, and start it again."""
    if school.stack.is_running(account):
        school.stack.stop_workspace(account)
    wait_until(lambda: not school.stack.is_ready(account), 60, "the hub takes it to run")
    school.stack.start_workspace(account)


def attack_until_the_end(attacker: Notebook, name: str) -> str | None:
    """Run an attack in which the attacker's own workspace may end. Returns what it said, unless that ended.

    An attack that neither ends nor is ended in time fails the test.
    """
    cell = write_cell(find_attack("endings", name))
    with contextlib.suppress(KernelGone, ConnectionError, websocket.WebSocketConnectionClosedException):
        return attacker.run(cell, ATTACK_WITHIN_S)
    return None


def was_ended_for_memory(school: DockerSchool, account: str) -> bool:
    """Tell whether the kernel ended a workspace, or a program of one that goes on, for its memory."""
    container = school.stack.find_container(account)

    def has_ended() -> bool:
        container.reload()
        return not container.attrs["State"]["Running"]

    if not has_ended():
        count = f"{(FOLDER / 'prelude.py').read_text()}\nprint(count_ended())"
        status, said = container.exec_run(["python", "-c", count])
        if status == 0:
            return int(said) > 0
        wait_until(has_ended, 30, "nothing can be run in it, and it goes on")
    return bool(container.attrs["State"]["OOMKilled"])


@pytest.fixture
def attacker(docker_school: DockerSchool) -> Iterator[Notebook]:
    """The hostile student's notebook; what the attack has written is cleared away at the end."""
    school, name = docker_school, docker_school.boris
    school.ensure_running(name)
    notebook = Notebook.open(school.stack, name, school.stack.sign_in(STUDENTS[1]))
    yield notebook
    start_anew(school, name)
    school.stack.run_inside(name, "import shutil; shutil.rmtree('many', True)", 300)
    school.stack.run_inside(name, "import pathlib; [p.unlink(True) for p in pathlib.Path().glob('big*')]")
    school.stack.stop_workspace(name)


@pytest.mark.usefixtures("keeper")
def test_who_fills_the_disk_is_refused_and_told_and_can_go_on_after_clearing_up(
    attacker: Notebook, neighbour: Notebook
) -> None:
    attacker.run(write_prelude({"disk_mb": DISK_MB}))
    with working_beside(neighbour):
        outcome = read_outcome(attacker.run(write_cell(find_attack("disk", "disk")), ATTACK_WITHIN_S))
    assert (outcome["won"], outcome["odd"]) == ({}, {})
    assert outcome["refused"]["bytes"].startswith(("EFBIG", "EDQUOT"))

    grow = "open('/home/work/big2', 'wb').write(bytes(1_000_000))"
    said = wait_until(lambda: s if TOLD in (s := attacker.run(grow)) else None, 30, "nobody said why")
    assert "1_000_000" in said or "File too large" in said
    attacker.run("import os; os.remove('/home/work/big')")
    wait_until(lambda: "Error" not in attacker.run(grow), 60, "the limit was not lifted")


@pytest.mark.usefixtures("keeper")
def test_who_fills_the_disk_with_files_that_have_no_name_is_refused(
    attacker: Notebook, neighbour: Notebook
) -> None:
    attacker.run(write_prelude({"disk_mb": DISK_MB}))
    attack = find_attack("disk", "hidden")
    with working_beside(neighbour):
        check_refused(attack, attacker.run(write_cell(attack), ATTACK_WITHIN_S))


@pytest.mark.usefixtures("keeper")
def test_who_makes_files_without_end_is_ended_and_may_clear_up(
    attacker: Notebook, neighbour: Notebook, docker_school: DockerSchool
) -> None:
    stack, name = docker_school.stack, docker_school.boris
    before = stack.find_container(name).id
    attacker.run(write_prelude({"home_files": 1_000_000}))
    with working_beside(neighbour):
        said = attack_until_the_end(attacker, "file_numbers")
        assert said is None, f"it was not ended: {said[-3000:]}"
    wait_until(lambda: not stack.is_running(name), 90, "it goes on making files")
    docker_school.ensure_running(name)
    assert stack.find_container(name).id != before
    count = int(stack.run_inside(name, "import os; print(len(os.listdir('many')))"))
    assert FILES < count < 500_000, "what was written stays, and it was bounded"


def test_memory_that_belongs_to_no_process_ends_at_most_the_own_workspace(
    attacker: Notebook, neighbour: Notebook, docker_school: DockerSchool
) -> None:
    stack, name = docker_school.stack, docker_school.boris
    before = stack.find_container(docker_school.anna).id
    attacker.run(write_prelude({}))
    with working_beside(neighbour):
        said = attack_until_the_end(attacker, "memory_files")
        for_memory = said is None and was_ended_for_memory(docker_school, name)  # the hub clears away soon
    if said is None:
        assert for_memory
    else:
        check_refused(find_attack("endings", "memory_files"), said)
    assert stack.find_container(docker_school.anna).id == before
    assert stack.is_ready(docker_school.anna)
    start_anew(docker_school, name)
    assert stack.run_inside(name, "print(1)").strip() == "1"
