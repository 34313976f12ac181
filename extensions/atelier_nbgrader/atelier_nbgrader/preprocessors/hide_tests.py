"""Keeps hidden tests out of feedback: their source, and every output that shows it.

Autograde puts the source of hidden tests back into the notebook; nbgrader's feedback prints it.
"""

import re

from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import ClearHiddenTests

from atelier_nbgrader.language import translate as _

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_SPACE = re.compile(r"\s+")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#39;", "'"), ("&#x27;", "'"), ("&amp;", "&"))
# A shorter line ("else:") says nothing and would hide half of the students' own outputs.
TELLING_LENGTH = 8


class HideTests(ClearHiddenTests):
    """Removes hidden regions. Cells that have one show only whether they passed; other outputs that contain a
    hidden line are withheld."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:  # type: ignore[type-arg]
        hidden = {line for cell in nb.cells for line in self.list_hidden_lines(cell.source)}
        for cell in nb.cells:
            had_hidden = bool(self.begin_test_delimeter in cell.source)
            cell.source = self.remove_hidden_lines(cell.source)
            if cell.cell_type == "code":
                cell.outputs = say_passed_or_failed(cell) if had_hidden else withhold(cell.outputs, hidden)
        return nb, resources

    def list_hidden_lines(self, source: str) -> list[str]:
        """Telling lines inside hidden regions, without white space."""
        lines = [_squeeze(line) for line, hidden in self._mark_lines(source) if hidden]
        return [line for line in lines if len(line) >= TELLING_LENGTH]

    def remove_hidden_lines(self, source: str) -> str:
        return "\n".join(line for line, hidden in self._mark_lines(source) if not hidden)

    def _mark_lines(self, source: str) -> list[tuple[str, bool]]:
        """Each line and whether it is hidden; a region without an end is hidden to the end."""
        marked, inside = [], False
        for line in source.split("\n"):
            inside = inside or self.begin_test_delimeter in line
            marked.append((line, inside))
            if self.end_test_delimeter in line:
                inside = False
        return marked


def say_passed_or_failed(cell: NotebookNode) -> list[NotebookNode]:
    """Nothing of what the cell wrote: its traceback shows lines, and its output may too."""
    if any(output.output_type == "error" for output in cell.outputs):
        text = _("A test that is not shown has failed.")
        return [new_output("error", ename="", evalue="", traceback=[text])]
    return []


def withhold(outputs: list[NotebookNode], hidden: set[str]) -> list[NotebookNode]:
    """Outputs, with those replaced that contain a hidden line."""
    return [_withhold_one(output, hidden) for output in outputs]


def _withhold_one(output: NotebookNode, hidden: set[str]) -> NotebookNode:
    text = _squeeze("".join(_list_texts(output)))
    if not any(line in text for line in hidden):
        return output
    said = _("[not shown: contains a part of a hidden test]")
    shown: NotebookNode = new_output("stream", name="stdout", text=said + "\n")
    if output.output_type == "error":
        shown = new_output("error", ename=output.ename, evalue="", traceback=[f"{output.ename}: {said}"])
    return shown


def _list_texts(output: NotebookNode) -> list[str]:
    if output.output_type == "stream":
        return [output.text]
    if output.output_type == "error":
        return [output.evalue, *output.traceback]
    return [value for value in output.data.values() if isinstance(value, str)]


def _squeeze(text: str) -> str:
    """Text without colours, white space, quoting and HTML entities, so that a printed line is recognised."""
    text = _ANSI.sub("", text)
    for entity, letter in _ENTITIES:
        text = text.replace(entity, letter)
    return _SPACE.sub("", text.replace("\\n", "").replace("\\t", "").replace("\\'", "'").replace('\\"', '"'))
