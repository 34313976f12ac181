"""What a backup holds, what a restore refuses, on folders with the names and tricks that students find."""

import contextlib
import datetime as dt
import io
import os
import shutil
import sqlite3
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from atelier.store import open_database, upgrade_database
from hypothesis import given
from hypothesis import strategies as st

from deploy.archive import ArchiveWriter, read_archive
from deploy.backup import list_backups, make_backup, note_success, remove_old_backups
from deploy.manifest import Manifest
from deploy.problem import DeployProblem
from deploy.restore import check_backup, check_receipts, restore_backup
from deploy.town import Town, find_demo
from deploy.tree import walk_tree

NOW = dt.datetime(2026, 11, 21, 20, 0, tzinfo=dt.UTC)
STUDENT, COURSE = "abcdefghijk1", "course-abcdefghijk2"


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return make_town(tmp_path / "first")


def make_town(folder: Path) -> Town:
    """A demo's folder with databases, one home of a student and one of a course."""
    town = find_demo(folder)
    (folder / "service").mkdir(parents=True)
    (folder / "secrets").mkdir()
    (folder / "secrets" / "proxy_token").write_text("secret")
    upgrade_database(open_database(town.database_url))
    add_blob(town, b"an archive")
    home = folder / "hub" / "homes" / STUDENT
    (home / "geo-8a" / "дз 1").mkdir(parents=True)
    (home / "geo-8a" / "дз 1" / "ответ.ipynb").write_text("{}")
    (folder / "hub" / "homes" / COURSE).mkdir()
    with contextlib.closing(sqlite3.connect(folder / "hub" / "jupyterhub.sqlite")) as hub, hub:
        hub.execute("CREATE TABLE spawners (id INTEGER, server_id INTEGER, state TEXT)")
        hub.execute("INSERT INTO spawners VALUES (1, 1, '{\"pid\": 4711}')")
    return find_demo(folder)


def add_blob(town: Town, content: bytes) -> Path:
    """Store an archive as the exchange does: file, then row."""
    import hashlib

    sha256 = hashlib.sha256(content).hexdigest()
    path = town.blob_dir / "sha256" / sha256[:2] / sha256
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with contextlib.closing(sqlite3.connect(town.folder / "service" / "atelier.db")) as database, database:
        database.execute("INSERT INTO blob VALUES (?, ?, '2026-11-21')", (sha256, len(content)))
    return path


def home_of(town: Town, account: str = STUDENT) -> Path:
    return town.folder / "hub" / "homes" / account


def describe(folder: Path) -> dict[str, object]:
    """Return path → content, link target or None for a folder."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.name.startswith("atelier.db"):  # a reader may move rows from the journal into the file
            found[path.name.removesuffix("-shm").removesuffix("-wal")] = "database"
            continue
        name = os.fsencode(path.relative_to(folder)).decode("latin-1")
        found[name] = (
            str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        )
    return found


def test_restored_homes_and_archives_are_equal_byte_for_byte(town: Town, tmp_path: Path):
    home = home_of(town)
    (home / os.fsdecode(b"broken-\xff-name")).write_text("odd bytes")
    (home / ("дълго-" * 15)).write_text("long name")
    (home / "link to nowhere").symlink_to("/etc/shadow")
    (home / "empty folder").mkdir(mode=0o500)
    (home / "run.sh").write_text("#!/bin/sh")
    (home / "run.sh").chmod(0o6755)
    backup = make_backup(town, NOW)
    target = find_demo(tmp_path / "second")
    restore_backup(target, backup.path)
    assert describe(home_of(target)) == describe(home)
    assert describe(target.blob_dir) == describe(town.blob_dir)
    assert (home_of(target) / "run.sh").stat().st_mode & 0o7777 == 0o755  # not setuid
    assert (home_of(target) / "empty folder").stat().st_mode & 0o777 == 0o500
    assert home_of(target, COURSE).is_dir()
    assert check_receipts(target) == 1


def test_a_link_in_a_home_takes_nothing_from_outside_along(town: Town, tmp_path: Path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("canary-4711")
    (home_of(town) / "all").symlink_to(tmp_path / "secret")
    os.mkfifo(home_of(town) / "pipe")
    backup = make_backup(town, NOW)
    with tarfile.open(backup.path) as tar:
        assert tar.getmember(f"homes/{STUDENT}/all").issym()
        assert f"homes/{STUDENT}/all/key" not in tar.getnames()
        assert f"homes/{STUDENT}/pipe" not in tar.getnames()
    assert any("pipe" in note for note in backup.manifest.notes)


def test_an_archive_still_arriving_and_caches_are_left_out(town: Town):
    (town.blob_dir / "incoming").mkdir()
    (town.blob_dir / "incoming" / "x.part").write_text("half")
    for name in (".cache", "my.cache"):
        (home_of(town) / name).mkdir()
        (home_of(town) / name / "file").write_text("x")
    files = make_backup(town, NOW).manifest.files
    assert not [name for name in files if "incoming" in name or "/.cache/" in name]
    assert f"homes/{STUDENT}/my.cache/file" in files


def test_a_gradebook_being_written_is_copied_as_of_the_last_commit(town: Town, tmp_path: Path):
    folder = home_of(town, COURSE) / "geo-8a"
    folder.mkdir()
    gradebook = sqlite3.connect(folder / "gradebook.db")
    gradebook.execute("PRAGMA journal_mode=WAL")
    gradebook.execute("CREATE TABLE grade (points REAL)")
    gradebook.execute("INSERT INTO grade VALUES (5.5)")
    gradebook.commit()
    gradebook.execute("INSERT INTO grade VALUES (2)")  # not committed; the first row lies in the WAL only
    backup = make_backup(town, NOW)
    gradebook.close()
    target = find_demo(tmp_path / "second")
    restore_backup(target, backup.path)
    with contextlib.closing(sqlite3.connect(home_of(target, COURSE) / "geo-8a" / "gradebook.db")) as restored:
        assert restored.execute("SELECT points FROM grade").fetchall() == [(5.5,)]


def test_a_gradebook_that_is_none_is_copied_as_it_is(town: Town):
    folder = home_of(town, COURSE)
    (folder / "gradebook.db").write_bytes(b"SQLite format 3\0" + b"no database at all" * 100)
    backup = make_backup(town, NOW)
    assert f"homes/{COURSE}/gradebook.db" in backup.manifest.files
    assert any("could not be opened" in note for note in backup.manifest.notes)


def test_secrets_are_in_an_encrypted_backup_only(town: Town):
    plain = make_backup(town, NOW)
    assert not [name for name in plain.manifest.files if name.startswith("secrets/")]
    assert plain.path.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def keys(tmp_path: Path) -> tuple[str, Path]:
    """A public age key and the file with the private one."""
    if not shutil.which("age-keygen"):
        if os.environ.get("CI") == "true":
            pytest.fail("age is missing; install Debian's package age")
        pytest.skip("needs age (Debian's package age)")
    identity = tmp_path / "key.txt"
    subprocess.run(["age-keygen", "-o", str(identity)], check=True, capture_output=True)
    public = subprocess.run(
        ["age-keygen", "-y", str(identity)], check=True, capture_output=True, text=True
    ).stdout.strip()
    return public, identity


def test_an_encrypted_backup_needs_its_private_key(town: Town, tmp_path: Path, keys: tuple[str, Path]):
    public, identity = keys
    backup = make_backup(town, NOW, public)
    assert "ответ".encode() not in backup.path.read_bytes()
    with pytest.raises(DeployProblem, match="is encrypted"):
        check_backup(backup.path)
    assert "secrets/proxy_token" in check_backup(backup.path, identity).files
    target = find_demo(tmp_path / "second")
    restore_backup(target, backup.path, identity)
    assert (target.folder / "secrets" / "proxy_token").read_text() == "secret"


def test_a_cut_encrypted_backup_is_refused(town: Town, keys: tuple[str, Path]):
    public, identity = keys
    (home_of(town) / "large").write_bytes(os.urandom(300_000))
    backup = make_backup(town, NOW, public)
    with backup.path.open("r+b") as file:
        file.truncate(backup.size - 1000)
    with pytest.raises(DeployProblem):
        check_backup(backup.path, identity)


def test_a_wrong_public_key_leaves_nothing_that_looks_like_a_backup(town: Town, keys: tuple[str, Path]):
    with pytest.raises(DeployProblem, match="could not encrypt"):
        make_backup(town, NOW, "age1nonsense")
    assert list(town.backups_dir.iterdir()) == []


@pytest.mark.parametrize("what", ["database", "archives", "home", "hub"])
def test_restore_refuses_a_stack_that_holds_something(town: Town, tmp_path: Path, what: str):
    backup = make_backup(town, NOW)
    second = make_town(tmp_path / "second")
    kept = {
        "database": second.folder / "service" / "atelier.db",
        "archives": second.blob_dir,
        "home": second.folder / "hub" / "homes",
        "hub": second.folder / "hub" / "jupyterhub.sqlite",
    }
    for name, path in kept.items():
        if name != what:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    before = describe(second.folder)
    with pytest.raises(DeployProblem, match="empty stack"):
        restore_backup(find_demo(second.folder), backup.path)
    assert describe(second.folder) == before


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8, 0.99])
def test_a_damaged_backup_is_refused_before_anything_is_written(town: Town, tmp_path: Path, place: float):
    (home_of(town) / "noise").write_bytes(os.urandom(20_000))
    backup = make_backup(town, NOW)
    content = bytearray(backup.path.read_bytes())
    content[int(len(content) * place)] ^= 1
    backup.path.write_bytes(content)
    target = find_demo(tmp_path / "second")
    with pytest.raises(DeployProblem):
        restore_backup(target, backup.path)
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize("name", ["../outside", "/etc/cron.d/x", "homes/../../x", "homes/not-an-account/x"])
def test_a_forged_archive_writes_nothing_outside(tmp_path: Path, name: str):
    path = tmp_path / "atelier-20261121T200000Z.tar.gz"
    with path.open("wb") as file:
        writer = ArchiveWriter(file, Manifest("2026-11-21T20:00:00Z", "0.1.0"))
        writer.add_bytes(name, b"x")
        writer.close()
    with pytest.raises(DeployProblem):
        restore_backup(find_demo(tmp_path / "town"), path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == [path.name]


def test_a_restored_hub_believes_in_no_running_workspace(town: Town, tmp_path: Path):
    target = find_demo(tmp_path / "second")
    restore_backup(target, make_backup(town, NOW).path)
    with contextlib.closing(sqlite3.connect(target.folder / "hub" / "jupyterhub.sqlite")) as hub:
        assert hub.execute("SELECT server_id, state FROM spawners").fetchall() == [(None, None)]


def test_a_lost_archive_is_named(town: Town):
    path = add_blob(town, b"another")
    path.unlink()
    with pytest.raises(DeployProblem, match=path.name):
        check_receipts(town)
    path.write_bytes(b"anothes")
    with pytest.raises(DeployProblem, match="damaged"):
        check_receipts(town)


def test_old_backups_go_and_the_newest_stays(town: Town):
    for day in range(1, 6):
        make_backup(town, NOW.replace(day=day))
    (town.backups_dir / "notes.txt").write_text("mine")
    remove_old_backups(town.backups_dir, 2)
    assert [path.name[8:16] for path in list_backups(town.backups_dir)] == ["20261104", "20261105"]
    remove_old_backups(town.backups_dir, 0)
    assert len(list_backups(town.backups_dir)) == 1
    assert (town.backups_dir / "notes.txt").exists()


def test_the_backup_that_a_rollback_would_take_stays(town: Town):
    first = make_backup(town, NOW.replace(day=1)).path
    for day in range(2, 5):
        make_backup(town, NOW.replace(day=day))
    remove_old_backups(town.backups_dir, 2, str(first))
    days = [path.name[14:16] for path in list_backups(town.backups_dir)]
    assert days == ["01", "03", "04"]


def test_monitoring_learns_when_the_last_backup_was_made(town: Town):
    note_success(town, make_backup(town, NOW), NOW)
    text = (town.metrics_dir / "atelier_backup.prom").read_text()
    assert f"atelier_backup_last_success_timestamp_seconds {NOW.timestamp():.0f}\n" in text


class Shrinking(io.BytesIO):
    """A file that ends earlier than its length said."""


@given(size=st.integers(0, 5000), grown=st.integers(-5000, 5000))
def test_a_file_that_changes_while_it_is_read_keeps_the_archive_whole(size: int, grown: int):
    stream = io.BytesIO()
    writer = ArchiveWriter(stream, Manifest("2026-11-21T20:00:00Z", "0.1.0"))
    info = tarfile.TarInfo("homes/x")
    writer._add_file(info, Shrinking(b"a" * max(0, size + grown)), size)
    writer.add_bytes("homes/y", b"after it")
    writer.close()
    stream.seek(0)
    contents: dict[str, bytes] = {}

    def keep(member: tarfile.TarInfo, content: Iterator[bytes]) -> None:
        contents[member.name] = b"".join(content)

    manifest = read_archive(stream, keep)
    assert len(contents["homes/x"]) == size
    assert contents["homes/y"] == b"after it"
    assert bool(manifest.notes) == (size + max(grown, -size) != size)


def test_walking_does_not_follow_a_folder_that_became_a_link(tmp_path: Path):
    root = tmp_path / "home"
    (root / "a").mkdir(parents=True)
    (root / "a" / "mine").write_text("mine")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "canary").write_text("canary")
    seen = []
    for entry in walk_tree(root):
        seen.append(entry.path)
        if entry.path == "a":  # the owner swaps it now
            shutil.rmtree(root / "a")
            (root / "a").symlink_to(tmp_path / "outside")
    assert seen == ["a"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root: gives files to another user")
def test_restored_archives_belong_to_the_user_that_reads_them(town: Town, tmp_path: Path):
    backup = make_backup(town, NOW)
    target = replace(find_demo(tmp_path / "second"), process_uid=4711)
    restore_backup(target, backup.path)
    below = list(target.blob_dir.rglob("*"))
    assert len(below) == 3
    assert {path.stat().st_uid for path in below} == {4711}
