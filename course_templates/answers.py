"""Answers to a template's notebooks: short text files that fill the cells of a released notebook.

`solutions/<variant>/<assignment>.py` holds cells in the percent format that editors know::

    # %% read
    def read_measurements(path): ...

    # %% [markdown] why
    # Because …

    # %% [markdown] after own-question
    # A new cell below the task `own-question`.

The word after ``%%`` is nbgrader's grade id of the cell that gets this source.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HEAD = re.compile(r"^# %%[ \t]*(\[markdown\])?[ \t]*(after )?[ \t]*([A-Za-z0-9_-]+)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Answer:
    """One cell of an answer file."""

    grade_id: str
    text: str
    markdown: bool = False
    after: bool = False
    """True: a new cell below the one called `grade_id`; False: its source."""


def read_answers(path: Path) -> list[Answer]:
    """Return the cells of an answer file, in order."""
    text = path.read_text(encoding="utf-8")
    heads = list(_HEAD.finditer(text))
    answers = []
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        body = text[head.end() : following.start() if following else len(text)].strip("\n")
        markdown = head[1] is not None
        if markdown:
            body = re.sub(r"^# ?", "", body, flags=re.MULTILINE)
        answers.append(Answer(head[3], body, markdown, head[2] is not None))
    return answers


def fill_notebook(notebook: Path, answers: list[Answer]) -> None:
    """Write `answers` into the released notebook at this path.

    Raises KeyError for an answer to a cell that the notebook does not have.
    """
    content: dict[str, Any] = json.loads(notebook.read_text(encoding="utf-8"))
    added: dict[str, int] = {}
    for answer in answers:
        place = _find_cell(content["cells"], answer.grade_id)
        if answer.after:
            added[answer.grade_id] = added.get(answer.grade_id, 0) + 1
            number = added[answer.grade_id]
            content["cells"].insert(place + number, _new_cell(answer, f"{answer.grade_id}-{number}"))
        else:
            content["cells"][place]["source"] = answer.text
    notebook.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _find_cell(cells: list[dict[str, Any]], grade_id: str) -> int:
    for place, cell in enumerate(cells):
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id:
            return place
    raise KeyError(f"the notebook has no cell {grade_id!r}")


def _new_cell(answer: Answer, cell_id: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"id": cell_id, "metadata": {}, "source": answer.text}
    if answer.markdown:
        return {**cell, "cell_type": "markdown"}
    return {**cell, "cell_type": "code", "execution_count": None, "outputs": []}
