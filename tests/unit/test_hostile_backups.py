"""What one home does to a backup and its restore, it does to itself alone."""

import contextlib
import datetime as dt
import errno
import io
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import backup, manifest, restore
from deploy.archive import ArchiveWriter, clamp_time, read_archive
from deploy.backup import make_backup
from deploy.gradebooks import copy_gradebook
from deploy.homes import Home
from deploy.inside import fill_file
from deploy.manifest import Manifest
from deploy.problem import DeployProblem
from deploy.restore import restore_backup, write_file
from deploy.town import Town, find_demo
from deploy.tree import Entry, walk_tree
from hub_config.hostile_folders import walk_folders
from tests.hostile_town import EVIL, GOOD, exchange, hold_leases, home_of, make_hostile_town

NOW = dt.datetime(2026, 11, 21, 6, 0, tzinfo=dt.UTC)
LONGEST_TIME = float(2**63 - 1)  # what btrfs lets an owner set


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return make_hostile_town(tmp_path / "town")


@pytest.fixture
def evil(town: Town) -> Path:
    return home_of(town, EVIL)


@pytest.fixture
def other(tmp_path: Path) -> Town:
    """An empty town to restore into."""
    return find_demo(tmp_path / "other")


def check_restored(other: Town) -> None:
    """Both homes' ordinary work and the databases are there."""
    for account in (EVIL, GOOD):
        assert (home_of(other, account) / "work.ipynb").read_text() == account
    assert (other.folder / "service" / "atelier.db").is_file()


# ---------------------------------------------------------------- names
@pytest.mark.parametrize("encoding", ["utf-8:strict", "cp1251:strict"])
def test_a_name_that_no_console_can_show_leaves_no_backup_unfinished(
    town: Town, evil: Path, encoding: str
) -> None:
    os.mkfifo(os.fsencode(evil) + b"/\xff\x1b[31m\xc3\xa9")
    old = [town.backups_dir / f"atelier-202501{day:02}T000000Z.tar.gz" for day in range(1, 29)]
    town.backups_dir.mkdir(exist_ok=True)
    for path in old:
        path.touch()
    done = subprocess.run(
        [sys.executable, "-m", "deploy", "backup", "--demo", str(town.folder)],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert b"??[31m" in done.stdout
    assert b"removed" in done.stdout
    assert not old[0].exists()


# ---------------------------------------------------------------- links
def test_what_is_a_link_for_a_moment_is_not_walked_as_a_folder(
    evil: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (evil / "x").mkdir()
    (evil / "x" / "ld.so.preload").symlink_to("/tmp/mine")
    (evil / "y").symlink_to(tmp_path)
    stat = os.stat

    def swapped(path: object, **options: object) -> os.stat_result:
        if path != "x":
            return stat(path, **options)  # type: ignore[call-overload, no-any-return]
        exchange(evil / "x", evil / "y")
        try:
            return stat(path, **options)  # type: ignore[call-overload, no-any-return]
        finally:
            exchange(evil / "x", evil / "y")

    monkeypatch.setattr(os, "stat", swapped)
    kinds = {entry.path: entry.kind for entry in walk_tree(evil)}
    assert kinds == {"work.ipynb": "file", "y": "link"} or kinds["x"] == "link"
    assert "x/ld.so.preload" not in kinds


def link(path: str, target: str) -> Entry:
    return Entry(path, "link", 0o777, 0, 0, target)


FORGED = {
    "a link in a link": [("x", "outside"), ("x/ld.so.preload", "/tmp/mine")],
    "a link below a file": [("work.ipynb/inner", "outside")],
    "a link where a folder is": [("geo", "outside")],
    "a link deep in a link": [("x", "outside"), ("x/one/two", "/tmp/mine")],
}


@pytest.mark.parametrize("what", FORGED)
def test_restore_makes_nothing_through_a_link_and_goes_on(
    town: Town, evil: Path, other: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """As an archive is that was made while folders and links were swapped."""
    (evil / "geo").mkdir()
    (evil / "geo" / "hw1.ipynb").write_text("mine")
    (tmp_path / "outside").mkdir()

    def walk(root: Path) -> Iterator[Entry]:
        yield from walk_tree(root)
        if root == evil:
            yield from (
                link(path, target.replace("outside", str(tmp_path / "outside")))
                for path, target in FORGED[what]
            )

    monkeypatch.setattr(backup, "walk_tree", walk)
    monkeypatch.setattr(ArchiveWriter, "_has_room", lambda *_: True)  # as an older version wrote it
    made = make_backup(town, NOW)
    found = restore_backup(other, made.path)
    assert list((tmp_path / "outside").iterdir()) == []
    check_restored(other)
    assert (home_of(other, EVIL) / "geo" / "hw1.ipynb").read_text() == "mine"
    assert [note for note in found.notes if note.startswith("not restored") and f"homes/{EVIL}/" in note]


@pytest.mark.parametrize("inner", ["x/inner", "x/one/inner"])
def test_restore_writes_no_file_below_a_file(
    town: Town, evil: Path, other: Town, monkeypatch: pytest.MonkeyPatch, inner: str
) -> None:
    (evil / "x").write_text("a file")
    add_home = backup._add_home

    def add_more(writer: ArchiveWriter, home: Home) -> None:
        add_home(writer, home)
        if home.account == EVIL:
            writer.add_bytes(f"homes/{EVIL}/{inner}", b"below a file")

    monkeypatch.setattr(backup, "_add_home", add_more)
    found = restore_backup(other, make_backup(town, NOW).path)
    check_restored(other)
    assert (home_of(other, EVIL) / "x").read_text() == "a file"
    assert [note for note in found.notes if inner in note]


def test_of_one_home_a_hundred_notes_are_enough_for_a_restore(
    town: Town, evil: Path, other: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def walk(root: Path) -> Iterator[Entry]:
        yield from walk_tree(root)
        if root == evil:
            yield from (link(f"work.ipynb/{number}", "x") for number in range(250))

    monkeypatch.setattr(backup, "walk_tree", walk)
    found = restore_backup(other, make_backup(town, NOW).path)
    about = [note for note in found.notes if note.startswith("not restored")]
    assert len(about) == manifest.MOST_NOTES + 1
    assert about[-1] == f"not restored, 150 more: homes/{EVIL}"


def test_a_full_disk_ends_a_restore_with_its_own_words(
    town: Town, other: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no fault of the backup's, and no home's: going on would lose every file that comes after."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    made = make_backup(town, NOW)
    monkeypatch.setattr(restore, "make_file", refuse)
    with pytest.raises(DeployProblem, match="No space left") as caught:
        restore_backup(other, made.path)
    assert "damaged" not in caught.value.fact


def test_a_gradebook_is_copied_from_where_it_is_and_from_nowhere_else(town: Town, tmp_path: Path) -> None:
    home = home_of(town, "course-aaaaaaaaaaa2")
    (home / "mine").mkdir(parents=True)
    (tmp_path / "others").mkdir()
    for folder in (home / "mine", tmp_path / "others"):
        with contextlib.closing(sqlite3.connect(folder / "gradebook.db")) as database, database:
            database.execute("CREATE TABLE grade (points)")
    (home / "geo-8a").symlink_to(tmp_path / "others")
    account = Home("course-aaaaaaaaaaa2", home)
    assert copy_gradebook(account, "mine/gradebook.db")
    assert copy_gradebook(account, "geo-8a/gradebook.db") is None
    assert copy_gradebook(account, "gone/gradebook.db") is None


# ---------------------------------------------------------------- what cannot be read
def test_a_lease_on_a_file_ends_no_backup(town: Town, evil: Path, other: Town) -> None:
    (evil / "leased").write_text("mine")
    with hold_leases(evil / "leased"):
        made = make_backup(town, NOW)
    assert f"left out, it could not be opened or read: homes/{EVIL}/leased" in made.manifest.notes
    restore_backup(other, made.path)
    check_restored(other)


def test_a_folder_that_the_disk_does_not_give_is_noted_and_the_rest_is_walked(
    evil: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (evil / "bad").mkdir()
    (evil / "bad" / "lost").write_text("x")
    scandir, bad = os.scandir, (evil / "bad").stat().st_ino

    def broken(folder: int) -> object:
        if os.fstat(folder).st_ino == bad:
            raise OSError(errno.EIO, "Input/output error")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", broken)
    found = [(entry.path, entry.kind) for entry in walk_tree(evil)]
    assert found == [("bad", "folder"), ("work.ipynb", "file"), ("bad", "unreadable")]


def test_a_want_of_the_machines_ends_a_walk(evil: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or all that comes after would be missing from a backup that calls itself whole."""

    def refuse(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    walk = walk_tree(evil)
    next(walk)
    monkeypatch.setattr(os, "open", refuse)
    (evil / "zz").mkdir()
    with pytest.raises(OSError, match="Too many"):
        list(walk_tree(evil))


def test_a_bad_sector_cuts_a_students_file_off_and_ends_a_backup_where_it_is_ours() -> None:
    """Reading a process' first bytes of memory fails as a worn disk does: EIO."""
    stream = io.BytesIO()
    with ArchiveWriter(stream, Manifest("2026-11-21T20:00:00Z", "0.1.0")) as writer:
        descriptor = os.open("/proc/self/mem", os.O_RDONLY)
        try:
            writer.add_entry("homes/x", Entry("x", "file", 0o600, 0, 10, descriptor=descriptor))
        finally:
            os.close(descriptor)
        writer.add_bytes("homes/y", b"after it")
    stream.seek(0)
    found = read_archive(stream, lambda *_: None)
    assert found.notes == ["could not be read to its end: homes/x"]
    assert found.files["homes/x"][0] == 10
    with (
        pytest.raises(OSError, match="Input/output error"),
        ArchiveWriter(io.BytesIO(), Manifest("2026-11-21T20:00:00Z", "0.1.0")) as writer,
    ):
        writer.add_path("databases/service.dump", Path("/proc/self/mem"))


def test_an_archive_that_the_disk_does_not_give_is_named(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Entry("sha256/ab", "unreadable", 0, 0, 0)
    monkeypatch.setattr(
        backup, "walk_tree", lambda root: [lost] if root == town.blob_dir else walk_tree(root)
    )
    notes = make_backup(town, NOW).manifest.notes
    assert "left out, it could not be opened or read: blobs/sha256/ab" in notes


# ---------------------------------------------------------------- times, names, holes
def test_a_time_beyond_all_calendars_ends_no_restore(
    town: Town, evil: Path, other: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def walk(root: Path) -> Iterator[Entry]:
        yield from walk_tree(root)
        if root == evil:
            yield Entry("folder", "folder", 0o700, LONGEST_TIME, 0)

    monkeypatch.setattr(backup, "walk_tree", walk)
    restore_backup(other, make_backup(town, NOW).path)
    check_restored(other)
    assert (home_of(other, EVIL) / "folder").stat().st_mtime == clamp_time(LONGEST_TIME)


@given(seconds=st.floats(allow_nan=True, allow_infinity=True))
def test_every_time_can_be_written_down(seconds: float) -> None:
    os.utime(
        os.devnull if os.geteuid() == 0 else __file__, (clamp_time(0), clamp_time(0)), follow_symlinks=False
    )
    assert -(2**31) <= clamp_time(seconds) < 2**33


@pytest.mark.parametrize("seconds", [LONGEST_TIME, float("nan"), float("-inf")])
def test_an_older_backups_odd_time_ends_no_restore(tmp_path: Path, seconds: float) -> None:
    write_file(tmp_path / "file", iter([b"x"]), 0o600, seconds)
    assert (tmp_path / "file").read_bytes() == b"x"


@dataclass
class Twice:
    """A folder in which each name comes twice, as when its owner renames it away and back."""

    folder: int

    def __enter__(self) -> list[os.DirEntry[str]]:
        with SCANDIR(self.folder) as found:
            entries = list(found)
        return [*entries, *entries]

    def __exit__(self, *_: object) -> None:
        return


SCANDIR = os.scandir


def test_a_name_that_comes_twice_is_walked_once(
    town: Town, evil: Path, other: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    (evil / "geo").mkdir()
    (evil / "geo" / "hw1.ipynb").write_text("mine")
    monkeypatch.setattr(os, "scandir", Twice)
    assert [(path, folders, files) for path, folders, _, files, _ in walk_folders(evil)] == [
        ("", ["geo"], ["work.ipynb"]),
        ("geo", [], ["hw1.ipynb"]),
    ]
    made = make_backup(town, NOW)
    monkeypatch.undo()
    restore_backup(other, made.path)
    check_restored(other)


def test_an_archive_takes_no_name_a_second_time() -> None:
    stream = io.BytesIO()
    with ArchiveWriter(stream, Manifest("2026-11-21T20:00:00Z", "0.1.0")) as writer:
        writer.add_bytes("homes/x", b"first")
        writer.add_bytes("homes/x", b"second")
        writer.add_entry("homes/x", link("x", "/etc"))
    stream.seek(0)
    contents: list[bytes] = []
    found = read_archive(stream, lambda _, content: contents.append(b"".join(content)))
    assert contents == [b"first"]
    assert found.notes == ["left out, it came twice: homes/x"] * 2


def test_holes_come_back_as_holes(town: Town, evil: Path, other: Town) -> None:
    """Sixteen times its room, so it is not left out as hollow."""
    with (evil / "holes").open("wb") as file:
        for place in range(0, 16 << 20, 64 << 10):
            file.seek(place)
            file.write(os.urandom(4096))
        file.truncate(16 << 20)
    restore_backup(other, make_backup(town, NOW).path)
    restored = home_of(other, EVIL) / "holes"
    assert restored.read_bytes() == (evil / "holes").read_bytes()
    assert restored.stat().st_blocks * 512 < 2 << 20


@given(
    pieces=st.lists(st.one_of(st.binary(max_size=50), st.integers(0, 3).map(lambda n: bytes(n * 4096 + n))))
)
def test_a_file_with_holes_has_the_bytes_it_had(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("holes") / "file"
    with path.open("wb") as file:
        fill_file(file, pieces, 0o600, None)
    assert path.read_bytes() == b"".join(pieces)


def test_what_an_earlier_backup_left_half_done_goes(town: Town) -> None:
    town.backups_dir.mkdir()
    (town.backups_dir / "atelier-20261101T023000Z.tar.gz.age.part").write_text("half")
    made = make_backup(town, NOW)
    assert list(town.backups_dir.iterdir()) == [made.path]
