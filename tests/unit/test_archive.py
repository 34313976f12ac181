"""What an archive may hold: what a plain packer writes passes, hostile things are refused with the reason."""

import gzip
import io
import random
import tarfile
import tracemalloc
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from atelier.exchange import ArchiveCheck, ArchiveLimits, ExchangeError
from atelier.exchange.tar_walk import MAX_HEADER_BYTES

from tests.archives import LIMITS, check, code_of, make_tar, pax_entry, special


# ------------------------------------------------------------------ what passes
@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_plain_work_passes_in_each_format_of_a_plain_packer(tar_format: int) -> None:
    folder = tarfile.TarInfo("данни")
    folder.type = tarfile.DIRTYPE
    entries = [("hw1.ipynb", b"{}"), folder, ("данни/Анализ на климата.csv", b"x" * 700), ("empty", b"")]
    facts = check(gzip.compress(make_tar(entries, tar_format)))
    assert (facts.file_count, facts.unpacked_bytes) == (3, 702)


@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_name_longer_than_the_header_passes(tar_format: int) -> None:
    assert check(gzip.compress(make_tar([("папка/" * 10 + "я" * 60, b"1")], tar_format))).file_count == 1


def test_a_folder_packed_as_dot_passes(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.ipynb").write_text("{}")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(tmp_path, arcname=".")
    assert check(packed.getvalue()).file_count == 1


@pytest.mark.parametrize("piece", [1, 7, 511, 512, 513, 65536])
def test_the_size_of_the_pieces_does_not_matter(piece: int) -> None:
    packed = gzip.compress(make_tar([("папка/дълго " + "и" * 70, b"x" * 2000), ("b", b"y")]))
    assert check(packed, piece=piece) == check(packed)


# ------------------------------------------------------------------ names
@pytest.mark.parametrize(
    "name",
    [
        "../hw1.ipynb",
        "a/../../b",
        "/etc/passwd",
        "//etc/passwd",
        "a//b",
        "a/./b",
        "./",
        ".",
        "./.",
        "..",
        "a/",
        "",
        "a\nb",
        "a\x7f",
        "a\x1b[2J",
        "\u202egnp.exe",
        "a\u200bb",
        "a\ufeff",
        "a\u2028b",
        "C:\\Users\\x",
        "..\\x",
        "c:x",
        "CON",
        "con.ipynb",
        "a/LPT1.txt",
        "COM¹",
        "nul .txt",
        "a.",
        "a ",
        "a/b /c",
        "wh?t",
        "a*",
        'quo"te',
        "pipe|",
        "<x>",
        "x" * 256,
        "и" * 128,
        "a/" * 16 + "b",
        "и/" * 150 + "b",
    ],
)
def test_a_name_that_is_not_the_same_file_everywhere_is_refused(name: str) -> None:
    assert code_of(gzip.compress(make_tar([(name or "./", b"1")]))) == "path_not_allowed"


def test_a_name_with_a_nul_in_a_long_name_is_refused() -> None:
    # Written by hand: packers cut a name at NUL. One reader would see "a", another "a\0../../b".
    payload = b"a\0../../b"
    block = tarfile.TarInfo("././@LongLink")
    block.type, block.size = tarfile.GNUTYPE_LONGNAME, len(payload)
    head = block.tobuf(tarfile.GNU_FORMAT) + payload.ljust(512, b"\0")
    assert code_of(gzip.compress(head + make_tar([("x", b"1")]))) == "broken_archive"


def test_a_name_that_is_not_utf8_is_refused() -> None:
    entry = tarfile.TarInfo("\udcff\udcfe")
    for tar_format in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        packed = gzip.compress(make_tar([entry], tar_format, errors="surrogateescape"))
        assert code_of(packed) in ("path_not_allowed", "kind_not_allowed")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a.ipynb", "a.ipynb"),
        ("a.ipynb", "A.ipynb"),
        ("Анализ.ipynb", "анализ.ipynb"),
        ("\u0439.txt", "\u0438\u0306.txt"),
        ("Data/x", "data/y"),
        ("a/b", "a"),
        ("a", "a/b"),
        ("straße", "STRASSE"),
        ("./a", "a"),
    ],
)
def test_two_names_for_one_file_are_refused(first: str, second: str) -> None:
    assert code_of(gzip.compress(make_tar([(first, b"1"), (second, b"2")]))) == "path_not_allowed"


def test_a_refused_name_is_shown_without_what_it_hides() -> None:
    with pytest.raises(ExchangeError) as refused:
        check(gzip.compress(make_tar([("\u202e\x1b[2J" + "x" * 300, b"1")])))
    message = refused.value.text("en")
    assert message.isprintable()
    assert len(message) < 250


# ------------------------------------------------------------------ kinds
@pytest.mark.parametrize(
    "entry",
    [
        special("a", tarfile.SYMTYPE, "/etc/passwd"),
        special("a", tarfile.SYMTYPE, "b"),
        special("a", tarfile.LNKTYPE, "b"),
        special("a", tarfile.CHRTYPE),
        special("a", tarfile.BLKTYPE),
        special("a", tarfile.FIFOTYPE),
        special("a", tarfile.CONTTYPE),
        special("a", tarfile.GNUTYPE_SPARSE),
        special("a", tarfile.SOLARIS_XHDTYPE),
        special("a", b"Z"),
    ],
    ids=lambda e: repr(e.type),
)
def test_only_files_and_folders_pass(entry: tarfile.TarInfo) -> None:
    assert code_of(gzip.compress(make_tar([("hw1.ipynb", b"{}"), entry]))) == "kind_not_allowed"


@pytest.mark.parametrize(
    "headers",
    [
        {"size": "10"},
        {"linkpath": "/etc/passwd"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "3221225472"},
        {"GNU.sparse.map": "0,1", "GNU.sparse.size": "3221225472"},
        {"hdrcharset": "BINARY"},
        {"SCHILY.xattr.user.x": "y"},
        {"unknown": "x"},
    ],
    ids=lambda h: next(iter(h)),
)
def test_extended_headers_that_change_what_a_file_is_are_refused(headers: dict[str, str]) -> None:
    assert code_of(gzip.compress(make_tar([pax_entry("a", headers)]))) == "kind_not_allowed"


def test_a_global_header_is_refused() -> None:
    packed = gzip.compress(make_tar([("a", b"1")], pax_headers={"path": "../x"}))
    assert code_of(packed) == "kind_not_allowed"


@pytest.mark.parametrize(
    "payload",
    [
        b"12 path=../x\n12 path=../y\n",
        b"999 path=x\n",
        b"9 path=x",
        b"0 path=x\n",
        b"-9 path=x\n",
        b"9 pathx=\n\n",
        b"x",
        b"\0" * 20,
        b"9999999 path=x\n",
        b"28 uname=x\n17 hdrcharset=y\n\n",
    ],
)
def test_an_extended_header_with_two_meanings_is_refused(payload: bytes) -> None:
    head = tarfile.TarInfo("PaxHeader")
    head.type, head.size = tarfile.XHDTYPE, len(payload)
    plain = head.tobuf(tarfile.USTAR_FORMAT) + payload.ljust(512, b"\0") + make_tar([("a", b"1")])
    assert code_of(gzip.compress(plain)) in ("broken_archive", "kind_not_allowed")


def test_a_name_hidden_in_the_padding_of_a_header_is_refused() -> None:
    for kind, shown, hidden in (
        (tarfile.XHDTYPE, b"9 path=a\n", b"12 path=../x\n"),
        (tarfile.GNUTYPE_LONGNAME, b"a", b"/../../x"),
    ):
        head = tarfile.TarInfo("x")
        head.type, head.size = kind, len(shown)
        plain = head.tobuf(tarfile.GNU_FORMAT) + (shown + hidden).ljust(512, b"\0") + make_tar([("b", b"1")])
        assert code_of(gzip.compress(plain)) == "broken_archive"


def test_two_extended_headers_for_one_file_are_refused() -> None:
    head = tarfile.TarInfo("PaxHeader")
    head.type, head.size = tarfile.XHDTYPE, 9
    one = head.tobuf(tarfile.USTAR_FORMAT) + b"9 path=x\n".ljust(512, b"\0")
    assert code_of(gzip.compress(one + one + make_tar([("a", b"1")]))) == "broken_archive"
    assert code_of(gzip.compress(one + bytes(1024))) == "broken_archive"


def test_a_huge_extended_header_is_refused_before_it_is_read() -> None:
    for kind in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
        head = tarfile.TarInfo("x")
        head.type, head.size = kind, MAX_HEADER_BYTES + 1
        assert code_of(gzip.compress(head.tobuf(tarfile.GNU_FORMAT))) == "broken_archive"


def test_a_folder_with_contents_of_its_own_is_refused() -> None:
    folder = special("a", tarfile.DIRTYPE)
    folder.size = 512
    plain = folder.tobuf(tarfile.USTAR_FORMAT) + make_tar([("b", b"1")])
    assert code_of(gzip.compress(plain)) == "broken_archive"


def test_a_negative_size_is_refused() -> None:
    block = bytearray(tarfile.TarInfo("a").tobuf(tarfile.USTAR_FORMAT))
    block[124:136] = (256**12 - 512).to_bytes(12, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    assert code_of(gzip.compress(bytes(block) + bytes(1024))) == "broken_archive"


# ------------------------------------------------------------------ gzip and the end of the archive
def test_garbage_cut_and_trailing_bytes_are_refused() -> None:
    packed = gzip.compress(make_tar([("a", random.Random(1).randbytes(3000))]))
    plain = zlib.decompress(packed, 31)
    broken = {
        "nothing": b"",
        "garbage": b"PK\x03\x04" + packed,
        "cut": packed[:-30],
        "cut before the checksum": packed[:-8],
        "wrong checksum": packed[:-8] + bytes(8),
        "flipped": packed[:500] + bytes([packed[500] ^ 255]) + packed[501:],
        "bytes behind": packed + b"x",
        "a second member": packed + packed,
        "an empty second member": packed + gzip.compress(b""),
        "tar cut in a file": gzip.compress(plain[:1500]),
        "tar without end": gzip.compress(plain[: 512 + 3072]),
        "a file behind the end": gzip.compress(plain + plain),
        "no file": gzip.compress(bytes(10240)),
        "only a folder": gzip.compress(make_tar([special("a", tarfile.DIRTYPE)])),
        "not gzip": plain,
        "no tar": gzip.compress(b"hello" * 500),
    }
    for what, content in broken.items():
        assert code_of(content) == "broken_archive", what


# ------------------------------------------------------------------ sizes
def test_too_many_bytes_files_and_folders_are_refused() -> None:
    noise = random.Random(1).randbytes(2_100_000)
    assert code_of(gzip.compress(make_tar([("a", noise)]), 1)) == "too_large"
    many = [(f"f{n}", b"") for n in range(31)]
    assert code_of(gzip.compress(make_tar(many))) == "too_many_files"
    deep = [(f"{n}/" * 12 + "f", b"") for n in range(3)]
    assert code_of(gzip.compress(make_tar(deep))) == "too_many_files"


def test_what_a_header_promises_is_refused_before_it_comes() -> None:
    entry = tarfile.TarInfo("a")
    entry.size = 5_000_001
    checking = ArchiveCheck(LIMITS)
    packer = zlib.compressobj(wbits=31)
    head = packer.compress(entry.tobuf(tarfile.PAX_FORMAT)) + packer.flush(zlib.Z_SYNC_FLUSH)
    with pytest.raises(ExchangeError, match="too_large"):
        checking.feed(head)


def pack_pieces(plain: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    for piece in plain:
        yield packer.compress(piece)
    yield packer.flush()


def big_tar(size: int) -> Iterator[bytes]:
    entry = tarfile.TarInfo("big.bin")
    entry.size = size
    yield entry.tobuf(tarfile.PAX_FORMAT)
    for _ in range(size // (1 << 20)):
        yield bytes(1 << 20)
    yield bytes(1024)


def test_three_gigabytes_of_nothing_are_refused_after_a_few_bytes() -> None:
    limits = ArchiveLimits(100_000_000, 4_000_000_000, 2000)
    checking, fed = ArchiveCheck(limits), 0
    code = ""
    for piece in pack_pieces(big_tar(3 << 30)):
        fed += len(piece)
        try:
            checking.feed(piece)
        except ExchangeError as refused:
            code = refused.code
            break
    assert code == "bomb"
    assert fed < 200_000


def test_a_bomb_in_the_padding_behind_the_end_is_refused() -> None:
    plain = make_tar([("a", b"1")])
    assert code_of(gzip.compress(plain + bytes(20_000_000))) == "broken_archive"


def test_checking_needs_the_same_memory_for_any_size() -> None:
    limits = ArchiveLimits(1 << 40, 1 << 40, 2000)
    noise = random.Random(1).randbytes(1 << 20)

    def peak(megabytes: int) -> int:
        entry = tarfile.TarInfo("big.bin")
        entry.size = megabytes << 20
        packer = zlib.compressobj(1, wbits=31)
        checking = ArchiveCheck(limits)
        tracemalloc.start()
        checking.feed(packer.compress(entry.tobuf(tarfile.PAX_FORMAT)))
        for _ in range(megabytes):
            for start in range(0, len(noise), 65536):
                checking.feed(packer.compress(noise[start : start + 65536]))
        checking.feed(packer.compress(bytes(1024)) + packer.flush())
        checking.finish()
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(24) < peak(2) + 200_000
    assert peak(24) < 2_000_000
