"""Roster files: encodings, separators, hostile cells; an import that is shown first, all or nothing."""

import datetime as dt
from pathlib import Path

import pytest
from atelier import roster
from atelier.commands.roster import app
from atelier.roster import RosterFile, read_roster, run_import
from atelier.roster.roster_file import clean_class_name, clean_name
from atelier.store import SessionFactory
from atelier.store.models import ClassMembership, Course, Enrolment, Identity, Person, RosterChange
from atelier.texts import translate
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from typer.testing import CliRunner

from hub_config.city import load_city
from tests.databases import Databases

ROOT = Path(__file__).parents[2]
CITY = load_city(ROOT / "demo/city.yaml")
SCHOOL = CITY.find_school("primer")
NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=1)
HEADER = "№;Име;Фамилия;Имейл;Роля;Клас;Курс;Статус"
ADA = "1;Ада;Ангелова;ada@school-a.example;ученик;8А;;"
BORIS = "2;Борис;Бонев;boris@school-a.example;ученик;8А;;"


@pytest.fixture
def sessions(databases: Databases) -> SessionFactory:
    return databases.open_migrated()


def _file(*rows: str, header: str = HEADER) -> RosterFile:
    return read_roster("\n".join([header, *rows]).encode())


def _texts(file: RosterFile, language: str = "en") -> list[str]:
    return [problem.text(translate(language)) for problem in file.problems]


def _count(sessions: SessionFactory, table: type) -> int:
    with sessions() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


# ------------------------------------------------ reading
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_each_encoding_and_separator_gives_the_same_rows(encoding: str, separator: str):
    text = "\r\n".join([HEADER, ADA, BORIS, ""]).replace(";", separator)
    file = read_roster(text.replace("№", "Номер").encode(encoding))
    assert not file.problems
    assert [(r.line, r.number, r.given_name, r.class_name) for r in file.rows] == [
        (2, 1, "Ада", "8А"),
        (3, 2, "Борис", "8А"),
    ]


def test_english_headings_blank_lines_and_a_separator_line_are_understood():
    text = 'sep=,\n\nFirst name,Last name,E-mail\n\n"Anna, Maria",X,a@b.example\nIva,Ni,i@b.example\n'
    file = read_roster(text.encode())
    assert [row.given_name for row in file.rows] == ["Iva"]
    assert file.problems[0].line == 5, "a comma is not part of a name"


def test_columns_that_are_not_used_are_named():
    assert _file(ADA + ";x", header=HEADER + ";ЕГН").unused_columns == ["'ЕГН'"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "missing"),
        ("Име;Имейл\nА;a@b.example".encode(), "Фамилия"),
        (HEADER.encode(), "no rows"),
        (f"{HEADER};Клас\n".encode(), "mean the same"),
        ("x".encode("utf-16"), "neither UTF-8 nor cp1251"),
        (b"\x00\x98", "neither UTF-8 nor cp1251"),
        (b"a" * 5_000_001, "larger than 5 MB"),
    ],
    ids=["empty", "no family name", "only headings", "twice", "UTF-16", "binary", "huge"],
)
def test_a_file_that_is_no_roster_is_refused_with_the_reason(data: bytes, said: str):
    assert said in " ".join(_texts(read_roster(data)))


def test_every_wrong_cell_is_named_with_its_line():
    file = _file(
        "0;=cmd|' /C calc'!A0;Ангелова;ada@school-a.example;ученик;8А;;",
        "1;Ада;\u202eавелегнА;no address;шеф;осми;../x;друго",
        "1;Ада;А",
        ADA,
        ADA,
    )
    assert [problem.line for problem in file.problems] == [2, 2, 3, 3, 3, 3, 3, 3, 4, 6, 6]
    said = " ".join(_texts(file))
    assert "\u202e" not in said, "what turns the direction of writing is shown written out"
    assert "stands in line 5 already" in said


def test_one_number_in_a_class_belongs_to_one_student():
    file = _file(ADA, BORIS.replace("2;", "1;", 1), BORIS.replace("boris", "bo").replace("8А", "8Б"))
    assert [problem.line for problem in file.problems] == [3]
    assert not _file(ADA + "напуснала", BORIS.replace("2;", "1;", 1)).problems


def test_a_utf8_file_with_a_broken_place_is_not_read_as_cp1251():
    data = "Given name,Family name,E-mail\nАда,Ангелова,ada@b.example\n".encode()
    file = read_roster(data.replace("нг".encode(), "нг".encode()[:-1]))
    assert "broken place" in _texts(file)[0]


def test_a_teachers_class_column_makes_no_student(sessions: SessionFactory):
    row = ";Тео;Тонев;teo@school-a.example;учител;8А;;"
    assert run_import(sessions, SCHOOL, _file(row), NOW, apply=True).applied
    assert _count(sessions, ClassMembership) == 0


def test_problems_are_said_in_bulgarian():
    assert _texts(_file("1;Ада;А;x;;;;"), "bg")[0].startswith("ред 2: ")


@pytest.mark.parametrize(
    "name",
    ["=HYPERLINK(1)", "+1", "-Ада", "@SUM", "Ада\x00", "А" * 81, "", "Ада\nБ", "Ада\tБ", "А\u202eБ",
     "<script>", "Ада\u200bБ", "\u0301", "Ада;Б", '"Ада"'],
)  # fmt: skip
def test_hostile_names_are_refused(name: str):
    assert clean_name(name) is None


@pytest.mark.parametrize(
    ("name", "clean"),
    [("  Анна   Мария ", "Анна Мария"), ("О'Нийл", "О'Нийл"), ("и\u0306ова", "йова"), ("Жан-Жак", "Жан-Жак")],
)
def test_ordinary_names_get_one_spelling(name: str, clean: str):
    assert clean_name(name) == clean


@given(st.text(max_size=120))
def test_a_clean_name_is_printable_starts_with_a_letter_and_stays_as_it_is(name: str):
    clean = clean_name(name)
    if clean is not None:
        assert clean.isprintable()
        assert clean[0].isalpha()
        assert len(clean) <= 80
        assert clean_name(clean) == clean


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("8А", "8А"),
        ('8 "а"', "8А"),
        ("8A", "8А"),
        ("8 b", None),
        ("10-б", "10-Б"),
        ("осми", None),
        ("8", "8"),
    ],
)
def test_class_names_have_one_spelling_with_cyrillic_letters(name: str, clean: str | None):
    assert clean_class_name(name) == clean


@given(st.binary(max_size=400))
def test_reading_never_raises(data: bytes):
    read_roster(data)
    read_roster(HEADER.encode() + b"\n" + data)


# ------------------------------------------------ importing
def test_a_dry_run_shows_the_difference_and_changes_nothing(sessions: SessionFactory):
    report = run_import(sessions, SCHOOL, _file(ADA, BORIS), NOW)
    assert [(c.line, c.verb) for c in report.changes] == [(2, "new"), (3, "new")]
    assert not report.applied
    assert [_count(sessions, table) for table in (Person, Identity, RosterChange)] == [0, 0, 0]


def test_an_import_done_twice_changes_nothing_the_second_time(sessions: SessionFactory):
    assert run_import(sessions, SCHOOL, _file(ADA, BORIS), NOW, apply=True).applied
    again = run_import(sessions, SCHOOL, _file(ADA, BORIS), LATER, apply=True)
    assert [c.verb for c in again.changes] == ["same", "same"]
    assert [_count(sessions, table) for table in (Person, ClassMembership, RosterChange)] == [2, 2, 1]


def test_one_problem_keeps_the_whole_file_out(sessions: SessionFactory):
    stranger = "3;Вера;Велева;vera@elsewhere.example;ученик;8А;;"
    report = run_import(sessions, SCHOOL, _file(ADA, stranger, BORIS), NOW, apply=True)
    assert [problem.line for problem in report.problems] == [3]
    assert not report.applied
    assert _count(sessions, Person) == 0


def test_changes_are_shown_field_by_field(sessions: SessionFactory):
    run_import(sessions, SCHOOL, _file(ADA), NOW, apply=True)
    moved = "7;Ада;Ангелова-Бонева;ada@school-a.example;ученик;8Б;;"
    report = run_import(sessions, SCHOOL, _file(moved), LATER, apply=True)
    assert [(f.field, f.old, f.new) for f in report.changes[0].fields] == [
        ("family_name", "Ангелова", "Ангелова-Бонева"),
        ("class", "8А", "8Б"),
        ("number", "1", "7"),
    ]
    with sessions() as session:
        ends = session.scalars(select(ClassMembership.until_at).order_by(ClassMembership.id)).all()
    assert ends == [LATER, None], "the old membership ends, it is not rewritten"


def test_a_file_without_numbers_takes_no_number_away(sessions: SessionFactory):
    run_import(sessions, SCHOOL, _file(ADA), NOW, apply=True)
    plain = _file("Ада;Ангелова;ada@school-a.example;8А", header="Име;Фамилия;Имейл;Клас")
    assert run_import(sessions, SCHOOL, plain, LATER).changes[0].verb == "same"


def test_people_who_are_not_in_the_file_stay_unless_leavers_are_asked_for(sessions: SessionFactory):
    run_import(
        sessions, SCHOOL, _file(ADA, BORIS, ";Тео;Тонев;teo@school-a.example;учител;;;"), NOW, apply=True
    )
    report = run_import(sessions, SCHOOL, _file(ADA), LATER, apply=True)
    assert [person.given_name for person in report.absent] == ["Борис"]
    with sessions() as session:
        assert roster.find_person_by_email(session, "boris@school-a.example").active
    run_import(sessions, SCHOOL, _file(ADA), LATER, apply=True, leavers=True)
    with sessions() as session:
        assert not roster.find_person_by_email(session, "boris@school-a.example").active
        assert roster.find_person_by_email(session, "teo@school-a.example").active, (
            "teachers are not in a class"
        )
    assert _count(sessions, Person) == 3, "nobody is deleted"


def test_somebody_marked_as_left_is_deactivated_and_may_return(sessions: SessionFactory):
    run_import(sessions, SCHOOL, _file(ADA), NOW, apply=True)
    assert run_import(sessions, SCHOOL, _file(ADA + "напуснала"), NOW, apply=True).changes[0].verb == "left"
    assert run_import(sessions, SCHOOL, _file(ADA), NOW, apply=True).changes[0].verb == "returned"


def test_an_address_with_two_other_names_is_taken_for_a_new_owner(sessions: SessionFactory):
    run_import(sessions, SCHOOL, _file(ADA), NOW, apply=True)
    newcomer = "1;Вера;Велева;ada@school-a.example;ученик;8А;;"
    report = run_import(sessions, SCHOOL, _file(newcomer), LATER, apply=True)
    assert "atelier roster release ada@school-a.example" in report.problems[0].text(translate("en"))
    with sessions.begin() as session:
        roster.release_address(session, "ada@school-a.example", LATER)
    assert run_import(sessions, SCHOOL, _file(newcomer), LATER, apply=True).changes[0].verb == "new"
    assert _count(sessions, Person) == 2


def test_a_person_of_another_school_cannot_be_taken_over(sessions: SessionFactory):
    with sessions.begin() as session:
        other = Person(
            school_id="lipa", role="teacher", given_name="Ада", family_name="Ангелова", created_at=NOW
        )
        session.add(other)
        session.flush()
        session.add(Identity(person_id=other.id, provider="google", email="ada@school-a.example"))
    report = run_import(sessions, SCHOOL, _file(ADA), NOW, apply=True)
    assert "another school" in report.problems[0].text(translate("en"))


def test_operators_are_made_by_the_command_only(sessions: SessionFactory):
    row = ";Оги;Оп;op@school-a.example;оператор;;;"
    assert run_import(sessions, SCHOOL, _file(row), NOW).problems
    assert not run_import(sessions, SCHOOL, _file(row), NOW, allow_operators=True).problems


@pytest.fixture
def course(sessions: SessionFactory) -> str:
    with sessions.begin() as session:
        course = Course(school_id="primer", slug="geo-8a", title="География", created_at=NOW)
        foreign = Course(school_id="lipa", slug="bio-8a", title="Биология", created_at=NOW)
        session.add_all([course, foreign])
        session.flush()
    return course.id


def test_a_row_enrols_by_name_in_courses_of_the_school_only(sessions: SessionFactory, course: str):
    teacher = ";Тео;Тонев;teo@school-a.example;учител;;geo-8a;"
    for _ in range(2):
        run_import(sessions, SCHOOL, _file(teacher), NOW, apply=True)
    with sessions() as session:
        assert [p.given_name for p in roster.list_teachers(session, course, NOW)] == ["Тео"]
    assert _count(sessions, Enrolment) == 1
    foreign = run_import(sessions, SCHOOL, _file(teacher.replace("geo", "bio")), NOW)
    assert "no course bio-8a" in foreign.problems[0].text(translate("en"))


# ------------------------------------------------ the command and the demo's files
def test_the_demo_rosters_import_with_28_numbered_students(sessions: SessionFactory):
    for school_id, name in (("primer", "primer_8a.csv"), ("lipa", "lipa_10a.csv")):
        file = read_roster((ROOT / "demo/rosters" / name).read_bytes())
        report = run_import(
            sessions, CITY.find_school(school_id), file, NOW, apply=True, allow_operators=True
        )
        assert not report.problems
    with sessions() as session:
        numbers = session.scalars(
            select(ClassMembership.number)
            .join(Person, Person.id == ClassMembership.person_id)
            .where(Person.school_id == "primer", Person.deactivated_at.is_(None))
        )
        assert sorted(n for n in numbers if n) == list(range(1, 29))
        assert (
            roster.find_person_by_email(session, "teacher@school-a.example").display_name == "Елена Иванова"
        )
        assert len([p for p in roster.list_people(session, "primer") if not p.active]) == 1


def test_the_command_says_what_it_would_do_and_then_does_it(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ATELIER_DATABASE_URL", databases.migrate())
    monkeypatch.setenv("ATELIER_CITY_FILE", str(ROOT / "demo/city.yaml"))
    file = str(ROOT / "demo/rosters/primer_8a.csv")
    dry = CliRunner().invoke(app, ["import", file, "--school", "primer", "--language", "en"])
    assert "Nothing was changed; add --apply. new: 31" in dry.output
    done = CliRunner().invoke(app, ["import", file, "--school", "primer", "--apply"])
    assert done.exit_code == 0
    assert "Внесено" in done.output, "the school's language"
    out = CliRunner().invoke(app, ["deactivate", "teacher@school-a.example"])
    assert "deactivated" in out.output
    listed = CliRunner().invoke(app, ["list", "--school", "primer", "--language", "en"])
    assert "Елена Иванова  teacher@school-a.example  [deactivated]" in listed.output
    unknown = CliRunner().invoke(app, ["import", file, "--school", "nowhere"])
    assert unknown.exit_code == 1
    assert "primer" in unknown.output
