"""A failure that nobody foresaw leaves in the logs where and of which sort it was, and nobody's name."""

import asyncio
import importlib
import io
import json
import logging
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from atelier.failures import describe_failure, name_failure
from atelier.logs import JsonLines, TextLines
from atelier.steward.repair import Steward
from atelier.steward.run import Loop
from atelier.store import SessionFactory, make_session_factory
from atelier.store.models import Identity, Person
from sqlalchemy import literal_column, select
from sqlalchemy.exc import OperationalError

from tests.databases import Databases
from tests.exchange_stand import HUB_SERVICE_TOKEN, NO_CERTIFICATES, NOW, open_stand

CANARY = "Канарче-4711"
ADDRESS = "kanarche-4711@sou1.example"


@pytest.fixture
def log() -> Iterator[Callable[[], str]]:
    """All that this process logs meanwhile, as web and steward write it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    logging.getLogger().addHandler(handler)
    yield written.getvalue
    logging.getLogger().removeHandler(handler)


def list_lines(log: Callable[[], str], word: str) -> list[dict[str, str]]:
    lines = [json.loads(line) for line in log().splitlines()]
    return [line for line in lines if line["message"].startswith(word)]


def names_nobody(text: str) -> bool:
    return "4711" not in text and CANARY.encode("unicode_escape").decode() not in text


def catch(act: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as caught:
        act()
    return caught.value


# ------------------------------------------------------------------ web
def add_two_identities(sessions: SessionFactory, person_id: str, other_id: str) -> None:
    with sessions.begin() as session:
        session.add(Identity(person_id=person_id, provider="google", email=ADDRESS))
        session.add(Identity(person_id=other_id, provider="google", email="b@sou1.example", subject=CANARY))


def test_a_row_that_the_database_refuses_names_nobody_in_webs_log(
    databases: Databases,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    log: Callable[[], str],
) -> None:
    # As if the other binding came between question and answer: then two rows have one subject.
    monkeypatch.setattr(importlib.import_module("atelier.roster.sign_in"), "_find_bound", lambda *_: None)
    asked = {"provider": "google", "subject": CANARY, "email": ADDRESS, "email_verified": True}
    with open_stand(tmp_path, databases.migrate()) as stand:
        add_two_identities(stand.sessions, stand.people["student"].id, stand.people["teacher"].id)
        answer = httpx.post(
            f"{stand.url}/internal/sign-in",
            json={**asked, "hosted_domain": "sou1.example"},
            headers={"Authorization": f"Bearer {HUB_SERVICE_TOKEN}"},
            trust_env=False,
            verify=NO_CERTIFICATES,
        )
    assert answer.status_code == 500
    (failed,) = list_lines(log, "failed:")
    assert "IntegrityError" in failed["traceback"]
    assert "atelier/roster/sign_in.py" in failed["traceback"]
    assert names_nobody(log()), log()


def test_the_databases_own_error_has_no_parameters(databases: Databases) -> None:
    """Whoever prints one (a command, another library) prints no row of it."""
    sessions = databases.open_migrated()

    def add_twice() -> None:
        with sessions.begin() as session:
            for key in ("k23456789abc", "k23456789abc"):
                session.add(
                    Person(
                        id=key,
                        school_id="s",
                        role="student",
                        given_name=CANARY,
                        family_name="",
                        created_at=NOW,
                    )
                )
                session.flush()
                session.expunge_all()

    assert "[parameters" not in str(catch(add_twice)).replace("[SQL parameters hidden", "")
    assert names_nobody(str(catch(add_twice)))


# ------------------------------------------------------------------ steward
def make_loop(act: Callable[[], object], sessions: SessionFactory) -> Loop:
    async def check_up() -> None:
        act()

    steward = SimpleNamespace(hub=SimpleNamespace(check_up=check_up), sessions=sessions)
    return Loop(cast(Steward, steward), 1.0, 45.0, lambda: 0.0)


def test_what_nobody_foresaw_names_nobody_in_the_stewards_log(
    databases: Databases, log: Callable[[], str]
) -> None:
    asyncio.run(make_loop(lambda: int(CANARY), databases.open_migrated()).tick())
    (line,) = list_lines(log, "unexpected-error:")
    assert line["traceback"].endswith("ValueError")
    assert "test_log_failures.py" in line["traceback"]
    assert names_nobody(log()), log()


def test_a_value_that_the_database_cannot_read_names_nobody(
    databases: Databases, log: Callable[[], str]
) -> None:
    sessions = databases.open_migrated()

    def ask() -> None:
        with sessions() as session:
            kind = session.get_bind().dialect.name
            # PostgreSQL quotes the value in the first line of its message; SQLite in that of a broken word.
            word = f"CAST('{CANARY}' AS integer)" if kind == "postgresql" else f"no_function('{CANARY}')"
            session.execute(select(literal_column(word)))

    asyncio.run(make_loop(ask, sessions).tick())
    assert len(list_lines(log, "database-error: sqlalchemy.exc.")) == 1
    assert names_nobody(log()), log()


def test_the_steward_says_which_table_is_missing(databases: Databases, log: Callable[[], str]) -> None:
    def ask(sessions: SessionFactory) -> None:
        with sessions() as session:
            session.execute(select(Person.id))

    sessions = make_session_factory(databases.open(databases.create()))
    asyncio.run(make_loop(lambda: ask(sessions), sessions).tick())
    (line,) = list_lines(log, "database-error:")
    assert "no such table: person" in line["message"] or "psycopg.errors.UndefinedTable" in line["message"]


# ------------------------------------------------------------------ what stays
def fail_twice() -> None:
    try:
        int(CANARY)
    except ValueError as error:
        raise RuntimeError(f"{CANARY} is no number") from error


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()])
def test_a_traceback_keeps_files_functions_code_and_the_chain_of_classes(
    formatter: logging.Formatter,
) -> None:
    error = catch(fail_twice)
    info: Any = (type(error), error, error.__traceback__)
    record = logging.LogRecord("atelier", logging.ERROR, "", 1, "failed", None, info)
    line = formatter.format(record)
    for part in ("test_log_failures.py", "in fail_twice", "int(CANARY)", "ValueError", "RuntimeError"):
        assert part in line
    assert line.index("ValueError") < line.index("RuntimeError")
    assert names_nobody(line)
    assert isinstance(formatter, TextLines)
    assert "\n" not in line or not isinstance(formatter, JsonLines)


def test_failures_that_came_together_are_all_told() -> None:
    group = ExceptionGroup(CANARY, [ValueError(CANARY), ExceptionGroup(CANARY, [KeyError(CANARY)])])
    told = describe_failure(group)
    assert [name in told for name in ("ExceptionGroup", "ValueError", "KeyError")] == [True] * 3
    assert names_nobody(told)


def test_a_failure_that_is_its_own_cause_ends() -> None:
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert describe_failure(first).count("ValueError") == 1


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "x", f"/homes/{CANARY}"), "OSError: [Errno 28] No space left on device"),
        (OSError(CANARY), "OSError"),
        (
            sqlite3.OperationalError("no such table: person"),
            "sqlite3.OperationalError: no such table: person",
        ),
        (sqlite3.OperationalError(f"Could not decode to UTF-8 column 'n' with text '{CANARY}'"), None),
        (
            OperationalError("SELECT 1", {}, sqlite3.OperationalError("database is locked")),
            "sqlalchemy.exc.OperationalError: (sqlite3.OperationalError: database is locked)",
        ),
    ],
)
def test_what_is_nobodys_word_is_said(error: BaseException, said: str | None) -> None:
    assert name_failure(error) == (said or "sqlite3.OperationalError")


def test_why_a_database_cannot_be_opened_is_said(databases: Databases) -> None:
    error = catch(databases.open(databases.server.unreachable).connect)
    assert "no_such_database" in name_failure(error) or "unable to open database file" in name_failure(error)
