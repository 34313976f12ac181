"""A database of an earlier version is brought to this one with all its rows."""

import datetime as dt

import pytest
from alembic import command
from atelier.store import make_session_factory, upgrade_database
from atelier.store.migrate import _config, list_differences
from atelier.store.models import Course, Lesson, Person
from sqlalchemy import inspect

from tests.databases import Databases

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize("earlier", ["0001"])
def test_a_school_of_an_earlier_version_goes_on_with_its_people_and_can_announce_lessons(
    databases: Databases, earlier: str
) -> None:
    engine = databases.open(databases.create())
    with engine.execution_options(atelier_write=True).begin() as connection:
        command.upgrade(_config(connection), earlier)
    assert not inspect(engine).has_table("lesson")
    sessions = make_session_factory(engine)
    with sessions.begin() as session:
        teacher = Person(school_id="one", role="teacher", given_name="Т", family_name="У", created_at=NOW)
        course = Course(school_id="one", slug="geo", title="География", created_at=NOW)
        session.add_all([teacher, course])
        session.flush()
        ids = teacher.id, course.id

    upgrade_database(engine)

    assert list_differences(engine) == []
    with sessions.begin() as session:
        assert session.get_one(Person, ids[0]).display_name == "Т У"
        session.add(
            Lesson(
                course_id=ids[1], first_on=NOW.date(), last_on=NOW.date(), bell=dt.time(8), minutes=40,
                zone="Europe/Sofia", personal=True, announced_by=ids[0], announced_at=NOW,
            )
        )  # fmt: skip
