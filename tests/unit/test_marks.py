"""Claims about staged results and the list that a teacher sees."""

from decimal import Decimal

import pytest
from atelier import marks, projects
from atelier.marks import MarkError, Result, StaleConfirmation
from atelier.store.models import Assignment, ClassMembership, Mark, StagedResult
from pydantic import ValidationError
from sqlalchemy import select

from tests.marking import LATER, confirm, count, marks_of, rows_of, show, stage
from tests.small_school import NOW, SmallSchool


# ---------------------------------------------------------------- staging
def test_staging_the_same_result_again_makes_no_version(school: SmallSchool, alone: Assignment) -> None:
    ada = school.students[0]
    submission = school.submit(alone.id, ada.id, [ada], NOW)
    first = stage(school, submission, "7")
    assert stage(school, submission, "7.000") is first
    second = stage(school, submission, "8")
    assert (first.version, first.points, second.version, second.points) == (1, 7, 2, 8)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"points": "11", "max_points": "10"}, "points_out_of_range"),
        ({"points": "5"}, "points_without_max"),
        ({}, "no_reason"),
        ({"problem": "  "}, "no_reason"),
        ({"points": "5", "max_points": "10", "feedback_id": "nothing00000"}, "unknown_feedback"),
    ],
)
def test_results_that_make_no_sense_are_refused_and_name_the_submission(
    school: SmallSchool, alone: Assignment, fields: dict[str, str], code: str
) -> None:
    ada = school.students[0]
    submission = school.submit(alone.id, ada.id, [ada], NOW)
    result = Result.model_validate({"submission_id": submission.id, **fields})
    with pytest.raises(MarkError) as caught:
        marks.stage_results(school.session, alone.id, [result], "course-x", NOW)
    assert caught.value.code == code
    assert submission.id in str(caught.value)


@pytest.mark.parametrize("points", [float("nan"), float("inf"), "-1", -0.5, "1e9", "sNaN"])
def test_points_that_are_no_number_of_points_are_refused(points: object) -> None:
    with pytest.raises(ValidationError):
        Result.model_validate({"submission_id": "s", "points": points, "max_points": 10})


def test_nothing_is_staged_when_one_of_the_results_is_of_another_assignment(
    school: SmallSchool, alone: Assignment
) -> None:
    ada, boris, *_ = school.students
    other = projects.ensure_assignment(school.session, school.course.id, "other", zone="UTC", now=NOW)
    good = school.submit(alone.id, ada.id, [ada], NOW)
    foreign = school.submit(other.id, boris.id, [boris], NOW)
    results = [Result(submission_id=s.id, points=Decimal(1), max_points=Decimal(1)) for s in (good, foreign)]
    with pytest.raises(MarkError) as caught:
        marks.stage_results(school.session, alone.id, results, "course-x", NOW)
    assert caught.value.code == "unknown_submission"
    assert count(school, StagedResult) == 0


def test_a_problem_text_is_one_printable_line(school: SmallSchool, alone: Assignment) -> None:
    ada = school.students[0]
    submission = school.submit(alone.id, ada.id, [ada], NOW)
    staged = stage(school, submission, None, problem="broken\n\x1b[31mred\u202e " + "x" * 900)
    assert staged.problem is not None
    assert staged.problem.startswith("broken [31mred x")
    assert staged.problem.isprintable()
    assert len(staged.problem) == 500


# ---------------------------------------------------------------- the list
def test_who_submitted_nothing_is_missing_and_gets_no_mark(school: SmallSchool, alone: Assignment) -> None:
    ada, boris, *_ = school.students
    stage(school, school.submit(alone.id, ada.id, [ada], NOW), "7")
    school.submit(alone.id, boris.id, [boris], NOW)
    states = {row.name: row.state for row in rows_of(school, alone)}
    assert states.pop(ada.display_name) == "new"
    assert states.pop(boris.display_name) == "not_staged"
    assert set(states.values()) == {"missing"}
    done = confirm(school, alone)
    assert [mark.person_id for mark in done.marks] == [ada.id]
    assert count(school, Mark) == 1
    assert {row.state for row in done.left_out} == {"missing", "not_staged"}


def test_rows_come_in_the_order_of_the_class_list(school: SmallSchool, alone: Assignment) -> None:
    shown = rows_of(school, alone)
    assert [(row.number, row.class_name) for row in shown] == [(n, "8А") for n in range(1, 6)]


def test_a_problem_never_becomes_a_mark_and_is_named(school: SmallSchool, alone: Assignment) -> None:
    ada, boris, *_ = school.students
    stage(school, school.submit(alone.id, ada.id, [ada], NOW), None, problem="archive is broken")
    stage(school, school.submit(alone.id, boris.id, [boris], NOW), "0", max_points="0")
    first, second, *_ = rows_of(school, alone)
    assert (first.state, first.problem) == ("problem", "archive is broken")
    assert second.state == "problem"
    assert confirm(school, alone).marks == ()


def test_an_honest_zero_is_a_mark(school: SmallSchool, alone: Assignment) -> None:
    ada = school.students[0]
    stage(school, school.submit(alone.id, ada.id, [ada], NOW), "0")
    confirm(school, alone)
    assert marks_of(school, ada.id) == [("2.00", Decimal(0))]


def test_what_waits_for_the_hand_becomes_a_mark_only_when_the_teacher_accepts_it(
    school: SmallSchool, alone: Assignment
) -> None:
    ada = school.students[0]
    stage(school, school.submit(alone.id, ada.id, [ada], NOW), "4", needs_manual_grade=True)
    assert rows_of(school, alone)[0].state == "needs_manual_grade"
    assert confirm(school, alone).marks == ()
    accepted = show(school, alone, accept_ungraded=True)
    assert (accepted.rows[0].state, accepted.rows[0].needs_manual_grade) == ("new", True)
    with pytest.raises(StaleConfirmation):
        confirm(school, alone, accepted.digest)
    done = marks.confirm_marks(
        school.session,
        school.city,
        alone.id,
        school.teacher.id,
        accepted.digest,
        {},
        LATER,
        accept_ungraded=True,
    )
    assert [mark.mark for mark in done.marks] == ["3.60"]


def test_a_newer_submission_that_is_not_graded_yet_is_pointed_out(
    school: SmallSchool, alone: Assignment
) -> None:
    ada = school.students[0]
    stage(school, school.submit(alone.id, ada.id, [ada], NOW), "7")
    newer = school.submit(alone.id, ada.id, [ada], LATER, late=True)
    row = rows_of(school, alone)[0]
    assert (row.state, row.points, row.newer_submission, row.late) == ("new", 7, True, False)
    stage(school, newer, "9")
    row = rows_of(school, alone)[0]
    assert (row.points, row.newer_submission, row.late) == (9, False, True)


def test_an_old_submission_staged_again_does_not_win_over_the_newest(
    school: SmallSchool, alone: Assignment
) -> None:
    ada = school.students[0]
    older = school.submit(alone.id, ada.id, [ada], NOW)
    newer = school.submit(alone.id, ada.id, [ada], LATER)
    stage(school, newer, "3")
    stage(school, older, "9")
    assert rows_of(school, alone)[0].points == 3


def test_the_newest_staged_version_counts(school: SmallSchool, alone: Assignment) -> None:
    ada = school.students[0]
    submission = school.submit(alone.id, ada.id, [ada], NOW)
    stage(school, submission, "9")
    stage(school, submission, None, problem="graded with the wrong tests")
    assert rows_of(school, alone)[0].state == "problem"


# ---------------------------------------------------------------- teams
def test_a_teams_result_is_each_members_own_mark_with_an_adjustment(
    school: SmallSchool, together: Assignment
) -> None:
    ada, boris, third, *_ = school.students
    team = school.add_team("Облаци", ada, boris)
    stage(school, school.submit(together.id, f"team-{team.id}", [ada, boris], NOW), "8")
    shown = rows_of(school, together)
    assert [row.team_name for row in shown[:3]] == ["Облаци", "Облаци", None]
    confirm(school, together, **{ada.id: "1.5", boris.id: "-2"})
    assert marks_of(school, ada.id) == [("5.80", Decimal("9.5"))]
    assert marks_of(school, boris.id) == [("4.40", Decimal(6))]
    assert marks_of(school, third.id) == []


def test_the_members_of_the_submission_count_not_those_of_today(
    school: SmallSchool, together: Assignment
) -> None:
    ada, boris, third, *_ = school.students
    team = school.add_team("Облаци", ada, boris)
    stage(school, school.submit(together.id, f"team-{team.id}", [ada, boris], NOW), "8")
    projects.set_team_members(school.session, team.id, [third.id], LATER)
    confirm(school, together)
    assert [len(marks_of(school, person.id)) for person in (ada, boris, third)] == [1, 1, 0]


def test_who_changed_teams_has_the_result_of_the_newest_own_submission(
    school: SmallSchool, together: Assignment
) -> None:
    ada, boris, *_ = school.students
    first, second = school.add_team("Облаци", ada, boris), school.add_team("Вълни")
    stage(school, school.submit(together.id, f"team-{first.id}", [ada, boris], NOW), "5")
    projects.set_team_members(school.session, second.id, [ada.id], LATER, move=True)
    stage(school, school.submit(together.id, f"team-{second.id}", [ada], LATER), "9")
    shown = {row.person_id: (row.team_name, row.points) for row in rows_of(school, together)}
    assert shown[ada.id] == ("Вълни", 9)
    assert shown[boris.id] == ("Облаци", 5)


def test_who_left_the_class_after_submitting_is_in_the_list_and_says_so(
    school: SmallSchool, alone: Assignment
) -> None:
    ada = school.students[0]
    stage(school, school.submit(alone.id, ada.id, [ada], NOW), "7")
    place = school.session.scalars(select(ClassMembership).where(ClassMembership.person_id == ada.id)).one()
    place.until_at = LATER
    school.session.flush()
    last = rows_of(school, alone)[-1]
    assert (last.person_id, last.enrolled, last.state) == (ada.id, False, "new")
