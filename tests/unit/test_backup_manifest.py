"""A backup's list of files can be read, however many files a home has and however long their names are."""

import datetime as dt
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import manifest
from deploy.backup import make_backup
from deploy.manifest import Manifest
from deploy.problem import DeployProblem
from deploy.restore import restore_backup
from deploy.town import Town, find_demo
from tests.hostile_town import EVIL, GOOD, home_of, make_hostile_town

NOW = dt.datetime(2026, 11, 21, 6, 0, tzinfo=dt.UTC)


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


def fill_with_names(home: Path, count: int) -> None:
    """As the reader of JSON pays most: each odd byte of a name is six bytes there."""
    for number in range(count):
        (home / os.fsdecode(b"\xff" * 200 + f"{number:03}".encode())).touch()


def test_one_home_of_long_names_leaves_the_backup_readable_and_the_others_whole(
    town: Town, evil: Path, other: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "HOME_BYTES", 100_000)
    monkeypatch.setattr(manifest, "LARGEST_MANIFEST_BYTES", 210_000)
    (evil / "work.ipynb").rename(evil / "a.ipynb")  # sorted before the odd names
    fill_with_names(evil, 250)
    made = make_backup(town, NOW)
    about = [note for note in made.manifest.notes if EVIL in note]
    restore_backup(other, made.path)
    assert (home_of(other, GOOD) / "work.ipynb").read_text() == GOOD
    assert (home_of(other, EVIL) / "a.ipynb").read_text() == EVIL
    kept = len(list(home_of(other, EVIL).iterdir()))
    assert about == [f"left out, too many or too long names: {251 - kept} of homes/{EVIL}"]
    assert kept > 50


def test_a_home_as_its_quota_allows_at_worst_has_no_room_and_every_usual_one_has() -> None:
    worst = manifest.measure_row("homes/aaaaaaaaaaa1/" + os.fsdecode(b"\xff" * 2900))
    usual = manifest.measure_row("homes/aaaaaaaaaaa1/Проекти/Вода в града/данни/измерване 2026-11-21.csv")
    assert 50_000 * worst > manifest.LARGEST_MANIFEST_BYTES
    assert 30_000 * usual < manifest.find_share(0)


def test_many_such_homes_leave_room_for_the_rest() -> None:
    """As many as there may be: after sixteen each has less."""
    largest = manifest.LARGEST_MANIFEST_BYTES
    used = homes = 0
    while used + manifest.find_share(used) <= largest:
        used, homes = used + manifest.find_share(used), homes + 1
    assert manifest.find_share(0) <= largest // 16
    assert homes > 200


@given(name=st.text(st.characters(codec="utf-8"), max_size=60), size=st.integers(0, 1 << 50))
def test_a_row_of_the_manifest_is_not_longer_than_it_is_counted(name: str, size: int) -> None:
    empty = Manifest("2026-11-21T20:00:00Z", "0.1.0")
    full = Manifest("2026-11-21T20:00:00Z", "0.1.0", files={name: (size, "f" * 64)})
    assert len(full.dump()) - len(empty.dump()) <= manifest.measure_row(name)


def test_a_manifest_that_no_restore_would_read_is_not_written(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "LARGEST_MANIFEST_BYTES", 1000)
    with pytest.raises(DeployProblem, match="list of files") as caught:
        make_backup(town, NOW)
    assert "du --inodes" in caught.value.repair
    assert list(town.backups_dir.iterdir()) == []


def test_of_one_home_a_hundred_notes_are_enough(town: Town, evil: Path) -> None:
    for number in range(130):
        os.mkfifo(evil / f"pipe{number}")
    os.mkfifo(home_of(town, GOOD) / "pipe")
    notes = make_backup(town, NOW).manifest.notes
    assert len([note for note in notes if f"homes/{EVIL}/" in note]) == manifest.MOST_NOTES
    assert f"30 more notes: homes/{EVIL}" in notes
    assert [note for note in notes if f"homes/{GOOD}/pipe" in note]
