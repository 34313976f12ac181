"""The hub's database as SQLite: a commit does not wait for the disk.

The hub has one thread: while the disk confirms a commit, everybody waits, and whoever opens a workspace is up
to five commits. Why that may be spared, and how PostgreSQL does it:
docs/decisions/the-hub-waits-for-no-disk.md.
"""

import sqlite3
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine


def quicken_commits() -> None:
    """Have SQLite write ahead and confirm to the disk at checkpoints only, for every engine of this process.

    A process that is killed loses nothing; a power cut may lose the last commits, never their order.
    """
    if not event.contains(Engine, "connect", _set_pragmas):
        event.listen(Engine, "connect", _set_pragmas)


def _set_pragmas(connection: Any, _record: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        for pragma in ("busy_timeout=5000", "journal_mode=WAL", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}").close()
