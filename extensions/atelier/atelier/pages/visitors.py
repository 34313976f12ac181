"""Who is looking at a page: the browser's session, and the roster's word on the person at every request."""

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import delete
from sqlalchemy.orm import Session

from atelier.store.models import Person, WebSession
from atelier.texts import known_language
from hub_config.city import City

SESSION_LENGTH = dt.timedelta(hours=12)


@dataclass(frozen=True)
class Visitor:
    """The person behind a request. Built anew for each request; rights are never kept in a session."""

    id: str
    name: str
    role: str
    school_id: str
    school_name: str
    language: str
    zone: str
    csrf_token: str
    session_key: str
    identity_checked_at: dt.datetime

    @property
    def manages_school(self) -> bool:
        return self.role == "school_admin"

    @property
    def may_start_courses(self) -> bool:
        """Teachers start their own courses, school administrators start them for their teachers."""
        return self.role in ("teacher", "school_admin")


def make_key(secret: str) -> str:
    """Return the SHA-256 under which a session is kept: who reads the database cannot sign in with it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def start_session(session: Session, person_id: str, now: dt.datetime) -> str:
    """Add a session for a person whom the hub has just named. Returns the secret for the cookie."""
    secret = secrets.token_urlsafe(32)
    session.execute(delete(WebSession).where(WebSession.expires_at <= now))
    session.add(
        WebSession(
            secret_sha256=make_key(secret),
            person_id=person_id,
            csrf_token=secrets.token_urlsafe(32),
            created_at=now,
            expires_at=now + SESSION_LENGTH,
            identity_checked_at=now,
        )
    )
    return secret


def end_session(session: Session, key: str) -> None:
    """Forget a session; the cookie that a browser may still hold is worth nothing then."""
    session.execute(delete(WebSession).where(WebSession.secret_sha256 == key))


def find_visitor(session: Session, city: City, secret: str, now: dt.datetime) -> Visitor | None:
    """Return who holds `secret`, or None: unknown, expired, or no longer active on the roster."""
    row = session.get(WebSession, make_key(secret))
    person = find_active_person(session, city, row.person_id) if row else None
    if row is None or row.expires_at <= now or person is None:
        return None
    school = city.find_school(person.school_id)
    return Visitor(
        id=person.id,
        name=person.display_name,
        role=person.role,
        school_id=person.school_id,
        school_name=school.name,
        language=known_language(person.language or school.language),
        zone=school.zone,
        csrf_token=row.csrf_token,
        session_key=row.secret_sha256,
        identity_checked_at=row.identity_checked_at,
    )


def find_active_person(session: Session, city: City, person_id: str) -> Person | None:
    """Return the person if she is active and her school is still one of the city's, else None."""
    person = session.get(Person, person_id)
    return person if person and person.active and person.school_id in city.schools else None


def note_identity_check(session: Session, key: str, now: dt.datetime) -> None:
    """Remember that the hub has just confirmed whose session this is."""
    row = session.get(WebSession, key)
    if row is not None:
        row.identity_checked_at = now
