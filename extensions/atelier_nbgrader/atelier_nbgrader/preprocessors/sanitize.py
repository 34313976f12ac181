"""Makes a graded notebook safe to show: formgrader and feedback both go through this.

It runs in front of nbconvert's templates, which put much of a notebook into the page as it is; Markdown is
cleaned after it was turned into HTML, by the filter `render_markdown`.
"""

import html
import re
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import Preprocessor
from nbformat.corpus.words import generate_corpus_id
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_output

from atelier_nbgrader.html_cleaning import clean_html, is_base64
from atelier_nbgrader.language import translate as _

PICTURES = ("image/png", "image/jpeg")
TEXTS = ("text/plain", "text/latex", "text/markdown")
SVG = "image/svg+xml"
# Longer texts are shown as they were typed: Markdown's parser takes quadratic time for some of them.
MAX_MARKDOWN_CHARACTERS = 50_000
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_GRADE_ID = re.compile(r"[\w.-]{1,200}")
_LEXER = NotebookNode(name="python", pygments_lexer="ipython3")


class SanitizeNotebook(Preprocessor):
    """Keeps what a teacher grades by and drops or cleans the rest. Works on the copy that is shown."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        nb.metadata = NotebookNode(language_info=_LEXER)
        nb.cells = [clean_cell(cell) for cell in nb.cells if cell.cell_type in ("code", "markdown", "raw")]
        return nb, resources


def clean_cell(cell: NotebookNode) -> NotebookNode:
    """A cell with nothing but what the templates need, each part of its own kind."""
    kind = "code" if cell.cell_type == "code" else "markdown"
    source = str(cell.source)
    if cell.cell_type == "raw":
        # A raw cell goes into the page as it is; shown as text it loses nothing.
        source = "\n".join(f"    {line}" for line in source.split("\n"))
    claimed = cell.get("id")
    cell_id = claimed if isinstance(claimed, str) and _ID.fullmatch(claimed) else generate_corpus_id()
    clean = NotebookNode(cell_type=kind, id=cell_id, source=source, metadata=clean_metadata(cell.metadata))
    if kind == "code":
        count = cell.get("execution_count")
        clean.execution_count = count if type(count) is int else None
        clean.outputs = [found for output in cell.outputs if (found := clean_output(output)) is not None]
    elif "attachments" in cell:
        clean.attachments = clean_attachments(cell.attachments)
    return clean


def clean_metadata(metadata: Any) -> NotebookNode:
    """nbgrader's own facts, if they can be put into a page; nothing else."""
    facts = metadata.get("nbgrader")
    if not isinstance(facts, dict) or not _GRADE_ID.fullmatch(str(facts.get("grade_id", ""))):
        return NotebookNode()
    kept: dict[str, Any] = {"grade_id": str(facts["grade_id"])}
    for name in ("grade", "solution", "task", "locked"):
        kept[name] = facts.get(name) is True
    for name in ("points", "score"):
        if isinstance(facts.get(name), (int, float)):
            kept[name] = float(facts[name])
    return NotebookNode(nbgrader=NotebookNode(kept))


def clean_output(output: NotebookNode) -> NotebookNode | None:
    """An output of a known kind; None for one that says nothing."""
    kind, made = output.get("output_type"), None
    if kind == "stream":
        name = "stderr" if output.name == "stderr" else "stdout"
        made = new_output("stream", name=name, text=str(output.text))
    elif kind == "error":
        lines = [str(line) for line in output.traceback]
        made = new_output("error", ename=str(output.ename), evalue=str(output.evalue), traceback=lines)
    elif kind in ("display_data", "execute_result"):
        data = clean_data(output.data)
        if not data and output.data:
            data = {"text/plain": _("[an output of a kind that is not shown]")}
        made = new_output("display_data", data=data)
    return made


def clean_data(data: dict[str, Any]) -> dict[str, str]:
    """Known kinds only. SVG is shown as a picture, in which nothing runs; JavaScript and widgets are not
    shown."""
    kept: dict[str, str] = {}
    for kind, value in data.items():
        text = "".join(value) if isinstance(value, list) else value
        if not isinstance(text, str):
            continue
        if kind == "text/html":
            kept[kind] = clean_html(text)
        elif kind in TEXTS or (kind in PICTURES and is_base64(text)) or (kind == SVG and "<svg" in text):
            kept[kind] = text
    return kept


def clean_attachments(attachments: Any) -> NotebookNode:
    """Pictures of a Markdown cell: name → {kind: base64}."""
    kept: dict[str, dict[str, str]] = {}
    for name, kinds in attachments.items() if isinstance(attachments, dict) else ():
        if isinstance(kinds, dict):
            kept[name] = {kind: kinds[kind] for kind in PICTURES if is_base64(kinds.get(kind))}
    return NotebookNode({name: kinds for name, kinds in kept.items() if kinds})


@pass_context
def render_markdown(context: Context, source: str) -> str:
    """Markdown to safe HTML: the filter that takes the place of nbconvert's `markdown2html`."""
    if len(str(source)) > MAX_MARKDOWN_CHARACTERS:
        return f"<pre>{html.escape(str(source))}</pre>"
    cell = context.get("cell") or {}
    renderer = IPythonRenderer(
        escape=False,
        attachments=cell.get("attachments", {}),
        embed_images=False,
        path="",
        anchor_link_text="",
        exclude_anchor_links=True,
    )
    return clean_html(MarkdownWithMath(renderer=renderer).render(str(source)))
