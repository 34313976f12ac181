"""`make run` itself: a real demo city is started, used, interrupted and killed, and nothing is left of it."""

import contextlib
import os
import re
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from demo.house import DEFAULT_CITY, REPOSITORY, House, Ports
from demo.tour.people import Person
from demo.tour.workspace import Workspace
from tests.waiting import wait_until

pytestmark = pytest.mark.hub
STUDENT = "aleksandra.angelova@students.school-a.example"
START_WITHIN_S = 120
MOST_IMPORTS = 10  # what a start may cost, in imports of JupyterHub; four Python processes import their own


class Launcher:
    """`python -m demo.launch` in a process of its own, as a terminal starts it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        nowhere = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "demo.launch", "--data", str(data_dir), "--port", "0"],
            cwd=REPOSITORY,
            env={**os.environ, **nowhere},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said = ""
        port = int(self.read_until(r"http://atelier\.localhost:(\d+)"))
        self.house = House(data_dir, Ports(port, 0, 0, 0, 0), DEFAULT_CITY)
        self.read_until("(not for a class)")

    def read_until(self, pattern: str) -> str:
        """Read the launcher's lines until one matches; returns the first group."""
        assert self.popen.stdout
        while not (found := re.search(pattern, self.said)):
            line = self.popen.stdout.readline()
            assert line, f"the launcher ended: {self.said}"
            self.said += line
        return found[1]

    def end(self, number: int) -> int:
        """Send a signal, read to the end and return the exit code."""
        assert self.popen.stdout
        self.popen.send_signal(number)
        self.said += self.popen.stdout.read()
        self.popen.stdout.close()
        return self.popen.wait(START_WITHIN_S)

    def list_processes(self) -> list[psutil.Process]:
        """Return whatever runs of this demo: its working folder or its home lies below the data folder."""
        return [process for process in psutil.process_iter() if is_of(process, self.data_dir)]

    def read_cpu_s(self) -> float:
        """Return the processor time of the launcher and all that it started: no other work of the machine."""
        spent_s = 0.0
        for process in (psutil.Process(self.popen.pid), *self.list_processes()):
            with contextlib.suppress(psutil.NoSuchProcess):  # its maker counts what has ended
                times = process.cpu_times()
                spent_s += times.user + times.system + times.children_user + times.children_system
        return spent_s

    def find(self, name: str) -> psutil.Process:
        """Return one of the demo's processes by a word of its command line."""
        return next(p for p in self.list_processes() if name in " ".join(read_command(p)))


def read_command(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


def measure_import_s() -> float:
    """Return the processor time of importing JupyterHub now: a crowded machine makes that dearer, too."""
    code = "import time, jupyterhub.app; print(time.process_time())"
    command = [sys.executable, "-c", code]
    return statistics.median(float(subprocess.check_output(command, timeout=60)) for _ in range(3))


def is_of(process: psutil.Process, data_dir: Path) -> bool:
    try:
        places = (process.cwd(), process.environ().get("HOME", ""))
        return process.status() != psutil.STATUS_ZOMBIE and any(p.startswith(str(data_dir)) for p in places)
    except (psutil.Error, OSError):
        return False  # has ended meanwhile


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[[], Launcher]]:
    """Start launchers on one data folder, whose name has spaces; end what a failed test leaves."""
    started: list[Launcher] = []

    def start() -> Launcher:
        started.append(Launcher(tmp_path / "моите данни"))
        return started[-1]

    yield start
    for launcher in started:
        if launcher.popen.poll() is None:
            launcher.end(signal.SIGTERM)


def test_an_interrupt_leaves_no_process_and_the_second_start_finds_everybody(
    launch: Callable[[], Launcher],
) -> None:
    first = launch()
    assert STUDENT.partition("@")[0] in first.said
    with Person(first.house, STUDENT) as person:
        person.sign_in()
        account = person.find_account()
        workspace = Workspace(person, account)
        workspace.start()
        workspace.write_text("бележка.txt", "вторник")
        workspace.call("POST", "api/terminals")
    assert first.end(signal.SIGINT) == 0
    assert "Everything has stopped." in first.said
    assert first.list_processes() == []

    # A processor that is shared with other machines is fast for some seconds, and then not.
    import_s = [measure_import_s()]
    second = launch()
    spent_s = second.read_cpu_s()
    import_s.append(measure_import_s())
    assert spent_s < MOST_IMPORTS * max(import_s)
    with Person(second.house, STUDENT) as person:
        person.sign_in()
        assert person.find_account() == account
        with Workspace(person, account) as workspace:
            assert "бележка.txt" in workspace.list_files("")
    assert second.end(signal.SIGTERM) == 0
    assert second.list_processes() == []


def test_a_second_launcher_on_the_same_data_says_where_the_first_is(launch: Callable[[], Launcher]) -> None:
    first = launch()
    command = [sys.executable, "-m", "demo.launch", "--data", str(first.data_dir), "--port", "0"]
    second = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert first.house.public_url in second.stderr
    assert first.popen.poll() is None


def test_a_process_that_dies_is_named_and_the_others_end(launch: Callable[[], Launcher]) -> None:
    launcher = launch()
    launcher.find("atelier web").kill()
    assert launcher.popen.stdout
    launcher.said += launcher.popen.stdout.read()
    assert launcher.popen.wait(START_WITHIN_S) == 1
    assert "web stopped by itself" in launcher.said
    assert "Repair:" in launcher.said
    assert launcher.list_processes() == []


def test_a_launcher_that_was_killed_leaves_no_city_behind(launch: Callable[[], Launcher]) -> None:
    launcher = launch()
    launcher.end(signal.SIGKILL)
    wait_until(lambda: not launcher.list_processes(), 60, "processes of the demo are left")
