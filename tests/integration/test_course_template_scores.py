"""Every template's sample answers, right and wrong, through real nbgrader: each scores as it says."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from atelier.projects import load_template
from atelier_nbgrader.sandbox.bubblewrap import SandboxUnavailable, check_sandbox
from nbgrader.api import Gradebook
from ruamel.yaml import YAML

from course_templates.answers import fill_notebook, read_answers

TEMPLATES_DIR = Path(__file__).parents[2] / "course_templates"
TEMPLATES = sorted(path.parent.name for path in TEMPLATES_DIR.glob("*/template.yaml"))
UNTOUCHED = "untouched"
SANDBOX = """
import os
from atelier_nbgrader.config import configure
os.environ["ATELIER_LANGUAGE"] = "bg"
place = {{"ATELIER_COURSE": "course", "ATELIER_ACCOUNT": "course-a", "HOME": {home!r}}}
configure(c, {{"ATELIER_KIND": "course", **place}})
"""
CONFIG = """
c = get_config()
c.ExecutePreprocessor.timeout = 120
"""


@dataclass
class GradedCourse:
    """An nbgrader course in which each set of answers of a template was autograded as one student."""

    folder: Path
    expected: dict[str, dict[str, Any]]
    assignments: list[str]

    def open_gradebook(self) -> Gradebook:
        return Gradebook(f"sqlite:///{self.folder / 'gradebook.db'}")

    def list_expected(self) -> list[tuple[str, str, float, set[str]]]:
        """Answers, assignment, points and the test cells that give none."""
        return [
            (variant, assignment, float(said[assignment]["points"]), set(said[assignment]["lost"]))
            for variant, said in self.expected.items()
            for assignment in self.assignments
            if assignment in said
        ]


def can_isolate() -> bool:
    """Grade as a course workspace does, in the sandbox. Without one (never in CI) stock nbgrader must do."""
    try:
        check_sandbox()
    except SandboxUnavailable:
        if os.environ.get("CI") == "true":
            raise
        return False
    return True


def run_nbgrader(course: Path, *arguments: str) -> None:
    """Run an nbgrader command in a course folder; its whole output is shown when it fails."""
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "USER": "teacher"}
    env.pop("ATELIER_LANGUAGE", None)
    command = [sys.executable, "-m", "nbgrader", *arguments]
    done = subprocess.run(command, cwd=course, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="module", params=TEMPLATES)
def graded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> GradedCourse:
    template_dir = TEMPLATES_DIR / request.param
    home = tmp_path_factory.mktemp("home")
    course = home / "course"
    shutil.copytree(template_dir / "source", course / "source")
    config = CONFIG + (SANDBOX.format(home=str(home)) if can_isolate() else "")
    (course / "nbgrader_config.py").write_text(config, encoding="utf-8")
    expected = YAML(typ="safe").load((template_dir / "solutions" / "expected.yaml").read_text("utf-8"))
    names = [assignment.name for assignment in load_template(template_dir).assignments]
    for name in names:
        run_nbgrader(course, "generate_assignment", name, "--create")
        for variant in (*expected, UNTOUCHED):
            _submit(course, template_dir, variant, name)
        run_nbgrader(course, "autograde", name, "--create")
    return GradedCourse(course, expected, names)


def _submit(course: Path, template_dir: Path, variant: str, assignment: str) -> None:
    answers = template_dir / "solutions" / variant / f"{assignment}.py"
    if variant != UNTOUCHED and not answers.is_file():
        return
    target = course / "submitted" / variant / assignment
    shutil.copytree(course / "release" / assignment, target)
    if variant != UNTOUCHED:
        (notebook,) = target.glob("*.ipynb")
        fill_notebook(notebook, read_answers(answers))


def list_test_scores(gradebook: Gradebook, assignment: str, student: str) -> dict[str, tuple[float, float]]:
    """Points and maximum of each autograded cell."""
    submission = gradebook.find_submission(assignment, student)
    return {
        grade.name: (grade.auto_score, grade.max_score)
        for notebook in submission.notebooks
        for grade in notebook.grades
        if grade.cell.cell_type == "code" and not grade.needs_manual_grade and grade.auto_score is not None
    }


def test_each_set_of_answers_scores_as_it_says(graded: GradedCourse) -> None:
    wrong: list[str] = []
    with graded.open_gradebook() as gradebook:
        for variant, assignment, points, lost in graded.list_expected():
            scores = list_test_scores(gradebook, assignment, variant)
            zero = {name for name, (score, _) in scores.items() if score == 0 and name.startswith("test-")}
            total = sum(score for score, _ in scores.values())
            if (zero, total) != (lost, points):
                wrong.append(f"{variant}/{assignment}: lost {sorted(zero)}, {total} points")
    assert not wrong, "\n".join(wrong)


def test_a_sample_solution_graded_by_hand_has_all_points(graded: GradedCourse) -> None:
    with graded.open_gradebook() as gradebook:
        for assignment in graded.assignments:
            submission = gradebook.find_submission(assignment, "full")
            assert submission.needs_manual_grade, f"{assignment} has nothing for the teacher's hand"
            for notebook in submission.notebooks:
                for grade in notebook.grades:
                    if grade.needs_manual_grade:
                        grade.manual_score = grade.max_score
                        grade.needs_manual_grade = False
            gradebook.db.commit()
            assert submission.score == submission.max_score > 0


def test_an_untouched_release_has_no_points_and_breaks_nothing(graded: GradedCourse) -> None:
    with graded.open_gradebook() as gradebook:
        for assignment in graded.assignments:
            submission = gradebook.find_submission(assignment, UNTOUCHED)
            assert submission.score == 0
            assert submission.max_score > 0


def test_students_never_see_solutions_hidden_tests_or_mark_schemes(graded: GradedCourse) -> None:
    for assignment in graded.assignments:
        released = [
            path.read_text("utf-8") for path in (graded.folder / "release" / assignment).glob("*.ipynb")
        ]
        assert released
        for text in released:
            for secret in ("atelier-canary", "BEGIN HIDDEN", "BEGIN SOLUTION", "MARK SCHEME"):
                assert secret not in text
            assert "ВАШИЯТ КОД ТУК" in text


def test_students_find_the_data_next_to_the_notebook(graded: GradedCourse) -> None:
    for assignment in graded.assignments:
        source, release = (graded.folder / step / assignment for step in ("source", "release"))
        data = {path.name: path.read_bytes() for path in source.glob("*.csv")}
        assert data
        assert data == {path.name: path.read_bytes() for path in release.glob("*.csv")}
