"""Takes the place of nbgrader's Execute: the student's cells run in the sandbox, the notebook stays here."""

import shutil
import tempfile
from pathlib import Path

from nbformat.notebooknode import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Float, Integer

from atelier_nbgrader.language import translate as _
from atelier_nbgrader.preprocessors.grading_step import Step, find_step
from atelier_nbgrader.sandbox import GradingProblem, Limits, SandboxUnavailable, run_cells
from atelier_nbgrader.sandbox.run import Answer

# Not for the student's code: notebooks hold hidden tests, and these two files are nbgrader's own.
NOT_FOR_THE_KERNEL = ("*.ipynb", "timestamp.txt", "submission_secret.txt", "feedback", ".ipynb_checkpoints")
MB = 1_000_000


class SandboxedExecute(NbGraderPreprocessor):
    """Runs the code cells and takes only their outputs. Sources, metadata and points stay what they are here.

    Raises GradingProblem when the run was cut (also noted at the desk: then there are no points, neither zero
    nor full ones) and SandboxUnavailable when this machine cannot isolate.
    """

    timeout = Float(30.0, help="Seconds for one cell.").tag(config=True)
    run_timeout = Float(180.0, help="Seconds for a whole notebook.").tag(config=True)
    memory_mb = Integer(1024, help="Memory for a notebook's processes together, in MB.").tag(config=True)
    disk_mb = Integer(128, help="What a notebook may write, in MB.").tag(config=True)
    processes = Integer(32, help="Processes that a notebook may have at once.").tag(config=True)

    @property
    def limits(self) -> Limits:
        return Limits(
            cell_s=self.timeout,
            run_s=self.run_timeout,
            memory_mb=self.memory_mb,
            disk_mb=self.disk_mb,
            processes=self.processes,
        )

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:  # type: ignore[type-arg]
        step = find_step(self, resources)
        cells = [cell for cell in nb.cells if cell.cell_type == "code"]
        try:
            answers = self.run(step, [cell.source for cell in cells])
        except (GradingProblem, SandboxUnavailable) as problem:
            step.note("problem", str(problem))
            self.log.error(f"{step.account}, {step.notebook}: {problem}")
            raise
        for cell, answer in zip(cells, answers, strict=True):
            take_answer(cell, answer)
        return nb, resources

    def run(self, step: Step, sources: list[str]) -> list[Answer]:
        """Run the sources with a copy of the submission's other files."""
        folder = Path(
            step.coursedir.format_path(step.coursedir.autograded_directory, step.account, step.assignment)
        )
        with tempfile.TemporaryDirectory(prefix="atelier-") as place:
            files = Path(place, "files")
            shutil.copytree(folder, files, ignore=shutil.ignore_patterns(*NOT_FOR_THE_KERNEL))
            size = sum(file.stat().st_size for file in files.rglob("*") if file.is_file())
            if size > self.disk_mb * MB:
                text = _(
                    "The submission's files take {size} MB, more than the {most} MB they may take when "
                    "graded."
                )
                raise GradingProblem(text.format(size=size // MB, most=self.disk_mb))
            return run_cells(sources, files, self.limits)


def take_answer(cell: NotebookNode, answer: Answer) -> None:
    """Put a cell's outputs into our notebook.

    A test that passed keeps its points although it wrote to stderr (a library's warning is no wrong answer):
    nbgrader counts any stderr as a failure, the kernel's reply says whether the cell raised.
    """
    cell.outputs = answer.outputs
    cell.execution_count = answer.execution_count
    if utils.is_grade(cell) and answer.status == "ok":
        for output in cell.outputs:
            if output.output_type == "stream":
                output.name = "stdout"
