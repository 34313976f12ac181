"""What a log may say of a failure: where it happened and of which sort it is, never what somebody had typed.

An exception's message may quote a row, an address or a line of a file: PostgreSQL says ``Key (email)=(…)``,
`int` repeats the text that it could not read. So messages are left out. What stays is each frame's file,
line, function and line of code, the classes of the whole chain, and the few facts of `_list_facts`, which
come from the operating system, the database's tables or the network.
"""

import os
import re
import sqlite3
import traceback
from collections.abc import Iterator

# SQLite's messages of tables, columns and the file; others may quote a value ("Could not decode to UTF-8 …").
_SQLITE_OF_TABLES = re.compile(
    r"no such (table|column): [\w.]+"
    r"|(UNIQUE|NOT NULL|CHECK|FOREIGN KEY) constraint failed(: [\w., ]+)?"
    r"|database is locked|database or disk is full|unable to open database file|disk I/O error"
)
_CAUSE, _CONTEXT = "\nThis led to:\n\n", "\nWhile that was being handled:\n\n"


def describe_failure(error: BaseException) -> str:
    """Return the traceback of `error` and of what led to it, first things first, without any message."""
    seen: set[int] = set()
    return "".join(_describe(error, seen)).rstrip("\n")


def name_failure(error: BaseException) -> str:
    """Return an exception's class and what is no person's word, e.g. ``OSError: [Errno 28] …``."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return ": ".join([name, *_list_facts(error)])


def _describe(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _describe(before, seen)
        yield _CAUSE if error.__cause__ else _CONTEXT
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{name_failure(error)}\n"
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield "\nOne of its failures:\n\n"
            yield from _describe(one, seen)


def _list_facts(error: BaseException) -> Iterator[str]:
    original = getattr(error, "orig", None)  # SQLAlchemy's, around the driver's
    if isinstance(original, BaseException):
        yield f"({name_failure(original)})"
    elif isinstance(error, sqlite3.Error):
        yield from _list_sqlite_facts(error)
    elif type(error).__module__.partition(".")[0] == "psycopg":
        yield from _list_postgresql_facts(error)
    elif isinstance(error, OSError) and isinstance(error.errno, int):
        yield f"[Errno {error.errno}] {os.strerror(error.errno)}"


def _list_sqlite_facts(error: sqlite3.Error) -> Iterator[str]:
    if _SQLITE_OF_TABLES.fullmatch(str(error)):
        yield str(error)
    else:
        yield from filter(None, [getattr(error, "sqlite_errorname", None)])


def _list_postgresql_facts(error: BaseException) -> Iterator[str]:
    """The state's code, tables, columns and constraints; of a lost connection the library's own words."""
    diagnosis = getattr(error, "diag", None)
    state = getattr(diagnosis, "sqlstate", None)
    if state:
        yield f"SQLSTATE {state}"
        for part in ("table_name", "column_name", "constraint_name"):
            if name := getattr(diagnosis, part, None):
                yield f"{part.removesuffix('_name')} {name}"
    elif type(error).__name__ == "OperationalError":  # it has no answer of the server's, so no row either
        yield " ".join(str(error).split())
