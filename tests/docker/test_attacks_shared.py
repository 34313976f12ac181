"""What the kernel, the firewall and the proxy count for all workspaces together: one must not use it up."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hub_config.docker_network import MOST_CONNECTIONS
from tests.docker.neighbour import working_beside
from tests.docker_notebook import Notebook, open_notebook
from tests.docker_school import STUDENTS, DockerSchool
from tests.waiting import wait_until

pytestmark = pytest.mark.docker

# Takes until nothing is left and keeps it: the cell ends, its kernel lives on.
TAKE = """
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
kept, refused = [], None
def take(one, most):
    global refused
    try:
        while len(kept) < most:
            kept.append(one())
    except OSError as error:
        refused = error.errno
    print(len(kept), refused)
def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result
"""
WATCH = "take(lambda: checked(libc.inotify_init1(0)), 3000)"
INPUTS = """
def one():
    context = ctypes.c_ulong(0)
    checked(libc.syscall(206, 8000, ctypes.byref(context)))
    return context
take(one, 30)
"""
SIGNALS = """
import subprocess, sys
code = '''
import ctypes, os, signal, time
libc, count = ctypes.CDLL(None), 0
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
while count < 200_000 and libc.sigqueue(os.getpid(), signal.SIGRTMIN, None) == 0: count += 1
print(count, None, flush=True)
time.sleep(600)
'''
child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
print(child.stdout.readline())
"""
CONNECTIONS = """
def one():
    return socket.create_connection(({gateway!r}, {port}), 2)
take(one, 1500)
"""
CAN_WATCH = "import ctypes; print(ctypes.CDLL(None).inotify_init1(0) >= 0)"
CAN_TIME = """
import ctypes
event = (ctypes.c_int * 16)()
timer = ctypes.c_void_p()
print(ctypes.CDLL(None).timer_create(1, None, ctypes.byref(timer)) == 0)
"""


@pytest.fixture
def attacker(docker_school: DockerSchool) -> Iterator[Notebook]:
    docker_school.ensure_running(docker_school.boris)
    with open_notebook(docker_school.stack, docker_school.boris, STUDENTS[1]) as notebook:
        notebook.run(TAKE)
        yield notebook


def take(attacker: Notebook, code: str) -> tuple[int, str]:
    """Run an attack; return how much it got and the number of the error that stopped it."""
    said = attacker.run(code, 120).split()
    assert len(said) == 2, said
    return int(said[0]), said[1]


def test_watches_of_files_are_not_used_up(
    attacker: Notebook, neighbour: Notebook, docker_school: DockerSchool
) -> None:
    """The kernel counts inotify instances for all containers of the daemon, and for root, together."""
    before = docker_school.stack.run_inside(docker_school.anna, CAN_WATCH)
    with working_beside(neighbour):
        got = take(attacker, WATCH)
        most = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
        assert got[0] < most / 2, got
    assert docker_school.stack.run_inside(docker_school.anna, CAN_WATCH) == before


def test_old_asynchronous_input_is_not_used_up(attacker: Notebook, neighbour: Notebook) -> None:
    with working_beside(neighbour):
        assert take(attacker, INPUTS)[0] == 0


def test_signals_in_wait_are_not_used_up(
    attacker: Notebook, neighbour: Notebook, docker_school: DockerSchool
) -> None:
    with working_beside(neighbour):
        got = take(attacker, SIGNALS)
        assert got[0] <= 1024, got
    assert docker_school.stack.run_inside(docker_school.anna, CAN_TIME).strip() == "True"


@pytest.mark.parametrize("port", ["hub", "web"])
def test_one_workspace_holds_few_connections_to_the_machine(
    attacker: Notebook, neighbour: Notebook, docker_school: DockerSchool, port: str
) -> None:
    stack = docker_school.stack
    number = getattr(stack.house.ports, port)
    with working_beside(neighbour):
        got = take(attacker, CONNECTIONS.format(gateway=stack.town.gateway, port=number))
        assert 0 < got[0] <= MOST_CONNECTIONS, got
    ask = f"import socket; socket.create_connection(({stack.town.gateway!r}, {number}), 5); print('answers')"
    assert stack.run_inside(docker_school.anna, ask).strip() == "answers"
    attacker.run("[one.close() for one in kept]")  # the workspace's own server has none to the hub meanwhile


def list_routes(school: DockerSchool) -> dict[str, str]:
    """The proxy's routes: place → target."""
    house = school.stack.house
    answer = httpx.get(
        f"http://127.0.0.1:{house.ports.proxy_api}/api/routes",
        headers={"Authorization": f"token {house.secrets['proxy_token']}"},
        trust_env=False,
    )
    return {place: route["target"] for place, route in answer.json().items()}


def test_no_old_route_leads_to_who_got_the_address_next(docker_school: DockerSchool) -> None:
    """A workspace that ended by itself is noticed only at the next look; its address is free at once."""
    school, stack = docker_school, docker_school.stack
    for account in (school.boris, school.anna, school.team):
        school.ensure_running(account)
    with open_notebook(stack, school.team, STUDENTS[0]) as neighbour:
        stack.stop_workspace(school.boris)
        wait_until(lambda: not stack.is_ready(school.boris), 60, "did not stop")
        freed = school.find_address(school.anna)
        stack.find_container(school.anna).kill()
        stack.start_workspace(school.boris)
        assert school.find_address(school.boris) == freed, "another address: this shows nothing"
        with working_beside(neighbour) as watch:
            for _ in watch.list_rounds():
                leading = [place for place, target in list_routes(school).items() if f"//{freed}:" in target]
                assert len(leading) == 1, leading
                assert school.boris in leading[0]
    school.ensure_running(school.anna)
