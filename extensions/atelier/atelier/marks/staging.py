"""Results that a course workspace hands in. They are versions and only ever added; none is a mark yet."""

import datetime as dt
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from atelier.marks.errors import MarkError
from atelier.store.models import Assignment, Feedback, StagedResult, Submission
from atelier.texts import N_

MAX_POINTS = 99_999
POINT_STEP = Decimal("0.001")
MAX_PROBLEM_LENGTH = 500


class Result(BaseModel):
    """What grading one submission gave. NaN and infinities are refused by pydantic."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    submission_id: str = Field(min_length=1, max_length=40, description="The receipt's id.")
    points: Decimal | None = Field(None, ge=0, le=MAX_POINTS, description="None: see `problem`.")
    max_points: Decimal | None = Field(None, ge=0, le=MAX_POINTS, description="Points that could be had.")
    problem: str | None = Field(None, description="Why there are no points, for the teacher.")
    needs_manual_grade: bool = Field(False, description="A hand-graded task has no points yet.")
    feedback_id: str | None = Field(None, max_length=40, description="The feedback staged with this result.")


def stage_results(
    session: Session, assignment_id: str, results: Sequence[Result], staged_by: str, now: dt.datetime
) -> list[StagedResult]:
    """Store results of one assignment as new versions and return them in the same order.

    A result that equals the newest staged one of its submission makes no version. Raises MarkError, before
    anything is stored, naming the submission: `unknown_submission`, `unknown_feedback`, `points_without_max`,
    `points_out_of_range`, `no_reason` (neither points nor problem), `named_twice`.
    """
    lock_assignment(session, assignment_id)
    _check_named_once(results)
    for result in results:
        _check_result(session, assignment_id, result)
    staged = [_stage(session, result, staged_by, now) for result in results]
    session.flush()
    return staged


def lock_assignment(session: Session, assignment_id: str) -> None:
    """Let others who stage or confirm this assignment wait until we are done, so that versions follow each
    other. (PostgreSQL; SQLite has one writer at a time anyway.)"""
    session.scalar(select(Assignment.id).where(Assignment.id == assignment_id).with_for_update())


def _check_named_once(results: Sequence[Result]) -> None:
    seen: set[str] = set()
    for result in results:
        if result.submission_id in seen:
            raise _refuse("named_twice", N_("Submission %(submission)s is in the list twice."), result)
        seen.add(result.submission_id)


def _check_result(session: Session, assignment_id: str, result: Result) -> None:
    submission = session.get(Submission, result.submission_id)
    if submission is None or submission.assignment_id != assignment_id:
        raise _refuse("unknown_submission", N_("No submission %(submission)s in this assignment."), result)
    if result.feedback_id is not None:
        feedback = session.get(Feedback, result.feedback_id)
        if feedback is None or feedback.submission_id != submission.id:
            raise _refuse("unknown_feedback", N_("Submission %(submission)s has no such feedback."), result)
    _check_points(result)


def _check_points(result: Result) -> None:
    if result.points is None:
        if not (result.problem or "").strip() and not result.needs_manual_grade:
            text = N_("Submission %(submission)s has no points and no reason. Give one of them.")
            raise _refuse("no_reason", text, result)
    elif result.max_points is None:
        text = N_("Submission %(submission)s has points, but it is not said out of how many.")
        raise _refuse("points_without_max", text, result)
    elif result.points > result.max_points:
        text = N_(
            "Submission %(submission)s has %(points)s points out of %(max_points)s. Give extra points to "
            "each student when you confirm the marks."
        )
        raise _refuse("points_out_of_range", text, result)


def _refuse(code: str, template: str, result: Result) -> MarkError:
    return MarkError(
        code, template, submission=result.submission_id, points=result.points, max_points=result.max_points
    )


def _stage(session: Session, result: Result, staged_by: str, now: dt.datetime) -> StagedResult:
    values = {
        "points": _round_points(result.points),
        "max_points": _round_points(result.max_points),
        "problem": _clean_problem(result.problem),
        "needs_manual_grade": result.needs_manual_grade,
        "feedback_id": result.feedback_id,
    }
    newest = find_newest_result(session, result.submission_id)
    if newest is not None and all(getattr(newest, name) == value for name, value in values.items()):
        return newest
    version = 1 if newest is None else newest.version + 1
    row = StagedResult(
        submission_id=result.submission_id, version=version, staged_at=now, staged_by=staged_by, **values
    )
    session.add(row)
    return row


def find_newest_result(session: Session, submission_id: str) -> StagedResult | None:
    """Return the newest staged result of a submission, or None when nothing was staged for it."""
    newest = select(func.max(StagedResult.version)).where(StagedResult.submission_id == submission_id)
    query = select(StagedResult).where(
        StagedResult.submission_id == submission_id, StagedResult.version == newest.scalar_subquery()
    )
    return session.scalars(query).one_or_none()


def _round_points(points: Decimal | None) -> Decimal | None:
    return None if points is None else points.quantize(POINT_STEP, ROUND_HALF_UP)


def _clean_problem(problem: str | None) -> str | None:
    """One printable line; a problem text may quote what a student's file contains."""
    if problem is None:
        return None
    words = "".join(c if c.isprintable() else " " for c in problem).split()
    return " ".join(words)[:MAX_PROBLEM_LENGTH] or None
