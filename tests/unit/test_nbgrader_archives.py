"""Archives and folders of the plug-ins: what is packed, what is refused, what a hostile archive cannot do."""

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from atelier_nbgrader.exchange.fetch_assignment import merge_release
from atelier_nbgrader.exchange.submit import wait_until_quiet
from atelier_nbgrader.packing import PackingRefusal, PackLimits, pack
from atelier_nbgrader.receipts import Receipts
from atelier_nbgrader.unpacking import BrokenArchive, UnpackLimits, check_path, unpack
from hypothesis import given, settings
from hypothesis import strategies as st


def make_entry(name: str, content: bytes = b"x", **facts: object) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    for fact, value in facts.items():
        setattr(entry, fact, value)
    return entry, content


def write_archive(file: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(file, "w:gz") as archive:
        for entry, content in entries:
            archive.addfile(entry, io.BytesIO(content))
    return file


def pack_to(folder: Path, file: Path, **options: Any) -> list[str]:
    """Pack `folder` and write the archive; nothing is written when it is refused."""
    archive = io.BytesIO()
    names = pack(folder, archive, **options)
    file.write_bytes(archive.getvalue())
    return names


# ---------------------------------------------------------------- packing
def test_packed_files_come_out_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    (folder / "data").mkdir(parents=True)
    (folder / "задача.ipynb").write_text("{}")
    (folder / "data" / "a.csv").write_bytes(b"\x00" * 100_000)
    pack_to(folder, tmp_path / "a.tar.gz")
    assert sorted(unpack(tmp_path / "a.tar.gz", tmp_path / "out")) == ["data/a.csv", "задача.ipynb"]
    assert (tmp_path / "out" / "data" / "a.csv").read_bytes() == b"\x00" * 100_000


def test_same_files_give_the_same_bytes_at_another_time(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    file = tmp_path / "work" / "a.txt"
    file.write_text("a")
    pack_to(tmp_path / "work", tmp_path / "one.tar.gz")
    os.utime(file, (1, 1))
    pack_to(tmp_path / "work", tmp_path / "two.tar.gz")
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()


def test_own_notes_and_caches_are_not_packed(tmp_path: Path) -> None:
    for name in (
        ".receipts/a.json",
        ".atelier/release.json",
        ".ipynb_checkpoints/a.ipynb",
        ".~a.ipynb",
        "a.ipynb",
    ):
        (tmp_path / "work" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "work" / name).write_text("{}")
    (tmp_path / "work" / "submission-2026-01-01_00-00-00").mkdir()
    assert pack_to(tmp_path / "work", tmp_path / "a.tar.gz") == ["a.ipynb"]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("link", lambda file: file.symlink_to("/etc/passwd")),
        ("folder-link", lambda file: file.symlink_to("/etc")),
        ("pipe", os.mkfifo),
    ],
)
def test_what_is_no_file_is_refused_by_name(tmp_path: Path, name: str, make: Callable[[Path], None]) -> None:
    (tmp_path / "work").mkdir()
    make(tmp_path / "work" / name)
    with pytest.raises(PackingRefusal, match=name):
        pack_to(tmp_path / "work", tmp_path / "a.tar.gz")


def test_sparse_giant_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    with (tmp_path / "work" / "giant.bin").open("wb") as file:
        file.truncate(3 * 1024**3)
    with pytest.raises(PackingRefusal, match=r"giant\.bin"):
        pack_to(tmp_path / "work", tmp_path / "a.tar.gz")
    assert not (tmp_path / "a.tar.gz").exists()


def test_a_notebook_too_large_to_be_graded_is_refused_with_the_repair(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "data.csv").write_bytes(b"0" * 1_500_000)
    (tmp_path / "work" / "big.ipynb").write_bytes(b"0" * 1_500_000)
    with pytest.raises(PackingRefusal, match=r"big\.ipynb.*Clear its outputs"):
        pack_to(tmp_path / "work", tmp_path / "a.tar.gz", limits=PackLimits(notebook_mb=1))


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    for number in range(3):
        (tmp_path / "work" / str(number)).write_text("")
    with pytest.raises(PackingRefusal, match="3 files"):
        pack_to(tmp_path / "work", tmp_path / "a.tar.gz", limits=PackLimits(files=2))


def change_just_before(
    monkeypatch: pytest.MonkeyPatch, moment: str, name: str, change: Callable[[Path], None]
) -> None:
    """Change the file `name` once, after it was listed: just before it is looked at, or before it is
    opened."""
    place: Any = Path if moment == "lstat" else os
    real, changed = getattr(place, moment), []

    def change_first(file: Any, *arguments: Any, **options: Any) -> Any:
        if Path(str(file)).name == name and not changed:
            changed.append(file)
            change(Path(file))
        return real(file, *arguments, **options)

    monkeypatch.setattr(place, moment, change_first)


@pytest.mark.parametrize("moment", ["lstat", "open"])
def test_file_that_goes_while_the_folder_is_packed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    (tmp_path / "work").mkdir()
    for name in ("a.ipynb", "b.tmp", "c.csv"):
        (tmp_path / "work" / name).write_text(name)
    change_just_before(monkeypatch, moment, "b.tmp", Path.unlink)
    assert pack_to(tmp_path / "work", tmp_path / "a.tar.gz") == ["a.ipynb", "c.csv"]
    assert unpack(tmp_path / "a.tar.gz", tmp_path / "out") == ["a.ipynb", "c.csv"]


def test_folder_that_goes_while_its_parent_is_packed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work" / "scratch").mkdir(parents=True)
    (tmp_path / "work" / "a.ipynb").write_text("{}")
    change_just_before(monkeypatch, "lstat", "scratch", Path.rmdir)
    assert pack_to(tmp_path / "work", tmp_path / "a.tar.gz") == ["a.ipynb"]


@pytest.mark.parametrize("moment", ["lstat", "open"])
def test_required_file_that_goes_while_the_folder_is_packed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    (tmp_path / "work" / "part").mkdir(parents=True)
    (tmp_path / "work" / "part" / "a.ipynb").write_text("{}")
    change_just_before(monkeypatch, moment, "a.ipynb", Path.unlink)
    with pytest.raises(PackingRefusal, match=r"part/a\.ipynb.*changed while"):
        pack_to(tmp_path / "work", tmp_path / "a.tar.gz", required=["part/a.ipynb"])


@pytest.mark.parametrize("moment", ["lstat", "open"])
def test_file_that_is_written_anew_while_the_folder_is_packed_is_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """An editor renames the old file away, and then the new one into its place."""
    (tmp_path / "work").mkdir()
    for name in ("answer.py", "z.ipynb"):
        (tmp_path / "work" / name).write_text(name)
    change_just_before(monkeypatch, moment, "answer.py", lambda file: file.rename(tmp_path / "answer.py"))
    change_just_before(monkeypatch, moment, "z.ipynb", lambda file: (file.parent / "answer.py").touch())
    with pytest.raises(PackingRefusal, match=r"answer\.py.*changed while"):
        pack_to(tmp_path / "work", tmp_path / "a.tar.gz")


def test_required_file_that_is_away_when_the_folder_is_listed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "z.ipynb").write_text("{}")
    change_just_before(monkeypatch, "open", "z.ipynb", lambda file: (file.parent / "a.ipynb").touch())
    with pytest.raises(PackingRefusal, match=r"a\.ipynb.*changed while"):
        pack_to(tmp_path / "work", tmp_path / "a.tar.gz", required=["a.ipynb", "never.ipynb"])


def test_file_that_grows_while_the_folder_is_packed_takes_no_more_memory_than_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "a.bin").write_bytes(b"a")
    (tmp_path / "work" / "log.bin").write_bytes(b"b")
    change_just_before(monkeypatch, "open", "log.bin", lambda file: os.truncate(file, 1_000_000))
    with pytest.raises(PackingRefusal, match=r"log\.bin.*changed while"):
        pack_to(tmp_path / "work", tmp_path / "a.tar.gz", limits=PackLimits(total_mb=1))


# ---------------------------------------------------------------- unpacking
HOSTILE = {
    "traversal": [make_entry("../evil")],
    "deep traversal": [make_entry("a/../../evil")],
    "absolute": [make_entry("/tmp/evil")],
    "control character": [make_entry("a\nb")],
    "backslash": [make_entry("..\\evil")],
    "link": [make_entry("a", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")],
    "hard link": [make_entry("a", b"", type=tarfile.LNKTYPE, linkname="/etc/passwd")],
    "device": [make_entry("a", b"", type=tarfile.CHRTYPE)],
    "pipe": [make_entry("a", b"", type=tarfile.FIFOTYPE)],
    "through a link": [make_entry("a", b"", type=tarfile.SYMTYPE, linkname="/tmp"), make_entry("a/evil")],
    "twice": [make_entry("a"), make_entry("a")],
    "file as folder": [make_entry("a"), make_entry("a/b")],
    "endless path": [make_entry("/".join("a" * 40))],
}


@pytest.mark.parametrize("entries", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_archive_leaves_nothing_behind(
    tmp_path: Path, entries: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    archive = write_archive(tmp_path / "a.tar.gz", *entries)
    place = tmp_path / "place"
    with pytest.raises(BrokenArchive):
        unpack(archive, place / "out")
    assert list(place.iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_bomb_is_stopped_early(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.tar.gz", make_entry("zeros", b"\x00" * 20_000_000))
    with pytest.raises(BrokenArchive):
        unpack(archive, tmp_path / "out", UnpackLimits(total_mb=1))
    assert not (tmp_path / "out").exists()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3000))
def test_damaged_archives_are_refused_and_never_crash(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes
) -> None:
    folder = tmp_path_factory.mktemp("noise")
    for number, content in enumerate((noise, gzip.compress(noise))):
        (folder / f"{number}.tar.gz").write_bytes(content)
        try:
            unpack(folder / f"{number}.tar.gz", folder / f"out{number}")
        except BrokenArchive:
            assert not (folder / f"out{number}").exists()


@given(st.text(min_size=1, max_size=60))
def test_allowed_paths_stay_inside(name: str) -> None:
    try:
        path = check_path(name)
    except BrokenArchive:
        return
    inside = Path("/base").joinpath(*path.parts)
    assert Path(os.path.normpath(inside)).is_relative_to("/base")


def test_unpacking_never_replaces_a_folder_with_work(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.tar.gz", make_entry("a"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(BrokenArchive):
        unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / "mine").read_text() == "mine"


# ---------------------------------------------------------------- receipts and releases
def test_attempt_keeps_its_key_until_the_receipt_is_there(tmp_path: Path) -> None:
    receipts = Receipts(tmp_path)
    key = receipts.open_attempt("aa")
    assert Receipts(tmp_path).open_attempt("aa") == key
    assert receipts.open_attempt("bb") != key
    key = receipts.open_attempt("aa")
    receipts.keep({"id": "one", "received_at": "2026-11-09T08:00:00Z"})
    assert receipts.open_attempt("aa") != key
    assert [receipt["id"] for receipt in receipts.list_kept()] == ["one"]


@pytest.mark.parametrize(
    "damaged",
    ["null", '"x"', "Infinity", "NaN", "-1e999", "[]", "{}", "true", "2.5", '"2"'],
)
def test_release_of_which_the_version_is_damaged_is_of_unknown_version(tmp_path: Path, damaged: str) -> None:
    file = tmp_path / ".atelier" / "release.json"
    file.parent.mkdir()
    file.write_text(f'{{"version": {damaged}, "files": {{"a.ipynb": "ab"}}}}')
    known = Receipts(tmp_path).load_release()
    assert known == {"version": 0, "files": {"a.ipynb": "ab"}}
    assert type(known["version"]) is int


@pytest.mark.parametrize("damaged", ['{"version": null}', '{"version": null, "files": [1]}', "", "[", "7"])
def test_fetch_over_a_damaged_release_note_keeps_what_the_student_wrote(tmp_path: Path, damaged: str) -> None:
    folder, files = tmp_path / "work", tmp_path / "release"
    files.mkdir()
    for name in ("a.txt", "same.txt", "new.txt"):
        (files / name).write_text("released")
    (folder / ".atelier").mkdir(parents=True)
    (folder / ".atelier" / "release.json").write_text(damaged)
    (folder / "a.txt").write_text("mine")
    (folder / "same.txt").write_text("released")
    assert merge_release(files, ["a.txt", "same.txt", "new.txt"], folder, 2) == ["a (release 2).txt"]
    assert (folder / "a.txt").read_text() == "mine"
    assert (folder / "new.txt").read_text() == "released"
    assert Receipts(folder).load_release()["version"] == 2
    assert Receipts(folder).list_missing_notebooks() == []


CONTENT = st.sampled_from(["old", "new", "mine", None])


@settings(deadline=None)
@given(first=CONTENT, second=CONTENT, local=CONTENT)
def test_fetch_never_loses_what_a_student_wrote(
    tmp_path_factory: pytest.TempPathFactory, first: str | None, second: str | None, local: str | None
) -> None:
    """Whatever was released before and now: the student's bytes are still there after."""
    place = tmp_path_factory.mktemp("fetch")
    folder = place / "work"
    for version, content in enumerate((first, second), start=1):
        if version == 2 and local is not None:
            (folder / "a.txt").write_text(local)
        files = place / f"release{version}"
        files.mkdir()
        if content is not None:
            (files / "a.txt").write_text(content)
        merge_release(files, ["a.txt"] if content is not None else [], folder, version)
    contents = {file.read_text() for file in folder.glob("a*.txt")}
    if local is not None and local != first:
        assert local in contents
        assert (folder / "a.txt").read_text() == local
    if second is not None and not (local not in (None, first) and second == first):
        assert second in contents


def test_link_in_the_students_folder_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("precious")
    folder, files = tmp_path / "work", tmp_path / "release"
    folder.mkdir()
    files.mkdir()
    (folder / "a.txt").symlink_to(tmp_path / "elsewhere")
    (files / "a.txt").write_text("new")
    assert merge_release(files, ["a.txt"], folder, 1) == ["a (release 1).txt"]
    assert (tmp_path / "elsewhere").read_text() == "precious"


def test_submit_waits_until_typing_has_reached_the_disk(tmp_path: Path) -> None:
    file = tmp_path / "a.ipynb"
    file.write_text("{}")
    clock = [100.0]
    os.utime(file, (99.9, 99.9))
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds
        if len(slept) == 1:
            os.utime(file, (clock[0], clock[0]))  # one more key

    wait_until_quiet(tmp_path, 1.5, at_most_s=10, now=lambda: clock[0], sleep=sleep)
    assert clock[0] - file.stat().st_mtime >= 1.5
    assert sum(slept) < 5


def test_submit_does_not_mind_a_file_that_goes_while_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.ipynb", ".~a.ipynb"):
        (tmp_path / name).write_text("{}")
        os.utime(tmp_path / name, (1, 1))
    change_just_before(monkeypatch, "lstat", ".~a.ipynb", Path.unlink)
    wait_until_quiet(tmp_path, 1.5, at_most_s=10, now=lambda: 100.0, sleep=pytest.fail)
    assert not (tmp_path / ".~a.ipynb").exists()


def test_submit_does_not_wait_for_ever(tmp_path: Path) -> None:
    file = tmp_path / "a.ipynb"
    clock = [100.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds
        file.write_text("still typing")
        os.utime(file, (clock[0], clock[0]))

    sleep(0)
    wait_until_quiet(tmp_path, 1.5, at_most_s=10, now=lambda: clock[0], sleep=sleep)
    assert clock[0] <= 112
