"""Who may sign in, as whom: one decision, made from what the provider proved and what the roster says.

The order of the questions is the decision table; the reasons stand in docs/decisions/identity.md.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from atelier.roster.people import note_change
from atelier.store.models import Identity, Person
from hub_config.city import City, School

RefusalCode = Literal[
    "no_email",
    "unverified",
    "personal_account",
    "other_domain",
    "not_on_roster",
    "deactivated",
    "address_taken",
]


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """What the provider proved about somebody. `subject` is its immutable id; the rest may change hands."""

    provider: str
    subject: str
    email: str | None
    email_verified: bool
    hosted_domain: str | None = None


class Refusal(Exception):
    """Nobody signs in. `code` names the reason; `school` is the school whose account it is, if known."""

    def __init__(self, code: RefusalCode, school: str | None = None) -> None:
        super().__init__(f"sign-in refused: {code}" + (f" (school {school})" if school else ""))
        self.code: RefusalCode = code
        self.school = school


def sign_in(session: Session, city: City, attempt: SignInAttempt, now: dt.datetime) -> Person:
    """Return the person who signs in; at the first time binds the provider's subject to the person for ever.

    Raises Refusal. Needs a session for writing.
    """
    email = _check_email(attempt)
    school = _find_school(city, attempt, email)
    bound = _find_bound(session, attempt)
    identity = bound or _find_by_address(session, attempt, email, school)
    if identity is None:
        return _create_first_administrator(session, attempt, email, school, now)
    person = identity.person
    if person.school_id != school.id:
        raise Refusal("other_domain", school.id)
    if not person.active:
        raise Refusal("deactivated", school.id)
    if bound is None:
        identity.subject, identity.bound_at = attempt.subject, now
        session.flush()
    return person


def _check_email(attempt: SignInAttempt) -> str:
    email = (attempt.email or "").strip().lower()
    if not attempt.subject or "@" not in email:
        raise Refusal("no_email")
    if not attempt.email_verified:
        raise Refusal("unverified")
    return email


def _find_school(city: City, attempt: SignInAttempt, email: str) -> School:
    """The school that owns both the hosted domain and the address's domain.

    Without a hosted domain it is a private account, even when its address looks like the school's: anybody
    may open a private account with any address that receives mail.
    """
    if not attempt.hosted_domain:
        raise Refusal("personal_account")
    school = city.find_school_of_domain(attempt.hosted_domain)
    if school is None or school.provider != attempt.provider:
        raise Refusal("other_domain")
    if email.rpartition("@")[2] not in school.domains:
        raise Refusal("other_domain", school.id)
    return school


def _find_bound(session: Session, attempt: SignInAttempt) -> Identity | None:
    query = select(Identity).where(Identity.provider == attempt.provider, Identity.subject == attempt.subject)
    identity = session.scalars(query).one_or_none()
    if identity is not None and identity.retired_at is not None:
        raise Refusal("not_on_roster", identity.person.school_id)
    return identity


def _find_by_address(session: Session, attempt: SignInAttempt, email: str, school: School) -> Identity | None:
    query = select(Identity).where(
        Identity.provider == attempt.provider, Identity.email == email, Identity.retired_at.is_(None)
    )
    # Locked where the database has row locks: of two first sign-ins at once, one binds and the other sees it.
    identity = session.scalars(query.with_for_update()).one_or_none()
    if identity is not None and identity.subject is not None:
        # The address has a new owner: another subject. The old owner's home stays shut.
        raise Refusal("address_taken", school.id)
    return identity


def _create_first_administrator(
    session: Session, attempt: SignInAttempt, email: str, school: School, now: dt.datetime
) -> Person:
    retired = select(Identity.id).where(Identity.provider == attempt.provider, Identity.email == email)
    if email != school.first_administrator or session.scalars(retired).first() is not None:
        raise Refusal("not_on_roster", school.id)
    person = Person(
        school_id=school.id,
        role="school_admin",
        given_name=email.rpartition("@")[0][:80],
        family_name="",
        created_at=now,
    )
    identity = Identity(
        person=person, provider=attempt.provider, email=email, subject=attempt.subject, bound_at=now
    )
    try:
        with session.begin_nested():
            session.add_all([person, identity])
    except IntegrityError:  # the same person, or somebody else, was faster by a moment
        raise Refusal("address_taken", school.id) from None
    note_change(session, f"first administrator {person.id} signed in", now)
    return person
