"""The database image's start script with a real PostgreSQL: roles, passwords, a killed server, its log."""

import contextlib
import datetime as dt
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from deploy.databases import copy_database, move_aside, restore_database
from deploy.problem import DeployProblem
from tests.postgresql import require_postgresql
from tests.waiting import wait_until

SCRIPT = Path(__file__).parents[2] / "images" / "database" / "start-database"


@dataclass
class Container:
    """The script, run as the image's user would run it."""

    folder: Path
    programs: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        user = _ordinary_user() if os.getuid() == 0 else None
        with (self.folder.parent / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["sh", str(self.folder / "start-database")],
                env={
                    "PATH": f"{self.programs}:/usr/bin:/bin",
                    "ATELIER_DATABASE_DIR": str(self.folder / "data"),
                    "ATELIER_SOCKET_DIR": str(self.folder),
                    "ATELIER_SECRETS_DIR": str(self.folder / "secrets"),
                },
                cwd=self.folder,
                user=user,
                group=pwd.getpwnam(user).pw_gid if user else None,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(lambda: self.ask("atelier", "atelier", "a1") == 1, 60, self.read_log)

    def read_log(self) -> str:
        return "the database did not start: " + (self.folder.parent / "log").read_text()

    def url(self, role: str, database: str, password: str) -> str:
        return f"postgresql+psycopg://{role}:{password}@/{database}?host={self.folder}"

    def kill(self) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def ask(self, role: str, database: str, password: str, question: str = "SELECT 1") -> object:
        """Return the answer, or the reason why there is none."""
        engine = create_engine(self.url(role, database, password))
        try:
            with engine.begin() as connection:
                done = connection.execute(text(question))
                return done.scalar() if done.returns_rows else None
        except OperationalError as error:
            return str(error.orig)
        finally:
            engine.dispose()


def _ordinary_user() -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    return "nobody"


@pytest.fixture
def container() -> Iterator[Container]:
    programs = require_postgresql()
    with tempfile.TemporaryDirectory(prefix="atelier-pg-") as outer:
        Path(outer).chmod(0o755)
        folder = Path(outer) / "pg"
        for part in (folder, folder / "data", folder / "secrets"):
            part.mkdir(mode=0o700)
        shutil.copy(SCRIPT, folder)
        (folder / "secrets" / "atelier_password").write_text("a1\n")
        (folder / "secrets" / "hub_password").write_text("b2\n")
        if os.getuid() == 0:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, _ordinary_user())
        container = Container(folder, programs)
        try:
            container.start()
            yield container
        finally:
            container.kill()


def test_each_role_opens_its_own_database_with_its_password_only(container: Container):
    assert container.ask("hub", "hub", "b2") == 1
    assert "password authentication failed" in str(container.ask("hub", "hub", "a1"))
    assert "permission denied" in str(container.ask("hub", "atelier", "b2"))
    assert "permission denied" in str(container.ask("atelier", "hub", "a1"))
    assert "rejects" in str(container.ask("postgres", "atelier", "a1"))


def test_the_hubs_commits_alone_wait_for_no_disk(container: Container):
    ask = "SELECT current_setting('{}')"
    assert container.ask("hub", "hub", "b2", ask.format("synchronous_commit")) == "off"
    assert container.ask("hub", "hub", "b2", ask.format("wal_writer_delay")) == "10ms"
    assert container.ask("atelier", "atelier", "a1", ask.format("synchronous_commit")) == "on"


def test_data_outlive_a_killed_server_and_a_new_password_counts(container: Container):
    container.ask("atelier", "atelier", "a1", "CREATE TABLE kept (id integer)")
    container.kill()
    (container.folder / "secrets" / "hub_password").write_text("c3\n")
    container.start()
    assert container.ask("atelier", "atelier", "a1", "SELECT count(*) FROM kept") == 0
    assert container.ask("hub", "hub", "c3") == 1
    assert "password" in str(container.ask("hub", "hub", "b2"))


def test_a_second_server_on_the_same_data_is_refused(container: Container):
    second = subprocess.run(
        ["sh", str(container.folder / "start-database")],
        env={
            "PATH": f"{container.programs}:/usr/bin:/bin",
            "ATELIER_DATABASE_DIR": str(container.folder / "data"),
            "ATELIER_SOCKET_DIR": str(container.folder),
            "ATELIER_SECRETS_DIR": str(container.folder / "secrets"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert second.returncode == 1
    assert "another server runs" in second.stderr
    assert container.ask("atelier", "atelier", "a1") == 1


def test_dump_and_restore_sign_in_with_the_password(container: Container, tmp_path: Path):
    container.ask("atelier", "atelier", "a1", "CREATE TABLE kept AS SELECT 7 AS id")
    dump = tmp_path / "service.pgdump"
    assert copy_database(container.url("atelier", "atelier", "a1"), dump) == {"kept": 1}
    restore_database(container.url("hub", "hub", "b2"), dump)
    assert container.ask("hub", "hub", "b2", "SELECT id FROM kept") == 7
    with pytest.raises(DeployProblem, match="not empty"):
        restore_database(container.url("hub", "hub", "b2"), dump)


def test_a_rollback_puts_the_newer_database_aside(container: Container):
    container.ask("atelier", "atelier", "a1", "CREATE TABLE kept AS SELECT 7 AS id")
    aside = move_aside(container.url("atelier", "atelier", "a1"), dt.datetime(2026, 11, 21, tzinfo=dt.UTC))
    assert (
        container.ask("atelier", "atelier", "a1", "SELECT count(*) FROM pg_class WHERE relname = 'kept'") == 0
    )
    assert container.ask("atelier", aside, "a1", "SELECT id FROM kept") == 7


def test_the_log_holds_no_name(container: Container):
    container.ask("atelier", "atelier", "a1", "CREATE TABLE person (name text UNIQUE)")
    for _ in range(2):
        with contextlib.suppress(Exception):
            container.ask("atelier", "atelier", "a1", "INSERT INTO person VALUES ('Мария canary4711')")
    log = (container.folder.parent / "log").read_text()
    assert "duplicate key" in log
    assert "canary4711" not in log
