"""Teams: who does a project together. A membership ends; it is never deleted."""

import datetime as dt
import random
import unicodedata
from collections.abc import Collection, Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from atelier import roster
from atelier.projects.errors import NotFound, ProjectError
from atelier.store.models import Person, Project, Team, TeamMembership
from atelier.texts import N_

_SYSTEM_RANDOM = random.SystemRandom()


def create_team(session: Session, project_id: str, name: str, now: dt.datetime) -> Team:
    """Create an empty team in a project; its workspace appears when the steward has seen it.

    Raises NotFound for the project, ProjectError (`bad_team_name`, `team_name_taken`).
    """
    _lock_project(session, project_id)
    team = Team(project_id=project_id, name=_check_name(session, project_id, name), created_at=now)
    session.add(team)
    session.flush()
    roster.note_change(session, f"team {team.id} created", now)
    return team


def rename_team(session: Session, team_id: str, name: str, now: dt.datetime) -> Team:
    """Give a team another name. Raises like `create_team`."""
    team = find_team(session, team_id)
    _lock_project(session, team.project_id)
    team.name = _check_name(session, team.project_id, name, but=team.id)
    session.flush()
    roster.note_change(session, f"team {team.id} renamed", now)
    return team


def dissolve_team(session: Session, team_id: str, now: dt.datetime) -> Team:
    """End a team and its memberships. Its submissions, marks and files stay."""
    team = find_team(session, team_id)
    if team.dissolved_at is None:
        for membership in _list_open_memberships(session, team_id):
            membership.until_at = now
        team.dissolved_at = now
        session.flush()
        roster.note_change(session, f"team {team.id} dissolved", now)
    return team


def set_team_members(
    session: Session, team_id: str, person_ids: Collection[str], now: dt.datetime, *, move: bool = False
) -> None:
    """Make exactly these people the team's members from `now` on.

    A person is in one team of a project: with `move` the other membership ends, without it ProjectError
    `in_other_team` names the person and the team. Raises ProjectError `not_a_student` for anybody who is no
    student of the course, `team_dissolved`, NotFound. Nothing is written when it raises.
    """
    team = find_team(session, team_id)
    if team.dissolved_at is not None:
        raise ProjectError(
            "team_dissolved", N_("The team %(team)s is dissolved. Make a new one."), team=team.name
        )
    _lock_project(session, team.project_id)
    wanted = set(person_ids)
    present = {m.person_id: m for m in _list_open_memberships(session, team_id)}
    joining = wanted - present.keys()
    _check_students(session, team, joining, now)
    elsewhere = _list_other_memberships(session, team, joining)
    if elsewhere and not move:
        raise _in_other_team(session, elsewhere[0])
    ending = elsewhere + [m for person_id, m in present.items() if person_id not in wanted]
    for membership in ending:
        membership.until_at = now
    session.add_all(TeamMembership(team_id=team.id, person_id=p, from_at=now) for p in sorted(joining))
    session.flush()
    if joining or ending:
        roster.note_change(session, f"members of team {team.id} changed", now)


def form_teams(
    session: Session,
    project_id: str,
    size: int,
    now: dt.datetime,
    *,
    name: str = "Team",
    chooser: random.Random | None = None,
) -> list[Team]:
    """Put the course's students who have no team yet into new teams of about `size` (sizes differ by one at
    most).

    Teams are called `name` and the next free number. `chooser` shuffles; pass a seeded one to repeat a draw.
    Raises ProjectError `bad_team_size` unless 2 <= size <= 12; returns [] when everybody has a team.
    """
    if not 2 <= size <= 12:
        raise ProjectError("bad_team_size", N_("A team has 2 to 12 members, not %(size)d."), size=size)
    project = session.get(Project, project_id)
    if project is None:
        raise NotFound("no_project", N_("There is no such project in this course."))
    free = list_students_without_team(session, project_id, now)
    (chooser or _SYSTEM_RANDOM).shuffle(free)
    count = max(1, round(len(free) / size)) if free else 0
    names = _list_free_names(session, project_id, name, count)
    teams = [create_team(session, project_id, free_name, now) for free_name in names]
    for number, team in enumerate(teams):
        set_team_members(session, team.id, free[number::count], now)
    return teams


def list_students_without_team(session: Session, project_id: str, now: dt.datetime) -> list[str]:
    """Return the ids of the course's students who are in no team of this project, in the roster's order."""
    project = session.get_one(Project, project_id)
    students = [student.person.id for student in roster.list_students(session, project.course_id, now)]
    query = (
        select(TeamMembership.person_id)
        .join(Team, Team.id == TeamMembership.team_id)
        .where(Team.project_id == project_id, TeamMembership.until_at.is_(None))
    )
    placed = set(session.scalars(query))
    return [person_id for person_id in students if person_id not in placed]


def find_team(session: Session, team_id: str) -> Team:
    """Return the team, dissolved or not. Raises NotFound."""
    team = session.get(Team, team_id)
    if team is None:
        raise NotFound("no_team", N_("There is no such team in this project."))
    return team


def list_teams(session: Session, project_id: str, *, dissolved: bool = False) -> list[Team]:
    """Return the project's teams by name (numbers in order: Team 2 before Team 10); dissolved ones on
    request.
    """
    query = select(Team).where(Team.project_id == project_id)
    if not dissolved:
        query = query.where(Team.dissolved_at.is_(None))
    return sorted(session.scalars(query), key=lambda team: (_natural(team.name), team.id))


def list_members(session: Session, team_id: str, now: dt.datetime) -> list[Person]:
    """Return who is in the team at `now`, by family name.

    Who is deactivated or no longer a student of the course is left out, although the membership stays open.
    """
    course_id = _find_course_id(session, find_team(session, team_id))
    students = {student.person.id for student in roster.list_students(session, course_id, now)}
    query = (
        select(Person)
        .join(TeamMembership, TeamMembership.person_id == Person.id)
        .where(TeamMembership.team_id == team_id, TeamMembership.holds_at(now))
        .order_by(Person.family_name, Person.given_name, Person.id)
        .distinct()
    )
    return [person for person in session.scalars(query) if person.id in students]


def find_team_of(session: Session, person_id: str, project_id: str, now: dt.datetime) -> Team | None:
    """Return the person's team in this project at `now`, or None: not everybody is in a team yet."""
    teams = list_teams_of(session, person_id, now)
    return next((team for team in teams if team.project_id == project_id), None)


def list_teams_of(session: Session, person_id: str, now: dt.datetime) -> list[Team]:
    """Return all teams, of any project, that the person is in at `now`, while a student of their course."""
    query = (
        select(Team)
        .join(TeamMembership, TeamMembership.team_id == Team.id)
        .where(TeamMembership.person_id == person_id, TeamMembership.holds_at(now))
        .where(Team.dissolved_at.is_(None))
        .order_by(Team.created_at, Team.id)
        .distinct()
    )
    return [
        team
        for team in session.scalars(query)
        if roster.is_student(session, person_id, _find_course_id(session, team), now)
    ]


def _lock_project(session: Session, project_id: str) -> None:
    """Let others who change this project's teams wait until we are done: two at once could place a person
    twice. (PostgreSQL; SQLite has one writer at a time anyway.) Raises NotFound."""
    if session.scalar(select(Project.id).where(Project.id == project_id).with_for_update()) is None:
        raise NotFound("no_project", N_("There is no such project in this course."))


def _find_course_id(session: Session, team: Team) -> str:
    return session.get_one(Project, team.project_id).course_id


def _list_open_memberships(session: Session, team_id: str) -> list[TeamMembership]:
    query = select(TeamMembership).where(TeamMembership.team_id == team_id, TeamMembership.until_at.is_(None))
    return list(session.scalars(query))


def _list_other_memberships(session: Session, team: Team, person_ids: set[str]) -> list[TeamMembership]:
    """Open memberships of these people in the other teams of the same project."""
    query = (
        select(TeamMembership)
        .join(Team, Team.id == TeamMembership.team_id)
        .where(Team.project_id == team.project_id, Team.id != team.id)
        .where(TeamMembership.until_at.is_(None), TeamMembership.person_id.in_(person_ids))
    )
    return list(session.scalars(query))


def _check_students(session: Session, team: Team, person_ids: Iterable[str], now: dt.datetime) -> None:
    course_id = _find_course_id(session, team)
    for person_id in person_ids:
        if not roster.is_student(session, person_id, course_id, now):
            person = session.get(Person, person_id)
            raise ProjectError(
                "not_a_student",
                N_("%(person)s is no student of this course. Enrol the student first."),
                person=person.display_name if person else person_id,
            )


def _in_other_team(session: Session, membership: TeamMembership) -> ProjectError:
    return ProjectError(
        "in_other_team",
        N_("%(person)s is already in the team %(team)s. Take the student out of it first."),
        person=session.get_one(Person, membership.person_id).display_name,
        team=session.get_one(Team, membership.team_id).name,
    )


def _check_name(session: Session, project_id: str, name: str, but: str | None = None) -> str:
    cleaned = " ".join(unicodedata.normalize("NFC", name).split())
    if not 1 <= len(cleaned) <= 80 or not cleaned.isprintable():
        raise ProjectError("bad_team_name", N_("Give the team a name of 1 to 80 characters."))
    query = select(Team).where(Team.project_id == project_id)
    for team in session.scalars(query):
        if team.id != but and team.name.casefold() == cleaned.casefold():
            raise ProjectError(
                "team_name_taken",
                N_("Another team is or was called %(team)s. Choose another name."),
                team=team.name,
            )
    return cleaned


def _list_free_names(session: Session, project_id: str, name: str, count: int) -> list[str]:
    taken = {team.name.casefold() for team in list_teams(session, project_id, dissolved=True)}
    free: list[str] = []
    number = 1
    while len(free) < count:
        if f"{name} {number}".casefold() not in taken:
            free.append(f"{name} {number}")
        number += 1
    return free


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A sort key in which numbers count as numbers."""
    key: list[tuple[int, int, str]] = []
    for word in name.casefold().split():
        key.append((0, int(word), "") if word.isascii() and word.isdigit() else (1, 0, word))
    return key
