"""The service's database: migrations, PostgreSQL, write transactions."""

import datetime as dt
import re
import threading
from pathlib import Path

import atelier
import pytest
from atelier.store import make_session_factory, upgrade_database
from atelier.store.migrate import list_differences
from atelier.store.models import Base, Lasting, RosterChange
from sqlalchemy import Engine, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from tests.databases import Databases

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)


def test_migrations_lead_to_the_tables_of_the_models(databases: Databases):
    engine = databases.open(databases.create())
    upgrade_database(engine)
    assert list_differences(engine) == [], "run: atelier db revision 'what changed'"


def test_upgrading_twice_changes_nothing_and_keeps_rows(databases: Databases):
    engine = databases.open(databases.create())
    upgrade_database(engine)
    with make_session_factory(engine).begin() as session:
        session.add(RosterChange(reason="test", at=NOW))
    upgrade_database(engine)
    with make_session_factory(engine)() as session:
        assert session.scalars(select(RosterChange.at)).all() == [NOW]


def test_two_processes_may_upgrade_at_the_same_time(databases: Databases):
    url = databases.create()
    errors: list[BaseException] = []

    def upgrade() -> None:
        try:
            upgrade_database(databases.open(url))
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=upgrade) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_new_database_may_be_opened_by_several_at_once(databases: Databases):
    for _ in range(20):
        url, together, answers = databases.create(), threading.Barrier(4), list[int]()
        tasks = [(databases.open(url), together, answers) for _ in range(4)]
        threads = [threading.Thread(target=_ask, args=task) for task in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [1, 1, 1, 1]


def _ask(engine: Engine, together: threading.Barrier, answers: list[int]) -> None:
    together.wait()
    with engine.connect() as connection:
        answers.append(connection.execute(select(1)).scalar_one())


@pytest.mark.parametrize("table", Base.metadata.sorted_tables, ids=lambda table: table.name)
def test_each_table_compiles_for_postgresql(table):
    dialect = postgresql.dialect()
    statements = [CreateTable(table), *(CreateIndex(index) for index in table.indexes)]
    assert all(str(statement.compile(dialect=dialect)) for statement in statements)


@pytest.mark.parametrize("table", Base.metadata.sorted_tables, ids=lambda table: table.name)
def test_each_table_says_how_a_row_is_linked_to_a_person(table):
    link = table.info.get("person")
    assert link in ("self", "none") or link in table.columns


def test_what_lasts_until_an_instant_is_asked_for_in_one_way_only():
    ends = {mapper.class_ for mapper in Base.registry.mappers if "until_at" in mapper.columns}
    assert len(ends) == 3
    assert all(issubclass(table, Lasting) for table in ends)
    for file in Path(atelier.__file__).parent.rglob("*.py"):
        compares = re.findall(r"(?:from_at|until_at|\buntil) (?:<|>)=? ", file.read_text(encoding="utf-8"))
        assert not compares or file.parts[-2:] == ("models", "base.py"), f"{file}: use holds_at"


def test_a_write_session_keeps_its_check_true_until_it_commits(databases: Databases):
    """Two writers that each count first and then add never count the same: no lost update, no lock error."""
    sessions = databases.open_migrated()
    both_started = threading.Barrier(2)

    def add_after_counting() -> None:
        both_started.wait()
        for _ in range(10):
            with sessions.begin() as session:
                count = session.scalar(select(func.count()).select_from(RosterChange))
                session.add(RosterChange(reason=str(count), at=NOW))

    threads = [threading.Thread(target=add_after_counting) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sessions() as session:
        assert sorted(int(reason) for reason in session.scalars(select(RosterChange.reason))) == list(
            range(20)
        )


def test_a_reader_does_not_wait_for_a_writer(databases: Databases):
    sessions = databases.open_migrated()
    with sessions.begin() as writer, sessions() as reader:
        writer.add(RosterChange(reason="not yet committed", at=NOW))
        writer.flush()
        assert reader.scalars(select(RosterChange)).all() == []


def test_an_instant_without_a_zone_is_refused(databases: Databases):
    with databases.open_migrated()() as session:
        session.add(RosterChange(reason="naive", at=NOW.replace(tzinfo=None)))
        with pytest.raises(Exception, match="time zone"):
            session.flush()
