"""A workspace's measure holds, and its neighbour does not notice."""

import time

import pytest

from hub_config.city import WorkspaceKind, load_city
from hub_config.docker_engine import TMP_MB
from hub_config.docker_quota import DISK_LABEL, FILES_LABEL
from tests.docker_school import DockerSchool

pytestmark = pytest.mark.docker


@pytest.fixture
def greedy(docker_school: DockerSchool) -> str:
    """The account whose programs take what they can get; its workspace is new for each test."""
    name = docker_school.boris
    if docker_school.stack.is_running(name):
        docker_school.stack.stop_workspace(name)
    docker_school.ensure_running(name)
    docker_school.ensure_running(docker_school.anna)
    return name


def measure_neighbour_s(school: DockerSchool) -> float:
    """Return how long the neighbour's server takes to answer."""
    began = time.monotonic()
    address = school.find_address(school.anna)
    code = f"import urllib.request as u; u.urlopen('http://{address}:8888/user/{school.anna}/api').read()"
    school.stack.run_inside(school.anna, code)
    return time.monotonic() - began


@pytest.mark.parametrize("kind", ["personal", "team", "course"])
def test_limits_are_those_of_the_school_in_the_city_file(
    docker_school: DockerSchool, kind: WorkspaceKind
) -> None:
    name = docker_school.accounts[kind]
    docker_school.ensure_running(name)
    city = load_city(docker_school.stack.house.city_file)
    wanted = {school: city.find_school(school).limits.of(kind) for school in ("primer", "lipa")}
    for part in ("memory_mb", "cpus", "processes", "disk_mb", "files"):
        odd, other = (getattr(wanted[school], part) for school in ("primer", "lipa"))
        assert odd != other, f"{part} would be the same if schools were mixed up"
    container = docker_school.stack.find_container(name).attrs
    host, labels = container["HostConfig"], container["Config"]["Labels"]
    own = wanted["primer"]
    assert host["Memory"] == host["MemorySwap"] == own.memory_mb * 1024 * 1024
    assert host["CpuQuota"] == own.cpus * host["CpuPeriod"]
    assert host["PidsLimit"] == own.processes
    assert labels[DISK_LABEL] == str(own.disk_mb)
    assert labels[FILES_LABEL] == str(own.files)


@pytest.mark.parametrize("kind", ["personal", "team", "course"])
def test_hub_and_database_come_before_workspaces_on_a_busy_machine(
    docker_school: DockerSchool, kind: str
) -> None:
    """The kernel's own measure: cpu.shares (1024 by default) or cpu.weight (100)."""
    name = docker_school.accounts[kind]
    docker_school.ensure_running(name)
    files = {"/sys/fs/cgroup/cpu/cpu.shares": 1024, "/sys/fs/cgroup/cpu.weight": 100}
    read = f"import os; print(*[int(open(f).read()) / n for f, n in {files}.items() if os.path.exists(f)])"
    assert float(docker_school.stack.run_inside(name, read)) <= 1 / 8


def test_memory_ends_the_program_and_not_the_workspace(docker_school: DockerSchool, greedy: str) -> None:
    container = docker_school.stack.find_container(greedy)
    code = "x = []\nwhile True: x.append(bytearray(50_000_000))"
    status, _ = container.exec_run(["python", "-c", code])
    assert status == 137  # killed
    assert docker_school.stack.is_ready(greedy)
    assert measure_neighbour_s(docker_school) < 5


def test_a_fork_bomb_stays_inside(docker_school: DockerSchool, greedy: str) -> None:
    usual_s = measure_neighbour_s(docker_school)
    code = (
        "import os, time\nmade = 0\n"
        "try:\n    while True:\n        if os.fork() == 0:\n            time.sleep(30); os._exit(0)\n"
        "        made += 1\n"
        "except BlockingIOError:\n    print(made)"
    )
    made = int(docker_school.stack.run_inside(greedy, code))
    limit = docker_school.stack.find_container(greedy).attrs["HostConfig"]["PidsLimit"]
    assert made < limit
    assert measure_neighbour_s(docker_school) < 2 * usual_s + 1


def test_files_in_memory_have_a_size_and_a_number(docker_school: DockerSchool, greedy: str) -> None:
    code = (
        "import errno, os\nwritten = 0\n"
        "try:\n    with open('/tmp/big', 'wb', buffering=0) as f:\n"
        "        while True: written += f.write(bytes(1_000_000))\n"
        "except OSError as e: print(written // 1_000_000, errno.errorcode[e.errno])\n"
        "os.remove('/tmp/big'); count = 0\n"
        "try:\n    while True:\n        open(f'/tmp/{count}', 'w').close(); count += 1\n"
        "except OSError as e: print(count, errno.errorcode[e.errno])"
    )
    (size_mb, why), (count, why_count) = (
        line.split() for line in docker_school.stack.run_inside(greedy, code).splitlines()
    )
    assert int(size_mb) <= TMP_MB * 1.05
    assert int(count) <= 20_000
    assert (why, why_count) == ("ENOSPC", "ENOSPC")


def test_processor_time_is_shared_out(docker_school: DockerSchool, greedy: str) -> None:
    """Four busy programs get what one core gives, and the library's threads count the same."""
    code = (
        "import multiprocessing as m, os, time\n"
        "def work(end):\n    while time.time() < end: pass\n"
        "end = time.time() + 3\n"
        "p = [m.get_context('fork').Process(target=work, args=(end,)) for _ in range(4)]\n"
        "[x.start() for x in p]; [x.join() for x in p]\n"
        "t = os.times(); print((t.children_user + t.children_system) / 3, os.environ['OMP_NUM_THREADS'])"
    )
    cores, threads = docker_school.stack.run_inside(greedy, code).split()
    assert float(cores) < 1.25
    assert threads == "1"
