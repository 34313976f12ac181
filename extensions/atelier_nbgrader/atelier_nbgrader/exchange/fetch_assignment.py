"""Fetch an assignment: the newest release, without ever overwriting what a student has changed.

A file that is as it was delivered is updated. A file that was changed is kept, and the new one is put beside
it as `name (release 2).ipynb`. A file that is gone comes back.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from nbgrader.exchange import abc

from atelier_nbgrader.exchange.exchange import Exchange
from atelier_nbgrader.language import translate as _
from atelier_nbgrader.receipts import Receipts
from atelier_nbgrader.unpacking import unpack


class ExchangeFetchAssignment(Exchange, abc.ExchangeFetchAssignment):
    """Brings the newest release into `~/<course>/<assignment>`.

    Afterwards `version` says which, and `put_beside` lists new files that stand beside changed ones.
    """

    version = 0
    put_beside: list[str]

    def init_src(self) -> None:
        self.put_beside = []

    def init_dest(self) -> None:
        self.dest_path = self.folder
        if self.dest_path.exists() and not self.dest_path.is_dir():
            text = _("{folder} is a file; rename it, then fetch again.")
            self.fail(text.format(folder=self.dest_path))

    def copy_files(self) -> None:
        self.dest_path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=self.dest_path.parent) as place:
            archive, files = Path(place, "release.tar.gz"), Path(place, "files")
            headers = self.service.download(
                self.address("releases", "latest"), archive, self.archive_max_bytes
            )
            self.version = int(headers.get("Atelier-Version", "1"))
            names = unpack(archive, files, self.unpack_limits)
            self.put_beside = merge_release(files, names, self.dest_path, self.version)
        self.tell()

    def tell(self) -> None:
        text = _("Fetched {course}/{assignment}, release {version}.")
        said = text.format(course=self.course, assignment=self.assignment, version=self.version)
        self.log.info(said)
        for name in self.put_beside:
            text = _("You have changed the file, so the new one was put beside it: {name}")
            self.log.warning(text.format(name=name))


def merge_release(files: Path, names: list[str], folder: Path, version: int) -> list[str]:
    """Bring the unpacked release `files` into a student's `folder`; returns what was put beside changed
    files.

    Each file arrives by a rename, so that an interrupted fetch can simply be repeated.
    """
    folder.mkdir(parents=True, exist_ok=True)
    memory = Receipts(folder)
    delivered = memory.load_release()
    beside: list[str] = []
    now: dict[str, str] = {}
    for name in sorted(names):
        now[name] = _digest(files / name)
        was = delivered["files"].get(name)
        place = _find_place(folder, name, now[name], was, version)
        if place is None:
            continue
        if place != name:
            beside.append(place)
        _move(files / name, folder / place)
    memory.keep_release(version, now)
    return beside


def _find_place(folder: Path, name: str, new: str, delivered: str | None, version: int) -> str | None:
    """Where a file of the release goes: its own name, a name beside it, or nowhere (None)."""
    target = folder / name
    if not target.is_symlink() and not target.exists():
        return name
    if target.is_symlink() or not target.is_file():
        return _find_free_name(folder, name, new, version)
    present = _digest(target)
    if present == new or new == delivered:
        return None  # there already; or the student changed it, and the release has nothing new to say
    if present == delivered:
        return name
    return _find_free_name(folder, name, new, version)


def _find_free_name(folder: Path, name: str, new: str, version: int) -> str | None:
    path = PurePosixPath(name)
    for number in range(1, 1000):
        again = "" if number == 1 else f" {number}"
        text = _("release {version}").format(version=version)
        beside = path.with_name(f"{path.stem} ({text}{again}){path.suffix}").as_posix()
        target = folder / beside
        if not target.is_symlink() and not target.exists():
            return beside
        if target.is_file() and not target.is_symlink() and _digest(target) == new:
            return None
    return None


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(source, target)


def _digest(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
