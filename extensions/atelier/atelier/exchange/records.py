"""Reading releases, submissions and feedback. They are only ever added to; the newest version counts."""

import datetime as dt
from collections.abc import Iterable

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from atelier.store import team_account
from atelier.store.models import (
    Assignment,
    Blob,
    Course,
    Feedback,
    Release,
    Submission,
    SubmissionMember,
)


class Receipt(BaseModel):
    """The server's proof that a submission is stored. Instants are UTC."""

    id: str = Field(description="The submission's id.")
    course: str = Field(description="The course's slug.")
    assignment: str = Field(description="nbgrader's name of the assignment.")
    account: str = Field(description="The account that submitted.")
    received_at: dt.datetime = Field(description="When the last byte had arrived, by the server's clock.")
    sha256: str = Field(description="SHA-256 of the archive as it arrived.")
    size: int = Field(description="Bytes of the archive as it arrived.")
    file_count: int = Field(description="Files in it.")
    late: bool = Field(description="Whether it arrived after the deadline of that moment.")
    due_at: dt.datetime | None = Field(description="The deadline as it is now.")
    zone: str = Field(description="IANA zone in which the deadline is shown.")


def make_receipt(session: Session, submission: Submission) -> Receipt:
    """Return the receipt of a stored submission."""
    return list_receipts(session, [submission])[0]


def list_receipts(session: Session, submissions: Iterable[Submission]) -> list[Receipt]:
    """Return the receipts of stored submissions, in their order."""
    submissions = list(submissions)
    wanted = {submission.sha256 for submission in submissions}
    query = select(Blob.sha256, Blob.size).where(Blob.sha256.in_(wanted))
    sizes: dict[str, int] = dict(session.execute(query).all())
    return [
        Receipt(
            id=submission.id,
            course=session.get_one(Course, assignment.course_id).slug,
            assignment=assignment.name,
            account=submission.account,
            received_at=submission.received_at,
            sha256=submission.sha256,
            size=sizes[submission.sha256],
            file_count=submission.file_count,
            late=submission.late,
            due_at=assignment.due_at,
            zone=assignment.zone,
        )
        for submission in submissions
        for assignment in [session.get_one(Assignment, submission.assignment_id)]
    ]


def list_submissions(session: Session, assignment_id: str, account: str | None = None) -> list[Submission]:
    """Return the submissions of an assignment, newest first; with `account` only that account's."""
    query = select(Submission).where(Submission.assignment_id == assignment_id)
    if account is not None:
        query = query.where(Submission.account == account)
    return list(session.scalars(query.order_by(Submission.received_at.desc(), Submission.id.desc())))


def list_submissions_for(
    session: Session, assignment_id: str, person_id: str, team_id: str | None = None
) -> list[Submission]:
    """Return the submissions that count for a person, newest first; with `team_id` also all of that team's.

    Who joined a team sees what it handed in before, and who left one keeps what was handed in for her.
    """
    mine: ColumnElement[bool] = Submission.id.in_(_counting_for(person_id))
    if team_id is not None:
        mine = or_(mine, Submission.account == team_account(team_id))
    query = select(Submission).where(Submission.assignment_id == assignment_id, mine)
    return list(session.scalars(query.order_by(Submission.received_at.desc(), Submission.id.desc())))


def find_submission(session: Session, submission_id: str) -> Submission | None:
    """Return a submission, whosesoever it is: who may have it is the caller's question."""
    return session.get(Submission, submission_id)


def counts_for(session: Session, submission_id: str, person_id: str) -> bool:
    """Whether a submission counts for a person: handed in alone, or by the team she was in at that moment."""
    return session.get(SubmissionMember, (submission_id, person_id)) is not None


def count_submitters(session: Session, course_id: str) -> dict[str, int]:
    """Return by assignment for how many people something was submitted; assignments without are left out."""
    query = (
        select(Submission.assignment_id, func.count(SubmissionMember.person_id.distinct()))
        .join(SubmissionMember, SubmissionMember.submission_id == Submission.id)
        .join(Assignment, Assignment.id == Submission.assignment_id)
        .where(Assignment.course_id == course_id)
        .group_by(Submission.assignment_id)
    )
    counts: dict[str, int] = dict(session.execute(query).all())
    return counts


def find_latest_release(session: Session, assignment_id: str) -> Release | None:
    """Return the newest release of an assignment, or None: nothing was released."""
    query = select(Release).where(Release.assignment_id == assignment_id)
    return session.scalars(query.order_by(Release.version.desc()).limit(1)).first()


def find_confirmed_feedback(session: Session, submission_ids: Iterable[str]) -> Feedback | None:
    """Return the newest confirmed feedback for any of these submissions of one account, or None."""
    return _find_confirmed(session, Submission.id.in_(list(submission_ids)))


def find_feedback_for(session: Session, assignment_id: str, person_id: str) -> Feedback | None:
    """Return the newest confirmed feedback for what counts for a person in an assignment, or None."""
    counting = Submission.id.in_(_counting_for(person_id))
    return _find_confirmed(session, Submission.assignment_id == assignment_id, counting)


def find_newest_feedback(session: Session, submission_id: str) -> Feedback | None:
    """Return the newest version of a submission's feedback, confirmed or not, or None."""
    query = select(Feedback).where(Feedback.submission_id == submission_id)
    return session.scalars(query.order_by(Feedback.version.desc()).limit(1)).first()


def count_submissions_since(session: Session, account: str, since: dt.datetime) -> int:
    """Return how many submissions an account has stored since an instant."""
    query = select(func.count()).where(Submission.account == account, Submission.received_at >= since)
    return session.scalar(query) or 0


def sum_bytes_since(session: Session, account: str, since: dt.datetime) -> int:
    """Return how many bytes an account's submissions since an instant take; equal archives count once."""
    hashes = select(Submission.sha256).where(Submission.account == account, Submission.received_at >= since)
    return session.scalar(select(func.sum(Blob.size)).where(Blob.sha256.in_(hashes))) or 0


def _counting_for(person_id: str) -> Select[str]:
    return select(SubmissionMember.submission_id).where(SubmissionMember.person_id == person_id)


def _find_confirmed(session: Session, *conditions: ColumnElement[bool]) -> Feedback | None:
    """Of the newest submission that has confirmed feedback, the newest version."""
    query = (
        select(Feedback)
        .join(Submission, Submission.id == Feedback.submission_id)
        .where(*conditions, Feedback.confirmed_at.is_not(None))
        .order_by(Submission.received_at.desc(), Submission.id.desc(), Feedback.version.desc())
    )
    return session.scalars(query.limit(1)).first()
