"""A real PostgreSQL in a folder of the test's own, reached through a socket in that folder only."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

OPTIONS = "-c listen_addresses= -c fsync=off -c unix_socket_directories={folder}"


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
def run_postgresql(folder: Path) -> Iterator[str]:
    """Run a server in `folder`, an empty directory; yield the database's URL. Skips when there is none."""
    programs = require_postgresql()
    user = _ordinary_user()
    if user is not None:  # PostgreSQL refuses to run as root
        shutil.chown(folder, user)
    run = _Runner(programs, folder, user)
    run("initdb", "--pgdata", "data", "--username", "atelier", "--auth", "trust", "--encoding", "UTF8")
    run("pg_ctl", "-D", "data", "-w", "-o", OPTIONS.format(folder=folder), "-l", "server.log", "start")
    try:
        yield f"postgresql+psycopg://atelier@/postgres?host={folder}"
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
