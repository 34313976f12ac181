"""Who asks, and what of a course that account may see. What it may not see is 404: it is not there."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from atelier import projects, roster
from atelier.exchange.errors import ExchangeError
from atelier.exchange.records import find_latest_release
from atelier.services import Services, get_services
from atelier.store import parse_account
from atelier.store.models import Assignment, Course, Project, Submission, Team
from atelier.texts import N_

CourseRole = Literal["student", "teacher", "team", "course"]


@dataclass(frozen=True, slots=True)
class Caller:
    """The account behind a request and the instant at which it asked."""

    view: roster.AccountView
    now: dt.datetime

    @property
    def account(self) -> str:
        return self.view.account

    @property
    def id(self) -> str:
        """The opaque id of the person, team or course."""
        return parse_account(self.view.account)[1]


_WORKSPACE_TOKEN = APIKeyHeader(
    name="Authorization", auto_error=False, description="`token <JUPYTERHUB_API_TOKEN>` of a workspace"
)


async def find_caller(
    request: Request,
    services: Annotated[Services, Depends(get_services)],
    authorization: Annotated[str | None, Security(_WORKSPACE_TOKEN)],
) -> Caller:
    """FastAPI dependency: the active account whose workspace token came with the request."""
    address = request.client.host if request.client else ""
    account = await request.app.state.identities.find_account(authorization, address)
    caller = await run_in_threadpool(_load_caller, services, account)
    request.state.language = caller.view.language
    return caller


def not_found() -> ExchangeError:
    """Return the one answer for what is not there and for what is not this account's."""
    return ExchangeError(404, "not_found", N_("There is nothing here for you at this address."))


def find_course(session: Session, caller: Caller, slug: str) -> tuple[Course, CourseRole]:
    """Return the course and what the caller is in it. Raises `not_found`."""
    try:
        course = projects.find_course(session, slug)
    except LookupError as error:
        raise not_found() from error
    role = _find_role(session, caller, course)
    if role is None or course.archived_at is not None:
        raise not_found()
    return course, role


def check_course_account(session: Session, caller: Caller, slug: str) -> Course:
    """Return the course when the caller is that course's own workspace. Raises `not_found`."""
    course, role = find_course(session, caller, slug)
    if role != "course":
        raise not_found()
    return course


def list_visible_assignments(session: Session, caller: Caller, course: Course) -> list[Assignment]:
    """Return the assignments the caller works on: individual ones, its project's for teams, or all."""
    assignments = projects.list_assignments(session, course.id)
    if caller.view.kind == "course":
        return assignments
    if caller.view.kind == "team":
        project_id = session.get_one(Team, caller.id).project_id
        return [a for a in assignments if a.kind == "team" and a.project_id == project_id]
    return [a for a in assignments if a.kind == "individual"]


def find_visible_assignment(session: Session, caller: Caller, slug: str, name: str) -> Assignment:
    """Return the assignment `name` if the caller works on it. Raises `not_found`."""
    course, _role = find_course(session, caller, slug)
    for assignment in list_visible_assignments(session, caller, course):
        if assignment.name == name:
            return assignment
    raise not_found()


def find_own_submission(session: Session, caller: Caller, submission_id: str) -> Submission:
    """Return a submission of the caller's own, or of the course whose workspace asks. Raises `not_found`.

    Own work stays readable when an enrolment or a course has ended.
    """
    submission = session.get(Submission, submission_id)
    if submission is None:
        raise not_found()
    assignment = session.get_one(Assignment, submission.assignment_id)
    of_course = caller.view.kind == "course" and assignment.course_id == caller.id
    if submission.account != caller.account and not of_course:
        raise not_found()
    return submission


def find_course_submission(session: Session, caller: Caller, submission_id: str) -> Submission:
    """Return a submission in the course whose workspace asks. Raises `not_found`."""
    submission = find_own_submission(session, caller, submission_id)
    if caller.view.kind != "course":
        raise not_found()
    return submission


@dataclass(frozen=True, slots=True)
class SubmitRight:
    """That the caller may submit, and for which people it counts."""

    assignment: Assignment
    member_ids: Sequence[str]


def check_may_submit(session: Session, caller: Caller, slug: str, name: str) -> SubmitRight:
    """Return the right to submit. Raises `not_found`, `not_a_student` (403), `no_release` (409)."""
    _course, role = find_course(session, caller, slug)
    assignment = find_visible_assignment(session, caller, slug, name)
    members = _list_members(session, caller, role, assignment.course_id)
    if not members:
        text = N_("Only students of the course hand in work. Ask your teacher to put you on its list.")
        raise ExchangeError(403, "not_a_student", text)
    if find_latest_release(session, assignment.id) is None:
        text = N_("Nothing has been handed out for “%(name)s” yet, so nothing can be handed in.")
        raise ExchangeError(409, "no_release", text, name=assignment.title)
    return SubmitRight(assignment, members)


def _load_caller(services: Services, account: str) -> Caller:
    now = services.clock()
    inactive = N_("This workspace is no longer active. Ask your teacher or your school.")
    with services.sessions() as session:
        try:
            view = roster.find_account(session, services.city, account, now)
        except LookupError as error:
            raise ExchangeError(403, "account_inactive", inactive) from error
    if not view.active:
        raise ExchangeError(403, "account_inactive", inactive)
    return Caller(view, now)


def _find_role(session: Session, caller: Caller, course: Course) -> CourseRole | None:
    if caller.view.kind == "course":
        return "course" if caller.id == course.id else None
    if caller.view.kind == "team":
        project = session.get_one(Project, session.get_one(Team, caller.id).project_id)
        return "team" if project.course_id == course.id else None
    if roster.is_teacher(session, caller.id, course.id, caller.now):
        return "teacher"
    return "student" if roster.is_student(session, caller.id, course.id, caller.now) else None


def _list_members(session: Session, caller: Caller, role: CourseRole, course_id: str) -> list[str]:
    """Those for whom a submission counts now: students of the course, the person or the team's members."""
    if role == "student":
        return [caller.id]
    if role != "team":
        return []
    members = [person.id for person in projects.list_members(session, caller.id, caller.now)]
    return [m for m in members if roster.is_student(session, m, course_id, caller.now)]
