"""Deleted files come back from snapshots, and nothing else moves."""

import datetime as dt
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.deleted_files import bring_back, list_versions
from deploy.problem import DeployProblem
from deploy.snapshots import list_snapshots, make_snapshot, remove_old_snapshots
from deploy.town import Town, find_demo
from tests.components import skip_or_fail

ACCOUNT = "abcdefghijk1"
NOW = dt.datetime(2026, 11, 21, 6, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture
def town(tmp_path: Path) -> Town:
    if not shutil.which("rsync"):
        skip_or_fail("needs rsync (Debian's package rsync)")
    home = tmp_path / "hub" / "homes" / ACCOUNT
    (home / "geo-8a" / "дз 1").mkdir(parents=True)
    (home / "geo-8a" / "дз 1" / "работа.ipynb").write_text("first")
    return find_demo(tmp_path)


def home_of(town: Town) -> Path:
    return town.folder / "hub" / "homes" / ACCOUNT


def test_a_deleted_file_comes_back(town: Town):
    make_snapshot(town, NOW)
    shutil.rmtree(home_of(town) / "geo-8a")
    assert bring_back(town, ACCOUNT, "geo-8a/дз 1/работа.ipynb") == ["geo-8a/дз 1/работа.ipynb"]
    assert (home_of(town) / "geo-8a" / "дз 1" / "работа.ipynb").read_text() == "first"


def test_an_older_version_comes_beside_the_present_one(town: Town):
    file = home_of(town) / "geo-8a" / "дз 1" / "работа.ipynb"
    make_snapshot(town, NOW)
    file.write_text("second")
    make_snapshot(town, NOW + DAY)
    file.write_text("third")
    found = bring_back(town, ACCOUNT, "geo-8a/дз 1/работа.ipynb", at=NOW + DAY / 2)
    assert found == ["geo-8a/дз 1/работа (2026-11-21 06-00).ipynb"]
    assert (home_of(town) / found[0]).read_text() == "first"
    assert file.read_text() == "third"
    assert [v.snapshot.at for v in list_versions(town, ACCOUNT, "geo-8a/дз 1/работа.ipynb")] == [
        NOW + DAY,
        NOW,
    ]


def test_a_folder_comes_back_without_touching_what_is_there(town: Town):
    (home_of(town) / "geo-8a" / "data.csv").write_text("a;b")
    make_snapshot(town, NOW)
    (home_of(town) / "geo-8a" / "data.csv").unlink()
    (home_of(town) / "geo-8a" / "дз 1" / "работа.ipynb").write_text("newer")
    assert bring_back(town, ACCOUNT, "geo-8a") == ["geo-8a/data.csv"]
    assert (home_of(town) / "geo-8a" / "дз 1" / "работа.ipynb").read_text() == "newer"


def test_snapshots_go_after_14_days(town: Town):
    (home_of(town) / "locked").mkdir(mode=0o500)
    for day in range(17):
        make_snapshot(town, NOW + day * DAY)
    removed = remove_old_snapshots(town, NOW + 16 * DAY)
    assert [snapshot.at for snapshot in removed] == [NOW, NOW + DAY]
    assert len(list_snapshots(town)) == 15


def test_what_did_not_change_takes_no_room_twice(town: Town):
    first, second = make_snapshot(town, NOW), make_snapshot(town, NOW + DAY)
    path = Path(ACCOUNT) / "geo-8a" / "дз 1" / "работа.ipynb"
    assert (first.folder / path).samefile(second.folder / path)
    assert not (second.folder / path).samefile(home_of(town) / path.relative_to(ACCOUNT))


def test_a_change_in_the_home_does_not_reach_into_snapshots(town: Town):
    snapshot = make_snapshot(town, NOW)
    with (home_of(town) / "geo-8a" / "дз 1" / "работа.ipynb").open("r+") as file:
        file.write("XXXXX")
    assert (snapshot.folder / ACCOUNT / "geo-8a" / "дз 1" / "работа.ipynb").read_text() == "first"


def test_others_may_not_look_into_snapshots(town: Town):
    make_snapshot(town, NOW)
    assert town.snapshots_dir.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("path", ["/etc/passwd", "../abcdefghijk2/file", "geo-8a/../../x", ""])
def test_a_path_out_of_the_home_is_refused(town: Town, path: str):
    make_snapshot(town, NOW)
    with pytest.raises(DeployProblem, match="inside a home"):
        bring_back(town, ACCOUNT, path)


def test_a_link_in_a_home_leads_no_writing_outside(town: Town, tmp_path: Path):
    make_snapshot(town, NOW)
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.rmtree(home_of(town) / "geo-8a")
    (home_of(town) / "geo-8a").symlink_to(outside)
    with pytest.raises(OSError, match="geo-8a"):
        bring_back(town, ACCOUNT, "geo-8a/дз 1/работа.ipynb")
    assert list(outside.iterdir()) == []


def test_a_link_in_a_snapshot_brings_nothing_from_outside(town: Town, tmp_path: Path):
    (tmp_path / "canary").write_text("4711")
    (home_of(town) / "link").symlink_to(tmp_path / "canary")
    make_snapshot(town, NOW)
    (home_of(town) / "link").unlink()
    with pytest.raises(DeployProblem, match="no snapshot"):
        bring_back(town, ACCOUNT, "link")


def test_a_snapshot_that_was_cut_off_is_no_snapshot(town: Town):
    draft = town.snapshots_dir / f"{NOW:%Y%m%dT%H%M%SZ}.part"
    (draft / ACCOUNT).mkdir(parents=True)
    assert list_snapshots(town) == []
    make_snapshot(town, NOW)
    assert len(list_snapshots(town)) == 1
    assert list_versions(town, ACCOUNT, "geo-8a/дз 1/работа.ipynb")


def test_a_home_of_yesterday_that_is_gone_does_not_stop_the_others(town: Town):
    make_snapshot(town, NOW)
    shutil.move(home_of(town), town.folder / "elsewhere")
    (home_of(town).parent / "bcdefghijkl2").mkdir()
    snapshot = make_snapshot(replace(town), NOW + DAY)
    assert [path.name for path in snapshot.folder.iterdir()] == ["bcdefghijkl2"]
