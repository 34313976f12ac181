"""One student's home stops neither the backup nor the snapshots nor the quota of all others."""

import contextlib
import datetime as dt
import gzip
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.backup import make_backup
from deploy.restore import restore_backup
from deploy.snapshots import list_snapshots, make_snapshot, remove_old_snapshots
from deploy.town import Town, find_demo
from deploy.tree import MOST_UNREAL_BYTES, walk_tree
from hub_config.docker_usage import measure_home
from hub_config.hostile_folders import DEEPEST
from tests.components import skip_or_fail
from tests.hostile_town import EVIL, GOOD, home_of, make_hostile_town

NOW = dt.datetime(2026, 11, 21, 6, 0, tzinfo=dt.UTC)
BEYOND_PYTHON = 1200


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """Two homes; the hostile one comes first."""
    yield make_hostile_town(tmp_path / "town")
    subprocess.run(["rm", "-rf", str(tmp_path)], check=False)  # too deep for pytest


@pytest.fixture
def evil(town: Town) -> Path:
    return home_of(town, EVIL)


def dig(folder: Path, deep: int, name: str = "d") -> None:
    """Make folders in folders, as a student's program would: one step at a time."""
    descriptor = os.open(folder, os.O_RDONLY)
    for _ in range(deep):
        os.mkdir(name, dir_fd=descriptor)
        inner = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)


def make_links(folder: Path) -> None:
    (folder / "one").write_bytes(b"x")
    os.truncate(folder / "one", MOST_UNREAL_BYTES // 2 + 1)
    for number in range(5):
        os.link(folder / "one", folder / f"again{number}")


def make_holes(folder: Path) -> None:
    for number in range(6):
        (folder / f"hole [{number}] *\\?").write_bytes(b"x")
        os.truncate(folder / f"hole [{number}] *\\?", MOST_UNREAL_BYTES // 2 + 1)


HOMES = {
    "deep": lambda home: dig(home, BEYOND_PYTHON),
    "long path": lambda home: dig(home, 30, "n" * 250),
    "holes": make_holes,
    "links": make_links,
    "pipe": lambda home: os.mkfifo(home / "pipe"),
    "odd names": lambda home: (home / os.fsdecode(b"a\nb\xff\x1b[31m")).write_text("x"),
}


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fail instead of waiting for ever."""

    def fail(*_: object) -> None:
        raise AssertionError("it waits for a student's pipe")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", HOMES)
def test_a_backup_of_all_is_made_stays_small_and_comes_back(
    town: Town, evil: Path, tmp_path: Path, kind: str
) -> None:
    HOMES[kind](evil)
    made = make_backup(town, NOW)
    with gzip.open(made.path) as plain, tarfile.open(fileobj=plain) as tar:
        assert sum(member.size for member in tar) < MOST_UNREAL_BYTES + 10_000_000
    other = find_demo(tmp_path / "other")
    restore_backup(other, made.path)
    for account in (EVIL, GOOD):
        assert (home_of(other, account) / "work.ipynb").read_text() == account
    about_homes = [note for note in made.manifest.notes if "homes/" in note]
    assert bool(about_homes) == (kind != "odd names")
    assert all(len(note) < 400 for note in made.manifest.notes)


@pytest.mark.parametrize("kind", HOMES)
def test_snapshots_of_all_are_made_stay_small_and_go_again(town: Town, evil: Path, kind: str) -> None:
    if not shutil.which("rsync"):
        skip_or_fail("needs rsync (Debian's package rsync)")
    HOMES[kind](evil)
    made = make_snapshot(town, NOW)
    for account in (EVIL, GOOD):
        assert (made.folder / account / "work.ipynb").read_text() == account
    assert bool(made.problems) == (kind in ("deep", "long path", "holes", "links"))
    assert all(problem.isprintable() and len(problem) < 600 for problem in made.problems)
    files = [entry for entry in walk_tree(made.folder) if entry.kind == "file"]
    assert sum(entry.on_disk for entry in files) < 10_000_000
    assert sum(entry.size for entry in files if entry.links == 1) < MOST_UNREAL_BYTES + 10_000_000
    remove_old_snapshots(town, NOW + dt.timedelta(days=100))
    assert list_snapshots(town) == []


def test_a_deep_snapshot_can_be_removed(town: Town) -> None:
    """Made by an owner who dug while rsync was copying."""
    town.snapshots_dir.mkdir(parents=True)
    folder = town.snapshots_dir / "20261101T000000Z"
    folder.mkdir()
    dig(folder, BEYOND_PYTHON)
    remove_old_snapshots(town, NOW)
    assert not folder.exists()


def test_a_folder_that_became_a_pipe_holds_nobody(evil: Path) -> None:
    (evil / "a").mkdir()
    (evil / "b").mkdir()
    seen = []
    with within(20):
        for entry in walk_tree(evil):
            seen.append(entry.path)
            if entry.path == "a":  # the owner swaps both now
                for name in ("a", "b"):
                    (evil / name).rmdir()
                    os.mkfifo(evil / name)
    assert seen == ["a", "b", "work.ipynb"]


def test_the_quota_is_not_held_by_a_pipe_that_was_a_folder(
    evil: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (evil / "a").mkdir()
    stat = os.stat

    def swap_after(path: object, **options: object) -> os.stat_result:
        found = stat(path, **options)  # type: ignore[call-overload]
        if path == "work.ipynb":
            (evil / "a").rmdir()
            os.mkfifo(evil / "a")
        return found  # type: ignore[no-any-return]

    monkeypatch.setattr(os, "stat", swap_after)
    with within(20):
        assert measure_home(evil).files == 2


@pytest.mark.parametrize("became", ["link", "socket", "folder"])
def test_a_file_that_became_something_else_stops_no_walk(
    evil: Path, monkeypatch: pytest.MonkeyPatch, became: str
) -> None:
    open_ = os.open

    def swap_before(path: object, flags: int, *rest: object, **options: object) -> int:
        if path == "work.ipynb" and (evil / "work.ipynb").is_file():
            (evil / "work.ipynb").unlink()
            if became == "link":
                (evil / "work.ipynb").symlink_to("/etc/passwd")
            elif became == "folder":
                (evil / "work.ipynb").mkdir()
            else:
                os.mknod(evil / "work.ipynb", 0o140600)
        return open_(path, flags, *rest, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(os, "open", swap_before)
    assert [entry.kind for entry in walk_tree(evil)] in ([], ["folder"])


def test_what_lies_too_deep_fills_the_quota(evil: Path) -> None:
    dig(evil, DEEPEST - 1)
    assert not measure_home(evil).deep
    dig(evil, BEYOND_PYTHON, "e")
    usage = measure_home(evil)
    assert usage.deep
    assert usage.files == 2 + DEEPEST - 1 + BEYOND_PYTHON + 1


def write_hot_journal(folder: Path, victim: str) -> None:
    """A database and a journal that was never finished. It names a file that SQLite is to remove when it has
    played the journal back: a "super-journal".
    """
    database = folder / "gradebook.db"
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as writing:
        writing.execute("PRAGMA synchronous=OFF")
        writing.execute("CREATE TABLE t (x)")
        writing.execute("INSERT INTO t VALUES (zeroblob(5000))")
        writing.execute("PRAGMA cache_size=1")
        writing.execute("BEGIN IMMEDIATE")
        writing.execute("UPDATE t SET x = zeroblob(5000000)")
        pages, journal = database.read_bytes(), Path(f"{database}-journal").read_bytes()
    name = victim.encode()
    end = struct.pack(">II", len(name), sum(name)) + bytes.fromhex("d9d505f920a163d7")
    database.write_bytes(pages)
    Path(f"{database}-journal").write_bytes(journal + struct.pack(">I", 0x40000000 // 4096 + 1) + name + end)


def test_a_submitted_database_removes_no_file_of_the_teachers(town: Town) -> None:
    """The backup opens gradebooks with SQLite, in the teacher's name; a student submits one as well."""
    course = home_of(town, "course-aaaaaaaaaaa2") / "geo-8a"
    submitted = course / "submitted" / EVIL / "hw1"
    submitted.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(course / "gradebook.db")) as true, true:
        true.execute("CREATE TABLE grade (points)")
    write_hot_journal(submitted, "../../../gradebook.db")
    make_backup(town, NOW)
    assert (course / "gradebook.db").is_file()
    assert (submitted / "gradebook.db-journal").is_file()
