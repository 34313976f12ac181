"""Projects, teams and marks on PostgreSQL: the very claims of the unit tests, once more."""

import inspect
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from atelier.store import open_database, upgrade_database
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.postgresql import run_postgresql
from tests.small_school import SmallSchool, open_small_school
from tests.unit.test_marks import *  # noqa: F403 - the claims and their fixtures
from tests.unit.test_projects_courses import *  # noqa: F403
from tests.unit.test_projects_teams import *  # noqa: F403

for _name, _claim in list(globals().items()):
    if _name.startswith("test_") and "school" not in inspect.signature(_claim).parameters:
        del globals()[_name]  # says nothing about a database, or opens one of its own


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    # Not pytest's folder: the server's user may not enter it, and a socket's path is at most 107 bytes long.
    with tempfile.TemporaryDirectory(prefix="atelier-pg-") as outer:
        Path(outer).chmod(0o755)
        folder = Path(outer) / "pg"
        folder.mkdir()
        with run_postgresql(folder) as url:
            engine = open_database(url)
            upgrade_database(engine)
            yield engine
            engine.dispose()


@pytest.fixture
def school(engine: Engine) -> Iterator[SmallSchool]:  # type: ignore[no-redef] # takes the place of the imported one
    with engine.connect() as connection:
        transaction = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as session:
            yield open_small_school(session)
        transaction.rollback()
