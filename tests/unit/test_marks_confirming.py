"""Claims about confirming: marks are made of the list that was seen, once, and never rewritten."""

from decimal import Decimal

import pytest
from atelier import marks, projects
from atelier.marks import MarkError, StaleConfirmation
from atelier.store.models import Assignment, Feedback, Mark
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.databases import DatabaseServer
from tests.marking import LATER, confirm, count, marks_of, rows_of, show, stage
from tests.small_school import NOW, SmallSchool, open_small_school


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
    database_server: DatabaseServer, points: Decimal, adjustment: Decimal
) -> None:
    with database_server.open_session() as session:
        confirm_one(open_small_school(session), points, adjustment)


def confirm_one(school: SmallSchool, points: Decimal, adjustment: Decimal) -> None:
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
