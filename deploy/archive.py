"""A backup's file: a compressed tar whose last member is the manifest with the SHA-256 of every other one.

A file that grows or shrinks while it is read is kept at the length it had when it was opened (zeros stand
for what was cut off), and the manifest names it.
"""

import contextlib
import gzip
import hashlib
import io
import json
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self

from deploy.problem import DeployProblem
from deploy.tree import Entry

FORMAT = 1
MANIFEST = "manifest.json"
PIECE_BYTES = 256 * 1024
LARGEST_MANIFEST_BYTES = 512 * 1024 * 1024


@dataclass
class Manifest:
    """What is in a backup. `files`: path → [size in bytes, SHA-256]; `homes`: account → user number in the
    container or None; `rows`: rows by table of the service's database; `notes`: what is not as it should be.
    """

    made_at: str
    version: str
    schema: str | None = None
    format: int = FORMAT
    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    homes: dict[str, int | None] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def dump(self) -> bytes:
        """Return JSON. File names with odd bytes come through as escaped surrogates."""
        return json.dumps(asdict(self), indent=1).encode("ascii")


def load_manifest(content: bytes) -> Manifest:
    """Return the manifest of JSON. Raises DeployProblem for one of a newer format or without sense."""
    try:
        values: dict[str, Any] = json.loads(content)
        files = {name: (int(size), str(sha256)) for name, (size, sha256) in values.pop("files").items()}
        manifest = Manifest(**values, files=files)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DeployProblem("the backup's manifest cannot be read", "use another backup") from error
    if manifest.format != FORMAT:
        raise DeployProblem(
            f"the backup has format {manifest.format}, this version reads {FORMAT}",
            f"restore it with Atelier {manifest.version}",
        )
    return manifest


class ArchiveWriter:
    """Writes a backup into a stream; the block's end adds the manifest, unless it ends with an error."""

    def __init__(self, stream: IO[bytes], manifest: Manifest) -> None:
        self.manifest = manifest
        # Level 1: archives are compressed already, and the class is working meanwhile.
        self._gzip = gzip.GzipFile("", "wb", 1, stream, mtime=0)
        self._tar = tarfile.open(  # noqa: SIM115 - closed in close()
            fileobj=self._gzip, mode="w|", format=tarfile.PAX_FORMAT, errors="surrogateescape"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            with contextlib.suppress(Exception):
                self._tar.close()  # while the stream is open: later its finalizer would complain

    def add_entry(self, name: str, entry: Entry) -> None:
        """Add what `walk_tree` found. Pipes, sockets and devices are no work of anybody's: left out."""
        info = tarfile.TarInfo(name)
        info.mode, info.mtime = entry.mode, int(entry.modified_s)
        if entry.kind == "file":
            with os.fdopen(os.dup(entry.descriptor), "rb") as file:
                self._add_file(info, file, entry.size)
        elif entry.kind != "other":
            info.type = tarfile.DIRTYPE if entry.kind == "folder" else tarfile.SYMTYPE
            info.linkname = entry.target
            self._tar.addfile(info)
        else:
            self.manifest.notes.append(f"left out, neither file, folder nor link: {name}")

    def add_path(self, name: str, path: Path) -> None:
        """Add one file of ours."""
        info = tarfile.TarInfo(name)
        info.mode = 0o600
        with path.open("rb") as file:
            info.mtime = int(path.stat().st_mtime)
            self._add_file(info, file, os.fstat(file.fileno()).st_size)

    def add_bytes(self, name: str, content: bytes, mode: int = 0o600, modified_s: float = 0) -> None:
        """Add bytes as a file."""
        info = tarfile.TarInfo(name)
        info.mode, info.mtime = mode, int(modified_s)
        self._add_file(info, io.BytesIO(content), len(content))

    def _add_file(self, info: tarfile.TarInfo, file: IO[bytes], size: int) -> None:
        reader = _ExactReader(file, size)
        info.size = size
        self._tar.addfile(info, reader)  # only read() is called
        self.manifest.files[info.name] = (size, reader.digest.hexdigest())
        if reader.is_cut or file.read(1):
            self.manifest.notes.append(f"changed while it was read: {info.name}")

    def close(self) -> None:
        """Write the manifest and the archive's end."""
        content = self.manifest.dump()
        info = tarfile.TarInfo(MANIFEST)
        info.size, info.mode = len(content), 0o600
        self._tar.addfile(info, io.BytesIO(content))
        self._tar.close()
        self._gzip.close()


class _ExactReader:
    """Gives exactly `size` bytes of a file, whatever happens to it meanwhile, and hashes them."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size
        self.digest = hashlib.sha256()
        self.is_cut = False

    def read(self, count: int = PIECE_BYTES) -> bytes:
        wanted = min(count, self._left)
        piece = b"" if self.is_cut else self._file.read(wanted)
        if len(piece) < wanted:
            self.is_cut = True
            piece = piece.ljust(wanted, b"\0")
        self._left -= len(piece)
        self.digest.update(piece)
        return piece


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
