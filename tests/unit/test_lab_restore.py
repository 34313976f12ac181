"""Unpacking an earlier submission: hostile members, absent folders, nothing overwritten."""

import io
import tarfile
from pathlib import Path

import pytest
from atelier_lab.folders import describe_folder, is_slug, is_submission_id, list_feedback
from atelier_lab.restore import UnsafeArchive, choose_folder, unpack
from hypothesis import given
from hypothesis import strategies as st

from tests.lab_stand_in import pack


def _archive(*members: tarfile.TarInfo) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    buffer.seek(0)
    return buffer


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


@pytest.mark.parametrize(
    "member",
    [
        _member("../evil"),
        _member("a/../../evil"),
        _member("/etc/evil"),
        _member("evil", tarfile.SYMTYPE, "/etc/passwd"),
        _member("evil", tarfile.LNKTYPE, "other"),
        _member("evil", tarfile.CHRTYPE),
        _member("evil", tarfile.FIFOTYPE),
        _member("a\\evil"),
        _member("x" * 500),
    ],
    ids=lambda member: f"{member.name[:12]}-{member.type.decode()}",
)
def test_hostile_member_stops_everything(member: tarfile.TarInfo, tmp_path: Path) -> None:
    folder = tmp_path / "course" / "copy"
    with pytest.raises(UnsafeArchive):
        unpack(_archive(_member("good"), member), folder, "intro")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert not folder.exists()


def test_two_members_of_one_name_do_not_overwrite(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        unpack(_archive(_member("a"), _member("a")), tmp_path / "copy", "intro")
    assert not (tmp_path / "copy").exists()


def test_broken_archive_leaves_nothing(tmp_path: Path) -> None:
    whole = pack({"a.txt": b"1" * 100_000})
    with pytest.raises((tarfile.TarError, EOFError)):
        unpack(io.BytesIO(whole[: len(whole) // 2]), tmp_path / "copy", "intro")
    assert list(tmp_path.iterdir()) == []


def test_top_folder_of_the_assignment_is_dropped(tmp_path: Path) -> None:
    unpack(io.BytesIO(pack({"intro/a.ipynb": b"1", "intro/data/b": b"2"})), tmp_path / "copy", "intro")
    assert (tmp_path / "copy" / "data" / "b").read_bytes() == b"2"


def test_copy_is_read_only(tmp_path: Path) -> None:
    unpack(io.BytesIO(pack({"a.ipynb": b"1"})), tmp_path / "copy", "intro")
    assert (tmp_path / "copy" / "a.ipynb").stat().st_mode & 0o777 == 0o444


def test_copies_are_named_after_the_schools_clock_and_never_reused(tmp_path: Path) -> None:
    first = choose_folder(tmp_path, "geo", "intro", "2026-10-25T00:30:00Z", "Europe/Sofia")
    first.mkdir(parents=True)
    second = choose_folder(tmp_path, "geo", "intro", "2026-10-25T00:30:00Z", "Europe/Sofia")
    assert first == tmp_path / "geo" / "intro" / "submission-2026-10-25_03-30-00"
    assert second.name == "submission-2026-10-25_03-30-00_2"


def test_copy_alone_is_no_fetched_assignment(tmp_path: Path) -> None:
    (tmp_path / "geo" / "intro" / "submission-2026-10-25_03-30-00").mkdir(parents=True)
    assert describe_folder(tmp_path, "geo", "intro")["fetched"] is False
    (tmp_path / "geo" / "intro" / "a.ipynb").touch()
    assert describe_folder(tmp_path, "geo", "intro")["fetched"] is True


@pytest.mark.parametrize("content", ["", "[]", '{"version": "2"}', "{", "[" * 100_000, '{"version": 2}'])
def test_release_note_damaged_by_hand_is_no_error(content: str, tmp_path: Path) -> None:
    note = tmp_path / "geo" / "intro" / ".atelier" / "release.json"
    note.parent.mkdir(parents=True)
    note.write_text(content)
    known = describe_folder(tmp_path, "geo", "intro")["fetched_version"]
    assert known == (2 if content == '{"version": 2}' else None)


def test_feedback_that_was_never_fetched_is_an_empty_list(tmp_path: Path) -> None:
    assert list_feedback(tmp_path, "geo", "intro") == []


@given(st.text() | st.none() | st.integers() | st.lists(st.text()))
def test_only_plain_names_become_folders(value: object) -> None:
    if is_slug(value):
        assert isinstance(value, str)
        assert value == Path(value).name
        assert value.isascii()
        assert not value.startswith((".", "-"))
    if is_submission_id(value):
        assert isinstance(value, str)
        assert len(value) == 12
