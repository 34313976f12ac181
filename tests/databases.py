"""Databases for the service's tests: each test that takes one runs on SQLite and on PostgreSQL.

A test, or what it stands on, takes `databases` (gone after the test), `shared_databases` (gone after the
module) or `session` (one transaction that is taken back). Each of them repeats the test for both kinds; where
PostgreSQL is missing, its half is skipped by name, and fails where `CI` is set. `databases_by_nature.py`
lists what is not repeated, and why.
"""

import itertools
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import pytest
from atelier.store.database import SessionFactory, make_session_factory, open_database
from atelier.store.migrate import upgrade_database
from sqlalchemy import Engine, make_url, text
from sqlalchemy.orm import Session

from tests.databases_by_nature import ONE_IS_ENOUGH
from tests.postgresql import run_postgresql

KINDS = ("sqlite", "postgresql")


class DatabaseServer(ABC):
    """Where databases of one kind are made; one for the whole test run. Databases are named by their URLs."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    @abstractmethod
    def create(self) -> str:
        """Return a new database without tables."""

    @abstractmethod
    def copy(self, url: str) -> str:
        """Return a new database with everything that is in another, which nobody may have open."""

    @abstractmethod
    def drop(self, url: str) -> None:
        """Remove a database, also when somebody still has it open."""

    @property
    @abstractmethod
    def unreachable(self) -> str:
        """The URL of a database that is not there."""

    @cached_property
    def migrated(self) -> str:
        """A database with all tables and no rows, to be copied only: migrating takes longer than copying."""
        url = self.create()
        engine = open_database(url)
        upgrade_database(engine)
        engine.dispose()
        return url

    @cached_property
    def taken_back(self) -> Engine:
        """An open database in which every test takes back what it wrote."""
        return open_database(self.copy(self.migrated))

    @contextmanager
    def open_session(self) -> Iterator[Session]:
        """Yield a session that never commits, on a database with all tables and no rows."""
        with self.taken_back.execution_options(atelier_write=True).connect() as connection:
            transaction = connection.begin()
            mode = "create_savepoint"  # what a test commits is taken back, too
            with Session(connection, join_transaction_mode=mode, expire_on_commit=False) as session:
                yield session
            transaction.rollback()

    @contextmanager
    def lend(self) -> Iterator["Databases"]:
        """Yield the means to make databases, which are removed at the end."""
        lent = Databases(self)
        try:
            yield lent
        finally:
            lent.close()


class SqliteServer(DatabaseServer):
    """A folder with a file for each database."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def create(self) -> str:
        return f"sqlite:///{self.folder}/{next(self._numbers)}.db"

    def copy(self, url: str) -> str:
        copied = self.create()
        shutil.copyfile(_find_file(url), _find_file(copied))
        return copied

    def drop(self, url: str) -> None:
        for file in self.folder.glob(f"{_find_file(url).name}*"):
            file.unlink()

    @property
    def unreachable(self) -> str:
        return f"sqlite:///{self.folder}/no-such-folder/a.db"


def _find_file(url: str) -> Path:
    return Path(make_url(url).database or "")


class PostgresqlServer(DatabaseServer):
    """A running PostgreSQL; `url` names the database that its superuser starts in."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = make_url(url)
        self._engine = open_database(url).execution_options(isolation_level="AUTOCOMMIT")

    def create(self) -> str:
        return self._create("template1")

    def copy(self, url: str) -> str:
        return self._create(make_url(url).database or "")

    def drop(self, url: str) -> None:
        self._run(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)')

    @property
    def unreachable(self) -> str:
        return self._address("no_such_database")

    def _create(self, template: str) -> str:
        name = f"test_{next(self._numbers)}"
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self._address(name)

    def _address(self, name: str) -> str:
        return self.url.set(database=name).render_as_string(hide_password=False)

    def _run(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.execute(text(statement))


class Databases:
    """Databases of one test or one module."""

    def __init__(self, server: DatabaseServer) -> None:
        self.server = server
        self._urls: list[str] = []
        self._engines: list[Engine] = []

    def create(self) -> str:
        """Return the URL of a database without tables."""
        return self._keep(self.server.create())

    def migrate(self) -> str:
        """Return the URL of a database with all tables and no rows."""
        return self.copy(self.server.migrated)

    def copy(self, url: str) -> str:
        """Return the URL of a copy of a database that nobody has open."""
        return self._keep(self.server.copy(url))

    def open(self, url: str) -> Engine:
        """Return the service's engine for a database; it is closed at the end."""
        engine = open_database(url)
        self._engines.append(engine)
        return engine

    def open_migrated(self) -> SessionFactory:
        """Return sessions of a database with all tables and no rows."""
        return make_session_factory(self.open(self.migrate()))

    def close(self) -> None:
        """Close and remove everything."""
        for engine in self._engines:
            engine.dispose()
        for url in self._urls:
            self.server.drop(url)

    def _keep(self, url: str) -> str:
        self._urls.append(url)
        return url


# ------------------------------------------------ fixtures; conftest.py offers them to all tests
def repeat_on_each_kind(metafunc: pytest.Metafunc) -> None:
    """Repeat a test that takes a database on each kind, unless it is listed with a reason for one."""
    if "database_server" in metafunc.fixturenames:
        file = metafunc.definition.path.relative_to(metafunc.config.rootpath).as_posix()
        once = {file, f"{file}::{metafunc.function.__name__}"} & ONE_IS_ENOUGH.keys()
        kinds = KINDS[:1] if once else KINDS
        metafunc.parametrize("database_server", kinds, indirect=True, scope="module")


@pytest.fixture(scope="session")
def sqlite_server(tmp_path_factory: pytest.TempPathFactory) -> SqliteServer:
    return SqliteServer(tmp_path_factory.mktemp("databases"))


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    with run_postgresql() as url:
        yield PostgresqlServer(url)


@pytest.fixture(scope="module")
def database_server(request: pytest.FixtureRequest) -> DatabaseServer:
    """The server of the kind that `repeat_on_each_kind` asks for."""
    found: DatabaseServer = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture
def databases(database_server: DatabaseServer) -> Iterator[Databases]:
    with database_server.lend() as lent:
        yield lent


@pytest.fixture(scope="module")
def shared_databases(database_server: DatabaseServer) -> Iterator[Databases]:
    with database_server.lend() as lent:
        yield lent


@pytest.fixture
def session(database_server: DatabaseServer) -> Iterator[Session]:
    with database_server.open_session() as session:
        yield session
