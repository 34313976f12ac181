"""Sign-in as a decision table: who gets in, as whom, and why not."""

import datetime as dt
from dataclasses import dataclass, replace

import pytest
from atelier import roster
from atelier.roster import Refusal, SignInAttempt, sign_in
from atelier.store.models import Identity, Person, RosterChange
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub_config.city import City, parse_city

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=300)
CITY = parse_city("""
name: Град
schools:
  a:
    name: А
    domains: [a.example, students.a.example]
    first_administrator: head@a.example
    scale: {kind: percent}
  b:
    name: Б
    domains: [b.example]
    first_administrator: head@b.example
    scale: {kind: percent}
""")
MARIA = SignInAttempt("google", "sub-maria", "maria@students.a.example", True, "students.a.example")


@dataclass
class Office:
    """A roster with Мария of school A, ready for sign-ins."""

    session: Session
    city: City
    maria: Person

    def refusal(self, attempt: SignInAttempt) -> tuple[str, str | None]:
        with pytest.raises(Refusal) as caught:
            sign_in(self.session, self.city, attempt, NOW)
        return caught.value.code, caught.value.school

    def enter(self, attempt: SignInAttempt, now: dt.datetime = NOW) -> Person:
        return sign_in(self.session, self.city, attempt, now)

    def add(self, email: str, school: str = "a", role: str = "student") -> Person:
        person = Person(school_id=school, role=role, given_name="Ива", family_name="Нова", created_at=NOW)
        self.session.add(person)
        self.session.flush()
        self.session.add(Identity(person_id=person.id, provider="google", email=email))
        self.session.flush()
        return person


@pytest.fixture
def office(session: Session) -> Office:
    office = Office(session, CITY, None)  # type: ignore[arg-type]
    office.maria = office.add("maria@students.a.example")
    return office


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"email": None}, ("no_email", None)),
        ({"email": "  "}, ("no_email", None)),
        ({"subject": ""}, ("no_email", None)),
        ({"email_verified": False}, ("unverified", None)),
        ({"hosted_domain": None}, ("personal_account", None)),
        ({"email": "maria@gmail.com", "hosted_domain": None}, ("personal_account", None)),
        ({"hosted_domain": "elsewhere.example"}, ("other_domain", None)),
        ({"email": "maria@elsewhere.example"}, ("other_domain", "a")),
        ({"hosted_domain": "b.example"}, ("other_domain", "b")),
        ({"email": "maria@b.example", "hosted_domain": "b.example"}, ("not_on_roster", "b")),
        ({"email": "nobody@a.example", "hosted_domain": "a.example"}, ("not_on_roster", "a")),
        ({"email": "maria@students.a.example.evil.example"}, ("other_domain", "a")),
        ({"hosted_domain": "evil-students.a.example"}, ("other_domain", None)),
        ({"provider": "other"}, ("other_domain", None)),
    ],
)
def test_refusals(office: Office, changes: dict[str, object], expected: tuple[str, str | None]):
    assert office.refusal(replace(MARIA, **changes)) == expected
    assert office.session.scalars(select(Identity.subject)).all() == [None], "a refusal binds nothing"


def test_first_sign_in_binds_the_subject_and_the_next_ones_do_not_rebind(office: Office):
    assert office.enter(MARIA) is office.maria
    assert office.enter(MARIA, LATER) is office.maria
    identity = office.session.scalars(select(Identity)).one()
    assert (identity.subject, identity.bound_at) == ("sub-maria", NOW)


def test_upper_case_in_the_address_is_the_same_address(office: Office):
    attempt = replace(MARIA, email="Maria@Students.A.example", hosted_domain="Students.A.Example")
    assert office.enter(attempt) is office.maria


def test_a_bound_person_is_known_by_subject_whatever_the_address_is_now(office: Office):
    office.enter(MARIA)
    renamed = replace(MARIA, email="maria.petrova@a.example", hosted_domain="a.example")
    assert office.enter(renamed) is office.maria


def test_a_reused_address_never_opens_the_first_owners_home(office: Office):
    office.enter(MARIA)
    assert office.refusal(replace(MARIA, subject="sub-newcomer")) == ("address_taken", "a")
    assert office.enter(MARIA) is office.maria


def test_after_the_address_was_released_the_newcomer_is_somebody_else(office: Office):
    office.enter(MARIA)
    roster.release_address(office.session, "maria@students.a.example", NOW)
    newcomer = office.add("maria@students.a.example")
    assert office.enter(replace(MARIA, subject="sub-newcomer")) is newcomer
    assert office.refusal(MARIA) == ("not_on_roster", "a"), "the first owner's identity is retired"


def test_a_changed_address_keeps_the_person_and_its_home(office: Office):
    office.enter(MARIA)
    roster.change_address(office.session, "maria@students.a.example", "m.petrova@a.example", NOW)
    fresh = SignInAttempt("google", "sub-second-account", "m.petrova@a.example", True, "a.example")
    assert office.enter(fresh) is office.maria


def test_an_account_that_the_school_made_anew_is_let_in_after_a_word_of_the_operator(office: Office):
    office.enter(MARIA)
    anew = replace(MARIA, subject="sub-maria-anew")
    assert office.refusal(anew) == ("address_taken", "a")
    roster.change_address(office.session, "maria@students.a.example", "maria@students.a.example", NOW)
    assert office.enter(anew) is office.maria
    assert office.refusal(MARIA) == ("not_on_roster", "a")


def test_a_teacher_of_one_school_is_refused_with_another_schools_account(office: Office):
    office.add("teacher@b.example", school="a", role="teacher")
    attempt = SignInAttempt("google", "sub-t", "teacher@b.example", True, "b.example")
    assert office.refusal(attempt) == ("other_domain", "b")


def test_a_bound_person_whose_account_moved_to_another_school_is_refused(office: Office):
    office.enter(MARIA)
    moved = replace(MARIA, email="maria@b.example", hosted_domain="b.example")
    assert office.refusal(moved) == ("other_domain", "b")


def test_a_deactivated_person_is_refused_bound_or_not_and_may_return(office: Office):
    roster.deactivate(office.session, office.maria.id, NOW)
    assert office.refusal(MARIA) == ("deactivated", "a")
    roster.reactivate(office.session, office.maria.id, NOW)
    office.enter(MARIA)
    roster.deactivate(office.session, office.maria.id, NOW)
    assert office.refusal(MARIA) == ("deactivated", "a")


HEAD = SignInAttempt("google", "sub-head", "head@a.example", True, "a.example")


def test_the_first_administrator_is_created_at_the_first_sign_in_only(office: Office):
    head = office.enter(HEAD)
    assert (head.role, head.school_id) == ("school_admin", "a")
    assert office.enter(HEAD, LATER) is head
    assert office.session.scalar(select(func.count()).select_from(Person)) == 2
    assert office.session.scalar(select(func.count()).select_from(RosterChange)) == 1


def test_somebody_else_with_the_administrators_address_is_refused(office: Office):
    office.enter(HEAD)
    assert office.refusal(replace(HEAD, subject="sub-other")) == ("address_taken", "a")


def test_an_administrator_whose_identity_was_retired_does_not_come_back(office: Office):
    office.enter(HEAD)
    roster.release_address(office.session, "head@a.example", NOW)
    assert office.refusal(HEAD) == ("not_on_roster", "a")
    assert office.refusal(replace(HEAD, subject="sub-other")) == ("not_on_roster", "a")


def test_the_administrators_address_of_another_school_does_not_count(office: Office):
    attempt = replace(HEAD, email="head@b.example")
    assert office.refusal(attempt) == ("other_domain", "a")
