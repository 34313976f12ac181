"""A backup's file: a compressed tar whose last member is the manifest with the SHA-256 of every other one.

A file that grows or shrinks while it is read is kept at the length it had when it was opened (zeros stand
for what was cut off), and the manifest names it.
"""

import contextlib
import gzip
import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Self

from deploy.manifest import (
    LARGEST_MANIFEST_BYTES,
    MOST_NOTES,
    Manifest,
    Share,
    check_size,
    find_share,
    load_manifest,
    measure_row,
    shorten_name,
)
from deploy.problem import DeployProblem
from deploy.tree import Entry

MANIFEST = "manifest.json"
PIECE_BYTES = 256 * 1024
# What a tar's own field of a time holds: until the year 2242. A file's owner may set another one.
EARLIEST_S, LATEST_S = -(1 << 31), (1 << 33) - 1


class ArchiveWriter:
    """Writes a backup into a stream; the block's end adds the manifest, unless it ends with an error."""

    def __init__(self, stream: IO[bytes], manifest: Manifest) -> None:
        self.manifest = manifest
        self._names: set[str] = set()
        self._share: Share | None = None
        self._used_bytes = 0
        # Level 1: archives are compressed already, and the class is working meanwhile.
        self._gzip = gzip.GzipFile("", "wb", 1, stream, mtime=0)
        self._tar = tarfile.open(  # noqa: SIM115 - closed in close()
            fileobj=self._gzip, mode="w|", format=tarfile.PAX_FORMAT, errors="surrogateescape"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            with contextlib.suppress(Exception):
                self._tar.close()  # while the stream is open: later its finalizer would complain

    @contextmanager
    def share(self, name: str) -> Iterator[None]:
        """Let what is added in this block, somebody's home, take its share of the manifest and no more."""
        share = self._share = Share(name, find_share(self._used_bytes))
        try:
            yield
        finally:
            self._share = None
        self.manifest.notes.extend(share.summarize())

    def add_entry(self, name: str, entry: Entry) -> None:
        """Add what `walk_tree` found. Pipes, sockets and devices are no work of anybody's: left out."""
        info = tarfile.TarInfo(name)
        info.mode, info.mtime = entry.mode, clamp_time(entry.modified_s)
        if entry.kind == "file":
            with os.fdopen(os.dup(entry.descriptor), "rb") as file:
                self._add_file(info, file, entry.size, errors_are_ends=True)
        elif entry.kind in ("folder", "link"):
            info.type = tarfile.DIRTYPE if entry.kind == "folder" else tarfile.SYMTYPE
            info.linkname = entry.target
            if self._has_room(name):
                self._tar.addfile(info)
        else:
            self.leave_out(name, _WHY[entry.kind])

    def leave_out(self, name: str, reason: str) -> None:
        """Note what is not in the backup, and why."""
        self.note(f"left out, {reason}", name)

    def note(self, fact: str, name: str) -> None:
        """Note what is not as it should be; of one home only the first hundred facts, then how many more."""
        if self._share is not None:
            self._share.notes += 1
            if self._share.notes > MOST_NOTES:
                return
        self.manifest.notes.append(f"{fact}: {shorten_name(name)}")

    def add_path(self, name: str, path: Path) -> None:
        """Add one file of ours. Raises OSError when it cannot be read."""
        info = tarfile.TarInfo(name)
        info.mode = 0o600
        with path.open("rb") as file:
            info.mtime = int(path.stat().st_mtime)
            self._add_file(info, file, os.fstat(file.fileno()).st_size)

    def add_bytes(self, name: str, content: bytes, mode: int = 0o600, modified_s: float = 0) -> None:
        """Add bytes as a file."""
        info = tarfile.TarInfo(name)
        info.mode, info.mtime = mode, clamp_time(modified_s)
        self._add_file(info, io.BytesIO(content), len(content))

    def _add_file(
        self, info: tarfile.TarInfo, file: IO[bytes], size: int, *, errors_are_ends: bool = False
    ) -> None:
        if not self._has_room(info.name):
            return
        reader = _ExactReader(file, size, errors_are_ends)
        info.size = size
        self._tar.addfile(info, reader)  # only read() is called
        self.manifest.files[info.name] = (size, reader.digest.hexdigest())
        if reader.is_broken:
            self.note("could not be read to its end", info.name)
        elif reader.is_cut or reader.has_grown():
            self.note("changed while it was read", info.name)

    def _has_room(self, name: str) -> bool:
        """Tell whether a member of this name may come. A second one would make the whole unreadable."""
        if name in self._names:
            self.note("left out, it came twice", name)
            return False
        row_bytes = measure_row(name)
        if self._share is not None and not self._share.take(row_bytes):
            return False
        self._used_bytes += row_bytes
        self._names.add(name)
        return True

    def close(self) -> None:
        """Write the manifest and the archive's end. Raises DeployProblem for what no restore would read."""
        content = self.manifest.dump()
        check_size(content)
        info = tarfile.TarInfo(MANIFEST)
        info.size, info.mode = len(content), 0o600
        self._tar.addfile(info, io.BytesIO(content))
        self._tar.close()
        self._gzip.close()


_WHY = {
    "other": "neither file, folder nor link",
    "too deep": "no program can open it, its path is too long or too deep",
    "unreadable": "it could not be opened or read",
}


def clamp_time(seconds: float) -> int:
    """Return a time that every file system and tar can hold, near the one that a file's owner set."""
    return int(min(max(EARLIEST_S, seconds), LATEST_S))  # in this order, or "not a number" comes through


class _ExactReader:
    """Gives exactly `size` bytes of a file, whatever happens to it meanwhile, and hashes them.

    With `errors_are_ends` a file that the disk gives no more of ends there.
    """

    def __init__(self, file: IO[bytes], size: int, errors_are_ends: bool = False) -> None:
        self._file, self._left, self._errors_are_ends = file, size, errors_are_ends
        self.digest = hashlib.sha256()
        self.is_cut = self.is_broken = False

    def read(self, count: int = PIECE_BYTES) -> bytes:
        wanted = min(count, self._left)
        piece = b"" if self.is_cut else self._read_on(wanted)
        if len(piece) < wanted:
            self.is_cut = True
            piece = piece.ljust(wanted, b"\0")
        self._left -= len(piece)
        self.digest.update(piece)
        return piece

    def has_grown(self) -> bool:
        """Tell whether there is more than the promised bytes."""
        return bool(self._read_on(1))

    def _read_on(self, wanted: int) -> bytes:
        try:
            return self._file.read(wanted)
        except OSError:
            if not self._errors_are_ends:
                raise
            self.is_broken = True
            return b""


Keep = Callable[[tarfile.TarInfo, Iterator[bytes]], None]


def read_archive(stream: IO[bytes], keep: Keep) -> Manifest:
    """Call `keep` for every member, then compare all hashes with the manifest, and return it.

    Raises DeployProblem when the archive ends early, a file's bytes differ, or a file is missing or not in
    the manifest. What `keep` was given before that is then worth nothing.
    """
    found: dict[str, tuple[int, str]] = {}
    manifest: Manifest | None = None
    try:
        with (
            gzip.GzipFile(fileobj=stream) as plain,
            tarfile.open(fileobj=plain, mode="r|", errors="surrogateescape") as tar,
        ):
            for info in tar:
                if manifest is not None:
                    raise _damaged(f"{info.name!r} stands behind the manifest")
                if info.name == MANIFEST:
                    manifest = load_manifest(_read_manifest(tar, info))
                else:
                    check_member(info, found)
                    _keep_member(tar, info, keep, found)
            while plain.read(PIECE_BYTES):  # to its checksum
                continue
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise _damaged(str(error)) from error
    if manifest is None:
        raise _damaged("it ends before the manifest")
    _compare(manifest.files, found)
    return manifest


def check_member(info: tarfile.TarInfo, found: dict[str, tuple[int, str]]) -> None:
    """Raise DeployProblem for a member that no backup of ours has: somebody else made this archive."""
    parts = PurePosixPath(info.name).parts
    plain = bool(parts) and not info.name.startswith("/") and ".." not in parts
    if not plain or info.name in found or not (info.isreg() or info.isdir() or info.issym()):
        raise _damaged(f"no backup has a member like {info.name!r}")


def _keep_member(
    tar: tarfile.TarFile, info: tarfile.TarInfo, keep: Keep, found: dict[str, tuple[int, str]]
) -> None:
    digest = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        file = tar.extractfile(info) if info.isreg() else None
        while file and (piece := file.read(PIECE_BYTES)):
            digest.update(piece)
            yield piece

    content = pieces()
    keep(info, content)
    for _ in content:  # what `keep` did not read is hashed all the same
        continue
    if info.isreg():
        found[info.name] = (info.size, digest.hexdigest())


def _read_manifest(tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(info) if info.isreg() and info.size <= LARGEST_MANIFEST_BYTES else None
    if file is None:
        raise _damaged("its manifest is no file")
    return file.read()


def _compare(promised: dict[str, tuple[int, str]], found: dict[str, tuple[int, str]]) -> None:
    different = [name for name in promised.keys() & found.keys() if promised[name] != found[name]]
    for names, fact in (
        (different, "differs from the manifest"),
        (promised.keys() - found.keys(), "is missing"),
        (found.keys() - promised.keys(), "is not in the manifest"),
    ):
        if names:
            raise _damaged(f"{min(names)!r} {fact} ({len(names)} in all)")


def _damaged(fact: str) -> DeployProblem:
    return DeployProblem(f"the backup is damaged or not one of Atelier's: {fact}", "use another backup")
