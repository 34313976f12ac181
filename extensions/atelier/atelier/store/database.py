"""Opening the database: SQLite in WAL mode for the embedded default, PostgreSQL in production.

Two ways to a session, because SQLite has one writer at a time:

* ``with sessions.begin() as session:`` writes. On SQLite it takes the write lock at once (BEGIN IMMEDIATE),
  so what it read cannot change before it writes, and two processes wait for each other (up to 15 s) instead
  of meeting "database is locked" half-way. Keep it short; never await, stream or open another one inside.
* ``with sessions() as session:`` reads. It never waits for a writer and never makes one wait.
"""

import datetime as dt
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.orm import Session, sessionmaker

BUSY = 15.0  # seconds that a process waits for another one's write


class SessionFactory(sessionmaker[Session]):
    """Makes sessions; see the module's text for the two ways."""

    def begin(self) -> AbstractContextManager[Session]:
        """Open a session for writing; commits at the end of the block, rolls back when it raises."""
        return self._begin_writing()

    @contextmanager
    def _begin_writing(self) -> Iterator[Session]:
        engine: Engine = self.kw["bind"]
        with self(bind=engine.execution_options(atelier_write=True)) as session, session.begin():
            yield session


def utc_now() -> dt.datetime:
    """Return the present instant. The one clock of the service; tests pass another callable instead."""
    return dt.datetime.now(dt.UTC)


def open_database(url: str) -> Engine:
    """Return an engine for `url` (``sqlite:///path`` or ``postgresql+psycopg://…``). Creates no tables."""
    # hide_parameters: an error's text goes to people and logs, and parameters are names and addresses.
    engine = create_engine(url, pool_pre_ping=True, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_sqlite_pragmas)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def make_session_factory(engine: Engine) -> SessionFactory:
    """Return the factory that every room takes its sessions from."""
    return SessionFactory(engine, expire_on_commit=False)


def _set_sqlite_pragmas(connection: Any, _record: Any) -> None:
    # synchronous=FULL: a receipt is a promise, also when the power goes (WAL's NORMAL may lose a commit).
    # busy_timeout: web and steward write from two processes.
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY * 1000:.0f}")
    _set_write_ahead_log(cursor)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _set_write_ahead_log(cursor: Any) -> None:
    # A new file's change to WAL is the one lock that SQLite does not wait for, whatever busy_timeout says:
    # web and steward that open it at the same moment would meet "database is locked".
    end = time.monotonic() + BUSY
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    # Python's sqlite3 begins by itself before the first INSERT or UPDATE, but not before a SELECT: a check
    # that is followed by a write would not be one transaction. A begun transaction stays as it is.
    if connection.get_execution_options().get("atelier_write"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
