"""Staged results become marks: in a teacher's own session, for exactly the list she saw."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from atelier import roster
from atelier.marks.adjusting import adjust_preview
from atelier.marks.errors import MarkError, StaleConfirmation
from atelier.marks.preview import Preview, Row, preview_marks
from atelier.marks.staging import lock_assignment
from atelier.store.models import Feedback, Mark
from atelier.texts import N_
from hub_config.city import City

_STALE = N_("The list has changed since you opened it. Nothing was confirmed: look at it again.")


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What confirming did. `left_out` are the rows that became no mark, each with its state."""

    marks: tuple[Mark, ...]
    unchanged: int
    left_out: tuple[Row, ...]
    feedback_ids: tuple[str, ...]


def confirm_marks(
    session: Session,
    city: City,
    assignment_id: str,
    teacher_id: str,
    digest: str,
    adjustments: Mapping[str, Decimal],
    now: dt.datetime,
    *,
    accept_ungraded: bool = False,
) -> Confirmation:
    """Write the marks of the list whose `digest` the teacher saw, with her id, and open its feedback.

    `adjustments` gives points to add (or take) by person id; who is not named keeps the former adjustment.
    Unchanged marks get no new version. Raises StaleConfirmation when the list is no longer the one behind
    `digest`, MarkError `not_a_teacher`, `bad_adjustment` (names the person); then nothing is written.
    """
    # Of two confirmations of one list at once the second waits here and then finds another digest.
    lock_assignment(session, assignment_id)
    preview = preview_marks(session, city, assignment_id, now, accept_ungraded=accept_ungraded)
    if not roster.is_teacher(session, teacher_id, preview.course.id, now):
        raise MarkError("not_a_teacher", N_("Only a teacher of this course confirms its marks."))
    if preview.digest != digest:
        raise StaleConfirmation("stale", _STALE)
    rows = adjust_preview(preview, adjustments).rows
    marks = [_make_mark(preview, row, teacher_id, now) for row in rows if row.state in ("new", "changed")]
    _write(session, marks)
    return Confirmation(
        marks=tuple(marks),
        unchanged=sum(row.state == "unchanged" for row in rows),
        left_out=tuple(row for row in rows if not row.confirmable),
        feedback_ids=_confirm_feedback(session, rows, now),
    )


def _make_mark(preview: Preview, row: Row, teacher_id: str, now: dt.datetime) -> Mark:
    return Mark(
        assignment_id=preview.assignment.id,
        person_id=row.person_id,
        version=row.old.version + 1 if row.old else 1,
        submission_id=row.submission_id,
        staged_result_id=row.staged_result_id,
        points=row.total,
        max_points=row.max_points,
        adjustment=row.adjustment,
        mark=row.mark,
        scale=preview.scale.name,
        confirmed_by=teacher_id,
        confirmed_at=now,
    )


def _write(session: Session, marks: list[Mark]) -> None:
    try:
        with session.begin_nested():
            session.add_all(marks)
    except IntegrityError as error:  # somebody else's confirmation took this version
        raise StaleConfirmation("stale", _STALE) from error


def _confirm_feedback(session: Session, rows: Sequence[Row], now: dt.datetime) -> tuple[str, ...]:
    """Open the feedback that belongs to the confirmed results; return the ids opened now."""
    opened: list[str] = []
    for feedback_id in dict.fromkeys(row.feedback_id for row in rows if row.confirmable):
        feedback = session.get(Feedback, feedback_id) if feedback_id else None
        if feedback is not None and feedback.confirmed_at is None:
            feedback.confirmed_at = now
            opened.append(feedback.id)
    session.flush()
    return tuple(opened)
