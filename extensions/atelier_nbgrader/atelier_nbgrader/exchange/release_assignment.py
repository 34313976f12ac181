"""Release an assignment: the generated student version becomes a new, immutable release."""

import hashlib
import io
from pathlib import Path

import nbformat
from nbgrader.exchange import abc

from atelier_nbgrader.exchange.exchange import Exchange
from atelier_nbgrader.language import translate as _
from atelier_nbgrader.packing import pack


class ExchangeReleaseAssignment(Exchange, abc.ExchangeReleaseAssignment):
    """Sends `release/<assignment>`. Students who fetched an earlier release keep what they have changed.

    `release` holds the exchange's answer, or the release that already had the same files.
    """

    release: dict[str, object] | None = None

    def init_src(self) -> None:
        place = self.coursedir.format_path(self.coursedir.release_directory, ".", self.assignment)
        self.src_path = Path(place)
        if not self.src_path.is_dir():
            text = _("{folder} does not exist. Generate the assignment first.")
            self.fail(text.format(folder=self.src_path))
        for file in sorted(self.src_path.glob("*.ipynb")):
            for cell in list_unlocked_tasks(file):
                text = _(
                    "{file}: the task “{cell}” is not locked, and grading would fail for everybody. Lock it."
                )
                self.fail(text.format(file=file.name, cell=cell))

    def init_dest(self) -> None:
        # Without a key nothing changes; an assignment that the service does not know yet is made.
        self.service.put(self.address(), {})

    def copy_files(self) -> None:
        archive = io.BytesIO()
        pack(self.src_path, archive, self.coursedir.ignore)
        latest = self.find_assignment()["release"]
        if latest and latest["sha256"] == hashlib.sha256(archive.getbuffer()).hexdigest():
            self.release = dict(latest)
            text = _("Nothing has changed since release {version} of {name}.")
        else:
            self.release = dict(self.service.upload(self.address("releases"), archive))
            text = _("Released {name}, release {version}.")
        self.log.info(text.format(name=self.assignment, version=self.release["version"]))


def list_unlocked_tasks(file: Path) -> list[str]:
    """Ids of task cells that are not locked: nbgrader 0.9.6 releases them and then cannot grade anybody."""
    notebook = nbformat.read(file, as_version=4)
    found = [cell.metadata.get("nbgrader", {}) for cell in notebook.cells]
    return [str(facts.get("grade_id")) for facts in found if facts.get("task") and not facts.get("locked")]
