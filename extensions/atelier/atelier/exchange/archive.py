"""Checking an archive (tar, packed with gzip) while it arrives.

The work is cut off at the first thing that is not allowed, so that a bomb costs no more than the bytes that
have come so far. Memory is the same for 1 kB and 1 GB.
"""

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from atelier.exchange.errors import ExchangeError
from atelier.exchange.tar_walk import TarWalk, broken
from atelier.texts import N_

PIECE_BYTES = 64 * 1024
BOMB_RATIO = 200
BOMB_FLOOR_BYTES = 16 * 1024 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_HEADER_BYTES_PER_FILE = 4096


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may be at most. Bytes; `max_paths` counts files and folders."""

    packed_bytes: int
    unpacked_bytes: int
    max_paths: int

    @classmethod
    def of_account(cls, limits: Mapping[str, int]) -> "ArchiveLimits":
        """Return what the city file sets for an account's school (`AccountView.limits`; MB are 10⁶ bytes)."""
        return cls(
            packed_bytes=limits["archive_max_mb"] * 1_000_000,
            unpacked_bytes=limits["archive_unpacked_max_mb"] * 1_000_000,
            max_paths=limits["archive_max_files"],
        )


@dataclass(frozen=True, slots=True)
class ArchiveFacts:
    """What an archive turned out to be. `size` is in bytes, as it arrived."""

    sha256: str
    size: int
    file_count: int
    unpacked_bytes: int


class ArchiveCheck:
    """Feed it an archive in pieces of any size, then `finish`. Every method may raise ExchangeError:

    `too_large` (413); `too_many_files`, `path_not_allowed`, `kind_not_allowed`, `bomb`, `broken_archive`
    (422).
    """

    def __init__(self, limits: ArchiveLimits) -> None:
        self._limits = limits
        self._tar = TarWalk(limits.max_paths, limits.unpacked_bytes)
        self._hash = hashlib.sha256()
        self._gunzip = zlib.decompressobj(_GZIP)
        self._packed = 0
        self._plain = 0
        # Headers and padding come on top of the files themselves.
        self._max_plain = limits.unpacked_bytes + limits.max_paths * _HEADER_BYTES_PER_FILE + BOMB_FLOOR_BYTES

    def feed(self, piece: bytes) -> None:
        """Check the next bytes."""
        self._packed += len(piece)
        if self._packed > self._limits.packed_bytes:
            raise too_large(self._limits)
        self._hash.update(piece)
        if piece and self._gunzip.eof:
            raise _trailing()
        self._unpack(piece)

    def finish(self) -> ArchiveFacts:
        """Say that the archive has ended; return what it was."""
        if not self._gunzip.eof:
            raise broken(N_("The archive is cut off: its end is missing. Send it again."))
        self._tar.finish()
        return ArchiveFacts(self._hash.hexdigest(), self._packed, self._tar.file_count, self._tar.file_bytes)

    def _unpack(self, packed: bytes) -> None:
        while True:
            try:
                plain = self._gunzip.decompress(packed, PIECE_BYTES)
            except zlib.error as error:
                raise broken(
                    N_("This is not an archive (tar.gz), or it is damaged. Send it again.")
                ) from error
            packed = self._gunzip.unconsumed_tail
            self._plain += len(plain)
            self._check_ratio(self._packed - len(packed))
            self._tar.feed(plain)
            if self._gunzip.unused_data:
                raise _trailing()
            if self._gunzip.eof or (not packed and len(plain) < PIECE_BYTES):
                return

    def _check_ratio(self, consumed: int) -> None:
        too_dense = self._plain > BOMB_FLOOR_BYTES and self._plain > BOMB_RATIO * consumed
        if too_dense or self._plain > self._max_plain:
            text = N_(
                "The archive unpacks to far more than it is (a “bomb”). Remove files that hold nothing."
            )
            raise ExchangeError(422, "bomb", text)


def too_large(limits: ArchiveLimits) -> ExchangeError:
    """Return the refusal of an archive with more bytes than `limits` allow."""
    text = N_("The archive is larger than the %(limit_mb)d MB that are allowed. Remove large files.")
    return ExchangeError(413, "too_large", text, limit_mb=limits.packed_bytes // 1_000_000)


def _trailing() -> ExchangeError:
    return broken(N_("There is something behind the end of the archive. Send it again."))
