"""Opens an own earlier submission again: its archive becomes a new folder below the assignment's.

The work that is there stays as it is. The copy is read-only and left out of later submissions: whoever went
on working in it by mistake would submit something else.
"""

import shutil
import tarfile
import tempfile
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO
from zoneinfo import ZoneInfo

from atelier_lab.folders import COPY_PREFIX

FILE_COUNT_LIMIT = 10_000
TOTAL_LIMIT_MB = 2048
PATH_LENGTH_LIMIT = 400


class UnsafeArchive(Exception):
    """The archive holds something that must not be unpacked; the text names the member."""


def choose_folder(home: Path, course: str, assignment: str, received_at: str, zone: str) -> Path:
    """A folder that does not exist yet, named after the time of submission in the school's zone."""
    received = datetime.fromisoformat(received_at).astimezone(ZoneInfo(zone))
    stem = f"{COPY_PREFIX}{received:%Y-%m-%d_%H-%M-%S}"
    folder, number = home / course / assignment / stem, 1
    while folder.exists():
        number += 1
        folder = home / course / assignment / f"{stem}_{number}"
    return folder


def unpack(archive: IO[bytes], folder: Path, top: str) -> None:
    """Unpack `archive` (gzip-compressed tar) into the absent `folder`, all or nothing.

    Members below a single top folder `top` lose it. Raises UnsafeArchive; tarfile.TarError when broken.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".restore-") as scratch:
        made = Path(scratch) / "files"
        made.mkdir()
        with tarfile.open(fileobj=archive, mode="r:gz") as source:
            _unpack_members(source, made, top)
        made.rename(folder)


def _unpack_members(source: tarfile.TarFile, made: Path, top: str) -> None:
    left = TOTAL_LIMIT_MB * 1024 * 1024
    for count, member in enumerate(source):
        left -= member.size
        if count >= FILE_COUNT_LIMIT or left < 0:
            raise UnsafeArchive("too large")
        path = made / _check_member(member, top)
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_file(source, member, path)


def _write_file(source: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    content = source.extractfile(member)
    if content is None:
        raise UnsafeArchive(member.name)
    with content, path.open("xb") as target:
        shutil.copyfileobj(content, target)
    path.chmod(0o444)


def _check_member(member: tarfile.TarInfo, top: str) -> PurePosixPath:
    """The member's relative path. Only plain files and folders with plain names; raises UnsafeArchive."""
    path = PurePosixPath(member.name)
    plain = (member.isreg() or member.isdir()) and not member.issparse()
    named = "\x00" not in member.name and "\\" not in member.name and len(member.name) <= PATH_LENGTH_LIMIT
    if not plain or not named or path.is_absolute() or ".." in path.parts:
        raise UnsafeArchive(member.name)
    return path.relative_to(top) if path.is_relative_to(top) else path
