"""What the Course pages show, and who may see them: the course's teachers of this moment, nobody else."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy.orm import Session

from atelier import exchange, marks, projects, roster
from atelier.pages.answers import Absent
from atelier.pages.site import Site
from atelier.pages.visitors import Visitor
from atelier.store.models import Assignment, Project
from hub_config.city import City


@dataclass(frozen=True)
class TaughtCourse:
    """A course that the visitor teaches."""

    id: str
    slug: str
    title: str
    zone: str


@dataclass(frozen=True)
class AssignmentLine:
    """One assignment in the course's list; counts are of students."""

    name: str
    title: str
    kind: str
    zone: str
    due_at: dt.datetime | None
    released: bool
    submitted: int
    marked: int
    to_confirm: int


@dataclass(frozen=True)
class TeamView:
    """A team and the ids of its members."""

    id: str
    name: str
    members: list[str]


@dataclass(frozen=True)
class StudentLine:
    """A student of the course and the team that the student is in."""

    id: str
    name: str
    number: int | None
    class_name: str | None
    team_id: str | None


@dataclass(frozen=True)
class PeopleView:
    """The students and the teams of one project; `project` is None while the course has none."""

    project: Project | None
    projects: list[Project]
    teams: list[TeamView]
    students: list[StudentLine]
    teachers: list[str]

    @property
    def without_team(self) -> int:
        return sum(student.team_id is None for student in self.students)


def find_taught_course(
    session: Session, site: Site, visitor: Visitor, slug: str, now: dt.datetime
) -> TaughtCourse:
    """Return the course if the visitor teaches it. Raises Absent, whether there is such a course or not."""
    try:
        course = projects.find_course(session, slug)
    except projects.NotFound:
        raise Absent from None
    if course.archived_at is not None or course.school_id not in site.city.schools:
        raise Absent
    if not roster.is_teacher(session, visitor.id, course.id, now):
        raise Absent
    return TaughtCourse(course.id, course.slug, course.title, site.city.find_school(course.school_id).zone)


def find_course_assignment(session: Session, course: TaughtCourse, name: str) -> Assignment:
    """Return an assignment of the course. Raises Absent."""
    try:
        return projects.find_assignment(session, course.id, name)
    except projects.NotFound:
        raise Absent from None


def list_assignment_lines(
    session: Session, city: City, course_id: str, now: dt.datetime
) -> list[AssignmentLine]:
    """Return the course's assignments with how far they are."""
    submitted = exchange.count_submitters(session, course_id)
    to_confirm = marks.count_to_confirm(session, city, course_id, now)
    marked: dict[str, int] = {}
    for mark in marks.list_course_marks(session, course_id):
        marked[mark.assignment_id] = marked.get(mark.assignment_id, 0) + 1
    return [
        AssignmentLine(
            name=assignment.name,
            title=assignment.title,
            kind=assignment.kind,
            zone=assignment.zone,
            due_at=assignment.due_at,
            released=exchange.find_latest_release(session, assignment.id) is not None,
            submitted=submitted.get(assignment.id, 0),
            marked=marked.get(assignment.id, 0),
            to_confirm=to_confirm.get(assignment.id, 0),
        )
        for assignment in projects.list_assignments(session, course_id)
    ]


def load_people(
    session: Session, course: TaughtCourse, project_id: str | None, now: dt.datetime
) -> PeopleView:
    """Return students by class and №, and the teams of `project_id` (default: the newest). Raises Absent."""
    all_projects = projects.list_projects(session, course.id)
    project = _choose_project(all_projects, project_id)
    teams = [
        TeamView(team.id, team.name, [person.id for person in projects.list_members(session, team.id, now)])
        for team in (projects.list_teams(session, project.id) if project else [])
    ]
    team_of = {person_id: team.id for team in teams for person_id in team.members}
    students = [
        StudentLine(
            student.person.id,
            student.person.display_name,
            student.number,
            student.class_name,
            team_of.get(student.person.id),
        )
        for student in roster.list_students(session, course.id, now)
    ]
    teachers = [person.display_name for person in roster.list_teachers(session, course.id, now)]
    return PeopleView(project, all_projects, teams, students, teachers)


def _choose_project(all_projects: list[Project], project_id: str | None) -> Project | None:
    if not project_id:
        return all_projects[-1] if all_projects else None
    for project in all_projects:
        if project.id == project_id:
            return project
    raise Absent
