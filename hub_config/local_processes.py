"""What a local workspace leaves behind: kernels, terminals and whatever was started in them.

A server that is stopped ends its kernels; a server that was killed does not, and a student's program can
outlive both. Every process below a workspace inherits its HOME, which is the folder of exactly one account.
"""

import contextlib
from collections.abc import Iterable
from pathlib import Path

import psutil

STOP_TIMEOUT_S = 5.0


def list_processes_at_home(homes_dir: Path, account: str | None = None) -> list[psutil.Process]:
    """Return the running processes whose HOME is an account's (or that one account's) in `homes_dir`."""
    homes = str(homes_dir.resolve())
    found = []
    for process in psutil.process_iter():
        try:
            home = process.environ().get("HOME", "")
        except (psutil.Error, OSError):
            continue
        if str(Path(home).parent) == homes and (account is None or Path(home).name == account):
            found.append(process)
    return found


def lives_at_home(pid: int, home: Path) -> bool:
    """Tell whether a process runs whose HOME is `home`. A number alone proves nothing.

    After a power cut it may be another program's; of a process that nobody has collected yet it still exists.
    """
    try:
        return Path(psutil.Process(pid).environ().get("HOME", "/")) == home
    except (psutil.Error, OSError):
        return False


def stop_processes(processes: Iterable[psutil.Process], timeout_s: float = STOP_TIMEOUT_S) -> None:
    """End processes: asked first, then forced. psutil compares start times: a reused pid is never hit."""
    waiting = list(processes)
    for process in waiting:
        _signal(process, force=False)
    _, alive = psutil.wait_procs(waiting, timeout=timeout_s)
    for process in alive:
        _signal(process, force=True)
    psutil.wait_procs(alive, timeout=timeout_s)


def stop_workspaces(homes_dir: Path) -> int:
    """End every local workspace with all that runs in it. Returns how many processes there were.

    For whoever stops the whole city (the demo's launcher): the hub itself leaves workspaces running when it
    stops, so that a restart of the hub alone interrupts nobody.
    """
    processes = list_processes_at_home(homes_dir)
    stop_processes(processes)
    return len(processes)


def _signal(process: psutil.Process, *, force: bool) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill() if force else process.terminate()
