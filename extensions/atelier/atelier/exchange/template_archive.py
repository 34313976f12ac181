"""The files a course starts from, as an archive: the template's folder as it was shipped."""

import gzip
import tarfile
import tempfile
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.orm import Session

from atelier import projects
from atelier.exchange.access import not_found
from atelier.store.models import Course

_SKIPPED = frozenset({"__pycache__", ".ipynb_checkpoints", ".DS_Store"})


def find_template_folder(session: Session, templates_dir: Path, course: Course) -> Path:
    """Return the folder of the template that the course was started from. Raises `not_found`."""
    for project in projects.list_projects(session, course.id):
        if project.template:
            try:
                return templates_dir / projects.find_template(templates_dir, project.template).name
            except LookupError as error:
                raise not_found() from error
    raise not_found()


def pack_folder(folder: Path) -> BinaryIO:
    """Return a temporary file, at its start: `folder`'s files as tar.gz, the same bytes for the same files.

    Links are left out, so that no template reaches outside its folder.
    """
    packed = tempfile.TemporaryFile()  # noqa: SIM115 (closed by who sends it)
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted(folder.rglob("*")):
            relative = path.relative_to(folder)
            if path.is_file() and not path.is_symlink() and _SKIPPED.isdisjoint(relative.parts):
                _add_file(archive, path, relative.as_posix())
    packed.seek(0)
    return packed


def _add_file(archive: tarfile.TarFile, path: Path, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o644
    with path.open("rb") as content:
        entry.size = path.stat().st_size
        archive.addfile(entry, content)
