"""The service's database: tables, sessions, migrations. Every other room stands on this one."""

from atelier.store.blobs import BlobStore
from atelier.store.database import SessionFactory, make_session_factory, open_database, utc_now
from atelier.store.ids import course_account, new_id, parse_account, team_account
from atelier.store.migrate import downgrade_database, find_revision, upgrade_database, write_revision

__all__ = [
    "BlobStore",
    "SessionFactory",
    "course_account",
    "downgrade_database",
    "find_revision",
    "make_session_factory",
    "new_id",
    "open_database",
    "parse_account",
    "team_account",
    "upgrade_database",
    "utc_now",
    "write_revision",
]
