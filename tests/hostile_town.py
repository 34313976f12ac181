"""A town of two homes, of which the hostile one comes first, and what a student's program does to files."""

import contextlib
import ctypes
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from atelier.store import open_database, upgrade_database

from deploy.town import Town, find_demo

EVIL, GOOD = "aaaaaaaaaaa1", "zzzzzzzzzzz9"
AT_FDCWD, RENAME_EXCHANGE = -100, 2

_HOLD_LEASE = """
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
held = [os.open(path, os.O_RDWR) for path in sys.argv[1:]]
for descriptor in held:
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
sys.stdin.read()
"""
_SWAP = """
import sys
from tests.hostile_town import exchange
print("swapping", flush=True)
while True:
    exchange(sys.argv[1], sys.argv[2])
"""


def make_hostile_town(folder: Path) -> Town:
    """Make the town with its databases. Each home has a `work.ipynb` that says whose it is."""
    for account in (EVIL, GOOD):
        (folder / "hub" / "homes" / account).mkdir(parents=True)
        (folder / "hub" / "homes" / account / "work.ipynb").write_text(account)
    (folder / "service").mkdir()
    made = find_demo(folder)
    engine = open_database(made.database_url)
    upgrade_database(engine)
    engine.dispose()
    with contextlib.closing(sqlite3.connect(folder / "hub" / "jupyterhub.sqlite")) as hub, hub:
        hub.execute("CREATE TABLE spawners (id INTEGER, server_id INTEGER, state TEXT)")
    return made


def home_of(town: Town, account: str) -> Path:
    return town.folder / "hub" / "homes" / account


def exchange(one: str | Path, other: str | Path) -> None:
    """Swap two names in one step."""
    library = ctypes.CDLL(None, use_errno=True)
    names = (os.fsencode(one), AT_FDCWD, os.fsencode(other))
    if library.renameat2(AT_FDCWD, *names, RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), "renameat2")


@contextmanager
def _run(program: str, *arguments: Path) -> Iterator[None]:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def hold_leases(*files: Path) -> contextlib.AbstractContextManager[None]:
    """Hold a write lease on each file: whoever opens it has to wait for the holder."""
    return _run(_HOLD_LEASE, *files)


def keep_swapping(one: Path, other: Path) -> contextlib.AbstractContextManager[None]:
    """Swap two names as fast as a program can."""
    return _run(_SWAP, one, other)
