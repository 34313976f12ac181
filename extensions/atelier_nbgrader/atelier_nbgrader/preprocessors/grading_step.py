"""What the grading steps share: which submission this is, and the desk that remembers how far it came."""

from dataclasses import dataclass
from typing import Any

from atelier_nbgrader.desk import Desk


@dataclass(frozen=True)
class Step:
    """One notebook of one submission, while a converter works on it."""

    coursedir: Any
    assignment: str
    account: str
    notebook: str

    def note(self, state: str, problem: str = "") -> None:
        """Remember `started`, `graded` or `problem` at the desk."""
        Desk(self.coursedir.root).note_notebook(self.assignment, self.account, self.notebook, state, problem)


def find_step(preprocessor: Any, resources: Any) -> Step:
    """The step a preprocessor is in. The converter that started it is one of its parents and has the
    folders."""
    facts = resources["nbgrader"]
    parent = preprocessor.parent
    while parent is not None and not hasattr(parent, "coursedir"):
        parent = parent.parent
    if parent is None:
        raise RuntimeError(f"{type(preprocessor).__name__} works only inside an nbgrader converter")
    return Step(parent.coursedir, facts["assignment"], facts["student"], facts["notebook"])
