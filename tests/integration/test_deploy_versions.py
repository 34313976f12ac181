"""Upgrade and rollback, from the schema that the previous commit made, with real commands of each version.

A version is a folder with the service's package: the commit before this one, this one, and a next one with a
further migration. SQLite and PostgreSQL.
"""

import datetime as dt
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from deploy.databases import find_schema
from deploy.problem import DeployProblem
from deploy.town import Town, find_demo
from deploy.versions import Installed, load_installed, note_installed, rollback, upgrade
from tests.components import skip_or_fail
from tests.postgresql import run_postgresql

ROOT = Path(__file__).parents[2]
NOW = dt.datetime(2026, 11, 21, 20, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
STEP = '''"""the next step"""
import sqlalchemy as sa
from alembic import op

revision, down_revision = "next", "{down}"


def upgrade():
    op.create_table("next_table", sa.Column("id", sa.Integer, primary_key=True))
    with op.batch_alter_table("person") as batch:
        batch.add_column(sa.Column("nickname", sa.String(20)))


def downgrade():
    {undo}
'''
UNDO = """with op.batch_alter_table("person") as batch:
        batch.drop_column("nickname")
    op.drop_table("next_table")"""


@dataclass
class Versions:
    """Runs `python -m atelier` of a version, as the technician's runner does with images."""

    folder: Path
    town: Town
    events: list[str] = field(default_factory=list)
    broken: str | None = None

    def stop(self) -> None:
        self.events.append("stop")

    def start(self, tag: str) -> None:
        if tag == self.broken:
            raise DeployProblem(f"{tag} does not answer", "make rollback")
        self.events.append(f"start {tag}")

    def run_service(self, tag: str, *command: str) -> str:
        self.events.append(f"{tag}: {' '.join(command)}")
        done = subprocess.run(
            [sys.executable, "-m", "atelier", *command],
            env={
                "PATH": os.environ["PATH"],
                "LC_ALL": "C.UTF-8",
                "PYTHONPATH": f"{self.folder / tag}:{ROOT}",
                "ATELIER_CITY_FILE": str(ROOT / "demo" / "city.yaml"),
                "ATELIER_DATABASE_URL": self.town.database_url,
            },
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise DeployProblem(f"{command}: {done.stdout}{done.stderr}", "see above")
        return done.stdout

    def add_next(self, tag: str = "next", undo: str = UNDO) -> None:
        """Make a version with one more migration."""
        shutil.copytree(self.folder / "this", self.folder / tag)
        steps = self.folder / tag / "atelier" / "store" / "migrations" / "versions"
        down = self.run_service("this", "db", "current").strip()
        (steps / "9999_next.py").write_text(STEP.format(down=down, undo=undo))


@pytest.fixture(params=["sqlite", "postgresql"])
def versions(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Versions]:
    town = find_demo(tmp_path / "town")
    (town.folder / "service").mkdir(parents=True)
    (town.folder / "hub").mkdir()
    if request.param == "sqlite":
        yield make_versions(tmp_path, town)
        return
    with run_postgresql() as url:
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("CREATE DATABASE atelier"))
        engine.dispose()
        database = url.replace("/postgres?", "/atelier?")
        yield make_versions(tmp_path, replace(town, database_url=database))


def make_versions(folder: Path, town: Town) -> Versions:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "extensions" / "atelier" / "atelier", folder / "this" / "atelier", ignore=ignored)
    extract_previous(folder / "previous")
    engine = create_engine(town.hub_database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE spawners (id INTEGER)"))
    engine.dispose()
    return Versions(folder, town)


def extract_previous(folder: Path) -> None:
    """Unpack the service's package as the commit before the present one has it."""
    command = ["git", "archive", "HEAD^", "extensions/atelier/atelier"]
    archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        skip_or_fail("needs the previous commit (git history is cut off here)")
    folder.mkdir()
    unpack = ["tar", "-x", "--strip-components=2", "-C", str(folder)]
    subprocess.run(unpack, input=archive.stdout, check=True)


def add_person(town: Town, person: str) -> None:
    engine = create_engine(town.database_url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO person (id, school_id, role, given_name, family_name, created_at) "
                "VALUES (:id, 'primer', 'student', 'Ада', 'Проба', '2026-11-21 20:00:00')"
            ),
            {"id": person},
        )
    engine.dispose()


def list_people(town: Town) -> list[str]:
    engine = create_engine(town.database_url)
    with engine.connect() as connection:
        found = sorted(connection.scalars(text("SELECT id FROM person")))
    engine.dispose()
    return found


def list_tables(town: Town) -> list[str]:
    engine = create_engine(town.database_url)
    found = inspect(engine).get_table_names()
    engine.dispose()
    return found


def begin(versions: Versions) -> None:
    """The previous commit's version runs, with a person in its database."""
    versions.run_service("previous", "db", "upgrade")
    add_person(versions.town, "aaaaaaaaaaa1")
    note_installed(versions.town, Installed("previous"))
    versions.events.clear()


def test_an_upgrade_from_the_previous_commit_keeps_every_row_and_can_be_undone(versions: Versions):
    begin(versions)
    schema = find_schema(versions.town.database_url)
    installed = upgrade(versions.town, versions, "this", NOW)
    assert Path(str(installed.backup)).is_file()
    assert versions.events == ["stop", "this: db upgrade", "start this"]
    assert list_people(versions.town) == ["aaaaaaaaaaa1"]
    rollback(versions.town, versions, NOW + HOUR)
    assert find_schema(versions.town.database_url) == schema
    assert versions.events[-1] == "start previous"
    assert list_people(versions.town) == ["aaaaaaaaaaa1"]


def test_a_rollback_keeps_what_came_after_the_upgrade(versions: Versions):
    begin(versions)
    upgrade(versions.town, versions, "this", NOW)
    versions.add_next()
    upgrade(versions.town, versions, "next", NOW + HOUR)
    assert "next_table" in list_tables(versions.town)
    add_person(versions.town, "aaaaaaaaaaa2")
    rollback(versions.town, versions, NOW + 2 * HOUR)
    assert "next_table" not in list_tables(versions.town)
    assert list_people(versions.town) == ["aaaaaaaaaaa1", "aaaaaaaaaaa2"]
    assert load_installed(versions.town.folder) == Installed("this", at="2026-11-21T22:00:00Z")
    upgrade(versions.town, versions, "next", NOW + 3 * HOUR)  # and once more forward
    assert list_people(versions.town) == ["aaaaaaaaaaa1", "aaaaaaaaaaa2"]


def test_a_version_that_does_not_start_can_be_left_again(versions: Versions):
    begin(versions)
    upgrade(versions.town, versions, "this", NOW)
    versions.add_next()
    versions.broken = "next"
    with pytest.raises(DeployProblem, match="make rollback"):
        upgrade(versions.town, versions, "next", NOW + HOUR)
    rollback(versions.town, versions, NOW + 2 * HOUR)
    assert versions.events[-1] == "start this"
    assert list_people(versions.town) == ["aaaaaaaaaaa1"]


def test_an_upgrade_that_is_repeated_keeps_the_way_back(versions: Versions):
    begin(versions)
    versions.broken = "this"
    with pytest.raises(DeployProblem, match="make rollback"):
        upgrade(versions.town, versions, "this", NOW)
    first = load_installed(versions.town.folder)
    versions.broken = None
    again = upgrade(versions.town, versions, "this", NOW + HOUR)
    assert (again.previous_tag, again.backup) == ("previous", first and first.backup)
    rollback(versions.town, versions, NOW + 2 * HOUR)
    assert versions.events[-1] == "start previous"
    assert list_people(versions.town) == ["aaaaaaaaaaa1"]


def test_a_later_version_that_mends_a_failed_upgrade_leads_back_to_what_was_well(versions: Versions):
    begin(versions)
    versions.broken = "this"
    with pytest.raises(DeployProblem):
        upgrade(versions.town, versions, "this", NOW)
    with pytest.raises(DeployProblem, match="make rollback"):
        upgrade(versions.town, versions, "previous", NOW + HOUR)
    versions.add_next()
    upgrade(versions.town, versions, "next", NOW + 2 * HOUR)
    rollback(versions.town, versions, NOW + 3 * HOUR)
    assert versions.events[-1] == "start previous"
    assert list_people(versions.town) == ["aaaaaaaaaaa1"]


@pytest.mark.parametrize("from_backup", [True, False])
def test_a_rollback_that_was_cut_off_is_repeated(versions: Versions, from_backup: bool):
    begin(versions)
    upgrade(versions.town, versions, "this", NOW)
    versions.broken = "previous"
    with pytest.raises(DeployProblem, match="does not answer"):
        rollback(versions.town, versions, NOW + HOUR, from_backup=from_backup)
    versions.broken = None
    back = rollback(versions.town, versions, NOW + 2 * HOUR, from_backup=from_backup)
    assert (back.tag, versions.events[-1]) == ("previous", "start previous")
    assert list_people(versions.town) == ["aaaaaaaaaaa1"]


def test_nobody_is_stopped_for_a_backup_that_is_not_there(versions: Versions):
    begin(versions)
    installed = upgrade(versions.town, versions, "this", NOW)
    Path(str(installed.backup)).unlink()
    versions.events.clear()
    with pytest.raises(DeployProblem, match=r"atelier-.*\.tar\.gz"):
        rollback(versions.town, versions, NOW + HOUR, from_backup=True)
    assert versions.events == []


def test_a_step_that_cannot_be_undone_changes_nothing_until_asked(versions: Versions):
    begin(versions)
    upgrade(versions.town, versions, "this", NOW)
    versions.add_next(undo='raise RuntimeError("cannot be undone")')
    upgrade(versions.town, versions, "next", NOW + HOUR)
    add_person(versions.town, "aaaaaaaaaaa2")
    with pytest.raises(DeployProblem, match="FROM_BACKUP"):
        rollback(versions.town, versions, NOW + 2 * HOUR)
    assert list_people(versions.town) == ["aaaaaaaaaaa1", "aaaaaaaaaaa2"]
    rollback(versions.town, versions, NOW + 2 * HOUR, from_backup=True)
    assert list_people(versions.town) == ["aaaaaaaaaaa1"]
    assert list_people(aside(versions.town)) == ["aaaaaaaaaaa1", "aaaaaaaaaaa2"]


def aside(town: Town) -> Town:
    ending = "before_20261121t220000z"
    if town.database_url.startswith("sqlite"):
        return replace(town, database_url=f"{town.database_url}.{ending}")
    return replace(town, database_url=town.database_url.replace("/atelier?", f"/atelier_{ending}?"))


def test_nothing_to_go_back_to_is_said(versions: Versions):
    with pytest.raises(DeployProblem, match="nothing to go back"):
        rollback(versions.town, versions, NOW)
    assert versions.events == []
