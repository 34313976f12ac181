"""Bytes on disk, addressed by their SHA-256: written once, never changed, never deleted here.

A blob is durable before anybody may refer to it: the file is synced, then renamed into its place, then the
folder is synced. Only after that may a row name it (see `atelier.exchange`).
"""

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class BlobStore:
    """A folder of blobs: ``<root>/sha256/ab/abcd…`` and, for what is still arriving, ``<root>/incoming/``."""

    root: Path

    def prepare(self) -> None:
        """Create the folders; only the service's own user may enter them."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self._incoming, self.root / "sha256"):
            folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(self.root)

    def open_incoming(self) -> tuple[Path, BinaryIO]:
        """Return a fresh file for bytes that are arriving. The caller keeps it or removes it."""
        path = self._incoming / f"{secrets.token_hex(16)}.part"
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        return path, os.fdopen(descriptor, "w+b", buffering=0)

    def keep(self, incoming: Path, file: BinaryIO, sha256: str) -> Path:
        """Make `incoming` the blob `sha256`, durably, and return its place. The bytes must have been hashed.

        An equal blob that is already there wins, unless its size says that it was damaged.
        """
        os.fsync(file.fileno())
        target = self._path_of(sha256)
        if not target.parent.exists():
            target.parent.mkdir(mode=0o700, exist_ok=True)
            _sync_folder(target.parent.parent)
        if target.exists() and target.stat().st_size == incoming.stat().st_size:
            incoming.unlink()
        else:
            incoming.rename(target)
        # Also for a blob that was there: the request that brought it may not have come this far yet.
        _sync_folder(target.parent)
        return target

    def find(self, sha256: str) -> Path:
        """Return the path of a blob. Raises FileNotFoundError when the store has lost it."""
        path = self._path_of(sha256)
        if not path.is_file():
            raise FileNotFoundError(f"blob {sha256} is not in {self.root}; restore it from the backup")
        return path

    def remove_stale_incoming(self, older_than_s: float, now_s: float) -> int:
        """Remove what cut connections and dead processes left; return how many. Never touches a blob."""
        removed = 0
        for path in self._incoming.glob("*.part"):
            try:
                if now_s - path.stat().st_mtime > older_than_s:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # its own request removed or kept it meanwhile
        return removed

    @property
    def _incoming(self) -> Path:
        return self.root / "incoming"

    def _path_of(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise ValueError(f"not a SHA-256 in hexadecimal: {sha256!r}")
        return self.root / "sha256" / sha256[:2] / sha256


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
