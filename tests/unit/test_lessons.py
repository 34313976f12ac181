"""Announced lessons: when they are held, over changes of the clock, and whose workspaces belong to them."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from atelier import lessons, projects
from atelier.store.models import ClassMembership, Lesson, SchoolClass
from hypothesis import given
from hypothesis import strategies as st

from tests.small_school import NOW, SmallSchool

SOFIA = ZoneInfo("Europe/Sofia")
MONDAY = dt.date(2026, 11, 16)
EIGHT = dt.time(8, 0)
MINUTE = dt.timedelta(minutes=1)
WEEK = dt.timedelta(days=7)


def bell(day: dt.date, at: dt.time = EIGHT) -> dt.datetime:
    return dt.datetime.combine(day, at, SOFIA).astimezone(dt.UTC)


def announce(school: SmallSchool, now: dt.datetime = NOW, day: dt.date = MONDAY, **said: object) -> Lesson:
    at = said.pop("at", EIGHT)
    assert isinstance(at, dt.time)
    announcement = lessons.Announcement(
        local=dt.datetime.combine(day, at),
        zone="Europe/Sofia",
        **{"minutes": 40, **said},  # type: ignore[arg-type]
    )
    return lessons.announce(
        school.session, school.course.id, announcement, teacher_id=school.teacher.id, now=now
    )


def due_accounts(school: SmallSchool, now: dt.datetime) -> list[str]:
    return [account for due in lessons.list_due(school.session, now) for account in due.accounts]


@pytest.mark.parametrize(
    ("minutes", "due"), [(-11, False), (-10, True), (0, True), (39, True), (40, False), (10_080, False)]
)
def test_a_lesson_is_due_from_ten_minutes_before_its_bell_until_its_end(
    school: SmallSchool, minutes: int, due: bool
) -> None:
    announce(school)
    assert bool(lessons.list_due(school.session, bell(MONDAY) + minutes * MINUTE)) is due


def test_a_weekly_lesson_stays_at_eight_when_the_clock_goes_back(school: SmallSchool) -> None:
    before = dt.date(2027, 10, 25)  # clocks go back on 31 October 2027
    announce(school, now=bell(before) - WEEK, day=before, last_on=before + 2 * WEEK)
    starts = [o.starts_at for o, _ in lessons.list_coming(school.session, school.course.id, bell(before))]
    assert [s.astimezone(SOFIA).time() for s in starts] == [EIGHT] * 3
    assert starts[1] - starts[0] == WEEK + dt.timedelta(hours=1)
    assert starts[2] - starts[1] == WEEK


@given(weeks=st.integers(0, 60), hour=st.integers(0, 23), minute=st.integers(0, 59), day=st.integers(0, 400))
def test_every_week_has_one_lesson_at_the_clocks_time_or_just_after_a_jump(
    weeks: int, hour: int, minute: int, day: int
) -> None:
    first = MONDAY + dt.timedelta(days=day)
    lesson = Lesson(
        id="l", course_id="c", first_on=first, last_on=first + weeks * WEEK, bell=dt.time(hour, minute),
        fold=0, zone="Europe/Sofia", minutes=40,
    )  # fmt: skip
    whole = lessons.timetable.list_occurrences(lesson, {}, bell(first) - WEEK, bell(first) + 70 * WEEK)
    assert [o.held_on for o in whole] == [first + n * WEEK for n in range(weeks + 1)]
    for occurrence in whole:
        shown = occurrence.starts_at.astimezone(SOFIA).replace(tzinfo=None)
        typed = dt.datetime.combine(occurrence.held_on, lesson.bell)
        assert shown - typed in (dt.timedelta(0), dt.timedelta(hours=1))
        now = occurrence.starts_at
        found = lessons.timetable.list_occurrences(lesson, {}, now, now + MINUTE)
        assert found == [occurrence], "a narrow window finds what the wide one found"


def test_a_repeated_lesson_that_the_clock_skips_is_held_an_hour_later(school: SmallSchool) -> None:
    sunday = dt.date(2027, 3, 21)  # a week later clocks go from 03:00 to 04:00
    announce(school, day=sunday, at=dt.time(3, 30), last_on=sunday + WEEK)
    now = bell(sunday) + MINUTE
    ((skipped, _),) = lessons.list_coming(school.session, school.course.id, now)
    assert skipped.starts_at.astimezone(SOFIA).time() == dt.time(4, 30)


def test_a_typed_time_that_comes_twice_is_asked_for_and_one_that_never_comes_is_refused(
    school: SmallSchool,
) -> None:
    back, forward = dt.date(2027, 10, 31), dt.date(2027, 3, 28)
    with pytest.raises(projects.AmbiguousTime):
        announce(school, day=back, at=dt.time(3, 30))
    with pytest.raises(projects.NonexistentTime):
        announce(school, day=forward, at=dt.time(3, 30))
    announce(school, day=back, at=dt.time(3, 30), fold=1)
    ((second, _),) = lessons.list_coming(school.session, school.course.id, bell(back) - WEEK)
    assert second.starts_at == dt.datetime(2027, 10, 31, 1, 30, tzinfo=dt.UTC)


def test_the_workspaces_are_the_students_and_their_teams_of_this_moment(school: SmallSchool) -> None:
    team = school.add_team("Едно", *school.students[:2])
    empty = school.add_team("Празен")
    announce(school, project_id=school.project.id)
    people = {student.id for student in school.students}
    at = bell(MONDAY)
    assert set(due_accounts(school, at)) == people | {f"team-{team.id}"}
    assert f"team-{empty.id}" not in due_accounts(school, at)
    school.students[0].deactivated_at = NOW
    school.session.flush()
    assert school.students[0].id not in due_accounts(school, at)
    school.students[1].deactivated_at = NOW
    school.session.flush()
    assert f"team-{team.id}" not in due_accounts(school, at), "nobody of the team is left"


def test_a_lesson_for_one_class_leaves_the_others_alone(school: SmallSchool) -> None:
    other = SchoolClass(school_id="sou-1", name="8Б", school_year=2026)
    guest = school.add_person("student", "Гост", "Гостев")
    school.session.add(other)
    school.session.flush()
    school.session.add(ClassMembership(class_id=other.id, person_id=guest.id, from_at=NOW))
    school.session.flush()
    from atelier.store.models import CourseClass

    school.session.add(CourseClass(course_id=school.course.id, class_id=other.id))
    school.session.flush()
    announce(school, class_ids=[other.id])
    assert due_accounts(school, bell(MONDAY)) == [guest.id]


def test_a_lesson_only_for_teams_starts_no_personal_workspace(school: SmallSchool) -> None:
    team = school.add_team("Едно", school.students[0])
    announce(school, personal=False, project_id=school.project.id)
    assert due_accounts(school, bell(MONDAY)) == [f"team-{team.id}"]


def test_an_archived_course_has_no_lessons(school: SmallSchool) -> None:
    announce(school)
    school.course.archived_at = NOW
    school.session.flush()
    assert not lessons.list_due(school.session, bell(MONDAY))
    assert not lessons.list_over(school.session, bell(MONDAY) + 41 * MINUTE)


def test_a_day_taken_out_leaves_the_other_weeks(school: SmallSchool) -> None:
    lesson = announce(school, last_on=MONDAY + 2 * WEEK)
    lessons.remove_day(school.session, school.course.id, lesson.id, MONDAY + WEEK, NOW)
    lessons.remove_day(school.session, school.course.id, lesson.id, MONDAY + WEEK, NOW)
    days = [o.held_on for o, _ in lessons.list_coming(school.session, school.course.id, NOW)]
    assert days == [MONDAY, MONDAY + 2 * WEEK]
    assert not lessons.list_due(school.session, bell(MONDAY + WEEK))
    with pytest.raises(lessons.LessonNotFound):
        lessons.remove_day(school.session, school.course.id, lesson.id, MONDAY + dt.timedelta(days=1), NOW)
    with pytest.raises(lessons.LessonNotFound):
        lessons.remove_day(school.session, "another", lesson.id, MONDAY, NOW)


def test_a_lesson_removed_while_it_goes_on_is_over_at_that_moment(school: SmallSchool) -> None:
    lesson = announce(school)
    at = bell(MONDAY) + 10 * MINUTE
    lessons.remove(school.session, school.course.id, lesson.id, at)
    assert not lessons.list_due(school.session, at)
    (over,) = lessons.list_over(school.session, at + MINUTE)
    assert over.when.ends_at == at
    assert len(over.accounts) == len(school.students)
    assert not lessons.list_over(school.session, at + dt.timedelta(hours=3))
    assert lessons.list_coming(school.session, school.course.id, NOW) == []


def test_a_workspace_is_busy_until_its_last_lesson_that_goes_on_ends(school: SmallSchool) -> None:
    team = school.add_team("Едно", school.students[0])
    announce(school, project_id=school.project.id)
    announce(school, at=dt.time(8, 5))
    at, student = bell(MONDAY), school.students[0].id
    assert lessons.find_busy_s(school.session, student, at) == 45 * 60
    assert lessons.find_busy_s(school.session, f"team-{team.id}", at) == 40 * 60
    for idle in (school.teacher.id, f"course-{school.course.id}", "nobody", "x"):
        assert lessons.find_busy_s(school.session, idle, at) == 0
    assert lessons.find_busy_s(school.session, student, at - 11 * MINUTE) == 0


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"minutes": 4}, "bad_length"),
        ({"minutes": 481}, "bad_length"),
        ({"day": NOW.date() - WEEK}, "over"),
        ({"last_on": MONDAY - WEEK}, "bad_last_day"),
        ({"last_on": MONDAY + 60 * WEEK}, "too_long"),
        ({"day": MONDAY + 60 * WEEK}, "too_far"),
        ({"personal": False}, "no_workspaces"),
        ({"project_id": "k3aaaaaaaaaa"}, "no_project"),
        ({"class_ids": ["k3aaaaaaaaaa"]}, "no_class"),
    ],
)
def test_what_cannot_be_announced_is_refused_in_both_languages(
    school: SmallSchool, said: dict[str, object], code: str
) -> None:
    with pytest.raises(lessons.LessonError) as refused:
        announce(school, **said)
    assert refused.value.code == code
    assert refused.value.text("en") != refused.value.text("bg")


def test_a_course_cannot_announce_without_end(school: SmallSchool) -> None:
    for _ in range(100):
        announce(school)
    with pytest.raises(lessons.LessonError) as refused:
        announce(school)
    assert refused.value.code == "too_many"
