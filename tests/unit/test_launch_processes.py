"""The demo's processes: one that ends by itself is named with its last lines; none is left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from demo.ports import list_free_ports
from demo.problem import DemoProblem
from demo.processes import Process, Recipe, list_last_lines, wait_until_healthy
from tests.waiting import wait_until

WITH_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""


def has_ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start a Python program as a process of the demo; whatever is left is killed at the end."""
    started: list[Process] = []

    def start_program(program: str, health_url: str | None = None) -> Process:
        recipe = Recipe("sample", [sys.executable, "-c", program], dict(os.environ), tmp_path, health_url)
        started.append(Process(recipe, tmp_path / "sample.log"))
        return started[-1]

    yield start_program
    for process in started:
        process.end(1)


def test_a_process_that_ends_is_named_with_its_last_lines(start: Callable[..., Process]) -> None:
    process = start("print('no city in sight'); raise SystemExit(3)")
    wait_until(lambda: process.exit_code is not None, 20, "the process did not end")
    with pytest.raises(DemoProblem) as caught:
        process.check_alive()
    assert "sample stopped by itself (exit code 3)" in caught.value.fact
    assert "no city in sight" in caught.value.fact
    assert "sample.log" in caught.value.repair


def test_a_process_that_is_silent_is_named(start: Callable[..., Process]) -> None:
    process = start("import time; time.sleep(600)", f"http://127.0.0.1:{list_free_ports(1)[0]}/")
    with pytest.raises(DemoProblem, match="sample does not answer"):
        wait_until_healthy([process], within_s=0.3)


def test_ending_a_process_ends_what_it_started_even_in_another_session(start: Callable[..., Process]) -> None:
    process = start(WITH_CHILD)
    wait_until(lambda: list_last_lines(process.log), 20, "the process said nothing")
    child = psutil.Process(int(list_last_lines(process.log)[0]))
    process.end(5)
    wait_until(lambda: has_ended(child), 20, "the child still runs")


def test_a_restart_leaves_what_the_process_started(start: Callable[..., Process]) -> None:
    process = start(WITH_CHILD)
    wait_until(lambda: list_last_lines(process.log), 20, "the process said nothing")
    child = psutil.Process(int(list_last_lines(process.log)[0]))
    process.end(5, with_family=False)
    assert child.is_running()
    child.kill()


def test_a_process_that_ignores_the_request_is_killed(start: Callable[..., Process]) -> None:
    process = start(DEAF)
    wait_until(lambda: list_last_lines(process.log), 20, "the process said nothing")
    process.end(0.2)
    assert process.exit_code == -signal.SIGKILL


def test_no_process_outlives_a_launcher_that_was_killed(tmp_path: Path) -> None:
    launcher = f"""
import os, sys, time
from pathlib import Path
from demo.processes import Process, Recipe
folder = Path({str(tmp_path)!r})
recipe = Recipe("sample", [sys.executable, "-c", "import time; time.sleep(600)"], dict(os.environ), folder)
print(Process(recipe, folder / "sample.log").pid, flush=True)
time.sleep(600)
"""
    popen = subprocess.Popen([sys.executable, "-c", launcher], stdout=subprocess.PIPE, text=True)
    assert popen.stdout
    child = psutil.Process(int(popen.stdout.readline()))
    popen.kill()
    popen.wait()
    popen.stdout.close()
    wait_until(lambda: has_ended(child), 20, "the child still runs")


def test_last_lines_of_a_log_that_is_no_text(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\xff\xfe\n" + "край\n".encode() * 40)
    assert list_last_lines(log, 2) == ["край", "край"]
    assert list_last_lines(tmp_path / "absent") == []
