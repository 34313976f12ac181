"""Answers: how a student fills a released notebook in, from the answer files that come with the template."""

import json
import tempfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from course_templates.answers import fill_notebook, read_answers

Notebook = dict[str, Any]


def fill_in(notebook: Notebook, answers: Path, before_first_code: str = "") -> Notebook:
    """Return the released notebook with an answer file typed into it.

    `before_first_code` comes before the code of the first answer cell: what a hostile student adds.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "notebook.ipynb"
        path.write_text(json.dumps(notebook), encoding="utf-8")
        fill_notebook(path, read_answers(answers))
        filled: Notebook = json.loads(path.read_text(encoding="utf-8"))
    if before_first_code:
        first = next(cell for cell in filled["cells"] if _is_code_answer(cell))
        first["source"] = f"{before_first_code}\n{first['source']}"
    return filled


def load_expected_points(template_dir: Path) -> dict[tuple[str, str], float]:
    """Return (set of answers, assignment) → points that the automatic tests give."""
    expected = YAML(typ="safe").load(template_dir / "solutions" / "expected.yaml")
    return {
        (variant, assignment): float(scores["points"])
        for variant, assignments in expected.items()
        for assignment, scores in assignments.items()
        if isinstance(scores, dict)
    }


def _is_code_answer(cell: dict[str, Any]) -> bool:
    marks = cell.get("metadata", {}).get("nbgrader", {})
    return cell["cell_type"] == "code" and bool(marks.get("solution"))
