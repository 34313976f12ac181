"""nbgrader's configuration for a workspace, chosen by what the environment says it is."""

import os
import sys
import warnings
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from atelier_nbgrader.language import translate as _

STUDENT_KINDS = ("personal", "team")


def configure(c: Any, environ: Mapping[str, str]) -> None:
    """Set nbgrader's traits. Outside of a workspace of Atelier (no `ATELIER_KIND`) nothing is set."""
    kind = environ.get("ATELIER_KIND")
    if kind is None:
        return
    set_exchange(c)
    set_course_directory(c, environ)
    if kind == "course":
        set_stubs(c)
        set_grading(c)
        set_feedback(c)
        set_showing(c)


def add_own_programs(environ: MutableMapping[str, str]) -> None:
    """nbgrader starts `alembic` by its bare name: have this interpreter's programs on PATH."""
    own = str(Path(sys.executable).parent)
    known = environ.get("PATH", os.defpath)
    if own not in known.split(os.pathsep):
        environ["PATH"] = f"{own}{os.pathsep}{known}"


def quiet_known_warnings() -> None:
    """nbgrader 0.9.6 with SQLAlchemy 2.1 prints these at each submission; the rows it writes are right."""
    warnings.filterwarnings("ignore", message="Object of type .* not in session", module=r"nbgrader\.")


def set_exchange(c: Any) -> None:
    """Files move through the service, as this workspace's account."""
    for verb in (
        "fetch_assignment",
        "fetch_feedback",
        "release_assignment",
        "release_feedback",
        "list",
        "submit",
        "collect",
    ):
        name = "".join(part.title() for part in verb.split("_"))
        setattr(c.ExchangeFactory, verb, f"atelier_nbgrader.exchange.Exchange{name}")
    c.ExchangeFactory.exchange = "atelier_nbgrader.exchange.Exchange"
    c.Authenticator.plugin_class = "atelier_nbgrader.auth.ServiceAuthPlugin"


def set_course_directory(c: Any, environ: Mapping[str, str]) -> None:
    """Students: `~/<course>/<assignment>`; a course workspace: nbgrader's course directory at
    `~/<course>`."""
    home = environ.get("HOME") or str(Path.home())
    c.Exchange.assignment_dir = home
    c.NbGraderAPI.timezone = environ.get("ATELIER_ZONE", "UTC")
    if environ["ATELIER_KIND"] in STUDENT_KINDS:
        c.CourseDirectory.student_id = environ["ATELIER_ACCOUNT"]
        return
    c.CourseDirectory.course_id = environ["ATELIER_COURSE"]
    c.CourseDirectory.root = str(Path(home) / environ["ATELIER_COURSE"])


def set_stubs(c: Any) -> None:
    """What stands where a solution was, in the school's language: a pupil of twelve reads it first."""
    code, answer = _("YOUR CODE HERE"), _("YOUR ANSWER HERE")
    c.ClearSolutions.code_stub = {"python": f"# {code}\nraise NotImplementedError()"}
    c.ClearSolutions.text_stub = answer


def set_grading(c: Any) -> None:
    """Student code runs in the sandbox; what a cell is comes from the gradebook; the desk knows how far it
    came."""
    ours, theirs = "atelier_nbgrader.preprocessors", "nbgrader.preprocessors"
    c.Autograde.sanitize_preprocessors = [
        f"{theirs}.ClearOutput",
        f"{ours}.RestoreCells",
        f"{theirs}.DeduplicateIds",
        f"{theirs}.OverwriteKernelspec",
        f"{theirs}.OverwriteCells",
        f"{theirs}.CheckCellMetadata",
    ]
    c.Autograde.autograde_preprocessors = [
        f"{ours}.SandboxedExecute",
        f"{theirs}.IgnorePattern",
        "nbconvert.preprocessors.ClearMetadataPreprocessor",
        f"{theirs}.LimitOutput",
        f"{theirs}.SaveAutoGrades",
        f"{theirs}.AssignLatePenalties",
        f"{theirs}.CheckCellMetadata",
        f"{ours}.RecordGraded",
    ]


def set_feedback(c: Any) -> None:
    """Feedback without hidden tests."""
    c.GenerateFeedback.preprocessors = [
        "nbgrader.preprocessors.GetGrades",
        "atelier_nbgrader.preprocessors.HideTests",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]


def set_showing(c: Any) -> None:
    """Everything that formgrader and feedback show of a notebook is cleaned, and no page loads a foreign
    script."""
    c.HTMLExporter.preprocessors = ["atelier_nbgrader.preprocessors.SanitizeNotebook"]
    c.HTMLExporter.filters = {"markdown2html": "atelier_nbgrader.preprocessors.sanitize.render_markdown"}
    c.HTMLExporter.mathjax_url = ""
    c.HTMLExporter.require_js_url = ""
    c.HTMLExporter.jquery_url = ""
    c.HTMLExporter.embed_images = False
    # Would show the whole configuration, paths included, on the first page.
    c.FormgradeExtension.debug = False
