"""A real PostgreSQL in a folder of the test's own, reached through a socket in that folder only.

One test wants a careless one, which listens on the network as well.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.ports import list_free_ports

QUIET = "-c listen_addresses="
OPTIONS = "-c fsync=off -c unix_socket_directories={folder}"
EVERYBODY = "host all all all trust\n"


def find_postgresql() -> Path | None:
    """Return the folder of PostgreSQL's programs, or None when it is not installed."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((place for place in reversed(places) if (place / "initdb").exists()), None)


def require_postgresql() -> Path:
    """Return the folder of PostgreSQL's programs; skips where there is none, fails in CI."""
    programs = find_postgresql()
    if programs is None and os.environ.get("CI") == "true":
        pytest.fail("PostgreSQL is missing; install Debian's package postgresql")
    if programs is None:
        pytest.skip("PostgreSQL is not installed; these tests ran on SQLite only")
    return programs


@contextmanager
def run_postgresql() -> Iterator[str]:
    """Run a server in a folder of its own; yield the database's URL. Skips when there is none."""
    with _make_folder() as folder, _run_in(folder, QUIET):
        yield f"postgresql+psycopg://atelier@/postgres?host={folder}"


@contextmanager
def run_careless_postgresql(address: str) -> Iterator[tuple[int, Path]]:
    """Run a server that listens on an address of this machine and lets everybody in.

    Yields its port, and the folder in which its socket is. Skips when there is none.
    """
    port = list_free_ports(1)[0]
    listening = f"-c listen_addresses={address} -c port={port}"
    with _make_folder() as folder, _run_in(folder, listening, EVERYBODY):
        yield port, folder


@contextmanager
def _make_folder() -> Iterator[Path]:
    # Not pytest's folder: the server's user may not enter it, and a socket's path is at most 107 bytes long.
    with tempfile.TemporaryDirectory(prefix="atelier-pg-") as outer:
        Path(outer).chmod(0o755)
        folder = Path(outer) / "pg"
        folder.mkdir()
        yield folder


@contextmanager
def _run_in(folder: Path, listening: str, admitted: str = "") -> Iterator[None]:
    programs, user = require_postgresql(), _ordinary_user()
    if user is not None:  # PostgreSQL refuses to run as root
        shutil.chown(folder, user)
    run = _Runner(programs, folder, user)
    run("initdb", "--pgdata", "data", "--username", "atelier", "--auth", "trust", "--encoding", "UTF8")
    with (folder / "data" / "pg_hba.conf").open("a") as rules:
        rules.write(admitted)
    options = f"{listening} {OPTIONS.format(folder=folder)}"
    run("pg_ctl", "-D", "data", "-w", "-o", options, "-l", "server.log", "start")
    try:
        yield
    finally:
        run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")


class _Runner:
    def __init__(self, programs: Path, folder: Path, user: str | None) -> None:
        self.programs, self.folder, self.user = programs, folder, user

    def __call__(self, program: str, *arguments: str) -> None:
        # Output goes to a file: a server that inherits a pipe keeps the caller waiting for its end.
        with (self.folder.parent / f"{self.folder.name}-{program}.log").open("ab") as log:
            subprocess.run(
                [str(self.programs / program), *arguments],
                cwd=self.folder,
                user=self.user,
                group=pwd.getpwnam(self.user).pw_gid if self.user else None,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
                check=True,
            )


def _ordinary_user() -> str | None:
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
