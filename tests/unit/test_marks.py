"""Claims about staged results, the list a teacher sees and the marks it becomes."""

from decimal import Decimal

import pytest
from atelier import marks, projects
from atelier.marks import MarkError, Result, Row, StaleConfirmation
from atelier.store.models import Assignment, ClassMembership, Feedback, Mark, StagedResult, Submission
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import func, select

from tests.small_school import HOUR, NOW, SmallSchool, open_small_school

LATER = NOW + HOUR


@pytest.fixture
def school() -> SmallSchool:
    return open_small_school()


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


# ---------------------------------------------------------------- confirming
def test_a_mark_carries_the_teachers_id_and_time(school: SmallSchool, alone: Assignment) -> None:
    ada = school.students[0]
    staged = stage(school, school.submit(alone.id, ada.id, [ada], NOW), "7")
    (mark,) = confirm(school, alone).marks
    assert (mark.confirmed_by, mark.confirmed_at, mark.version) == (school.teacher.id, LATER, 1)
    assert (mark.mark, mark.scale, mark.staged_result_id) == ("4.80", "bulgarian", staged.id)


def test_confirming_twice_writes_once(school: SmallSchool, alone: Assignment) -> None:
    ada = school.students[0]
    stage(school, school.submit(alone.id, ada.id, [ada], NOW), "7")
    confirm(school, alone)
    again = confirm(school, alone)
    assert (again.marks, again.unchanged, count(school, Mark)) == ((), 1, 1)


def test_a_correction_is_a_new_version_and_the_old_mark_stays(school: SmallSchool, alone: Assignment) -> None:
    ada = school.students[0]
    submission = school.submit(alone.id, ada.id, [ada], NOW)
    stage(school, submission, "7")
    confirm(school, alone)
    stage(school, submission, "8")
    row = rows_of(school, alone)[0]
    assert row.old is not None
    assert (row.state, row.old.mark, row.mark) == ("changed", "4.80", "5.20")
    confirm(school, alone)
    versions = school.session.scalars(select(Mark).order_by(Mark.version)).all()
    assert [(m.version, m.mark) for m in versions] == [(1, "4.80"), (2, "5.20")]
    assert marks_of(school, ada.id) == [("5.20", Decimal(8))]


def test_an_adjustment_is_kept_at_the_next_confirmation_within_the_maximum(
    school: SmallSchool, alone: Assignment
) -> None:
    ada = school.students[0]
    submission = school.submit(alone.id, ada.id, [ada], NOW)
    stage(school, submission, "7")
    confirm(school, alone, **{ada.id: "2"})
    stage(school, submission, "9")
    assert rows_of(school, alone)[0].adjustment == 1
    confirm(school, alone)
    assert marks_of(school, ada.id) == [("6.00", Decimal(10))]
    confirm(school, alone, **{ada.id: "0"})
    assert marks_of(school, ada.id) == [("5.60", Decimal(9))]


def test_a_list_that_changed_meanwhile_is_not_confirmed(school: SmallSchool, alone: Assignment) -> None:
    ada, boris, *_ = school.students
    submission = school.submit(alone.id, ada.id, [ada], NOW)
    stage(school, submission, "7")
    seen = show(school, alone).digest
    changes = [
        lambda: stage(school, submission, "6"),
        lambda: school.submit(alone.id, ada.id, [ada], LATER),
        lambda: school.submit(alone.id, boris.id, [boris], LATER),
    ]
    for change in changes:
        change()
        with pytest.raises(StaleConfirmation):
            confirm(school, alone, seen)
        assert count(school, Mark) == 0
        seen = show(school, alone).digest
    assert len(confirm(school, alone, seen).marks) == 1


def test_only_a_teacher_of_the_course_confirms(school: SmallSchool, alone: Assignment) -> None:
    ada = school.students[0]
    stage(school, school.submit(alone.id, ada.id, [ada], NOW), "7")
    colleague = school.add_person("teacher", "Друга", "Учителка")
    digest = show(school, alone).digest
    for person in (colleague, ada):
        with pytest.raises(MarkError) as caught:
            marks.confirm_marks(school.session, school.city, alone.id, person.id, digest, {}, LATER)
        assert caught.value.code == "not_a_teacher"
    assert count(school, Mark) == 0


@pytest.mark.parametrize("points", ["3.5", "-7.5", "NaN", "Infinity", "0.0001", "1e400"])
def test_an_adjustment_beyond_0_or_the_maximum_is_refused_by_name(
    school: SmallSchool, alone: Assignment, points: str
) -> None:
    ada = school.students[0]
    stage(school, school.submit(alone.id, ada.id, [ada], NOW), "7")
    with pytest.raises(MarkError) as caught:
        confirm(school, alone, **{ada.id: points})
    assert caught.value.code == "bad_adjustment"
    assert "Ада Ангелова" in caught.value.text("en")
    assert count(school, Mark) == 0


def test_nobody_without_a_result_gets_points_by_adjustment(school: SmallSchool, alone: Assignment) -> None:
    ada, boris, *_ = school.students
    stage(school, school.submit(alone.id, ada.id, [ada], NOW), "7")
    with pytest.raises(MarkError):
        confirm(school, alone, **{boris.id: "2"})
    with pytest.raises(MarkError):
        confirm(school, alone, nobody000000="2")
    assert len(confirm(school, alone, **{boris.id: "0"}).marks) == 1


def test_feedback_is_opened_with_the_mark_and_not_before(school: SmallSchool, alone: Assignment) -> None:
    ada, boris, *_ = school.students
    good, bad = (school.submit(alone.id, p.id, [p], NOW) for p in (ada, boris))
    first, other = school.add_feedback(good), school.add_feedback(bad)
    stage(school, good, "7", feedback_id=first.id)
    stage(school, bad, None, problem="broken", feedback_id=other.id)
    assert confirm(school, alone).feedback_ids == (first.id,)
    assert (first.confirmed_at, other.confirmed_at) == (LATER, None)
    newer = school.add_feedback(good, version=2)
    stage(school, good, "7", feedback_id=newer.id)
    done = confirm(school, alone)
    assert (done.marks, done.feedback_ids) == ((), (newer.id,))


def test_feedback_of_another_submission_cannot_be_staged(school: SmallSchool, alone: Assignment) -> None:
    ada, boris, *_ = school.students
    own, foreign = (school.submit(alone.id, p.id, [p], NOW) for p in (ada, boris))
    feedback: Feedback = school.add_feedback(foreign)
    with pytest.raises(MarkError):
        stage(school, own, "7", feedback_id=feedback.id)


def test_marks_of_one_course_are_not_listed_in_another(school: SmallSchool, alone: Assignment) -> None:
    ada = school.students[0]
    stage(school, school.submit(alone.id, ada.id, [ada], NOW), "7")
    confirm(school, alone)
    assert len(marks.list_course_marks(school.session, school.course.id)) == 1
    assert marks.list_course_marks(school.session, "other0000000") == []


def test_a_list_can_be_looked_at_with_adjustments_before_anything_is_written(
    school: SmallSchool, alone: Assignment
) -> None:
    ada = school.students[0]
    stage(school, school.submit(alone.id, ada.id, [ada], NOW), "7")
    preview = show(school, alone)
    adjusted = marks.adjust_preview(preview, {ada.id: Decimal("1.5")})
    assert (adjusted.rows[0].total, adjusted.rows[0].mark) == (Decimal("8.5"), "5.40")
    assert (adjusted.digest, preview.rows[0].adjustment) == (preview.digest, 0)
    assert count(school, Mark) == 0


def test_of_two_teachers_who_saw_one_list_the_second_is_told(school: SmallSchool, alone: Assignment) -> None:
    ada = school.students[0]
    stage(school, school.submit(alone.id, ada.id, [ada], NOW), "7")
    seen_by_both = show(school, alone).digest
    confirm(school, alone, seen_by_both, **{ada.id: "1"})
    with pytest.raises(StaleConfirmation):
        confirm(school, alone, seen_by_both, **{ada.id: "2"})
    assert marks_of(school, ada.id) == [("5.20", Decimal(8))]


@settings(max_examples=30, deadline=None)
@given(st.decimals(0, 10, places=3), st.decimals(-10, 10, places=3))
def test_a_mark_is_made_of_points_within_the_maximum_or_not_at_all(
    points: Decimal, adjustment: Decimal
) -> None:
    school = open_small_school()
    ada = school.students[0]
    assignment = projects.ensure_assignment(school.session, school.course.id, "a", zone="UTC", now=NOW)
    stage(school, school.submit(assignment.id, ada.id, [ada], NOW), str(points))
    try:
        confirm(school, assignment, **{ada.id: str(adjustment)})
    except MarkError:
        assert not 0 <= points + adjustment <= 10
        assert count(school, Mark) == 0
        return
    (mark,) = marks.list_marks_of(school.session, ada.id)
    assert mark.points == points + adjustment
    assert 2 <= Decimal(mark.mark) <= 6
