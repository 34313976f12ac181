"""A small school's assignments, results and marks, for tests; the fixtures are `conftest.py`'s."""

from decimal import Decimal

import pytest
from atelier import marks, projects
from atelier.marks import Result, Row
from atelier.store.models import Assignment, Mark, StagedResult, Submission
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.small_school import HOUR, NOW, SmallSchool, open_small_school

LATER = NOW + HOUR


@pytest.fixture
def school(session: Session) -> SmallSchool:
    return open_small_school(session)


@pytest.fixture
def alone(school: SmallSchool) -> Assignment:
    return projects.ensure_assignment(school.session, school.course.id, "alone", zone="Europe/Sofia", now=NOW)


@pytest.fixture
def together(school: SmallSchool) -> Assignment:
    return projects.ensure_assignment(
        school.session, school.course.id, "together", zone="Europe/Sofia", now=NOW, kind="team"
    )


def stage(school: SmallSchool, submission: Submission, points: str | None, **more: object) -> StagedResult:
    maximum = None if points is None else Decimal(10)
    result = Result.model_validate(
        {"submission_id": submission.id, "points": points, "max_points": maximum, **more}
    )
    account = f"course-{school.course.id}"
    return marks.stage_results(school.session, submission.assignment_id, [result], account, NOW)[0]


def show(school: SmallSchool, assignment: Assignment, accept_ungraded: bool = False) -> marks.Preview:
    return marks.preview_marks(
        school.session, school.city, assignment.id, LATER, accept_ungraded=accept_ungraded
    )


def rows_of(school: SmallSchool, assignment: Assignment) -> list[Row]:
    return list(show(school, assignment).rows)


def confirm(
    school: SmallSchool, assignment: Assignment, digest: str | None = None, **adjustments: str
) -> marks.Confirmation:
    """Confirm what is shown now; `adjustments` by person id."""
    return marks.confirm_marks(
        school.session,
        school.city,
        assignment.id,
        school.teacher.id,
        digest or show(school, assignment).digest,
        {person_id: Decimal(points) for person_id, points in adjustments.items()},
        LATER,
    )


def marks_of(school: SmallSchool, person_id: str) -> list[tuple[str, Decimal]]:
    return [(m.mark, m.points) for m in marks.list_marks_of(school.session, person_id)]


def count(school: SmallSchool, table: type[Mark] | type[StagedResult]) -> int:
    return school.session.scalar(select(func.count(table.id))) or 0
