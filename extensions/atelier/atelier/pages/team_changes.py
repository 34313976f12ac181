"""Reading a form of all students with their teams, and doing only what was changed in it."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from atelier import projects
from atelier.pages.answers import Absent
from atelier.pages.course import PeopleView


@dataclass(frozen=True)
class TeamChange:
    """A student whom the teacher has put elsewhere; '' is no team."""

    person_id: str
    to_team: str


def read_team_changes(form: FormData) -> list[TeamChange]:
    """Return the students whose ``team-<id>`` field differs from the ``was-<id>`` that the page had shown."""
    changes = []
    for key, value in form.items():
        if key.startswith("team-"):
            person_id = key.removeprefix("team-")
            if str(value) != str(form.get(f"was-{person_id}", "")):
                changes.append(TeamChange(person_id, str(value)))
    return changes


def apply_team_changes(
    session: Session, people: PeopleView, changes: list[TeamChange], now: dt.datetime
) -> None:
    """Bring each changed student into the chosen team. Raises Absent for a strange id, ProjectError."""
    known_teams = {team.id for team in people.teams} | {""}
    known_students = {student.id for student in people.students}
    for change in changes:
        if change.to_team not in known_teams or change.person_id not in known_students:
            raise Absent
    moved = {change.person_id: change.to_team for change in changes}
    for team in people.teams:
        stay = {member for member in team.members if moved.get(member, team.id) == team.id}
        come = {person_id for person_id, to_team in moved.items() if to_team == team.id}
        if stay | come != set(team.members):
            projects.set_team_members(session, team.id, stay | come, now, move=True)
