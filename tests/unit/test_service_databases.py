"""No test of the service is silently left out on PostgreSQL."""

import ast
import re
from pathlib import Path

import pytest
from atelier.store import open_database
from atelier.store.migrate import list_differences
from atelier.store.models import RosterChange
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests import postgresql
from tests.databases import KINDS, Databases, DatabaseServer
from tests.databases_by_nature import IN_THEIR_OWN_WAY, ONE_IS_ENOUGH
from tests.small_school import NOW

ROOT = Path(__file__).parents[2]
WAYS = re.compile(r"sqlite:|sqlite3\.connect|postgresql\+|\b(?:open_database|create_engine|run_postgresql)\(")
STANDS = r"tests\.(?:databases|exchange_stand|exchange_process|marking|pages_town|small_school)"
OF_THE_SERVICE = re.compile(rf"^\s*(?:from|import) (?:atelier|{STANDS})\b", re.MULTILINE)
TAKES = re.compile(r"\b(?:shared_)?databases: Databases|\bsession: Session")


def read_tests() -> dict[str, str]:
    """Return the text of each file below tests/ but this one that has to do with the service."""
    files = (file for file in (ROOT / "tests").rglob("*.py") if file != Path(__file__))
    texts = {file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8") for file in files}
    return {name: text for name, text in texts.items() if OF_THE_SERVICE.search(text)}


def test_a_database_is_of_the_kind_that_the_test_is_named_for(
    request: pytest.FixtureRequest, databases: Databases, session: Session
):
    kind = request.node.callspec.params["database_server"]
    assert kind in KINDS
    assert databases.open(databases.create()).dialect.name == kind
    assert session.get_bind().dialect.name == kind


def test_what_is_not_migrated_anew_has_the_tables_of_the_models(databases: Databases):
    assert list_differences(databases.open(databases.migrate())) == []


@pytest.mark.parametrize("turn", [1, 2])
def test_no_test_finds_what_another_wrote(databases: Databases, session: Session, turn: int):
    with databases.open_migrated().begin() as own:
        assert own.scalars(select(RosterChange)).all() == []
        own.add(RosterChange(reason="committed", at=NOW))
    assert session.scalars(select(RosterChange)).all() == []
    session.add(RosterChange(reason=f"turn {turn}", at=NOW))
    session.commit()


def test_a_database_is_gone_after_its_test_although_somebody_has_it_open(database_server: DatabaseServer):
    with database_server.lend() as lent:
        url = lent.migrate()
        engine = open_database(url)
        held = engine.connect()
        held.execute(select(RosterChange))
    held.invalidate()
    with pytest.raises(Exception, match=r"does not exist|no such table"), engine.connect() as again:
        again.execute(select(RosterChange))
    engine.dispose()


def test_without_postgresql_its_half_is_skipped_by_name_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(postgresql, "find_postgresql", lambda: None)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="PostgreSQL is missing"):
        postgresql.require_postgresql()
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="PostgreSQL is not installed"):
        postgresql.require_postgresql()


def test_a_file_that_opens_a_database_in_its_own_way_is_listed_with_a_reason():
    found = {name for name, text in read_tests().items() if WAYS.search(text)}
    assert found == IN_THEIR_OWN_WAY.keys()
    assert all(reason.strip() for reason in IN_THEIR_OWN_WAY.values())


def test_what_runs_on_one_database_only_is_there_and_has_a_reason():
    texts = read_tests()
    for name, reason in ONE_IS_ENOUGH.items():
        file, _, test = name.partition("::")
        assert TAKES.search(texts[file]), f"{name} takes no database"
        tests = {node.name for node in ast.walk(ast.parse(texts[file])) if isinstance(node, ast.FunctionDef)}
        assert not test or test in tests, f"{name} is not there"
        assert reason.strip(), name
