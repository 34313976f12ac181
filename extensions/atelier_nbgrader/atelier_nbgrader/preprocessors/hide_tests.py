"""Keeps hidden tests out of feedback: their source, and every output that shows it.

Autograde puts the source of hidden tests back into the notebook; nbgrader's feedback prints it.
"""

import html
import re

from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import ClearHiddenTests

from atelier_nbgrader.language import translate as _

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_SPACE = re.compile(r"\s+")
_TAG = re.compile(r"<[^<>]{1,2000}>")
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
    """Outputs, with those replaced that contain a hidden line; all of them when only together they show one.

    Finds what was printed, not what was encoded: see docs/grading.md.
    """
    shown = [_withhold_one(output, hidden) for output in outputs]
    if _shows([text for output in shown for text in _list_texts(output)], hidden):
        return [new_output("stream", name="stdout", text=_("[not shown: contains a part of a hidden test]"))]
    return shown


def _shows(texts: list[str], hidden: set[str]) -> bool:
    """Whether a hidden line stands in the texts, as it is or between the tags of highlighted source."""
    whole = "".join(texts)
    return any(line in text for text in (_squeeze(whole), _squeeze(_TAG.sub("", whole))) for line in hidden)


def _withhold_one(output: NotebookNode, hidden: set[str]) -> NotebookNode:
    if not _shows(_list_texts(output), hidden):
        return output
    said = _("[not shown: contains a part of a hidden test]")
    shown: NotebookNode = new_output("stream", name="stdout", text=said + "\n")
    if output.output_type == "error":
        ename = "Error" if _shows([output.ename], hidden) else output.ename
        shown = new_output("error", ename=ename, evalue="", traceback=[f"{ename}: {said}"])
    return shown


def _list_texts(output: NotebookNode) -> list[str]:
    if output.output_type == "stream":
        return [output.text]
    if output.output_type == "error":
        return [output.ename, output.evalue, *output.traceback]
    return [value for value in output.data.values() if isinstance(value, str)]


def _squeeze(text: str) -> str:
    """Text without colours, white space, quoting and HTML entities, so that a printed line is recognised."""
    text = html.unescape(_ANSI.sub("", text))
    return _SPACE.sub("", text.replace("\\n", "").replace("\\t", "").replace("\\'", "'").replace('\\"', '"'))
