"""A small real course for tests: source notebook, course directory, collected submissions.

The notebook has a solution cell, a visible test (2 points), a test with a hidden part (3 points), and a
manually graded answer (4 points).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from atelier_nbgrader.config import configure
from atelier_nbgrader.desk import Desk
from atelier_nbgrader.gradebook import open_gradebook
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

SLUG = "geo-8a"
ASSIGNMENT = "ps1"
CANARY = "canary_of_the_hidden_test"
SOLUTION = "def square(x):\n    ### BEGIN SOLUTION\n    return x * x\n    ### END SOLUTION\n"
RIGHT = "def square(x):\n    return x * x"
HIDDEN = f"### BEGIN HIDDEN TESTS\n{CANARY} = 12\nassert square({CANARY}) == 144\n### END HIDDEN TESTS"


def make_graded_metadata(grade_id: str, **facts: Any) -> dict[str, Any]:
    base = {"grade": False, "solution": False, "task": False, "locked": False, "schema_version": 3}
    return {"nbgrader": {**base, "grade_id": grade_id, **facts}}


def make_source() -> nbformat.NotebookNode:
    """The teacher's notebook."""
    test = {"grade": True, "locked": True}
    cells = [
        new_markdown_cell("# Squares"),
        new_code_cell(SOLUTION, metadata=make_graded_metadata("square", solution=True)),
        new_code_cell("assert square(2) == 4", metadata=make_graded_metadata("shown", points=2, **test)),
        new_code_cell(
            f"assert square(1) == 1\n{HIDDEN}", metadata=make_graded_metadata("hidden", points=3, **test)
        ),
        new_markdown_cell(
            "Your answer", metadata=make_graded_metadata("why", grade=True, solution=True, points=4)
        ),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


@dataclass
class TestCourse:
    """A course directory with one generated assignment."""

    __test__ = False
    home: Path
    config: Config

    @property
    def root(self) -> Path:
        return self.home / SLUG

    @property
    def coursedir(self) -> CourseDirectory:
        return CourseDirectory(config=self.config)

    @property
    def desk(self) -> Desk:
        return Desk(self.root)

    def make_api(self) -> NbGraderAPI:
        return NbGraderAPI(config=self.config)

    def read_release(self) -> nbformat.NotebookNode:
        return nbformat.read(self.root / "release" / ASSIGNMENT / "squares.ipynb", as_version=4)

    def submit(
        self,
        account: str,
        change: Callable[[nbformat.NotebookNode], None] | str,
        files: dict[str, bytes] | None = None,
    ) -> Path:
        """Put a submission where collect puts it, with its note at the desk. `change` edits the released
        notebook, or is the source of its solution cell."""
        notebook = self.read_release()
        if callable(change):
            change(notebook)
        else:
            notebook.cells[1].source = change
        folder = self.root / "submitted" / account / ASSIGNMENT
        folder.mkdir(parents=True)
        (folder / "squares.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
        for name, content in (files or {}).items():
            (folder / name).write_bytes(content)
        (folder / "timestamp.txt").write_text("2026-11-20 10:00:00.000000 UTC")
        receipt = {
            "id": f"sub{account[:9]}",
            "course": SLUG,
            "assignment": ASSIGNMENT,
            "account": account,
            "received_at": "2026-11-20T10:00:00Z",
        }
        self.desk.note_collected(receipt)
        return folder

    def autograde(self, account: str) -> dict[str, Any]:
        result: dict[str, Any] = self.make_api().autograde(ASSIGNMENT, account)
        return result

    def find_points(self, account: str) -> float:
        with open_gradebook(self.coursedir) as gradebook:
            return float(gradebook.find_submission(ASSIGNMENT, account).score)

    def read_graded(self, account: str) -> nbformat.NotebookNode:
        return nbformat.read(self.root / "autograded" / account / ASSIGNMENT / "squares.ipynb", as_version=4)


def make_course(home: Path, environ: dict[str, str]) -> TestCourse:
    """A course workspace's home with the assignment generated; `environ` as in that workspace."""
    config = Config()
    configure(config, {**environ, "HOME": str(home)})
    course = TestCourse(home, config)
    source = course.root / "source" / ASSIGNMENT
    source.mkdir(parents=True)
    nbformat.write(make_source(), source / "squares.ipynb")
    (source / "data.csv").write_text("a,b\n1,2\n")
    made = course.make_api().generate_assignment(ASSIGNMENT)
    assert made["success"], made
    return course
