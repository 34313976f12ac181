"""Opens an own earlier submission again, as a read-only copy beside the work."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from atelier_nbgrader.exchange.client import ServiceClient, path
from atelier_nbgrader.instants import folder_time
from atelier_nbgrader.unpacking import UnpackLimits, unpack


def list_submissions(service: ServiceClient, course: str, assignment: str) -> list[dict[str, Any]]:
    """Receipts of the own submissions, newest first."""
    return list(service.get(path("courses", course, "assignments", assignment, "submissions")))


def restore(
    submission_id: str,
    home: Path,
    connect: Callable[[], ServiceClient] = ServiceClient.of_workspace,
    archive_max_bytes: int = 2_000_000_000,
) -> Path:
    """Unpack a submission into `<home>/<course>/<assignment>/submission-<time>/`, read-only; returns that
    folder.

    A folder that is there already is returned as it is. Raises ServiceRefusal (404 for somebody else's) and
    BrokenArchive.
    """
    with connect() as service:
        receipt = service.get(path("submissions", submission_id))
        folder = home / receipt["course"] / receipt["assignment"]
        target: Path = folder / f"submission-{folder_time(receipt['received_at'])}"
        if target.is_dir():
            return target
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".restoring-", dir=folder) as place:
            archive, files = Path(place, "submission.tar.gz"), Path(place, "files")
            service.download(path("submissions", submission_id, "archive"), archive, archive_max_bytes)
            unpack(archive, files, UnpackLimits())
            for file in files.rglob("*"):
                if file.is_file():
                    file.chmod(0o444)
            files.rename(target)
    return target
