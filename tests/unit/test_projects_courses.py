"""Claims about starting courses, slugs, assignments and deadlines."""

# ruff: noqa: DTZ001 (what a clock on the wall shows has no zone)

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from atelier import projects
from atelier.projects import AmbiguousTime, NonexistentTime, NotFound, ProjectError
from atelier.projects.slugs import SLUG_PATTERN
from atelier.store.models import Release
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.small_school import HOUR, NOW, SmallSchool

ZONES = ["Europe/Sofia", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
local_times = st.datetimes(dt.datetime(2000, 1, 2), dt.datetime(2100, 1, 1))


# ---------------------------------------------------------------- slugs
@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("География 8А", "geografia-8a"),
        ("Щъркелите в Ямбол, Жълта и Юда", "shtarkelite-v-yambol-zhalta-i"),
        ("Клуб „Роботика“ № 2", "klub-robotika-no-2"),
        ("Café Ångström", "cafe-angstrom"),
        ("数学", "course"),
    ],
)
def test_a_slug_spells_the_title_in_latin_letters(title: str, slug: str) -> None:
    assert projects.make_slug(title) == slug


@settings(deadline=None)
@given(st.text(max_size=300))
def test_every_title_gives_a_slug_that_is_safe_as_a_folder_name(title: str) -> None:
    slug = projects.make_slug(title)
    assert SLUG_PATTERN.fullmatch(slug)
    assert len(slug) <= 30


def test_a_taken_slug_gets_a_number(school: SmallSchool) -> None:
    second = projects.create_course(
        school.session,
        title="География 8А",
        school=school.school,
        class_ids=[],
        teacher_id=school.teacher.id,
        now=NOW,
    )
    assert (school.course.slug, second.slug) == ("geografia-8a", "geografia-8a-2")


@pytest.mark.parametrize("slug", ["../x", "A", "a b", "-a", "a-", "x" * 31, "a/b", "геогр"])
def test_a_slug_that_is_no_folder_name_is_refused(school: SmallSchool, slug: str) -> None:
    with pytest.raises(ProjectError) as caught:
        projects.create_course(
            school.session,
            title="Ново",
            school=school.school,
            class_ids=[],
            teacher_id=school.teacher.id,
            now=NOW,
            slug=slug,
        )
    assert caught.value.code == "bad_slug"


def test_a_course_needs_a_teacher_of_its_own_school(school: SmallSchool) -> None:
    stranger = school.add_person("teacher", "Чужда", "Учителка", "sou-2")
    for person_id in (stranger.id, school.students[0].id, "nobody000000"):
        with pytest.raises(ProjectError) as caught:
            projects.create_course(
                school.session,
                title="Ново",
                school=school.school,
                class_ids=[],
                teacher_id=person_id,
                now=NOW,
            )
        assert caught.value.code == "bad_teacher"


def test_a_course_takes_no_class_of_another_school(school: SmallSchool) -> None:
    teacher = school.add_person("teacher", "Друга", "Учителка", "sou-2")
    with pytest.raises(ProjectError) as caught:
        projects.create_course(
            school.session,
            title="Ново",
            school=school.city.find_school("sou-2"),
            class_ids=[school.school_class.id],
            teacher_id=teacher.id,
            now=NOW,
        )
    assert caught.value.code == "bad_class"


# ---------------------------------------------------------------- assignments
def test_ensure_assignment_changes_only_what_is_given(school: SmallSchool) -> None:
    made = projects.ensure_assignment(
        school.session, school.course.id, "co2", zone="Europe/Sofia", now=NOW, title="Въглероден диоксид"
    )
    again = projects.ensure_assignment(
        school.session, school.course.id, "co2", zone="Europe/Sofia", now=NOW, kind="team"
    )
    assert again is made
    assert (again.title, again.kind, again.project_id) == ("Въглероден диоксид", "team", school.project.id)


@pytest.mark.parametrize("name", ["", "../x", "CO2", "a b", "-a", "а", "x" * 81, "a\n"])
def test_an_assignment_name_that_is_no_folder_is_refused(school: SmallSchool, name: str) -> None:
    with pytest.raises(ProjectError) as caught:
        projects.ensure_assignment(school.session, school.course.id, name, zone="UTC", now=NOW)
    assert caught.value.code == "bad_assignment_name"


def test_who_works_on_an_assignment_is_fixed_once_it_is_released(school: SmallSchool) -> None:
    made = projects.ensure_assignment(school.session, school.course.id, "co2", zone="UTC", now=NOW)
    other = school.submit(made.id, school.students[0].id, [school.students[0]], NOW)
    school.session.add(
        Release(assignment_id=made.id, version=1, sha256=other.sha256, released_at=NOW, released_by="x")
    )
    school.session.flush()
    with pytest.raises(ProjectError) as caught:
        projects.ensure_assignment(school.session, school.course.id, "co2", zone="UTC", now=NOW, kind="team")
    assert caught.value.code == "kind_in_use"
    assert made.kind == "individual"


def test_a_team_assignment_in_a_course_with_two_projects_must_name_one(school: SmallSchool) -> None:
    other = projects.create_project(school.session, school.course.id, title="Вода", now=NOW)
    with pytest.raises(ProjectError) as caught:
        projects.ensure_assignment(school.session, school.course.id, "w", zone="UTC", now=NOW, kind="team")
    assert caught.value.code == "which_project"
    made = projects.ensure_assignment(
        school.session, school.course.id, "w", zone="UTC", now=NOW, kind="team", project_id=other.id
    )
    assert made.project_id == other.id


def test_an_assignment_takes_no_project_of_another_course(school: SmallSchool) -> None:
    course = projects.create_course(
        school.session,
        title="Друг",
        school=school.school,
        class_ids=[],
        teacher_id=school.teacher.id,
        now=NOW,
    )
    with pytest.raises(NotFound):
        projects.ensure_assignment(
            school.session, course.id, "w", zone="UTC", now=NOW, kind="team", project_id=school.project.id
        )


def test_assignments_of_another_course_are_not_found(school: SmallSchool) -> None:
    projects.ensure_assignment(school.session, school.course.id, "co2", zone="UTC", now=NOW)
    with pytest.raises(NotFound):
        projects.find_assignment(school.session, "other0000000", "co2")


# ---------------------------------------------------------------- deadlines
def test_a_deadline_is_the_instant_that_the_schools_clock_shows(school: SmallSchool) -> None:
    made = projects.ensure_assignment(school.session, school.course.id, "co2", zone="Europe/Sofia", now=NOW)
    projects.set_due(school.session, made.id, dt.datetime(2026, 11, 30, 20, 0), zone="Europe/Sofia")
    assert made.due_at == dt.datetime(2026, 11, 30, 18, 0, tzinfo=dt.UTC)
    shown = projects.show_due(made)
    assert shown is not None
    assert shown.isoformat() == "2026-11-30T20:00:00+02:00"
    projects.set_due(school.session, made.id, None, zone="Europe/Sofia")
    assert made.due_at is None


def test_a_time_that_clocks_skip_is_refused_by_name() -> None:
    with pytest.raises(NonexistentTime, match=r"29\.03\.2026 03:30"):
        projects.make_instant(dt.datetime(2026, 3, 29, 3, 30), "Europe/Sofia")


def test_a_time_that_comes_twice_is_asked_for() -> None:
    local = dt.datetime(2026, 10, 25, 3, 30)
    with pytest.raises(AmbiguousTime, match=r"25\.10\.2026 03:30"):
        projects.make_instant(local, "Europe/Sofia")
    first, second = (projects.make_instant(local, "Europe/Sofia", fold=fold) for fold in (0, 1))
    assert second - first == HOUR
    assert first == dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)


def test_an_unknown_zone_is_named() -> None:
    for zone in ("Europe/Sofija", "../etc/passwd", ""):
        with pytest.raises(ProjectError, match="time zone"):
            projects.make_instant(dt.datetime(2026, 1, 1), zone)


@settings(deadline=None)
@given(local_times, st.sampled_from(ZONES))
def test_an_instant_shows_the_very_time_that_was_typed(local: dt.datetime, zone: str) -> None:
    tz = ZoneInfo(zone)
    try:
        instants = [projects.make_instant(local, zone)]
    except NonexistentTime:
        there_and_back = local.replace(tzinfo=tz).astimezone(dt.UTC).astimezone(tz)
        assert there_and_back.replace(tzinfo=None) != local
        return
    except AmbiguousTime:
        instants = [projects.make_instant(local, zone, fold=fold) for fold in (0, 1)]
        assert instants[0] < instants[1]
    for instant in instants:
        assert instant.tzinfo is dt.UTC
        assert instant.astimezone(tz).replace(tzinfo=None, fold=0) == local


@settings(deadline=None)
@given(st.datetimes(dt.datetime(2000, 1, 2), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)))
def test_every_instant_can_be_typed_as_a_local_time(instant: dt.datetime) -> None:
    shown = instant.astimezone(ZoneInfo("Europe/Sofia"))
    local, fold = shown.replace(tzinfo=None, fold=0), shown.fold
    assert projects.make_instant(local, "Europe/Sofia", fold=fold) == instant
