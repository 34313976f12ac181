"""Storing releases, submissions and feedback: first the bytes, durably, then the row that names them.

A process that dies in between leaves a blob that nothing names, never a row without its bytes. The answer
goes out only after the commit, so who holds a receipt holds a promise.
"""

import datetime as dt
import functools
import logging
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from atelier.exchange.access import (
    Caller,
    SubmitRight,
    check_course_account,
    check_may_submit,
    find_course_submission,
    find_visible_assignment,
)
from atelier.exchange.arrival import Arrived
from atelier.exchange.errors import ExchangeError
from atelier.exchange.records import (
    Receipt,
    count_submissions_since,
    find_latest_release,
    find_newest_feedback,
    make_receipt,
    sum_bytes_since,
)
from atelier.services import Services
from atelier.store.models import Blob, Feedback, Release, Submission, SubmissionMember
from atelier.texts import N_

_log = logging.getLogger("atelier.exchange")
SUBMISSIONS_PER_HOUR = 60
# Of the largest size allowed, of one account, within 24 hours: nobody fills the city's disk over a weekend.
WHOLE_ARCHIVES_PER_DAY = 10
_ATTEMPTS = 3
_T = TypeVar("_T")


def store_submission(
    services: Services, caller: Caller, slug: str, name: str, key: str, arrived: Arrived
) -> tuple[Receipt, bool]:
    """Store a submission and return its receipt, and whether it is a new one.

    `caller.now` is the instant of arrival. The same `key` with the same bytes gives the first receipt again.
    Raises ExchangeError: `key_reused` (409), `too_often` (429), and what `check_may_submit` raises.
    """

    look = functools.partial(_look, caller=caller, slug=slug, name=name, key=key, arrived=arrived)
    with services.sessions() as session:
        look(session)  # refused bytes do not become a blob
    arrived.keep()

    def write(session: Session) -> tuple[Receipt, bool]:
        right, earlier = look(session)
        if earlier is not None:
            return make_receipt(session, earlier), False
        _ensure_blob(session, arrived, caller.now)
        submission = _add_submission(session, caller, right, key, arrived)
        return make_receipt(session, submission), True

    receipt, is_new = _commit(services, write)
    if is_new:
        _log.info("stored: submission=%s account=%s bytes=%d", receipt.id, caller.account, receipt.size)
    return receipt, is_new


def store_release(
    services: Services, caller: Caller, slug: str, name: str, arrived: Arrived
) -> tuple[Release, int, bool]:
    """Store a new version of an assignment's student files; return it, its size, and whether it is new.

    Bytes equal to the newest version's make no further version: a repeated request gets the first answer.
    """

    def write(session: Session) -> tuple[Release, int, bool]:
        check_course_account(session, caller, slug)
        assignment = find_visible_assignment(session, caller, slug, name)
        newest = find_latest_release(session, assignment.id)
        if newest is not None and newest.sha256 == arrived.facts.sha256:
            return newest, arrived.facts.size, False
        _ensure_blob(session, arrived, caller.now)
        release = Release(
            assignment_id=assignment.id,
            version=newest.version + 1 if newest else 1,
            sha256=arrived.facts.sha256,
            released_at=caller.now,
            released_by=caller.account,
        )
        session.add(release)
        session.flush()
        return release, arrived.facts.size, True

    arrived.keep()
    return _commit(services, write)


def store_feedback(
    services: Services, caller: Caller, submission_id: str, arrived: Arrived
) -> tuple[Feedback, bool]:
    """Stage a new version of a submission's feedback; return it and whether it is new.

    Students see it when a teacher has confirmed the marks. Bytes equal to the newest version's make no other.
    """

    def write(session: Session) -> tuple[Feedback, bool]:
        submission = find_course_submission(session, caller, submission_id)
        newest = find_newest_feedback(session, submission.id)
        if newest is not None and newest.sha256 == arrived.facts.sha256:
            return newest, False
        _ensure_blob(session, arrived, caller.now)
        feedback = Feedback(
            submission_id=submission.id,
            version=newest.version + 1 if newest else 1,
            sha256=arrived.facts.sha256,
            staged_at=caller.now,
            staged_by=caller.account,
        )
        session.add(feedback)
        session.flush()
        return feedback, True

    arrived.keep()
    return _commit(services, write)


def _commit(services: Services, write: Callable[[Session], _T]) -> _T:
    """Run `write` in a transaction. Where another request took the same key or version first (PostgreSQL;
    SQLite has one writer at a time), run it again: it then finds what the other one stored."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with services.sessions.begin() as session:
                return write(session)
        except IntegrityError:
            if attempt == _ATTEMPTS:
                raise
        except OperationalError as error:
            text = N_("Atelier is too busy to store this. Your work is still with you: send it again.")
            raise ExchangeError(503, "busy", text, headers={"Retry-After": "10"}) from error
    raise AssertionError("unreachable")


def _look(
    session: Session, *, caller: Caller, slug: str, name: str, key: str, arrived: Arrived
) -> tuple[SubmitRight, Submission | None]:
    """Return the right to submit, and what was stored under this key before, if anything was."""
    right = check_may_submit(session, caller, slug, name)
    query = select(Submission).where(Submission.account == caller.account, Submission.idempotency_key == key)
    earlier = session.scalars(query).one_or_none()
    if earlier is None:
        _check_not_too_often(session, caller)
        _check_not_too_much(session, caller, arrived)
    elif (earlier.sha256, earlier.assignment_id) != (arrived.facts.sha256, right.assignment.id):
        text = N_("This key was already used for other files. Hand in again.")
        raise ExchangeError(409, "key_reused", text)
    return right, earlier


def _check_not_too_often(session: Session, caller: Caller) -> None:
    since = caller.now - dt.timedelta(hours=1)
    if count_submissions_since(session, caller.account, since) >= SUBMISSIONS_PER_HOUR:
        text = N_("You have handed in %(limit)d times within an hour. Wait a while.")
        raise ExchangeError(
            429, "too_often", text, headers={"Retry-After": "600"}, limit=SUBMISSIONS_PER_HOUR
        )


def _check_not_too_much(session: Session, caller: Caller, arrived: Arrived) -> None:
    limit_mb = WHOLE_ARCHIVES_PER_DAY * caller.view.limits["archive_max_mb"]
    stored = sum_bytes_since(session, caller.account, caller.now - dt.timedelta(days=1))
    if stored + arrived.facts.size > limit_mb * 1_000_000:
        text = N_(
            "You have handed in %(limit_mb)d MB within a day. Remove large files, or wait until tomorrow."
        )
        raise ExchangeError(429, "too_often", text, headers={"Retry-After": "3600"}, limit_mb=limit_mb)


def _ensure_blob(session: Session, arrived: Arrived, now: dt.datetime) -> None:
    if session.get(Blob, arrived.facts.sha256) is None:
        session.add(Blob(sha256=arrived.facts.sha256, size=arrived.facts.size, created_at=now))
        session.flush()


def _add_submission(
    session: Session, caller: Caller, right: SubmitRight, key: str, arrived: Arrived
) -> Submission:
    due_at = right.assignment.due_at
    submission = Submission(
        assignment_id=right.assignment.id,
        account=caller.account,
        idempotency_key=key,
        sha256=arrived.facts.sha256,
        file_count=arrived.facts.file_count,
        received_at=caller.now,
        late=due_at is not None and caller.now > due_at,
    )
    session.add(submission)
    session.flush()
    session.add_all(SubmissionMember(submission_id=submission.id, person_id=m) for m in right.member_ids)
    session.flush()
    return submission
