"""People, their classes and identities: what school staff changes."""

import datetime as dt
from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from atelier.roster.roster_file import clean_class_name, clean_name
from atelier.store.models import Enrolment, Identity, Person, RosterChange, SchoolClass
from atelier.texts import LANGUAGES


def note_change(session: Session, reason: str, now: dt.datetime) -> None:
    """Tell the steward that rights may have changed. `reason` is for operators: ids, no names."""
    session.add(RosterChange(reason=reason[:80], at=now))
    session.flush()


def find_person(session: Session, person_id: str) -> Person:
    """Return the person. Raises LookupError when there is none of that id."""
    person = session.get(Person, person_id)
    if person is None:
        raise LookupError(f"no person {person_id!r}; list them with: atelier roster list")
    return person


def find_person_by_email(session: Session, email: str, provider: str = "google") -> Person:
    """Return the person whom an open identity gives this address. Raises LookupError."""
    identity = _find_open_identity(session, email, provider)
    if identity is None:
        raise LookupError(f"nobody has the address {email}; list people with: atelier roster list")
    return identity.person


def list_people(session: Session, school_id: str) -> list[Person]:
    """Return everybody of one school, deactivated people too, by role and name."""
    query = select(Person).where(Person.school_id == school_id)
    return sorted(session.scalars(query), key=lambda p: (p.role, p.family_name, p.given_name, p.id))


def list_classes(session: Session, school_id: str) -> list[SchoolClass]:
    """Return a school's classes, the newest school year first, then 7А before 10Б."""
    return sort_classes(session.scalars(select(SchoolClass).where(SchoolClass.school_id == school_id)))


def sort_classes(classes: Iterable[SchoolClass]) -> list[SchoolClass]:
    """Return classes in the order in which everybody lists them: newest school year, grade, letter."""
    return sorted(classes, key=lambda c: (-c.school_year, order_of_class(c.name), c.id))


def order_of_class(name: str) -> tuple[int, str]:
    """A sort key of class names: grade as a number, then the letter. Names without a grade come last."""
    digits = "".join(c for c in name.split("-")[0] if c.isascii() and c.isdigit())
    return (int(digits) if digits else 999, name)


def find_class(session: Session, school_id: str, name: str) -> SchoolClass:
    """Return the newest class of that name in a school. Raises LookupError naming the classes there are."""
    classes = list_classes(session, school_id)
    wanted = clean_class_name(name) or name
    found = next((one for one in classes if one.name == wanted), None)
    if found is None:
        there = ", ".join(one.name for one in classes) or "none"
        raise LookupError(f"the school {school_id} has no class {name!r}; it has: {there}")
    return found


def deactivate(session: Session, person_id: str, now: dt.datetime) -> Person:
    """End a person's access. Nothing is deleted; `reactivate` undoes it. Raises LookupError."""
    person = find_person(session, person_id)
    if person.active:
        person.deactivated_at = now
        note_change(session, f"person {person.id} deactivated", now)
    return person


def reactivate(session: Session, person_id: str, now: dt.datetime) -> Person:
    """Give a deactivated person access again, with the same home. Raises LookupError."""
    person = find_person(session, person_id)
    if not person.active:
        person.deactivated_at = None
        note_change(session, f"person {person.id} reactivated", now)
    return person


def end_enrolment(session: Session, person_id: str, course_id: str, now: dt.datetime) -> int:
    """End a person's enrolments by name in a course; return how many were open. Work and marks stay."""
    query = select(Enrolment).where(
        Enrolment.person_id == person_id, Enrolment.course_id == course_id, Enrolment.until_at.is_(None)
    )
    open_ones = list(session.scalars(query))
    for enrolment in open_ones:
        enrolment.until_at = now
    if open_ones:
        note_change(session, f"person {person_id} left course {course_id}", now)
    return len(open_ones)


def rename(session: Session, person_id: str, given: str, family: str) -> Person:
    """Correct a person's name. Raises LookupError, or ValueError when it is no name."""
    person = find_person(session, person_id)
    names = clean_name(given), clean_name(family)
    if names[0] is None or names[1] is None:
        raise ValueError(f"{given!r} {family!r} is no name; write letters, at most 80 for each part")
    person.given_name, person.family_name = names[0], names[1]
    return person


def choose_language(session: Session, person_id: str, language: str) -> None:
    """Keep the language that a person has chosen for herself. Raises LookupError, ValueError."""
    if language not in LANGUAGES:
        raise ValueError(f"{language!r} is no language of ours; there are: {', '.join(LANGUAGES)}")
    find_person(session, person_id).language = language


def release_address(session: Session, email: str, now: dt.datetime, provider: str = "google") -> None:
    """Retire an address that its person no longer has; it may go to somebody else. Raises LookupError."""
    identity = _find_open_identity(session, email, provider)
    if identity is None:
        raise LookupError(f"nobody has the address {email}; list people with: atelier roster list")
    identity.retired_at = now
    note_change(session, f"person {identity.person_id} lost an address", now)


def change_address(
    session: Session, old: str, new: str, now: dt.datetime, provider: str = "google"
) -> Person:
    """Give a person a new address: the old identity is retired, the new one binds at the next sign-in.

    The person keeps id, home and marks. `new` may equal `old`: the school made the account anew, so that the
    provider knows it by another subject. Raises LookupError for an unknown old address, ValueError when the
    new one is somebody's.
    """
    identity = _find_open_identity(session, old, provider)
    if identity is None:
        raise LookupError(f"nobody has the address {old}; list people with: atelier roster list")
    other = _find_open_identity(session, new, provider)
    if other is not None and other is not identity:
        raise ValueError(f"{new} is somebody's address already; retire that one first")
    identity.retired_at = now
    session.flush()  # before the new row: an address is open once
    session.add(Identity(person_id=identity.person_id, provider=provider, email=new.strip().lower()))
    note_change(session, f"person {identity.person_id} has a new address", now)
    return identity.person


def _find_open_identity(session: Session, email: str, provider: str) -> Identity | None:
    query = select(Identity).where(
        Identity.provider == provider,
        Identity.email == email.strip().lower(),
        Identity.retired_at.is_(None),
    )
    return session.scalars(query).one_or_none()
