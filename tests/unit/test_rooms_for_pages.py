"""What the rooms answer to the pages: whose work counts for whom, what waits, who is in which class."""

import datetime as dt

import pytest
from atelier import exchange, lessons, marks, projects, roster
from atelier.store import team_account
from atelier.store.models import (
    Assignment,
    ClassMembership,
    CourseClass,
    Feedback,
    SchoolClass,
    Submission,
    Team,
)
from sqlalchemy import select

from tests.marking import confirm, stage
from tests.small_school import HOUR, NOW, SmallSchool

LATER = NOW + HOUR


@pytest.fixture
def team(school: SmallSchool) -> Team:
    return school.add_team("Облаци", *school.students[:2])


def submit(school: SmallSchool, assignment: Assignment, team: Team, minute: int = 0) -> Submission:
    """The team submits as it is now."""
    at = NOW + dt.timedelta(minutes=minute)
    members = projects.list_members(school.session, team.id, at)
    return school.submit(assignment.id, team_account(team.id), members, at)


def swap_members(school: SmallSchool, team: Team) -> None:
    """The first student leaves the team, the third comes."""
    staying = [school.students[1].id, school.students[2].id]
    projects.set_team_members(school.session, team.id, staying, NOW + dt.timedelta(minutes=10))


def add_class(school: SmallSchool, name: str, year: int = 2026) -> SchoolClass:
    added = SchoolClass(school_id="sou-1", name=name, school_year=year)
    school.session.add(added)
    school.session.flush()
    return added


# ------------------------------------------------ exchange
def test_who_left_a_team_keeps_its_work_and_who_came_sees_it(
    school: SmallSchool, together: Assignment, team: Team
) -> None:
    first, second = submit(school, together, team, 1), submit(school, together, team, 2)
    swap_members(school, team)
    third = submit(school, together, team, 20)

    def seen(student: int, team_id: str | None) -> list[str]:
        person = school.students[student].id
        found = exchange.list_submissions_for(school.session, together.id, person, team_id)
        return [submission.id for submission in found]

    assert seen(0, None) == [second.id, first.id]
    assert seen(2, team.id) == [third.id, second.id, first.id]
    assert seen(2, None) == [third.id]
    assert seen(3, None) == []


def test_a_submission_counts_for_the_members_of_its_moment(
    school: SmallSchool, together: Assignment, team: Team
) -> None:
    submission = submit(school, together, team)
    swap_members(school, team)
    counting = [exchange.counts_for(school.session, submission.id, s.id) for s in school.students]
    assert counting == [True, True, False, False, False]
    assert exchange.find_submission(school.session, submission.id) is submission
    assert exchange.find_submission(school.session, "nothing") is None


def test_feedback_is_for_whom_the_submission_counts_once_it_is_confirmed(
    school: SmallSchool, together: Assignment, team: Team
) -> None:
    older, newer = submit(school, together, team, 1), submit(school, together, team, 2)
    swap_members(school, team)

    def found(student: int) -> Feedback | None:
        return exchange.find_feedback_for(school.session, together.id, school.students[student].id)

    of_older = school.add_feedback(older)
    assert found(0) is None
    of_older.confirmed_at = NOW
    assert found(0) is of_older
    waiting, confirmed = school.add_feedback(newer, 1), school.add_feedback(newer, 2)
    confirmed.confirmed_at = NOW
    assert (waiting.confirmed_at, found(0)) == (None, confirmed)
    assert found(2) is None


def test_people_are_counted_once_however_often_something_came_in_for_them(
    school: SmallSchool, alone: Assignment, together: Assignment, team: Team
) -> None:
    submit(school, together, team, 1)
    submit(school, together, team, 2)
    student = school.students[4]
    school.submit(alone.id, student.id, [student], NOW)
    assert exchange.count_submitters(school.session, school.course.id) == {together.id: 2, alone.id: 1}
    assert exchange.count_submitters(school.session, "another") == {}


# ------------------------------------------------ marks
def test_what_waits_for_confirmation_is_counted_until_it_is_confirmed(
    school: SmallSchool, alone: Assignment, together: Assignment, team: Team
) -> None:
    def waiting() -> dict[str, int]:
        return marks.count_to_confirm(school.session, school.city, school.course.id, LATER)

    student = school.students[4]
    own = school.submit(alone.id, student.id, [student], NOW)
    assert waiting() == {}  # handed in, but not graded
    stage(school, submit(school, together, team), "5")
    stage(school, own, "5")
    assert waiting() == {alone.id: 1, together.id: 2}
    confirm(school, together)
    assert waiting() == {alone.id: 1}
    confirm(school, alone)
    stage(school, own, "6")
    assert waiting() == {alone.id: 1}


# ------------------------------------------------ roster
def test_classes_count_who_is_in_them_now(school: SmallSchool) -> None:
    session, here = school.session, school.school_class
    ended, gone, coming = school.students[0], school.students[1], school.add_person("student", "Нов", "Утре")
    query = select(ClassMembership).where(ClassMembership.person_id == ended.id)
    session.scalars(query).one().until_at = NOW
    roster.deactivate(session, gone.id, NOW)
    session.add(ClassMembership(class_id=here.id, person_id=coming.id, from_at=LATER))
    add_class(school, "8Б")
    session.flush()
    assert roster.count_students(session, "sou-1", NOW) == {here.id: 3}
    assert roster.count_students(session, "sou-1", LATER) == {here.id: 4}
    assert roster.count_students(session, "sou-2", NOW) == {}


def test_a_courses_classes_are_listed_as_everywhere_the_seventh_grade_before_the_tenth(
    school: SmallSchool,
) -> None:
    for name, year in [("10Б", 2026), ("7А", 2026), ("12А", 2025)]:
        taught = add_class(school, name, year)
        school.session.add(CourseClass(course_id=school.course.id, class_id=taught.id))
    add_class(school, "5А")
    school.session.flush()
    names = [one.name for one in roster.list_classes_of(school.session, school.course.id)]
    assert names == ["7А", "8А", "10Б", "12А"]


def test_a_person_chooses_a_language_that_there_is(school: SmallSchool) -> None:
    student = school.students[0]
    roster.choose_language(school.session, student.id, "en")
    with pytest.raises(ValueError, match="bg, en"):
        roster.choose_language(school.session, student.id, "tlh")
    with pytest.raises(LookupError):
        roster.choose_language(school.session, "nobody", "en")
    assert student.language == "en"


# ------------------------------------------------ projects, lessons
def test_a_schools_courses_are_listed_by_title_without_archived_ones(school: SmallSchool) -> None:
    def start(title: str, school_id: str = "sou-1") -> str:
        teacher = school.add_person("teacher", "Ана", "Нова", school_id)
        return projects.create_course(
            school.session,
            title=title,
            school=school.city.find_school(school_id),
            class_ids=[],
            teacher_id=teacher.id,
            now=NOW,
        ).slug

    start("Чужд", "sou-2")
    first, over = start("Астрономия"), start("Ботаника")
    projects.find_course(school.session, over).archived_at = NOW
    slugs = [course.slug for course in projects.list_courses(school.session, "sou-1")]
    assert slugs == [first, school.course.slug]


def test_a_lesson_names_the_classes_it_is_for(school: SmallSchool) -> None:
    def announce(day: int, class_ids: list[str]) -> str:
        local = dt.datetime.combine(dt.date(2026, 11, day), dt.time(8))
        said = lessons.Announcement(local, "Europe/Sofia", 40, class_ids=class_ids)
        return lessons.announce(
            school.session, school.course.id, said, teacher_id=school.teacher.id, now=NOW
        ).id

    for_all, for_one = announce(16, []), announce(17, [school.school_class.id])
    assert lessons.list_classes(school.session, for_all) == []
    assert lessons.list_classes(school.session, for_one) == [school.school_class]
