"""Unpacks an archive from the exchange. What is in it was written by somebody else and is hostile.

Everything is unpacked into a new folder beside the target and takes its place by one rename: there is never
half an archive. Only plain files are written, with our own permissions, at paths that stay inside.
"""

import gzip
import os
import shutil
import tarfile
import tempfile
import unicodedata
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from atelier_nbgrader.language import translate as _
from atelier_nbgrader.no_room import describe, is_about_room

PIECE_BYTES = 256 * 1024
MAX_PATH_BYTES = 512
MAX_DEPTH = 16


@dataclass(frozen=True)
class UnpackLimits:
    """What an archive may become on disk."""

    total_mb: int = 2000
    files: int = 20_000


class BrokenArchive(Exception):
    """An archive that is not unpacked; the message says why."""


def unpack(archive: Path, target: Path, limits: UnpackLimits | None = None) -> list[str]:
    """Unpack into the folder `target`, which must not exist; returns the paths. Raises BrokenArchive, and
    then nothing is left behind."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=target.parent) as place:
        inside = Path(place, "files")
        inside.mkdir(mode=0o755)
        try:
            names = _unpack_into(archive, inside, limits or UnpackLimits())
            # Refuses, on every file system, to take the place of a folder with something in it.
            inside.rename(target)
        except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, UnicodeError, ValueError) as error:
            raise BrokenArchive(_("The archive is damaged ({reason}).").format(reason=error)) from error
        except OSError as error:
            text = _("The archive cannot be unpacked ({reason}).").format(reason=error)
            raise BrokenArchive(describe(error) if is_about_room(error) else text) from error
    return names


def _unpack_into(archive: Path, folder: Path, limits: UnpackLimits) -> list[str]:
    room = limits.total_mb * 1_000_000
    names: list[str] = []
    with archive.open("rb") as raw, gzip.GzipFile(fileobj=raw) as plain:
        bounded = cast(IO[bytes], _Bounded(plain, room))
        with tarfile.open(fileobj=bounded, mode="r|") as entries:
            for entry in entries:
                path = check_path(entry.name)
                if len(names) >= limits.files:
                    raise BrokenArchive(
                        _("The archive holds more than {most} files.").format(most=limits.files)
                    )
                if entry.isdir():
                    continue
                if not entry.isreg() or entry.issparse():
                    text = _("“{name}” in the archive is a link, a device or a sparse file.")
                    raise BrokenArchive(text.format(name=show(entry.name)))
                _write(entries.extractfile(entry), folder.joinpath(*path.parts), entry.size)
                names.append(path.as_posix())
    return names


class _Bounded:
    """A reader that stops a bomb: no more than `room` bytes come out."""

    def __init__(self, source: gzip.GzipFile, room: int) -> None:
        self._source = source
        self._room = room

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        self._room -= len(data)
        if self._room < 0:
            raise BrokenArchive(_("The archive unpacks to too many bytes."))
        return data


def check_path(name: str) -> PurePosixPath:
    """The path of an entry, relative and inside. Raises BrokenArchive."""
    path = PurePosixPath(name)
    good = (
        name
        and not path.is_absolute()
        and ".." not in path.parts
        and "\\" not in name
        and len(name.encode("utf-8", "surrogatepass")) <= MAX_PATH_BYTES
        and len(path.parts) <= MAX_DEPTH
        and not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)
    )
    if not good:
        raise BrokenArchive(_("“{name}” in the archive is not an allowed path.").format(name=show(name)))
    return path


def show(name: str) -> str:
    """A hostile name, fit for a message: no control characters, not long."""
    return "".join(letter if letter.isprintable() else "·" for letter in name)[:80]


def _write(source: IO[bytes] | None, target: Path, size: int) -> None:
    assert source is not None
    target.parent.mkdir(parents=True, exist_ok=True)
    # O_EXCL: never through a link, never twice to one file.
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "wb") as out:
        shutil.copyfileobj(source, out, PIECE_BYTES)
        if out.tell() != size:
            raise BrokenArchive(_("The archive is cut off."))
