"""The last step of grading: only a notebook that came so far has points."""

from nbformat.notebooknode import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from atelier_nbgrader.preprocessors.grading_step import find_step


class RecordGraded(NbGraderPreprocessor):
    """Notes at the desk that the notebook was graded to the end."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:  # type: ignore[type-arg]
        find_step(self, resources).note("graded")
        return nb, resources
