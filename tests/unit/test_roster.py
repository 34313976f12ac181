"""The roster's questions: accounts, courses, who is a student or teacher when."""

import datetime as dt
from dataclasses import asdict

import pytest
from atelier import roster
from atelier.steward.wanted import find_wanted
from atelier.store import course_account, team_account
from atelier.store.models import ClassMembership, Course, Enrolment, Person, Team, TeamMembership
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.small_school import NOW, SmallSchool, open_small_school

LATER = NOW + dt.timedelta(days=1)
EVER_BEFORE = NOW - dt.timedelta(days=4000)


@pytest.fixture
def small_school(session: Session) -> SmallSchool:
    return open_small_school(session)


@pytest.fixture
def team(small_school: SmallSchool) -> Team:
    session = small_school.session
    team = Team(project_id=small_school.project.id, name="Отбор 1", created_at=NOW)
    session.add(team)
    session.flush()
    for student in small_school.students[:2]:
        session.add(TeamMembership(team_id=team.id, person_id=student.id, from_at=NOW))
    session.flush()
    return team


def _outsider(small: SmallSchool, role: str = "student", school: str | None = None) -> Person:
    return small.add_person(role, "Яна", "Яшар", school or small.course.school_id)


def test_students_of_a_course_are_those_of_its_classes_and_those_by_name(small_school: SmallSchool):
    guest = _outsider(small_school)
    enrolment = Enrolment(course_id=small_school.course.id, person_id=guest.id, role="student", from_at=NOW)
    small_school.session.add(enrolment)
    small_school.session.flush()
    listed = roster.list_students(small_school.session, small_school.course.id, NOW)
    assert [s.person.id for s in listed] == [*(s.id for s in small_school.students), guest.id]
    assert (listed[-1].class_name, listed[-1].number) == (None, None)
    assert roster.is_student(small_school.session, guest.id, small_school.course.id, NOW)


def test_a_right_holds_from_its_first_instant_until_its_last(small_school: SmallSchool):
    session, course = small_school.session, small_school.course
    student = small_school.students[0]
    membership = session.scalars(select(ClassMembership).where(ClassMembership.person_id == student.id)).one()
    membership.until_at = LATER
    session.flush()
    assert roster.is_student(session, student.id, course.id, LATER - dt.timedelta(seconds=1))
    assert not roster.is_student(session, student.id, course.id, LATER)
    assert not roster.is_student(session, student.id, course.id, EVER_BEFORE)


def test_ending_an_enrolment_ends_teaching_and_tells_the_steward(small_school: SmallSchool):
    session, course, teacher = small_school.session, small_school.course, small_school.teacher
    assert roster.is_teacher(session, teacher.id, course.id, NOW)
    assert roster.end_enrolment(session, teacher.id, course.id, LATER) == 1
    assert not roster.is_teacher(session, teacher.id, course.id, LATER)
    assert roster.list_teachers(session, course.id, LATER) == []


def test_deactivated_people_are_in_no_list_and_have_no_course(small_school: SmallSchool):
    session, course, student = small_school.session, small_school.course, small_school.students[0]
    roster.deactivate(session, student.id, NOW)
    assert student.id not in {s.person.id for s in roster.list_students(session, course.id, NOW)}
    assert roster.list_courses_of(session, student.id, NOW) == []
    assert not roster.is_student(session, student.id, course.id, NOW)


def test_a_course_is_listed_with_the_persons_role_until_it_is_archived(small_school: SmallSchool):
    session, course = small_school.session, small_school.course
    for person, role in ((small_school.teacher, "teacher"), (small_school.students[0], "student")):
        [entry] = roster.list_courses_of(session, person.id, NOW)
        assert (entry.course.id, entry.role) == (course.id, role)
    course.archived_at = NOW
    session.flush()
    assert roster.list_courses_of(session, small_school.teacher.id, NOW) == []


def test_an_account_says_kind_language_zone_and_limits(small_school: SmallSchool, team: Team):
    session, city, course = small_school.session, small_school.city, small_school.course
    view = asdict(roster.find_account(session, city, team_account(team.id), NOW))
    assert (view["kind"], view["active"], view["course"]) == ("team", True, course.slug)
    assert (view["zone"], view["language"], view["school"]) == ("Europe/Sofia", "bg", course.school_id)
    limits = {"memory_mb", "idle_s", "max_age_s", "archive_max_mb", "archive_max_files"}
    assert limits <= view["limits"].keys()
    person = roster.find_account(session, city, small_school.students[0].id, NOW)
    assert (person.kind, person.initials, person.course) == ("personal", "АА", None)


def test_an_ended_account_is_inactive_not_unknown(small_school: SmallSchool, team: Team):
    session, city = small_school.session, small_school.city
    team.dissolved_at = NOW
    roster.deactivate(session, small_school.students[0].id, NOW)
    assert not roster.find_account(session, city, team_account(team.id), NOW).active
    assert not roster.find_account(session, city, small_school.students[0].id, NOW).active


def test_an_archived_course_ends_its_own_account_and_its_teams(small_school: SmallSchool, team: Team):
    session, city = small_school.session, small_school.city
    small_school.course.archived_at = NOW
    session.flush()
    for account in (team_account(team.id), course_account(small_school.course.id)):
        assert not roster.find_account(session, city, account, NOW).active


@pytest.mark.parametrize(
    "account", ["", "root", "team-", "aaaaaaaaaaaa", "course-aaaaaaaaaaaa", "../etc/passwd"]
)
def test_an_unknown_account_is_a_lookup_error(small_school: SmallSchool, account: str):
    with pytest.raises(LookupError):
        roster.find_account(small_school.session, small_school.city, account, NOW)


def test_a_person_of_a_school_that_left_the_city_file_is_inactive(small_school: SmallSchool):
    person = _outsider(small_school, school="gone")
    assert not roster.find_account(small_school.session, small_school.city, person.id, NOW).active
    assert person.id not in find_wanted(small_school.session, small_school.city, NOW).accounts


@given(st.text(max_size=100))
def test_initials_and_colour_come_from_any_name(name: str):
    assert 1 <= len(roster.make_initials(name)) <= 6
    assert roster.choose_color(name) == roster.choose_color(name)


@pytest.mark.parametrize(
    ("name", "initials"),
    [("Мария Петрова", "МП"), ("Анна-Мария К. Иванова", "АИ"), ("=cmd", "C"), ("", "?"), ("Иван", "И")],
)
def test_initials(name: str, initials: str):
    assert roster.make_initials(name) == initials


# ------------------------------------------------ what the steward derives from it
def test_a_team_is_shared_with_its_members_and_its_courses_teachers(small_school: SmallSchool, team: Team):
    wanted = find_wanted(small_school.session, small_school.city, NOW)
    members = {student.id for student in small_school.students[:2]}
    assert wanted.of(team_account(team.id)) == members | {small_school.teacher.id}
    assert wanted.of(course_account(small_school.course.id)) == {small_school.teacher.id}
    assert wanted.of(small_school.students[0].id) == frozenset(), "nobody opens a personal workspace"


def test_a_deactivated_member_is_wanted_nowhere(small_school: SmallSchool, team: Team):
    gone = small_school.students[0].id
    roster.deactivate(small_school.session, gone, NOW)
    wanted = find_wanted(small_school.session, small_school.city, NOW)
    assert gone not in wanted.accounts
    assert all(gone not in people for people in wanted.shares.values())


def test_a_member_who_left_the_course_opens_its_team_no_longer(small_school: SmallSchool, team: Team):
    session, gone = small_school.session, small_school.students[0]
    for membership in session.query(ClassMembership).filter_by(person_id=gone.id):
        membership.until_at = NOW
    session.flush()
    wanted = find_wanted(session, small_school.city, NOW)
    assert wanted.of(team_account(team.id)) == {small_school.students[1].id, small_school.teacher.id}
    session.add(Enrolment(course_id=small_school.course.id, person_id=gone.id, role="student", from_at=NOW))
    session.flush()
    assert gone.id in find_wanted(session, small_school.city, NOW).of(team_account(team.id)), "by name again"


def test_a_teacher_reaches_only_her_own_course_and_its_teams(small_school: SmallSchool, team: Team):
    session = small_school.session
    stranger = _outsider(small_school, role="teacher")
    other = Course(school_id=small_school.course.school_id, slug="other", title="Друг", created_at=NOW)
    session.add(other)
    session.flush()
    session.add(Enrolment(course_id=other.id, person_id=stranger.id, role="teacher", from_at=NOW))
    session.flush()
    wanted = find_wanted(session, small_school.city, NOW)
    opened = {owner for owner, people in wanted.shares.items() if stranger.id in people}
    assert opened == {course_account(other.id)}


def test_a_dissolved_team_and_an_archived_course_are_not_wanted(small_school: SmallSchool, team: Team):
    team.dissolved_at = NOW
    small_school.session.flush()
    wanted = find_wanted(small_school.session, small_school.city, NOW)
    assert team_account(team.id) not in wanted.accounts
    small_school.course.archived_at = NOW
    small_school.session.flush()
    wanted = find_wanted(small_school.session, small_school.city, NOW)
    assert course_account(small_school.course.id) not in wanted.accounts


def test_who_became_a_student_on_the_roster_teaches_no_longer(small_school: SmallSchool, team: Team):
    session, course, person = small_school.session, small_school.course, small_school.teacher
    person.role = "student"
    session.flush()
    assert not roster.is_teacher(session, person.id, course.id, NOW)
    assert roster.list_courses_of(session, person.id, NOW) == []
    wanted = find_wanted(session, small_school.city, NOW)
    assert all(person.id not in people for people in wanted.shares.values())
