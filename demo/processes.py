"""Starting, watching and ending the demo's processes, so that none is left behind.

Each process is the leader of a session of its own: Ctrl+C at the terminal reaches only the launcher,
which ends the processes in the right order. Should the launcher itself be killed, the kernel sends
each of them SIGTERM (`PR_SET_PDEATHSIG`). See docs/decisions/own-launcher.md.
"""

import contextlib
import ctypes
import functools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from demo.problem import DemoProblem

POLL_S = 0.05
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Recipe:
    """How one process is started, and where it says that it is ready (None: it listens on nothing)."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    folder: Path
    health_url: str | None = None
    health_headers: dict[str, str] | None = None


class Process:
    """A running process of the demo, with its log."""

    def __init__(self, recipe: Recipe, log: Path) -> None:
        self.recipe = recipe
        self.name = recipe.name
        self.log = log
        with log.open("ab") as out:
            self._popen = subprocess.Popen(
                recipe.command,
                env=recipe.environment,
                cwd=recipe.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=functools.partial(_die_with, os.getpid()),
            )
        self.pid = self._popen.pid

    @property
    def exit_code(self) -> int | None:
        return self._popen.poll()

    def check_alive(self) -> None:
        """Raise DemoProblem with the last lines of the log when the process has ended."""
        if self.exit_code is not None:
            raise self.describe_problem(f"stopped by itself (exit code {self.exit_code})")

    def describe_problem(self, fact: str) -> DemoProblem:
        """Return the problem of this process with the last lines of its log."""
        lines = "\n".join(f"    {line}" for line in list_last_lines(self.log))
        return DemoProblem(
            f"{self.name} {fact}. Its last lines:\n{lines}", f"read the whole log in {self.log}"
        )

    def is_healthy(self) -> bool:
        """Tell whether the health address answers 2xx now. Without one, to live is to be healthy."""
        if self.recipe.health_url is None:
            return True
        try:
            answer = httpx.get(
                self.recipe.health_url, headers=self.recipe.health_headers, timeout=5, trust_env=False
            )
        except httpx.HTTPError:
            return False
        return answer.is_success

    def end(self, within_s: float, *, with_family: bool = True) -> None:
        """Ask the process to end, after `within_s` seconds kill it; then end its descendants.

        `with_family` False leaves the descendants running, as when a hub restarts below its workspaces.
        """
        family = _list_family(self.pid) if with_family else []
        with contextlib.suppress(ProcessLookupError):
            self._popen.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(within_s)
        if self.exit_code is None:
            self._popen.kill()
        self._popen.wait()
        end_all(family)


def wait_until_healthy(processes: Sequence[Process], within_s: float) -> None:
    """Return when all answer. Raises DemoProblem when one ends or is silent for `within_s` seconds."""
    deadline = time.monotonic() + within_s
    waiting = list(processes)
    while waiting:
        for process in processes:
            process.check_alive()
        waiting = [process for process in waiting if not process.is_healthy()]
        if waiting and time.monotonic() > deadline:
            raise waiting[0].describe_problem(f"does not answer after {within_s:.0f} s")
        if waiting:
            time.sleep(POLL_S)


def list_last_lines(log: Path, count: int = 15) -> list[str]:
    """Return the last `count` lines of a log, decoded as well as it goes."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 64_000))
        return file.read().decode("utf-8", "replace").splitlines()[-count:]


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that `end_orphans` can find it."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_orphans() -> None:
    """End whatever still descends from this process. Only for a process that started nothing else."""
    end_all(psutil.Process().children(recursive=True))


def end_all(processes: Sequence[psutil.Process], within_s: float = 3) -> None:
    """Ask all to end, kill after `within_s` seconds what did not, and collect what can be collected."""
    alive = [process for process in processes if process.is_running()]
    for send in (psutil.Process.terminate, psutil.Process.kill):
        _send(alive, send)
        _, alive = psutil.wait_procs(alive, timeout=within_s)


def _send(processes: Sequence[psutil.Process], send: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            send(process)


def _list_family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _die_with(parent: int) -> None:
    """Runs in the child between fork and exec: one call into libc, nothing that could meet another thread."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # the launcher ended between fork and prctl
        os._exit(1)
