"""What roster and projects call for: which accounts exist and who may open whose workspace.

Who is shared into what (docs/decisions/what-the-steward-shares.md):

* a team's workspace: its current members while they are students of its course, and its current teachers;
* a course's workspace: its current teachers;
* a personal workspace: nobody.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Row, select, union
from sqlalchemy.orm import Session

from atelier.store import course_account, team_account
from atelier.store.models import (
    ClassMembership,
    Course,
    CourseClass,
    Enrolment,
    Person,
    Project,
    Team,
    TeamMembership,
)
from hub_config.city import City


@dataclass(frozen=True)
class Wanted:
    """Active accounts, and for each team and course account the people who may open it."""

    accounts: frozenset[str] = frozenset()
    shares: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def list_differences(self, other: "Wanted") -> set[str]:
        """Return the accounts that are in one of the two only, or are shared with other people."""
        owners = {o for o in self.shares.keys() | other.shares.keys() if self.of(o) != other.of(o)}
        return set(self.accounts ^ other.accounts) | owners

    def of(self, owner: str) -> frozenset[str]:
        """Return who may open `owner`'s workspace besides itself."""
        return self.shares.get(owner, frozenset())


def find_wanted(session: Session, city: City, now: dt.datetime) -> Wanted:
    """Return what is called for at `now`. A school that left the city file counts for nothing."""
    schools = list(city.schools)
    people = set(
        session.scalars(
            select(Person.id).where(Person.deactivated_at.is_(None), Person.school_id.in_(schools))
        )
    )
    active_course = (Course.archived_at.is_(None), Course.school_id.in_(schools))
    teachers = _group(_teachers(session, active_course, now), people)
    shares = {
        course_account(course_id): teachers.get(course_id, frozenset())
        for course_id in session.scalars(select(Course.id).where(*active_course))
    }
    members = _group(_members(session, now), people)
    for team_id, course_id in _teams(session, active_course):
        taught_by = shares[course_account(course_id)]
        shares[team_account(team_id)] = members.get(team_id, frozenset()) | taught_by
    return Wanted(frozenset(people | shares.keys()), shares)


def _teachers(
    session: Session, active_course: tuple[ColumnElement[bool], ...], now: dt.datetime
) -> Iterable[Row[str, str]]:
    query = (
        select(Enrolment.course_id, Enrolment.person_id)
        .join(Course, Course.id == Enrolment.course_id)
        .join(Person, Person.id == Enrolment.person_id)
        .where(Person.role != "student", Enrolment.role == "teacher", *active_course, Enrolment.holds_at(now))
    )
    return session.execute(query)


def _members(session: Session, now: dt.datetime) -> Iterable[Row[str, str]]:
    """Members while they are students of the team's course: a membership stays open when a class is left."""
    by_class = (
        select(CourseClass.course_id, ClassMembership.person_id)
        .join(CourseClass, CourseClass.class_id == ClassMembership.class_id)
        .join(Person, Person.id == ClassMembership.person_id)
        .where(Person.role == "student", ClassMembership.holds_at(now))
    )
    by_name = select(Enrolment.course_id, Enrolment.person_id).where(
        Enrolment.role == "student", Enrolment.holds_at(now)
    )
    students = union(by_class, by_name).subquery()
    query = (
        select(TeamMembership.team_id, TeamMembership.person_id)
        .join(Team, Team.id == TeamMembership.team_id)
        .join(Project, Project.id == Team.project_id)
        .join(
            students,
            (students.c.course_id == Project.course_id) & (students.c.person_id == TeamMembership.person_id),
        )
        .where(TeamMembership.holds_at(now))
    )
    return session.execute(query)


def _teams(session: Session, active_course: tuple[ColumnElement[bool], ...]) -> Iterable[Row[str, str]]:
    query = (
        select(Team.id, Project.course_id)
        .join(Project, Project.id == Team.project_id)
        .join(Course, Course.id == Project.course_id)
        .where(Team.dissolved_at.is_(None), *active_course)
    )
    return session.execute(query)


def _group(pairs: Iterable[Row[str, str]], people: set[str]) -> dict[str, frozenset[str]]:
    grouped: dict[str, set[str]] = {}
    for key, person_id in pairs:
        if person_id in people:
            grouped.setdefault(key, set()).add(person_id)
    return {key: frozenset(ids) for key, ids in grouped.items()}
