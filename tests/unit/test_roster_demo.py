"""The demo's roster: imported, signed in with, also by two at the same moment."""

import datetime as dt
import threading
from pathlib import Path

import pytest
from atelier import roster
from atelier.roster import SignInAttempt, read_roster, run_import
from atelier.steward.wanted import find_wanted
from atelier.store import SessionFactory
from atelier.store.models import ClassMembership, Identity, Person, SchoolClass
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from hub_config.city import load_city
from tests.databases import Databases

ROOT = Path(__file__).parents[2]
CITY = load_city(ROOT / "demo/city.yaml")
NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def sessions(shared_databases: Databases) -> SessionFactory:
    """One database for all: the first test imports the roster that the others sign in with."""
    return shared_databases.open_migrated()


def test_the_demo_roster_is_imported_and_signed_in_with(sessions: SessionFactory):
    school = CITY.find_school("primer")
    file = read_roster((ROOT / "demo/rosters/primer_8a.csv").read_bytes())
    for verb in ("new", "same"):
        report = run_import(sessions, school, file, NOW, apply=True, allow_operators=True)
        assert not report.problems
        assert {change.verb for change in report.changes} <= {verb, "left"}
    attempt = SignInAttempt("google", "sub-1", "teacher@school-a.example", True, "school-a.example")
    with sessions.begin() as session:
        teacher = roster.sign_in(session, CITY, attempt, NOW)
    with sessions() as session:
        assert session.scalars(select(Identity.bound_at).where(Identity.subject == "sub-1")).one() == NOW
        wanted = find_wanted(session, CITY, NOW)
    assert teacher.id in wanted.accounts
    assert len(wanted.accounts) == 31


def test_students_of_a_course_are_listed_by_class_and_number(sessions: SessionFactory):
    from atelier import projects

    with sessions.begin() as session:
        teacher = roster.find_person_by_email(session, "teacher@school-a.example")
        course = projects.create_course(
            session,
            title="География",
            school=CITY.find_school("primer"),
            class_ids=[roster.find_class(session, "primer", "8А").id],
            teacher_id=teacher.id,
            now=NOW,
        )
    with sessions() as session:
        listed = roster.list_students(session, course.id, NOW)
        assert [student.number for student in listed] == list(range(1, 29))
        assert [entry.role for entry in roster.list_courses_of(session, teacher.id, NOW)] == ["teacher"]


def test_one_address_is_open_to_one_person_at_a_time(sessions: SessionFactory):
    refusal = "uq_identity_open_email|identity.provider, identity.email"  # PostgreSQL's word, SQLite's word
    with pytest.raises(IntegrityError, match=refusal), sessions.begin() as session:  # noqa: PT012
        person = Person(school_id="primer", role="student", given_name="А", family_name="Б", created_at=NOW)
        session.add_all([person, SchoolClass(school_id="primer", name="9А", school_year=2026)])
        session.flush()
        session.add(Identity(person_id=person.id, provider="google", email="teacher@school-a.example"))
    with sessions() as session:
        assert session.scalars(select(SchoolClass).where(SchoolClass.name == "9А")).all() == []
        assert session.scalars(select(ClassMembership).where(ClassMembership.number > 28)).all() == []


def test_of_two_first_sign_ins_with_one_address_at_once_only_one_binds(sessions: SessionFactory):
    """Whoever is second waits for the first and meets a bound identity; nothing is ever bound again."""
    email = "second.teacher@school-a.example"
    ready = threading.Barrier(2)
    results: dict[str, str] = {}

    def enter(subject: str) -> None:
        ready.wait()
        try:
            with sessions.begin() as session:
                attempt = SignInAttempt("google", subject, email, True, "school-a.example")
                results[subject] = roster.sign_in(session, CITY, attempt, NOW).id
        except roster.Refusal as refusal:
            results[subject] = refusal.code

    threads = [threading.Thread(target=enter, args=(f"sub-{n}",)) for n in (1001, 1002)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sessions() as session:
        identity = session.scalars(select(Identity).where(Identity.email == email)).one()
    assert sorted(results.values()) == sorted([identity.person_id, "address_taken"])
    assert results[identity.subject or ""] == identity.person_id


def test_of_two_first_administrators_at_once_one_is_made(sessions: SessionFactory):
    ready = threading.Barrier(2)
    results: list[str] = []

    def enter() -> None:
        ready.wait()
        try:
            with sessions.begin() as session:
                attempt = SignInAttempt(
                    "google", "sub-head", "admin@school-a.example", True, "school-a.example"
                )
                results.append(roster.sign_in(session, CITY, attempt, NOW).id)
        except roster.Refusal as refusal:
            results.append(refusal.code)

    threads = [threading.Thread(target=enter) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sessions() as session:
        person = roster.find_person_by_email(session, "admin@school-a.example")
    assert set(results) <= {person.id, "address_taken"}
    assert person.id in results
