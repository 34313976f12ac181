"""The city file: what is accepted, and that every problem is named at once."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from hub_config.__main__ import app
from hub_config.city import CityError, load_city, parse_city

ROOT = Path(__file__).parents[2]
GOOD = """
name: Примерград
schools:
  a:
    name: СУ „А“
    domains: [a.example, students.a.example]
    first_administrator: Head@A.example
    scale: {kind: percent}
"""


def _problems(text: str) -> list[tuple[int, str]]:
    with pytest.raises(CityError) as caught:
        parse_city(text)
    return [(problem.line, problem.path) for problem in caught.value.problems]


def test_a_short_file_gets_the_documented_defaults():
    school = parse_city(GOOD).find_school("a")
    assert (school.id, school.language, school.zone, school.hub) == ("a", "bg", "Europe/Sofia", "default")
    assert school.first_administrator == "head@a.example"
    assert school.limits.of("team").memory_mb == 2048


def test_a_school_is_found_by_each_of_its_domains_in_any_case():
    city = parse_city(GOOD)
    assert city.find_school_of_domain("STUDENTS.a.example") is city.schools["a"]
    assert city.find_school_of_domain("example") is None


def test_all_problems_are_listed_at_once_each_with_its_line():
    found = _problems("""name: X
langauge: bg
schools:
  a:
    name: A
    domains: [x.example, BAD]
    first_administrator: foo@y.example
    zone: Europe/Sofa
    scale: {kind: bulgarian, thresholds: [{from_percent: 10, mark: 7}], between: foo}
  a:
    name: B
  b:
    name: 4
    domains: [x.example]
    limits: {archive_max_mb: lots, personal: {idle_s: 5, memoy_mb: 4}}
    scale: {kind: foo}
""")
    assert set(found) == {
        (2, "langauge"),
        (6, "schools.a.domains.1"),
        (7, "schools.a.first_administrator"),
        (8, "schools.a.zone"),
        (9, "schools.a.scale.thresholds.0.mark"),
        (9, "schools.a.scale.between"),
        (10, "schools.a"),
        (12, "schools.b.first_administrator"),
        (13, "schools.b.name"),
        (14, "schools.b.domains.0"),
        (15, "schools.b.limits.archive_max_mb"),
        (15, "schools.b.limits.personal.idle_s"),
        (15, "schools.b.limits.personal.memoy_mb"),
        (16, "schools.b.scale"),
    }


def test_every_problem_names_a_repair():
    with pytest.raises(CityError) as caught:
        parse_city("name: X\nlanguag: bg\nschools: {a: {zone: Mars}}")
    assert all(problem.repair for problem in caught.value.problems)
    assert "write language if you meant that" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [("", 1), ("- a", 1), ("name: [", 1), ("name: X\nschools: &s {}\n", 2)],
    ids=["empty", "a list", "broken YAML", "anchor"],
)
def test_a_file_that_is_no_mapping_is_refused_with_its_line(text: str, line: int):
    assert line in {at for at, _ in _problems(text)}


def test_a_domain_belongs_to_one_school_only():
    second = GOOD + "  b:\n    name: B\n    domains: [a.example]\n    first_administrator: b@a.example\n"
    assert (11, "schools.b.domains.0") in _problems(second + "    scale: {kind: percent}\n")


def test_a_boolean_or_quoted_number_is_not_taken_for_a_number():
    text = GOOD + "    limits: {archive_max_mb: true, archive_max_files: '7'}\n"
    assert {path for _, path in _problems(text)} == {
        "schools.a.limits.archive_max_mb",
        "schools.a.limits.archive_max_files",
    }


def test_the_city_cannot_be_changed():
    city = parse_city(GOOD)
    with pytest.raises(ValueError, match="frozen"):
        city.schools["a"].name = "other"  # type: ignore[misc]


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(CityError, match=r"absent\.yaml"):
        load_city(tmp_path / "absent.yaml")


def test_check_command_accepts_the_demo_and_refuses_a_broken_file(tmp_path: Path):
    good = CliRunner().invoke(app, ["check", str(ROOT / "demo/city.yaml")])
    assert good.exit_code == 0
    assert "2 schools" in good.output
    broken = tmp_path / "city.yaml"
    broken.write_text("name: X\nname: Y\n")
    bad = CliRunner().invoke(app, ["check", str(broken)])
    assert bad.exit_code == 1
    assert "line 2, name" in bad.output
    assert "schools" in bad.output


@given(st.text(max_size=200), st.integers(0, len(GOOD)))
@example("a: &a [*a]", 0)
@example("--- a\n--- b", 0)
@example("? [1, 2]\n: 3", 0)
@example("\t", 20)
@example("<<: {a: 1}\n", 1)
@example("x: .inf\n", 1)
def test_any_text_is_a_city_or_a_list_of_problems(junk: str, at: int):
    for text in (junk, GOOD[:at] + junk + GOOD[at:]):
        with contextlib.suppress(CityError):
            assert parse_city(text).schools
