"""Snapshots where homes are btrfs subvolumes: on a real btrfs in a file."""

import datetime as dt
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.deleted_files import bring_back
from deploy.snapshots import is_subvolume, list_snapshots, make_snapshot, remove_old_snapshots
from deploy.town import Town, find_demo
from tests.components import skip_or_fail

ACCOUNT, OTHER = "abcdefghijk1", "abcdefghijk2"
NOW = dt.datetime(2026, 11, 21, 6, 0, tzinfo=dt.UTC)


def run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    if os.geteuid() != 0 or not shutil.which("mkfs.btrfs"):
        skip_or_fail("needs root and btrfs (Debian's package btrfs-progs)")
    image, place = tmp_path / "image", tmp_path / "town"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(160 * 1024 * 1024)
    run("mkfs.btrfs", "-q", image)
    mounted = subprocess.run(
        ["mount", "-o", "loop", str(image), str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        skip_or_fail(f"btrfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        homes = place / "hub" / "homes"
        homes.mkdir(parents=True)
        run("btrfs", "subvolume", "create", homes / ACCOUNT)
        (homes / OTHER).mkdir()  # one from a backup: a plain folder
        for account in (ACCOUNT, OTHER):
            (homes / account / "work.txt").write_text(account)
        yield find_demo(place)
    finally:
        run("umount", place)


def test_a_subvolume_is_snapshot_at_once_and_its_files_come_back(town: Town):
    snapshot = make_snapshot(town, NOW)
    assert is_subvolume(snapshot.folder / ACCOUNT)
    assert not is_subvolume(snapshot.folder / OTHER)
    for account in (ACCOUNT, OTHER):
        home = town.folder / "hub" / "homes" / account
        (home / "work.txt").unlink()
        assert bring_back(town, account, "work.txt") == ["work.txt"]
        assert (home / "work.txt").read_text() == account
    with pytest.raises(OSError, match="Read-only"):
        (snapshot.folder / ACCOUNT / "work.txt").write_text("changed")


def test_old_snapshots_of_subvolumes_are_removed(town: Town):
    make_snapshot(town, NOW)
    make_snapshot(town, NOW + dt.timedelta(days=15))
    assert len(remove_old_snapshots(town, NOW + dt.timedelta(days=15))) == 1
    assert len(list_snapshots(town)) == 1
