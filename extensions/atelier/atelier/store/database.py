"""Opening the database: SQLite in WAL mode for the embedded default, PostgreSQL in production."""

import datetime as dt
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session, sessionmaker

SessionFactory = sessionmaker[Session]


def utc_now() -> dt.datetime:
    """Return the present instant. The one clock of the service; tests pass another callable instead."""
    return dt.datetime.now(dt.UTC)


def open_database(url: str) -> Engine:
    """Return an engine for `url` (``sqlite:///path`` or ``postgresql+psycopg://…``). Creates no tables."""
    engine = create_engine(url, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_sqlite_pragmas)
    return engine


def make_session_factory(engine: Engine) -> SessionFactory:
    """Return the factory that every room takes its sessions from: ``with sessions.begin() as session:``."""
    return sessionmaker(engine, expire_on_commit=False)


def _set_sqlite_pragmas(connection: Any, _record: Any) -> None:
    # synchronous=FULL: a receipt is a promise, also when the power goes (WAL's NORMAL may lose the last commit).
    # busy_timeout: web and steward write from two processes.
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=15000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
