"""The list a teacher confirms: one row per person, with what would become a mark and what would not.

Per person the newest submission counts that has a staged result; members are those the submission names, so
a person who changed teams keeps the work done before. Nothing that is missing, broken or waiting for a hand
becomes a mark.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from atelier import roster
from atelier.marks.errors import MarkError
from atelier.marks.lists import list_assignment_marks
from atelier.store import parse_account
from atelier.store.models import (
    Assignment,
    Course,
    Mark,
    Person,
    StagedResult,
    Submission,
    SubmissionMember,
    Team,
)
from atelier.texts import N_
from hub_config.city import City, Scale

State = Literal["new", "changed", "unchanged", "missing", "not_staged", "problem", "needs_manual_grade"]
NO_MAXIMUM = N_("The assignment has no points to earn: give its tasks points and release the results again.")
NO_POINTS = N_("There are no points yet.")


@dataclass(frozen=True, slots=True)
class Row:
    """One person in the list.

    `state`: *new* and *changed* become a mark, *unchanged* keeps the one there is; *missing* has submitted
    nothing, *not_staged* waits for grading, *problem* says why in `problem`, *needs_manual_grade* waits for
    the teacher's hand. `points` is what grading gave; the mark is made of `points + adjustment`.
    """

    person_id: str
    name: str
    number: int | None
    class_name: str | None
    enrolled: bool
    state: State
    team_name: str | None = None
    submission_id: str | None = None
    received_at: dt.datetime | None = None
    late: bool = False
    newer_submission: bool = False
    """A newer submission of this person waits that is not graded yet; the row shows the older one's
    result.
    """
    needs_manual_grade: bool = False
    staged_result_id: str | None = None
    feedback_id: str | None = None
    points: Decimal | None = None
    adjustment: Decimal = Decimal(0)
    max_points: Decimal | None = None
    mark: str | None = None
    problem: str | None = None
    old: Mark | None = field(default=None, compare=False)

    @property
    def total(self) -> Decimal | None:
        """Points with the adjustment."""
        return None if self.points is None else self.points + self.adjustment

    @property
    def confirmable(self) -> bool:
        """Whether confirming leaves this person with the mark of this row."""
        return self.state in ("new", "changed", "unchanged")


@dataclass(frozen=True, slots=True)
class Preview:
    """The whole list. `digest` stands for what is shown: confirming with another one is refused."""

    assignment: Assignment
    course: Course
    scale: Scale
    rows: tuple[Row, ...]
    digest: str

    def count(self, *states: State) -> int:
        """Return how many rows are in one of `states`."""
        return sum(row.state in states for row in self.rows)


def preview_marks(
    session: Session,
    city: City,
    assignment_id: str,
    now: dt.datetime,
    *,
    accept_ungraded: bool = False,
) -> Preview:
    """Return the list to confirm for one assignment, in the roster's order.

    With `accept_ungraded` rows whose hand-graded task has no points yet count as they are. Raises MarkError
    `no_assignment`; KeyError when the city file no longer names the course's school.
    """
    assignment = session.get(Assignment, assignment_id)
    if assignment is None:
        raise MarkError("no_assignment", N_("There is no such assignment."))
    course = session.get_one(Course, assignment.course_id)
    scale = city.find_school(course.school_id).scale
    blank = _list_people(session, course.id, assignment_id, now)
    work = _find_work(session, assignment_id)
    marks = {mark.person_id: mark for mark in list_assignment_marks(session, assignment_id)}
    rows = tuple(
        _fill(row, work.get(row.person_id, []), marks.get(row.person_id), scale, accept_ungraded)
        for row in blank
    )
    return Preview(assignment, course, scale, rows, make_digest(assignment_id, scale.name, rows))


def adjust(row: Row, adjustment: Decimal, scale: Scale) -> Row:
    """Return a confirmable row with another adjustment, and so perhaps another mark and state."""
    assert row.points is not None
    assert row.max_points is not None
    changed = replace(row, adjustment=adjustment)
    total = row.points + adjustment
    changed = replace(changed, mark=scale.mark(total, row.max_points))
    return replace(changed, state=_compare(changed, scale))


def make_digest(assignment_id: str, scale_name: str, rows: Iterable[Row]) -> str:
    """SHA-256 over everything the teacher sees and that a mark is made of."""
    shown = [
        [
            row.person_id, row.state, row.submission_id, row.staged_result_id, row.feedback_id,
            row.newer_submission, row.needs_manual_grade, row.problem, str(row.points), str(row.adjustment),
            str(row.max_points), row.mark, row.old.version if row.old else 0,
        ]
        for row in rows
    ]  # fmt: skip
    text = json.dumps([assignment_id, scale_name, shown], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Work:
    """One submission as one of its members sees it."""

    submission: Submission
    result: StagedResult | None
    team_name: str | None


def _list_people(session: Session, course_id: str, assignment_id: str, now: dt.datetime) -> list[Row]:
    """Empty rows: the course's students in the roster's order, then who submitted and has left since."""
    rows = [
        Row(s.person.id, s.person.display_name, s.number, s.class_name, enrolled=True, state="missing")
        for s in roster.list_students(session, course_id, now)
    ]
    known = {row.person_id for row in rows}
    query = (
        select(Person)
        .join(SubmissionMember, SubmissionMember.person_id == Person.id)
        .join(Submission, Submission.id == SubmissionMember.submission_id)
        .where(Submission.assignment_id == assignment_id)
        .order_by(Person.family_name, Person.given_name, Person.id)
        .distinct()
    )
    gone = [person for person in session.scalars(query) if person.id not in known]
    return rows + [Row(p.id, p.display_name, None, None, enrolled=False, state="missing") for p in gone]


def _find_work(session: Session, assignment_id: str) -> Mapping[str, list[_Work]]:
    """Per person the submissions that count for them, newest first."""
    query = (
        select(SubmissionMember.person_id, Submission)
        .join(Submission, Submission.id == SubmissionMember.submission_id)
        .where(Submission.assignment_id == assignment_id)
        .order_by(Submission.received_at.desc(), Submission.id)
    )
    results = _find_results(session, assignment_id)
    names = _find_team_names(session, assignment_id)
    work: dict[str, list[_Work]] = {}
    for person_id, submission in session.execute(query):
        team_name = names.get(submission.account)
        work.setdefault(person_id, []).append(_Work(submission, results.get(submission.id), team_name))
    return work


def _find_results(session: Session, assignment_id: str) -> dict[str, StagedResult]:
    """The newest staged result per submission."""
    query = (
        select(StagedResult)
        .join(Submission, Submission.id == StagedResult.submission_id)
        .where(Submission.assignment_id == assignment_id)
        .order_by(StagedResult.version)
    )
    return {result.submission_id: result for result in session.scalars(query)}


def _find_team_names(session: Session, assignment_id: str) -> dict[str, str]:
    accounts = session.scalars(
        select(Submission.account).where(Submission.assignment_id == assignment_id).distinct()
    )
    names: dict[str, str] = {}
    for account in accounts:
        kind, key = parse_account(account)
        if kind == "team" and (team := session.get(Team, key)):
            names[account] = team.name
    return names


def _fill(row: Row, work: list[_Work], old: Mark | None, scale: Scale, accept_ungraded: bool) -> Row:
    if not work:
        return replace(row, old=old)
    counted = next((w for w in work if w.result is not None), work[0])
    submission, result = counted.submission, counted.result
    row = replace(
        row,
        old=old,
        team_name=counted.team_name,
        submission_id=submission.id,
        received_at=submission.received_at,
        late=submission.late,
        newer_submission=counted is not work[0],
    )
    if result is None:
        return replace(row, state="not_staged")
    row = replace(
        row,
        staged_result_id=result.id,
        feedback_id=result.feedback_id,
        needs_manual_grade=result.needs_manual_grade,
        points=result.points,
        max_points=result.max_points,
    )
    return _judge(row, result.problem, scale, accept_ungraded)


def _judge(row: Row, problem: str | None, scale: Scale, accept_ungraded: bool) -> Row:
    """Decide the state of a row with a staged result."""
    if problem:
        return replace(row, state="problem", problem=problem)
    if row.needs_manual_grade and (row.points is None or not accept_ungraded):
        return replace(row, state="needs_manual_grade")
    if row.points is None or row.max_points is None:
        return replace(row, state="problem", problem=NO_POINTS)
    if row.max_points <= 0:
        return replace(row, state="problem", problem=NO_MAXIMUM)
    return adjust(row, _keep_adjustment(row), scale)


def _keep_adjustment(row: Row) -> Decimal:
    """The adjustment of the mark there is, cut so that the points stay within 0 and the maximum."""
    assert row.points is not None
    assert row.max_points is not None
    kept = row.old.adjustment if row.old else Decimal(0)
    return min(max(kept, -row.points), row.max_points - row.points)


def _compare(row: Row, scale: Scale) -> State:
    if row.old is None:
        return "new"
    old = (row.old.submission_id, row.old.points, row.old.max_points, row.old.adjustment, row.old.mark)
    same = old == (row.submission_id, row.total, row.max_points, row.adjustment, row.mark)
    return "unchanged" if same and row.old.scale == scale.name else "changed"
