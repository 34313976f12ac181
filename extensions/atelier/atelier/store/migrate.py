"""Bringing a database's tables to the shape of the models, with Alembic.

The steps lie in `migrations/versions/` inside the package, so an installed service needs no other file.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, text

from atelier.store.models import Base

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent / "migrations"
PG_LOCK = 0x41746C72  # any number that only this program uses


def upgrade_database(engine: Engine) -> None:
    """Create or migrate all tables. Safe to call twice and from two processes at once: the second waits."""
    from alembic import command  # here: 12 MB that web and steward do without

    with engine.execution_options(atelier_write=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PG_LOCK})
        command.upgrade(_config(connection), "head")


def downgrade_database(engine: Engine, revision: str) -> None:
    """Bring the tables back to an earlier revision. Raises alembic's CommandError when there is no such one.

    All in one transaction: where a step cannot be undone, nothing changes.
    """
    from alembic import command

    with engine.execution_options(atelier_write=True).begin() as connection:
        command.downgrade(_config(connection), revision)


def find_revision(engine: Engine) -> str | None:
    """Return the revision that the tables are at; None for an empty database."""
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def list_differences(engine: Engine) -> list[object]:
    """Return what differs between the database and the models; empty when they agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))


def write_revision(engine: Engine, message: str) -> Path:
    """Write a new step from the difference between an upgraded database and the models; return its file."""
    from alembic import command

    with engine.begin() as connection:
        script = command.revision(_config(connection), message, autogenerate=True, rev_id=_next_number())
    if script is None or isinstance(script, list):
        raise RuntimeError("expected one new step")
    return Path(script.path)


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _next_number() -> str:
    return f"{len(list((FOLDER / 'versions').glob('[0-9]*.py'))) + 1:04d}"
