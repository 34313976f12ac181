"""The first step of grading: what a cell *is* comes from the gradebook, never from the student's file.

nbgrader trusts the submitted metadata for much: a student who sets `solution: false` on a manually graded
code cell would get full points, and one with an old `schema_version` stops the whole class.
"""

from collections.abc import Callable

import nbformat
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.api import Gradebook, MissingEntry, Notebook
from nbgrader.preprocessors import NbGraderPreprocessor

from atelier_nbgrader.gradebook import open_gradebook
from atelier_nbgrader.language import translate as _
from atelier_nbgrader.preprocessors.grading_step import find_step
from atelier_nbgrader.sandbox.run import GradingProblem
from atelier_nbgrader.service_facts import refresh_gradebook

SCHEMA_VERSION = 3


class RestoreCells(NbGraderPreprocessor):
    """Rewrites nbgrader's metadata, source of locked cells and cell types; puts back graded cells that are
    missing."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:  # type: ignore[type-arg]
        step = find_step(self, resources)
        step.note("started")
        refresh_gradebook(step.coursedir, self.log)
        try:
            nbformat.validate(nb)
        except (nbformat.ValidationError, RecursionError) as error:
            problem = _("The notebook's file is damaged: {reason}").format(
                reason=str(error).split("\n")[0][:200]
            )
            step.note("problem", problem)
            raise GradingProblem(problem) from error
        with open_gradebook(step.coursedir) as gradebook:
            known = KnownCells(gradebook, step.assignment, step.notebook)
        added = restore_cells(nb, known)
        for name in added:
            text = _("{account}, {notebook}: the graded cell “{cell}” was missing and was put back.")
            self.log.warning(text.format(account=step.account, notebook=step.notebook, cell=name))
        return nb, resources


class KnownCells:
    """The cells of a notebook as the gradebook has them: name → metadata, type, source, locked."""

    def __init__(self, gradebook: Gradebook, assignment: str, notebook: str) -> None:
        self.cells: dict[str, NotebookNode] = {}
        try:
            found = gradebook.find_notebook(notebook, assignment)
        except MissingEntry:
            return
        for cell in found.source_cells:
            self.cells[cell.name] = _describe(cell, found)


def _describe(source_cell: object, notebook: Notebook) -> NotebookNode:
    name = source_cell.name  # type: ignore[attr-defined]
    grade = {cell.name: cell for cell in notebook.grade_cells}.get(name)
    task = {cell.name: cell for cell in notebook.task_cells}.get(name)
    metadata = {
        "grade_id": name,
        "grade": grade is not None,
        "solution": name in {cell.name for cell in notebook.solution_cells},
        "task": task is not None,
        "locked": bool(source_cell.locked),  # type: ignore[attr-defined]
        "cell_type": source_cell.cell_type,  # type: ignore[attr-defined]
        "checksum": source_cell.checksum,  # type: ignore[attr-defined]
        "schema_version": SCHEMA_VERSION,
    }
    graded = grade or task
    if graded is not None:
        metadata["points"] = graded.max_score
    source = source_cell.source or ""  # type: ignore[attr-defined]
    return NotebookNode(metadata=NotebookNode(metadata), source=source, graded=graded is not None)


def restore_cells(nb: NotebookNode, known: KnownCells) -> list[str]:
    """Make the notebook's cells what the gradebook says; returns the names of graded cells that were put
    back.

    A missing cell comes back at the end, where everything that the student defined is already there.
    """
    seen = set()
    for index, cell in enumerate(nb.cells):
        claimed = cell.metadata.get("nbgrader")
        name = claimed.get("grade_id") if isinstance(claimed, dict) else None
        if isinstance(name, str) and name in known.cells:
            nb.cells[index] = _restore_cell(cell, known.cells[name])
            seen.add(name)
        else:
            cell.metadata.pop("nbgrader", None)
    missing = [name for name, found in known.cells.items() if found.graded and name not in seen]
    for name in missing:
        found = known.cells[name]
        nb.cells.append(_make_cell(found.metadata.cell_type, found.source, found.metadata))
    return missing


def _restore_cell(cell: NotebookNode, found: NotebookNode) -> NotebookNode:
    source = found.source if found.metadata.locked else cell.source
    restored = _make_cell(found.metadata.cell_type, source, found.metadata)
    if "id" in cell:
        restored["id"] = cell["id"]
    if restored.cell_type == "markdown" and "attachments" in cell:
        restored["attachments"] = cell["attachments"]
    return restored


def _make_cell(cell_type: str, source: str, metadata: NotebookNode) -> NotebookNode:
    make: Callable[..., NotebookNode] = new_code_cell if cell_type == "code" else new_markdown_cell
    made: NotebookNode = make(source=source, metadata=NotebookNode(nbgrader=NotebookNode(metadata)))
    return made
