"""The hub's SQLite: a commit waits for no disk, and a process that is killed loses nothing."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from jupyterhub import orm
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from hub_config import hub_database

COMMIT_AND_DIE = """
import os, sys
from jupyterhub import orm
from hub_config.hub_database import quicken_commits
quicken_commits()
session = orm.new_session_factory(sys.argv[1])()
session.add(orm.User(name="maria0000000"))
session.commit()
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def quick() -> Iterator[None]:
    hub_database.quicken_commits()
    hub_database.quicken_commits()  # reading the configuration again adds nothing
    yield
    event.remove(Engine, "connect", hub_database._set_pragmas)


@pytest.mark.usefixtures("quick")
def test_a_commit_waits_for_no_disk(tmp_path: Path) -> None:
    session = orm.new_session_factory(f"sqlite:///{tmp_path}/hub.sqlite")()
    with session:
        found = [session.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
        assert found == ["wal", 1]  # 1: NORMAL
        assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1, "JupyterHub's own pragma is gone"


def test_only_a_process_that_asks_for_it_commits_so(tmp_path: Path) -> None:
    with orm.new_session_factory(f"sqlite:///{tmp_path}/hub.sqlite")() as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar() == "delete"


def test_what_was_committed_survives_the_kill_of_the_process(tmp_path: Path) -> None:
    place = tmp_path / "hub.sqlite"
    done = subprocess.run([sys.executable, "-c", COMMIT_AND_DIE, f"sqlite:///{place}"], check=False)
    assert done.returncode == -9
    with closing(sqlite3.connect(place)) as database:
        assert database.execute("SELECT name FROM users").fetchall() == [("maria0000000",)]
