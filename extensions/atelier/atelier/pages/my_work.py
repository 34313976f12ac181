"""What My work shows: per course the assignments with their state, the teams, the way to each workspace."""

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy.orm import Session

from atelier import exchange, marks, projects, roster
from atelier.pages.course import AssignmentLine, list_assignment_lines
from atelier.pages.links import course_workspace_url, personal_workspace_url, team_workspace_url
from atelier.pages.site import Site
from atelier.pages.visitors import Visitor
from atelier.store.models import Assignment, Course, Mark, Submission, Team

# What waits for the student comes first; within a state, by deadline.
_ORDER = {"missed": 0, "open": 0, "no_team": 0, "not_released": 1, "submitted": 2, "returned": 3}


@dataclass(frozen=True)
class Receipt:
    """A submission as its owner sees it."""

    id: str
    received_at: dt.datetime
    late: bool


@dataclass(frozen=True)
class Work:
    """One assignment of one student.

    `state`: *returned* (a mark or feedback is there), *submitted*, *missed* (due, nothing submitted), *open*,
    *not_released* (nothing to fetch yet), *no_team* (team work, and the student is in no team).
    """

    title: str
    kind: str
    zone: str
    due_at: dt.datetime | None
    state: str
    team_name: str | None
    receipts: list[Receipt]
    mark: str | None = None
    points: Decimal | None = None
    max_points: Decimal | None = None
    feedback_of: str | None = None
    url: str = ""

    @property
    def waits_for_student(self) -> bool:
        """Whether there is something to do and a place to do it."""
        return bool(self.url) and self.state in ("open", "missed")


@dataclass(frozen=True)
class TeamCard:
    """A team of the student with the names of its members."""

    name: str
    course: str
    project: str
    driving_question: str
    members: list[str]
    url: str


@dataclass(frozen=True)
class CourseCard:
    """One course on My work; `taught` when the person teaches it."""

    slug: str
    title: str
    taught: bool
    url: str
    lines: list[AssignmentLine] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)
    teams: list[TeamCard] = field(default_factory=list)


def list_course_cards(session: Session, site: Site, visitor: Visitor, now: dt.datetime) -> list[CourseCard]:
    """Return the person's courses, taught ones first."""
    cards = []
    confirmed = {mark.assignment_id: mark for mark in marks.list_marks_of(session, visitor.id)}
    for membership in roster.list_courses_of(session, visitor.id, now):
        course = membership.course
        if course.school_id not in site.city.schools:
            continue  # a club of a school that has left the city
        if membership.role == "teacher":
            url = course_workspace_url(site, course.id, visitor.id)
            lines = list_assignment_lines(session, site.city, course.id, now)
            cards.append(CourseCard(course.slug, course.title, True, url, lines))
        else:
            cards.append(_make_student_card(session, site, visitor, course, confirmed, now))
    return sorted(cards, key=lambda card: (not card.taught, card.title))


def _make_student_card(
    session: Session,
    site: Site,
    visitor: Visitor,
    course: Course,
    confirmed: dict[str, Mark],
    now: dt.datetime,
) -> CourseCard:
    teams = [
        team
        for project in projects.list_projects(session, course.id)
        if (team := projects.find_team_of(session, visitor.id, project.id, now))
    ]
    of_project = {team.project_id: team for team in teams}
    works = [
        _make_work(session, site, visitor.id, assignment, of_project, confirmed.get(assignment.id), now)
        for assignment in projects.list_assignments(session, course.id)
    ]
    works.sort(key=lambda work: _ORDER[work.state])
    return CourseCard(
        course.slug,
        course.title,
        taught=False,
        url="",
        works=works,
        teams=[_make_team_card(session, site, visitor.id, course, team, now) for team in teams],
    )


def _make_team_card(
    session: Session, site: Site, person_id: str, course: Course, team: Team, now: dt.datetime
) -> TeamCard:
    project = projects.find_project(session, course.id, team.project_id)
    return TeamCard(
        name=team.name,
        course=course.title,
        project=project.title,
        driving_question=project.driving_question,
        members=[person.display_name for person in projects.list_members(session, team.id, now)],
        url=team_workspace_url(site, team.id, person_id),
    )


def _make_work(
    session: Session,
    site: Site,
    person_id: str,
    assignment: Assignment,
    teams: dict[str, Team],
    mark: Mark | None,
    now: dt.datetime,
) -> Work:
    team = teams.get(assignment.project_id or "") if assignment.kind == "team" else None
    submissions = exchange.list_submissions_for(session, assignment.id, person_id, team.id if team else None)
    feedback = exchange.find_feedback_for(session, assignment.id, person_id)
    return Work(
        title=assignment.title,
        kind=assignment.kind,
        zone=assignment.zone,
        due_at=assignment.due_at,
        state=_judge(session, assignment, team, submissions, bool(mark or feedback), now),
        team_name=team.name if team else None,
        receipts=[Receipt(s.id, s.received_at, s.late) for s in submissions],
        mark=mark.mark if mark else None,
        points=mark.points if mark else None,
        max_points=mark.max_points if mark else None,
        feedback_of=feedback.submission_id if feedback else None,
        url=team_workspace_url(site, team.id, person_id) if team else _own_url(site, assignment, person_id),
    )


def _own_url(site: Site, assignment: Assignment, person_id: str) -> str:
    return personal_workspace_url(site, person_id) if assignment.kind == "individual" else ""


def _judge(
    session: Session,
    assignment: Assignment,
    team: Team | None,
    submissions: list[Submission],
    returned: bool,
    now: dt.datetime,
) -> str:
    if returned:
        return "returned"
    if submissions:
        return "submitted"
    if exchange.find_latest_release(session, assignment.id) is None:
        return "not_released"
    if assignment.kind == "team" and team is None:
        return "no_team"
    return "missed" if assignment.due_at and assignment.due_at < now else "open"
