"""What a course workspace may say about a submission: its points, or why there are none."""

from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Gradebook, MissingEntry

from atelier_nbgrader.desk import Desk
from atelier_nbgrader.language import translate as _


def make_result(
    gradebook: Gradebook, coursedir: Any, desk: Desk, assignment: str, account: str
) -> dict[str, Any]:
    """The result of the submission that is collected now:

    `{submission_id, points, max_points, problem, needs_manual_grade, feedback_id}`; with a problem, points
    are None.
    """
    receipt = desk.find_receipt(assignment, account)
    assert receipt is not None
    result: dict[str, Any] = {
        "submission_id": receipt["id"],
        "points": None,
        "max_points": _find_max_points(gradebook, assignment),
        "problem": find_problem(gradebook, coursedir, desk, assignment, account),
        "needs_manual_grade": False,
        "feedback_id": None,
    }
    if result["problem"] is None:
        submission = gradebook.find_submission(assignment, account)
        penalty = sum(notebook.late_submission_penalty or 0.0 for notebook in submission.notebooks)
        result["points"] = max(0.0, float(submission.score) - penalty)
        result["needs_manual_grade"] = bool(submission.needs_manual_grade)
    return result


def _find_max_points(gradebook: Gradebook, assignment: str) -> float | None:
    try:
        return float(gradebook.find_assignment(assignment).max_score)
    except MissingEntry:
        return None


def find_problem(
    gradebook: Gradebook, coursedir: Any, desk: Desk, assignment: str, account: str
) -> str | None:
    """Why the collected submission has no points; None when every notebook was graded to the end.

    nbgrader itself leaves zeros behind when grading was cut: they must not become points.
    """
    try:
        expected = sorted(notebook.name for notebook in gradebook.find_assignment(assignment).notebooks)
        gradebook.find_submission(assignment, account)
    except MissingEntry:
        return _("Not graded yet. Run autograde.")
    if not expected:
        return _("The assignment has no notebook in the gradebook. Generate it again.")
    submitted = Path(coursedir.format_path(coursedir.submitted_directory, account, assignment))
    graded = Path(coursedir.format_path(coursedir.autograded_directory, account, assignment))
    present = [name for name in expected if (submitted / f"{name}.ipynb").is_file()]
    if not present:
        text = _("None of the assignment's notebooks is in the submission ({names}).")
        return text.format(names=", ".join(expected))
    notes = desk.list_notebooks(assignment, account)
    problems = [
        _find_damage(submitted / f"{name}.ipynb") or _find_notebook_problem(name, notes.get(name, {}), graded)
        for name in present
    ]
    problems += [
        _("{name} is missing from the submission.").format(name=n) for n in expected if n not in present
    ]
    said = " ".join(problem for problem in problems if problem)
    return said[:500] or None


def _find_damage(file: Path) -> str | None:
    """Why a notebook's file cannot even be read; nbgrader stops before any step of ours can say so."""
    try:
        nbformat.reads(file.read_text(encoding="utf-8"), as_version=4)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        nbformat.ValidationError,
    ):
        return _("{name}: the notebook's file is damaged.").format(name=file.stem)
    return None


def _find_notebook_problem(name: str, note: dict[str, str], graded: Path) -> str | None:
    state = note.get("state")
    if state == "problem":
        return f"{name}: {note.get('problem') or '?'}"
    if state == "started":
        return _("{name}: grading was interrupted. Run autograde again.").format(name=name)
    if state != "graded" or not (graded / f"{name}.ipynb").is_file():
        return _("{name}: not graded yet. Run autograde.").format(name=name)
    return None
