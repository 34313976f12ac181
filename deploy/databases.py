"""Consistent copies of databases that are in use, and putting them back into empty ones.

SQLite through its online backup interface, PostgreSQL through pg_dump and pg_restore: no copy of files that
are being written.
"""

import datetime as dt
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError

from deploy.problem import DeployProblem

ALEMBIC_TABLE = "alembic_version"


def name_copy(url: str) -> str:
    """Return the file name's ending by which a restore knows what it is."""
    return "pgdump" if _is_postgresql(url) else "sqlite"


def copy_database(url: str, target: Path) -> dict[str, int]:
    """Write a consistent copy of a database to `target`; return its rows by table, of the same instant."""
    if _is_postgresql(url):
        return _dump_postgresql(url, target)
    copy_sqlite(_sqlite_path(url), target)
    return count_rows(f"sqlite:///{target}")


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a SQLite database while others write it."""
    if not source.is_file():
        raise DeployProblem(f"there is no database at {source}", "is this the right folder?")
    with closing(sqlite3.connect(source)) as origin, closing(sqlite3.connect(target)) as copy:
        origin.backup(copy)
    target.chmod(0o600)


def _dump_postgresql(url: str, target: Path) -> dict[str, int]:
    """Dump and count in one snapshot: what is written meanwhile is in neither."""
    engine = create_engine(url)
    try:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
            options = [
                "--format=custom",
                f"--snapshot={snapshot}",
                f"--file={target}",
                "--no-owner",
                "--no-acl",
            ]
            _run_postgresql("pg_dump", url, *options)
            return _count(connection)
    finally:
        engine.dispose()


def restore_database(url: str, copy: Path) -> None:
    """Put a copy into an empty database. Raises DeployProblem; a failed restore leaves PostgreSQL empty."""
    if copy.suffix != f".{name_copy(url)}":
        raise DeployProblem(
            f"the backup holds a {copy.suffix[1:]} copy and the database here is {make_url(url).drivername}",
            "restore into the same kind of database",
        )
    check_empty(url)
    if _is_postgresql(url):
        options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-acl"]
        _run_postgresql("pg_restore", url, *options, str(copy))
        return
    target = _sqlite_path(url)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(copy, target)
    target.chmod(0o600)


def move_aside(url: str, now: dt.datetime) -> str:
    """Give a database another name, so that its own name is free and empty. Returns the new name.

    Nobody may use it meanwhile. On PostgreSQL the user must be allowed to make databases.
    """
    ending = f"before_{now:%Y%m%dT%H%M%SZ}".lower()
    if not _is_postgresql(url):
        path = _sqlite_path(url)
        for part in ("", "-wal", "-shm"):
            if (file := path.with_name(f"{path.name}{part}")).exists():
                file.rename(path.with_name(f"{path.name}.{ending}{part}"))
        return f"{path.name}.{ending}"
    name = make_url(url).database or ""
    engine = create_engine(make_url(url).set(database="postgres"), isolation_level="AUTOCOMMIT")
    quote = engine.dialect.identifier_preparer.quote
    try:
        with engine.connect() as connection:
            there = text("SELECT count(*) FROM pg_database WHERE datname = :name")
            if connection.scalar(there, {"name": name}):  # cut off in the middle, it was renamed before
                connection.execute(
                    text(f"ALTER DATABASE {quote(name)} RENAME TO {quote(f'{name}_{ending}')}")
                )
            connection.execute(text(f"CREATE DATABASE {quote(name)}"))
    except OperationalError as error:
        raise DeployProblem(
            f"the database {name} cannot be put aside: {error.orig}",
            "end the program that has it open, then repeat",
        ) from error
    finally:
        engine.dispose()
    return f"{name}_{ending}"


def check_empty(url: str) -> None:
    """Raise DeployProblem when the database holds a table."""
    if not _is_postgresql(url) and not _sqlite_path(url).exists():
        return
    engine = create_engine(url)
    try:
        tables = inspect(engine).get_table_names()
    finally:
        engine.dispose()
    if tables:
        raise DeployProblem(
            f"the database {make_url(url).render_as_string()} is not empty ({len(tables)} tables)",
            "restore only into an empty stack; move what is there away first",
        )


def count_rows(url: str) -> dict[str, int]:
    """Return rows by table."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return _count(connection)
    finally:
        engine.dispose()


def find_schema(url: str) -> str | None:
    """Return the Alembic revision of a database, or None when it has none."""
    engine = create_engine(url)
    try:
        if ALEMBIC_TABLE not in inspect(engine).get_table_names():
            return None
        with engine.connect() as connection:
            found = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return str(found) if found else None
    finally:
        engine.dispose()


def forget_running_servers(hub_url: str) -> None:
    """Tell a restored hub that no workspace runs. Its process ids and containers were the other machine's."""
    engine = create_engine(hub_url)
    try:
        with engine.begin() as connection:
            connection.execute(text("UPDATE spawners SET server_id = NULL, state = NULL"))
    finally:
        engine.dispose()


def _count(connection: Connection) -> dict[str, int]:
    quote = connection.dialect.identifier_preparer.quote
    return {
        table: int(connection.scalar(text(f"SELECT count(*) FROM {quote(table)}")) or 0)  # noqa: S608
        for table in sorted(inspect(connection).get_table_names())
    }


def _run_postgresql(program: str, url: str, *arguments: str) -> None:
    target = make_url(url)
    if not shutil.which(program):
        raise DeployProblem(f"{program} is not installed", "apt-get install postgresql-client")
    done = subprocess.run(
        [program, f"--dbname={_libpq_url(target)}", *arguments],
        env=_postgresql_environment(target),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DeployProblem(
            f"{program} failed: {done.stderr.strip()}",
            "is the database up, and is postgresql-client at least as new as the server?",
        )


def _libpq_url(url: URL) -> str:
    # The password goes into the environment: a command line is shown to everybody on the machine.
    # (URL.set() cannot take a password away.)
    plain = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    return plain.render_as_string()


def _postgresql_environment(url: URL) -> Mapping[str, str]:
    password = {"PGPASSWORD": str(url.password)} if url.password else {}
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", **password}


def _is_postgresql(url: str) -> bool:
    return make_url(url).get_backend_name() == "postgresql"


def _sqlite_path(url: str) -> Path:
    path = make_url(url).database
    if not path:
        raise DeployProblem(f"{url} names no file", "give a database in a file")
    return Path(path)
