"""The service's database: migrations, PostgreSQL, write transactions."""

import datetime as dt
import threading
from pathlib import Path

import pytest
from atelier.store import make_session_factory, open_database, upgrade_database
from atelier.store.migrate import list_differences
from atelier.store.models import Base, RosterChange
from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)


def test_migrations_lead_to_the_tables_of_the_models(tmp_path: Path):
    engine = open_database(f"sqlite:///{tmp_path}/a.db")
    upgrade_database(engine)
    assert list_differences(engine) == [], "run: atelier db revision 'what changed'"


def test_upgrading_twice_changes_nothing_and_keeps_rows(tmp_path: Path):
    engine = open_database(f"sqlite:///{tmp_path}/a.db")
    upgrade_database(engine)
    with make_session_factory(engine).begin() as session:
        session.add(RosterChange(reason="test", at=NOW))
    upgrade_database(engine)
    with make_session_factory(engine)() as session:
        assert session.scalars(select(RosterChange.at)).all() == [NOW]


@pytest.mark.parametrize("table", Base.metadata.sorted_tables, ids=lambda table: table.name)
def test_each_table_compiles_for_postgresql(table):
    dialect = postgresql.dialect()
    statements = [CreateTable(table), *(CreateIndex(index) for index in table.indexes)]
    assert all(str(statement.compile(dialect=dialect)) for statement in statements)


@pytest.mark.parametrize("table", Base.metadata.sorted_tables, ids=lambda table: table.name)
def test_each_table_says_how_a_row_is_linked_to_a_person(table):
    link = table.info.get("person")
    assert link in ("self", "none") or link in table.columns


def test_a_write_session_keeps_its_check_true_until_it_commits(tmp_path: Path):
    """Two writers that each count first and then add never count the same: no lost update, no lock error."""
    engine = open_database(f"sqlite:///{tmp_path}/a.db")
    upgrade_database(engine)
    sessions = make_session_factory(engine)
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


def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path):
    engine = open_database(f"sqlite:///{tmp_path}/a.db")
    upgrade_database(engine)
    sessions = make_session_factory(engine)
    with sessions.begin() as writer, sessions() as reader:
        writer.add(RosterChange(reason="not yet committed", at=NOW))
        writer.flush()
        assert reader.scalars(select(RosterChange)).all() == []


def test_an_instant_without_a_zone_is_refused(tmp_path: Path):
    engine = open_database(f"sqlite:///{tmp_path}/a.db")
    upgrade_database(engine)
    with make_session_factory(engine)() as session:
        session.add(RosterChange(reason="naive", at=NOW.replace(tzinfo=None)))
        with pytest.raises(Exception, match="time zone"):
            session.flush()
