"""Two at once in projects and marks: neither undoes what the other was told."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial

import pytest
from atelier import marks, projects
from atelier.store import SessionFactory
from atelier.store.models import Course, Mark
from sqlalchemy import select

from tests.databases import Databases
from tests.small_school import HOUR, NOW, open_small_school


@pytest.fixture
def sessions(databases: Databases) -> SessionFactory:
    return databases.open_migrated()


def run_at_once(*jobs: Callable[[], object]) -> list[str]:
    """Run the jobs at the same moment; return what each came to: 'done' or the name of its error."""
    together = threading.Barrier(len(jobs))

    def run(job: Callable[[], object]) -> str:
        together.wait()
        try:
            job()
        except Exception as error:  # noqa: BLE001 - its kind is the answer
            return type(error).__name__
        return "done"

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def test_two_at_once_do_not_place_a_student_in_two_teams(sessions: SessionFactory) -> None:
    with sessions.begin() as session:
        school = open_small_school(session)
        ada = school.students[0].id
        teams = [school.add_team(name).id for name in ("А", "Б")]

    def place(team_id: str) -> None:
        with sessions.begin() as session:
            projects.set_team_members(session, team_id, [ada], NOW + HOUR, move=True)

    assert run_at_once(*(partial(place, team_id) for team_id in teams)) == ["done", "done"]
    with sessions() as session:
        assert [len(projects.list_members(session, team_id, NOW + HOUR)) for team_id in teams] in (
            [0, 1],
            [1, 0],
        )


def test_of_two_confirmations_at_once_one_is_told_to_look_again(sessions: SessionFactory) -> None:
    with sessions.begin() as session:
        school = open_small_school(session)
        assignment = projects.ensure_assignment(session, school.course.id, "a", zone="UTC", now=NOW)
        ada, teacher, city, name = school.students[0], school.teacher.id, school.city, assignment.id
        submission = school.submit(name, ada.id, [ada], NOW)
        result = marks.Result(submission_id=submission.id, points=Decimal(7), max_points=Decimal(10))
        marks.stage_results(session, name, [result], "course-x", NOW)
        digest = marks.preview_marks(session, city, name, NOW).digest

    def confirm_it() -> None:
        with sessions.begin() as session:
            marks.confirm_marks(session, city, name, teacher, digest, {}, NOW)

    assert sorted(run_at_once(confirm_it, confirm_it)) == ["StaleConfirmation", "done"]
    with sessions() as session:
        assert len(session.scalars(select(Mark)).all()) == 1


def test_two_courses_started_at_once_do_not_share_a_slug(sessions: SessionFactory) -> None:
    with sessions.begin() as session:
        school = open_small_school(session)
        teacher, facts = school.teacher.id, school.school

    def start() -> None:
        with sessions.begin() as session:
            projects.create_course(
                session, title="Нов", school=facts, class_ids=[], teacher_id=teacher, now=NOW
            )

    assert set(run_at_once(start, start)) <= {"done", "ProjectError"}
    with sessions() as session:
        slugs = session.scalars(select(Course.slug).where(Course.title == "Нов")).all()
    assert len(slugs) == len(set(slugs)) >= 1
