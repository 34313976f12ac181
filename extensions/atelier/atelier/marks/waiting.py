"""What waits for a teacher: staged results that no mark was made of yet."""

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from atelier.marks.preview import preview_marks
from atelier.store.models import Assignment, Mark, StagedResult, Submission
from hub_config.city import City


def count_to_confirm(session: Session, city: City, course_id: str, now: dt.datetime) -> dict[str, int]:
    """Return how many marks of each assignment wait for confirmation; those without any are left out."""
    counts = {
        assignment_id: preview_marks(session, city, assignment_id, now).count("new", "changed")
        for assignment_id in _list_with_open_results(session, course_id)
    }
    return {assignment_id: count for assignment_id, count in counts.items() if count}


def _list_with_open_results(session: Session, course_id: str) -> list[str]:
    """Only these can have something to confirm; most assignments of a school year have not."""
    confirmed = select(Mark.staged_result_id)
    query = (
        select(Submission.assignment_id)
        .join(StagedResult, StagedResult.submission_id == Submission.id)
        .join(Assignment, Assignment.id == Submission.assignment_id)
        .where(Assignment.course_id == course_id, StagedResult.id.not_in(confirmed))
        .distinct()
    )
    return list(session.scalars(query))
