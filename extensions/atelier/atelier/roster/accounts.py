"""What an account is: a person's, a team's or a course's, and whether it is still active."""

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from atelier.store import parse_account
from atelier.store.models import Course, Person, Project, Team
from hub_config.city import City, Limits

AccountKind = Literal["personal", "team", "course"]

# Dark enough for white initials on them (contrast over 4.5 : 1), far enough apart to tell members of a team.
COLORS = (
    "#1565c0", "#b71c1c", "#2e7d32", "#6a1b9a", "#bf360c", "#00695c",
    "#ad1457", "#4e342e", "#283593", "#827717", "#37474f", "#c2185b",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as the hub sees it (docs/architecture.md, "The internal interface")."""

    account: str
    kind: AccountKind
    active: bool
    display_name: str
    initials: str
    color: str
    language: str
    zone: str
    school: str
    course: str | None
    limits: dict[str, int]


def find_account(session: Session, city: City, account: str, now: dt.datetime) -> AccountView:
    """Return what `account` is. Raises LookupError when the roster knows no such account.

    `active` is false for a deactivated person, a dissolved team, an archived course and its teams, and for
    everybody of a school that is no longer in the city file.
    """
    try:
        kind, opaque_id = parse_account(account)
    except ValueError as error:
        raise LookupError(str(error)) from error
    if kind == "person":
        return _view_person(city, account, session.get(Person, opaque_id))
    if kind == "team":
        return _view_team(session, city, account, session.get(Team, opaque_id))
    return _view_course(city, account, session.get(Course, opaque_id))


def make_initials(name: str) -> str:
    """Return one or two capital letters of a name: of its first and its last word."""
    letters = [next((c for c in word if c.isalnum()), "") for word in name.split()]
    letters = [letter for letter in letters if letter]
    return "".join(letters[:1] + letters[1:][-1:]).upper() or "?"


def choose_color(account: str) -> str:
    """Return the colour of an account: always the same one, spread over the palette."""
    return COLORS[hashlib.sha256(account.encode()).digest()[0] % len(COLORS)]


def _view_person(city: City, account: str, person: Person | None) -> AccountView:
    if person is None:
        raise LookupError(f"no person {account!r}")
    return _view(
        city, account, "personal", person.display_name, person.school_id, None, person.active, person.language
    )


def _view_team(session: Session, city: City, account: str, team: Team | None) -> AccountView:
    if team is None:
        raise LookupError(f"no team {account!r}")
    course = session.get_one(Course, session.get_one(Project, team.project_id).course_id)
    active = team.dissolved_at is None and course.archived_at is None
    return _view(city, account, "team", team.name, course.school_id, course.slug, active)


def _view_course(city: City, account: str, course: Course | None) -> AccountView:
    if course is None:
        raise LookupError(f"no course {account!r}")
    active = course.archived_at is None
    return _view(city, account, "course", course.title, course.school_id, course.slug, active)


def _view(
    city: City,
    account: str,
    kind: AccountKind,
    name: str,
    school_id: str,
    course: str | None,
    active: bool,
    language: str | None = None,
) -> AccountView:
    school = city.schools.get(school_id)
    limits = school.limits if school else Limits()
    return AccountView(
        account=account,
        kind=kind,
        active=active and school is not None,
        display_name=name,
        initials=make_initials(name),
        color=choose_color(account),
        language=language or (school.language if school else city.language),
        zone=school.zone if school else "UTC",
        school=school_id,
        course=course,
        limits=_flatten(limits, kind),
    )


def _flatten(limits: Limits, kind: AccountKind) -> dict[str, int]:
    archive = {
        "archive_max_mb": limits.archive_max_mb,
        "archive_unpacked_max_mb": limits.archive_unpacked_max_mb,
        "archive_max_files": limits.archive_max_files,
    }
    return {**limits.of(kind).model_dump(), **archive}
