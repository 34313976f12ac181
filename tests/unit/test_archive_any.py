"""Whatever bytes come as an archive: what passes means to `tarfile` what was checked, the rest is refused."""

import gzip
import io
import tarfile

from atelier.exchange import ArchiveFacts, ExchangeError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.archives import Entry, check, make_tar

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40) | st.sampled_from(
    ["a", "A", "a/b", "../a", "a/../b", "/a", "a\\b", "con", ".", "./a", "б/в", "й", "и\u0306", "a.", "a:b"]
)
FILES = st.lists(st.tuples(NAMES, st.binary(max_size=1500)), max_size=8)
FORMATS = st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])


def try_check(packed: bytes) -> ArchiveFacts | None:
    try:
        return check(packed)
    except ExchangeError:
        return None


def assert_tarfile_agrees(packed: bytes, facts: ArchiveFacts) -> None:
    """What passed is for `tarfile`, which unpacks it, the same and harmless."""
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        members = archive.getmembers()
        assert all(member.isreg() or member.isdir() for member in members)
        assert not any(member.issparse() for member in members)
        files = [member for member in members if member.isreg()]
        assert len(files) == facts.file_count
        assert sum(member.size for member in files) == facts.unpacked_bytes
        names = [member.name.removeprefix("./") for member in files]
        assert len({name.casefold() for name in names}) == len(names)
        for member in files:
            content = archive.extractfile(member)
            assert content is not None
            assert len(content.read()) == member.size
        for member in members:
            assert ".." not in member.name.split("/")
            assert not member.name.startswith("/")


@settings(max_examples=150, deadline=None)
@given(files=FILES, tar_format=FORMATS)
def test_whatever_names_come_in_tarfile_unpacks_what_was_checked(files: list[Entry], tar_format: int) -> None:
    try:
        packed = gzip.compress(make_tar(files, tar_format), 1)
    except ValueError:  # a name that this format cannot hold
        return
    facts = try_check(packed)
    if facts is not None:
        assert_tarfile_agrees(packed, facts)


# Where a change in a header says something: name, size, kind, magic, prefix, or anywhere.
OFFSETS = (
    st.integers(0, 511)
    | st.integers(0, 40)
    | st.just(156)
    | st.integers(124, 135)
    | st.integers(257, 264)
    | st.integers(345, 360)
)
VALUES = st.sampled_from([*range(0x30, 0x3A), *b"xXgLKSDAaT\0\n=/.", 0x80, 0xFF])


@settings(max_examples=500, deadline=None)
@given(
    files=st.lists(
        st.tuples(st.sampled_from(["a", "b/c", "д" * 60, "x" * 120]), st.binary(max_size=600)),
        min_size=1,
        max_size=3,
    ),
    tar_format=FORMATS,
    changes=st.lists(st.tuples(st.integers(0, 7), OFFSETS, VALUES), min_size=1, max_size=3),
    repair=st.booleans(),
)
def test_a_tar_with_changed_bytes_is_refused_or_means_the_same_to_tarfile(
    files: list[Entry], tar_format: int, changes: list[tuple[int, int, int]], repair: bool
) -> None:
    plain = bytearray(make_tar(files, tar_format))
    for block, offset, value in changes:
        plain[block * 512 + offset] = value
        if repair:
            repair_checksum(plain, block * 512)
    packed = gzip.compress(bytes(plain), 1)
    facts = try_check(packed)
    if facts is not None:
        assert_tarfile_agrees(packed, facts)


def repair_checksum(plain: bytearray, start: int) -> None:
    """Give the block at `start` the checksum of a header: a change in a header is not noticed by it."""
    block = plain[start : start + 512]
    block[148:156] = b" " * 8
    plain[start + 148 : start + 156] = b"%06o\0 " % sum(block)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=3000))
def test_any_bytes_at_all_are_answered_not_crashed_on(noise: bytes) -> None:
    for packed in (noise, gzip.compress(noise, 1), gzip.compress(make_tar([("a", b"1")])[:1024] + noise, 1)):
        try_check(packed)
