"""Claims about course templates: what lies in course_templates/, and what a broken one is told."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from atelier import projects
from atelier.projects import NotFound, TemplateError
from atelier.projects.template import Plan
from nbgrader.nbgraderformat import MetadataValidator
from ruamel.yaml import YAML

from course_templates.answers import read_answers
from tests.small_school import NOW, SmallSchool

TEMPLATES_DIR = Path(__file__).parents[2] / "course_templates"
TEMPLATES = sorted(path.parent for path in TEMPLATES_DIR.glob("*/template.yaml"))
NOTEBOOKS = sorted(TEMPLATES_DIR.glob("*/source/*/*.ipynb"))
CANARY = "atelier-canary-"


def name_of(path: Path) -> str:
    return path.relative_to(TEMPLATES_DIR).as_posix()


def read_cells(notebook: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [{**cell, "source": "".join(cell["source"])} for cell in cells]


def role(cell: dict[str, Any]) -> dict[str, Any]:
    metadata: dict[str, Any] = cell["metadata"].get("nbgrader", {})
    return metadata


def is_test(cell: dict[str, Any]) -> bool:
    return bool(cell["cell_type"] == "code" and role(cell).get("grade") and not role(cell).get("solution"))


def hidden_parts(cell: dict[str, Any]) -> list[str]:
    return re.findall(r"### BEGIN HIDDEN TESTS\n(.*?)### END HIDDEN TESTS", cell["source"], re.DOTALL)


# ---------------------------------------------------------------- what lies there
def test_there_is_a_template_with_an_individual_and_a_team_assignment() -> None:
    kinds = [{a.kind for a in template.assignments} for template in projects.list_templates(TEMPLATES_DIR)]
    assert {"individual", "team"} in kinds


@pytest.mark.parametrize("folder", TEMPLATES, ids=name_of)
def test_every_template_loads_and_names_source_and_licence_of_its_data(folder: Path) -> None:
    template = projects.load_template(folder)
    assert template.data
    assert Plan.model_validate(template.plan()) == Plan(
        milestones=template.milestones, rubric=template.rubric
    )
    assert len(template.driving_question.bg) <= 1000


@pytest.mark.parametrize("folder", TEMPLATES, ids=name_of)
def test_a_teacher_finds_notes_in_bulgarian(folder: Path) -> None:
    notes = (folder / "README.md").read_text(encoding="utf-8")
    assert is_bulgarian(notes)
    for heading in ("Часове", "Трудни места", "Диференциране", "Данни"):
        assert re.search(rf"^## .*{heading}", notes, re.MULTILINE), f"no section {heading}"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name_of)
def test_a_notebook_is_valid_for_jupyter_and_nbgrader(notebook: Path) -> None:
    content = nbformat.read(notebook, as_version=4)
    nbformat.validate(content)
    MetadataValidator().validate_nb(content)
    ids = [role(cell)["grade_id"] for cell in content.cells if role(cell)]
    assert len(ids) == len(set(ids))
    code = [cell for cell in content.cells if cell.cell_type == "code"]
    assert not [cell for cell in code if cell.outputs or cell.execution_count], "outputs are committed"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name_of)
def test_a_notebook_has_hidden_tests_hand_graded_work_and_a_widget(notebook: Path) -> None:
    cells = read_cells(notebook)
    assert [cell for cell in cells if hidden_parts(cell)]
    assert [cell for cell in cells if role(cell).get("task")]
    assert [cell for cell in cells if role(cell).get("grade") and role(cell).get("solution")]
    assert [cell for cell in cells if "from atelier_widgets import" in cell["source"]]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name_of)
def test_every_hidden_test_carries_a_canary_and_nothing_else_does(notebook: Path) -> None:
    for cell in read_cells(notebook):
        hidden = hidden_parts(cell)
        assert all(CANARY in part for part in hidden)
        assert cell["source"].count(CANARY) == len(hidden)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name_of)
def test_graded_cells_avoid_what_breaks_or_falsifies_autograding(notebook: Path) -> None:
    for cell in read_cells(notebook):
        if role(cell).get("task"):
            assert role(cell)["locked"], "an unlocked task cell breaks autograde for everybody"
        if is_test(cell):
            assert role(cell)["locked"]
            # nbgrader gives 0 for anything on stderr, a library's warning included.
            assert 'warnings.simplefilter("ignore")' in cell["source"]
            last = cell["source"].strip().splitlines()[-1]
            assert last.startswith(("assert ", "### END")), "a value at the end would count as partial points"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name_of)
def test_what_students_read_is_bulgarian(notebook: Path) -> None:
    for cell in read_cells(notebook):
        if cell["cell_type"] == "markdown":
            assert is_bulgarian(cell["source"]), cell["source"][:80]
        if is_test(cell):
            assert is_bulgarian(cell["source"].splitlines()[0])
            messages = re.findall(r'^assert .*, "(.*)"$', cell["source"], re.MULTILINE)
            assert messages
            assert all(re.search("[а-я]", message) for message in messages)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name_of)
def test_the_points_in_the_headings_are_the_points_given(notebook: Path) -> None:
    """A student adds up what the headings promise; the sum must be what nbgrader counts."""
    cells = read_cells(notebook)
    headings = (re.match(r"## Задача \d+\..*\((\d+) точки", cell["source"]) for cell in cells)
    promised = sum(int(heading[1]) for heading in headings if heading)
    given = sum(role(cell).get("points", 0) for cell in cells)
    assert promised == given > 0


@pytest.mark.parametrize("folder", TEMPLATES, ids=name_of)
def test_sample_answers_fit_the_notebooks_they_are_for(folder: Path) -> None:
    expected = YAML(typ="safe").load((folder / "solutions" / "expected.yaml").read_text("utf-8"))
    assert "full" in expected
    assert len(expected) >= 3
    files = sorted((folder / "solutions").glob("*/*.py"))
    assert {(file.parent.name, file.stem) for file in files} == {
        (variant, name) for variant, said in expected.items() for name in said if name != "why"
    }
    for file in files:
        (notebook,) = (folder / "source" / file.stem).glob("*.ipynb")
        known = {role(cell).get("grade_id") for cell in read_cells(notebook)}
        assert {answer.grade_id for answer in read_answers(file)} <= known


def is_bulgarian(text: str) -> bool:
    """Whether prose outside code, links and formulas is written in Cyrillic for the most part."""
    prose = re.sub(r"```.*?```|`[^`]*`|\(https?:[^)]*\)|\$[^$]*\$", "", text, flags=re.DOTALL)
    cyrillic, latin = (len(re.findall(letters, prose)) for letters in ("[А-я]", "[A-Za-z]"))
    return cyrillic > 2 * latin and "Ы" not in prose and "ы" not in prose


# ---------------------------------------------------------------- what a broken one is told
@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A template that a test may break."""
    target = tmp_path / TEMPLATES[0].name
    shutil.copytree(TEMPLATES[0], target)
    return target


def rewrite(folder: Path, pattern: str, replacement: str) -> None:
    file = folder / "template.yaml"
    text, count = re.subn(pattern, replacement, file.read_text("utf-8"), count=1, flags=re.MULTILINE)
    assert count == 1
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("pattern", "replacement", "named"),
    [
        (r"^lessons: .*$", "lessons: many", "lessons"),
        (r"^lessons: ", "lesons: ", "lesons"),
        (r"^grades: ", "grades: [8]\ngrades: ", "grades"),
        (r"kind: team", "kind: group", "assignments.1.kind"),
        (r"- name: okeanat", "- name: ../okeanat", "assignments.1.name"),
        (r"- name: okeanat", "- name: krivata", "krivata is there twice"),
        (r"- name: okeanat", "- name: moreto", "source/moreto/ holds no notebook"),
        (r"licence: public domain", "licence: all rights reserved", "licence"),
        (r"source/krivata/co2.csv", "../co2.csv", "data.0.files.0"),
        (r"source/krivata/co2.csv", "source/krivata/missing.csv", "source/krivata/missing.csv is missing"),
        (r"^name: .*$", "name: other", "but the folder is"),
        (r"^title:$", "title: [", "template"),
    ],
)
def test_a_broken_template_is_refused_and_the_fault_named(
    copy: Path, pattern: str, replacement: str, named: str
) -> None:
    rewrite(copy, pattern, replacement)
    with pytest.raises(TemplateError) as caught:
        projects.load_template(copy)
    assert named in str(caught.value)


def test_data_without_source_and_licence_is_refused(copy: Path) -> None:
    (copy / "source" / "krivata" / "more.csv").write_text("a,b\n", encoding="utf-8")
    with pytest.raises(TemplateError, match=r"more\.csv has no source and licence"):
        projects.load_template(copy)


def test_a_broken_template_is_left_out_and_logged_and_keeps_no_other_back(
    copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(copy, copy.parent / "broken")
    assert [template.name for template in projects.list_templates(copy.parent)] == [copy.name]
    assert "template-broken: The template broken cannot be used" in caplog.text


@pytest.mark.parametrize("name", ["../vazduhat-i-okeanat", "", ".", "nothing", "a/b", "x\n"])
def test_a_template_is_found_by_name_only(name: str) -> None:
    with pytest.raises(NotFound):
        projects.find_template(TEMPLATES_DIR, name)


def test_yaml_in_a_template_cannot_run_code(copy: Path, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    (copy / "template.yaml").write_text(
        f"!!python/object/apply:pathlib.Path.touch ['{target}']\n", encoding="utf-8"
    )
    with pytest.raises(TemplateError):
        projects.load_template(copy)
    assert not target.exists()


# ---------------------------------------------------------------- starting a course from it
def test_starting_a_course_creates_all_of_it_in_the_schools_language(school: SmallSchool) -> None:
    template = projects.load_template(TEMPLATES[0])
    course = projects.start_course(
        school.session,
        template,
        title="Проект 8А",
        school=school.school,
        class_ids=[school.school_class.id],
        teacher_id=school.teacher.id,
        now=NOW,
    )
    (project,) = projects.list_projects(school.session, course.id)
    assert course.slug == "proekt-8a"
    assert project.title == template.title.bg
    assert project.template == template.name
    assert project.plan == template.plan()
    made = {a.name: a for a in projects.list_assignments(school.session, course.id)}
    assert {name: a.kind for name, a in made.items()} == {a.name: a.kind for a in template.assignments}
    for planned in template.assignments:
        due = projects.show_due(made[planned.name])
        assert due is not None
        assert (due.time(), (due.date() - NOW.date()).days) == (planned.due_time, planned.due_in_days)
        assert made[planned.name].project_id == project.id


def test_the_answers_reader_runs_without_the_service() -> None:
    """The demo and teachers use it in environments of their own."""
    code = "import course_templates.answers, sys; sys.exit(any(m.startswith('atelier') for m in sys.modules))"
    subprocess.run([sys.executable, "-c", code], cwd=TEMPLATES_DIR.parent, check=True)
