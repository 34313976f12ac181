"""Archives as a plain packer or an attacker makes them, and the exchange's check of them."""

import io
import tarfile
from collections.abc import Iterable

import pytest
from atelier.exchange import ArchiveCheck, ArchiveFacts, ArchiveLimits, ExchangeError

LIMITS = ArchiveLimits(packed_bytes=2_000_000, unpacked_bytes=5_000_000, max_paths=30)
Entry = tuple[str, bytes]


def check(packed: bytes, limits: ArchiveLimits = LIMITS, piece: int = 65536) -> ArchiveFacts:
    checking = ArchiveCheck(limits)
    for start in range(0, len(packed), piece):
        checking.feed(packed[start : start + piece])
    return checking.finish()


def code_of(packed: bytes, limits: ArchiveLimits = LIMITS) -> str:
    with pytest.raises(ExchangeError) as refused:
        check(packed, limits)
    assert 400 <= refused.value.status < 500
    for language in ("bg", "en"):
        assert refused.value.text(language).strip()
    return refused.value.code


def make_tar(
    entries: Iterable[tarfile.TarInfo | Entry], tar_format: int = tarfile.PAX_FORMAT, **kwargs: object
) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tar_format, **kwargs) as archive:  # type: ignore[call-overload]
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry, io.BytesIO(bytes(entry.size)))
            else:
                header = tarfile.TarInfo(entry[0])
                header.size = len(entry[1])
                archive.addfile(header, io.BytesIO(entry[1]))
    return plain.getvalue()


def special(name: str, kind: bytes, linkname: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, linkname
    return entry


def pax_entry(name: str, headers: dict[str, str]) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.pax_headers = headers
    return entry
