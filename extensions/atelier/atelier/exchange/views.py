"""What the exchange answers about courses, assignments and people. Instants are UTC."""

import datetime as dt
from typing import Literal

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from atelier import marks, projects, roster
from atelier.exchange.access import Caller, CourseRole, list_visible_assignments
from atelier.exchange.records import (
    Receipt,
    find_confirmed_feedback,
    find_latest_release,
    list_receipts,
    list_submissions,
)
from atelier.store import team_account
from atelier.store.models import Assignment, Blob, Course, Mark, Project, Release, Team
from hub_config.city import City

State = Literal["open", "submitted", "late", "returned"]


class CourseView(BaseModel):
    """A course, and what the account is in it."""

    slug: str = Field(description="nbgrader's course id and the folder's name.")
    title: str
    role: CourseRole
    zone: str = Field(description="IANA zone of the school that answers for the course.")
    language: str = Field(description="Language of that school.")


class MeView(BaseModel):
    """The account that asks."""

    account: str
    kind: Literal["personal", "team", "course"]
    display_name: str
    courses: list[CourseView]


class ReleaseView(BaseModel):
    """The newest release of an assignment."""

    id: str
    version: int
    sha256: str
    size: int = Field(description="Bytes of the archive.")
    released_at: dt.datetime


class FeedbackView(BaseModel):
    """The newest confirmed feedback."""

    submission_id: str
    version: int
    confirmed_at: dt.datetime


class MarkView(BaseModel):
    """A person's own confirmed mark."""

    points: float
    max_points: float
    mark: str = Field(description="On the school's scale, as printed.")
    scale: str


class AssignmentView(BaseModel):
    """An assignment as the account that asks sees it."""

    name: str
    title: str
    kind: Literal["individual", "team"]
    due_at: dt.datetime | None
    zone: str = Field(description="IANA zone in which the deadline is shown.")
    project: str | None = Field(description="Title of the project it belongs to.")
    release: ReleaseView | None
    submissions: list[Receipt] = Field(description="Newest first: own ones; for a course workspace, all.")
    feedback: FeedbackView | None
    mark: MarkView | None
    state: State = Field(description="`late`: due, nothing submitted. `returned`: marked or given feedback.")


class RosterMember(BaseModel):
    """A member of a team."""

    account: str
    given_name: str
    family_name: str


class RosterEntry(BaseModel):
    """One nbgrader student: a person or a team."""

    account: str
    kind: Literal["person", "team"]
    number: int | None = Field(None, description="№ in class.")
    class_name: str | None = None
    given_name: str = Field(description="Empty for a team.")
    family_name: str = Field(description="The team's name for a team.")
    members: list[RosterMember] = Field(description="Empty for a person.")


def view_me(session: Session, city: City, caller: Caller) -> MeView:
    """Return who the caller is and the courses it works in."""
    view = caller.view
    return MeView(
        account=view.account,
        kind=view.kind,
        display_name=view.display_name,
        courses=[_view_course(city, course, role) for course, role in _list_courses(session, caller)],
    )


def view_assignments(session: Session, caller: Caller, course: Course) -> list[AssignmentView]:
    """Return what the caller works on in a course, by deadline."""
    own_marks: dict[str, Mark] = {}
    if caller.view.kind == "personal":
        own_marks = {mark.assignment_id: mark for mark in marks.list_marks_of(session, caller.id)}
    return [
        view_assignment(session, caller, assignment, own_marks.get(assignment.id))
        for assignment in list_visible_assignments(session, caller, course)
    ]


def view_assignment(
    session: Session, caller: Caller, assignment: Assignment, mark: Mark | None = None
) -> AssignmentView:
    """Return one assignment as the caller sees it."""
    own = None if caller.view.kind == "course" else caller.account
    submissions = list_submissions(session, assignment.id, own)
    release = find_latest_release(session, assignment.id)
    feedback = find_confirmed_feedback(session, [s.id for s in submissions]) if own else None
    project = session.get(Project, assignment.project_id) if assignment.project_id else None
    return AssignmentView(
        name=assignment.name,
        title=assignment.title,
        kind="team" if assignment.kind == "team" else "individual",
        due_at=assignment.due_at,
        zone=assignment.zone,
        project=project.title if project else None,
        release=view_release(release, session.get_one(Blob, release.sha256).size) if release else None,
        submissions=list_receipts(session, submissions),
        feedback=FeedbackView.model_validate(feedback, from_attributes=True) if feedback else None,
        mark=MarkView.model_validate(mark, from_attributes=True) if mark else None,
        state=_find_state(assignment, bool(submissions), bool(feedback or mark), caller.now),
    )


def view_release(release: Release, size: int) -> ReleaseView:
    """Return a release as the exchange answers it. `size` is its archive's, in bytes."""
    return ReleaseView(
        id=release.id,
        version=release.version,
        sha256=release.sha256,
        size=size,
        released_at=release.released_at,
    )


def view_roster(session: Session, course: Course, now: dt.datetime) -> list[RosterEntry]:
    """Return nbgrader's students of a course: its students by class and №, then the teams of its projects."""
    people = [
        RosterEntry(
            account=student.person.id,
            kind="person",
            number=student.number,
            class_name=student.class_name,
            given_name=student.person.given_name,
            family_name=student.person.family_name,
            members=[],
        )
        for student in roster.list_students(session, course.id, now)
    ]
    teams = [
        _view_team(session, team, now)
        for project in projects.list_projects(session, course.id)
        for team in projects.list_teams(session, project.id, dissolved=True)
    ]
    return people + teams


def _view_team(session: Session, team: Team, now: dt.datetime) -> RosterEntry:
    members = [
        RosterMember(account=p.id, given_name=p.given_name, family_name=p.family_name)
        for p in projects.list_members(session, team.id, now)
    ]
    return RosterEntry(
        account=team_account(team.id), kind="team", given_name="", family_name=team.name, members=members
    )


def _list_courses(session: Session, caller: Caller) -> list[tuple[Course, CourseRole]]:
    if caller.view.kind == "personal":
        return [(c.course, c.role) for c in roster.list_courses_of(session, caller.id, caller.now)]
    course = projects.find_course(session, caller.view.course or "")
    return [(course, "team" if caller.view.kind == "team" else "course")]


def _view_course(city: City, course: Course, role: CourseRole) -> CourseView:
    school = city.schools.get(course.school_id)
    return CourseView(
        slug=course.slug,
        title=course.title,
        role=role,
        zone=school.zone if school else "UTC",
        language=school.language if school else city.language,
    )


def _find_state(assignment: Assignment, submitted: bool, returned: bool, now: dt.datetime) -> State:
    if returned:
        return "returned"
    if submitted:
        return "submitted"
    return "late" if assignment.due_at is not None and now > assignment.due_at else "open"
