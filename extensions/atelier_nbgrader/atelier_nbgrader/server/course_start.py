"""A course workspace's first start: nbgrader's folders, the template's source, the gradebook."""

import logging
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from atelier_nbgrader.config import configure
from atelier_nbgrader.exchange.client import ServiceClient, ServiceRefusal, path
from atelier_nbgrader.gradebook import open_gradebook, write_assignments, write_roster
from atelier_nbgrader.unpacking import BrokenArchive, unpack

FOLDERS = ("source", "release", "submitted", "autograded", "feedback")
TEMPLATE_MAX_BYTES = 500_000_000


def ensure_course(
    environ: Mapping[str, str],
    log: logging.Logger,
    connect: Callable[[], ServiceClient] | None = None,
) -> Path:
    """Make what is missing below `~/<course>`; never touches what is there. Returns the course's folder.

    Without an answer from the service the folders are made, and the rest is done at the next start.
    """
    slug = environ["ATELIER_COURSE"]
    config = Config()
    configure(config, environ)
    coursedir = CourseDirectory(config=config)
    root = Path(coursedir.root)
    root.mkdir(parents=True, exist_ok=True)
    try:
        with (connect or (lambda: ServiceClient.of_workspace(environ)))() as service:
            ensure_source(service, slug, root, log)
            _write_facts(service, slug, coursedir)
    except (ServiceRefusal, BrokenArchive) as error:
        log.warning("Course %s is not fully prepared: %s", slug, error)
    for name in FOLDERS:
        (root / name).mkdir(exist_ok=True)
    return root


def ensure_source(service: ServiceClient, slug: str, root: Path, log: logging.Logger) -> bool:
    """Unpack the course's template into `source`, once: only when there is no source. Returns whether it
    did."""
    source = root / "source"
    if source.exists():
        return False
    with tempfile.TemporaryDirectory(prefix=".template-", dir=root) as place:
        archive, files = Path(place, "template.tar.gz"), Path(place, "files")
        try:
            service.download(path("courses", slug, "template"), archive, TEMPLATE_MAX_BYTES)
        except ServiceRefusal as refusal:
            if refusal.status == 404:
                return False  # a course without a template: the teacher starts with an empty source
            raise
        unpack(archive, files)
        _place_template(files, root)
    log.info("Course %s starts from its template.", slug)
    return True


def _place_template(files: Path, root: Path) -> None:
    """The template's `source/` becomes the course's; its other files go to `template/`, for reading."""
    inner = files / "source"
    if inner.is_dir():
        inner.rename(root / "source")
        if not (root / "template").exists():
            files.rename(root / "template")
    else:
        files.rename(root / "source")


def _write_facts(service: ServiceClient, slug: str, coursedir: Any) -> None:
    with open_gradebook(coursedir) as gradebook:
        write_roster(gradebook, service.get(path("courses", slug, "roster")))
        write_assignments(gradebook, service.get(path("courses", slug, "assignments")))
