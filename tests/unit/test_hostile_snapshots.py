"""Snapshots of homes whose owners mean harm: nothing from outside gets in, no disk stays full, no home takes
the time of the others.
"""

import datetime as dt
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import __main__ as commands
from deploy import rsync, snapshots
from deploy.problem import DeployProblem
from deploy.rsync import write_pattern
from deploy.snapshots import list_snapshots, make_snapshot, remove_old_snapshots, renew_snapshots
from deploy.town import Town
from deploy.tree import MOST_UNREAL_BYTES
from tests.components import skip_or_fail
from tests.hostile_town import EVIL, GOOD, hold_leases, home_of, keep_swapping, make_hostile_town

NOW = dt.datetime(2026, 11, 21, 6, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
CANARY = b"4711 of somebody else"


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    if not shutil.which("rsync"):
        skip_or_fail("needs rsync (Debian's package rsync)")
    yield make_hostile_town(tmp_path / "town")
    subprocess.run(["rm", "-rf", str(tmp_path)], check=False)  # too deep for pytest


@pytest.fixture
def evil(town: Town) -> Path:
    return home_of(town, EVIL)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that are found before the machine's own."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def list_mounts_below(folder: Path) -> list[str]:
    """Mount points that everybody sees; what else runs on the machine (Docker) mounts and unmounts, too."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in points if Path(point).is_relative_to(folder)]


def write_program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def small_disk(town: Town) -> Iterator[Path]:
    """16 MiB for snapshots."""
    if os.geteuid() != 0:
        skip_or_fail("needs root: mounts a small disk")
    town.snapshots_dir.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(town.snapshots_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        skip_or_fail(f"needs the right to mount: {done.stderr}")
    yield town.snapshots_dir
    subprocess.run(["umount", str(town.snapshots_dir)], check=True)


def check_whole(folder: Path, account: str) -> None:
    assert (folder / account / "work.ipynb").read_text() == account


# ---------------------------------------------------------------- links
def test_a_folder_swapped_for_a_link_brings_nothing_from_outside(
    town: Town, evil: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (evil / "x").mkdir()
    for number in range(100):
        (outside / f"{number}").write_bytes(CANARY)
        (evil / "x" / f"{number}").write_bytes(b"mine")
    (evil / "y").symlink_to(outside)
    with keep_swapping(evil / "x", evil / "y"):
        made = [make_snapshot(town, NOW + number * HOUR) for number in range(10)]
    found = [
        path for one in made for path in one.folder.rglob("*") if path.is_file() and not path.is_symlink()
    ]
    assert [path for path in found if path.read_bytes() == CANARY] == []
    for one in made:
        check_whole(one.folder, GOOD)


def test_the_copying_program_cannot_follow_a_link_in_the_home(
    town: Town, evil: Path, tmp_path: Path, programs: Path
) -> None:
    """Whatever rsync, of whichever version, thinks of a path at whichever moment."""
    if os.geteuid() != 0:
        skip_or_fail("needs root: others have no rights that a link could misuse")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "key").write_bytes(CANARY)
    (evil / "x").symlink_to(tmp_path / "outside")
    (evil / "key").symlink_to(tmp_path / "outside" / "key")
    program = shutil.which("rsync")
    write_program(
        programs,
        "rsync",
        f'case "$*" in *{EVIL}*) cat {evil}/x/key {evil}/key >{tmp_path}/read; touch {evil}/written ;; esac\n'
        f'exec {program} "$@"',
    )
    made = make_snapshot(town, NOW)
    assert (tmp_path / "read").read_bytes() == b""
    assert not (evil / "written").exists()
    assert (made.folder / EVIL / "x").readlink() == tmp_path / "outside"
    assert (made.folder / EVIL / "key").readlink() == tmp_path / "outside" / "key"


@pytest.mark.parametrize("answer", ["echo no such option >&2; exit 1", "exit 0"])
def test_where_links_would_be_followed_nothing_is_copied(
    town: Town, evil: Path, programs: Path, answer: str
) -> None:
    """A container without the right to mount; a mount(8) or kernel that passes over what it does not know."""
    if os.geteuid() != 0:
        skip_or_fail("needs root: others have no rights that a link could misuse")
    write_program(programs, "mount", answer)
    with pytest.raises(DeployProblem, match="without following links") as caught:
        make_snapshot(town, NOW)
    assert "5.10" in caught.value.repair
    assert list(town.snapshots_dir.iterdir()) == []


def test_nobody_else_sees_the_view_and_it_ends_with_the_copy(town: Town) -> None:
    make_snapshot(town, NOW)
    assert list_mounts_below(town.folder) == []


# ---------------------------------------------------------------- names, holes, leases, time
def test_a_hole_behind_a_name_of_wildcards_is_left_out(town: Town, evil: Path) -> None:
    folder = evil.joinpath(*["*" * 250] * 10)
    folder.mkdir(parents=True)
    for number in range(3):
        (folder / f"hole{number}").write_bytes(b"x")
        os.truncate(folder / f"hole{number}", MOST_UNREAL_BYTES // 2 + 1)
    made = make_snapshot(town, NOW)
    found = (made.folder / EVIL).joinpath(*["*" * 250] * 10)
    assert [path.name for path in found.iterdir()] == ["hole0"]
    assert made.problems == (f"{EVIL}: 2 files that are too deep, mostly holes or unreadable",)


@pytest.mark.parametrize("letter", "*?[\\")
def test_no_pattern_is_longer_than_rsync_takes(letter: str) -> None:
    for length in (10, 1999, 2001, 3000):
        assert len(write_pattern("*" + letter * (length - 1))) < rsync.LONGEST_PATTERN


def test_only_the_named_file_is_left_out_where_its_name_is_short(town: Town, evil: Path) -> None:
    for name in ("ho?e", "hole", "h[o]le", "h\\*"):
        (evil / name).write_bytes(b"x")
    for name in ("ho?e", "h[o]le", "h\\*"):
        os.truncate(evil / name, MOST_UNREAL_BYTES + 1)
    made = make_snapshot(town, NOW)
    assert {path.name for path in (made.folder / EVIL).iterdir()} == {"hole", "work.ipynb"}


def test_a_lease_on_a_file_ends_no_snapshot(town: Town, evil: Path) -> None:
    (evil / "leased").write_text("mine")
    with hold_leases(evil / "leased"):
        made = make_snapshot(town, NOW)
    assert made.problems == (f"{EVIL}: 1 files that are too deep, mostly holes or unreadable",)
    for account in (EVIL, GOOD):
        check_whole(made.folder, account)


def test_a_home_that_holds_rsync_is_ended_and_the_next_one_follows(
    town: Town, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = shutil.which("rsync")
    # Held for half a minute, then as if all had been copied: a test that fails, and none that never ends.
    held = "import signal as s, sys; s.signal(s.SIGALRM, lambda *_: sys.exit(0)); s.alarm(30); s.pause()"
    write_program(
        programs,
        "rsync",
        f'case "$*" in *{EVIL}*) exec {sys.executable} -c "{held}" ;; esac\nexec {program} "$@"',
    )
    monkeypatch.setattr(rsync, "COPY_WITHIN_S", 5)
    made = make_snapshot(town, NOW)
    assert made.problems == (f"{EVIL}: ended after 5 s, the next snapshot goes on",)
    check_whole(made.folder, GOOD)


# ---------------------------------------------------------------- the disk
def test_old_snapshots_that_fill_the_disk_make_room_for_a_new_one(town: Town, small_disk: Path) -> None:
    for days in (20, 15):
        folder = small_disk / f"{NOW - dt.timedelta(days=days):%Y%m%dT%H%M%SZ}"
        folder.mkdir()
        (folder / "old").write_bytes(bytes(15 << 19))  # no room for another, nor the tenth that stays free
    (small_disk / "20261120T180000Z.part").mkdir()
    (small_disk / "20261120T180000Z.part" / "half").write_bytes(bytes(1 << 19))
    made, removed = renew_snapshots(town, NOW)
    assert len(removed) == 2
    assert [path.name for path in small_disk.iterdir()] == [made.folder.name]


def test_what_was_cut_off_goes_under_whichever_name(town: Town) -> None:
    (town.snapshots_dir / "20261101T000000Z.part" / EVIL).mkdir(parents=True)
    made = make_snapshot(town, NOW)
    assert list(town.snapshots_dir.iterdir()) == [made.folder]


def test_a_snapshot_that_fills_the_disk_leaves_nothing_behind(
    town: Town, evil: Path, small_disk: Path
) -> None:
    (evil / "large").write_bytes(os.urandom(20 << 20))
    with pytest.raises(DeployProblem, match="rsync failed"):
        make_snapshot(town, NOW)
    assert list(small_disk.iterdir()) == []


def test_the_last_tenth_of_the_disk_is_left_to_people(
    town: Town, small_disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (small_disk / "backup").write_bytes(bytes(15 << 20))
    monkeypatch.setattr(sys, "argv", ["deploy", "snapshot", f"--demo={town.folder}"])
    assert commands.main() == 1
    said = capsys.readouterr().err
    assert "only 6% of the disk" in said
    assert "Repair: make room" in said
    assert list_snapshots(town) == []
    assert not (town.metrics_dir / "atelier_snapshot.prom").exists()


def test_after_two_days_one_a_day_stays_for_fourteen(town: Town) -> None:
    """The last of each day: whoever lost a file finds it as it was in some evening."""
    for hours in range(0, 20 * 24, 2):
        if 6 <= hours % 24 <= 20:
            (town.snapshots_dir / f"{NOW.replace(hour=0) + hours * HOUR:%Y%m%dT%H%M%SZ}").mkdir(parents=True)
    now = NOW.replace(hour=22) + 19 * 24 * HOUR
    remove_old_snapshots(town, now)
    left = [snapshot.at for snapshot in list_snapshots(town)]
    assert all(snapshot > now - 14 * 24 * HOUR for snapshot in left)
    assert len({snapshot.date() for snapshot in left}) == 14
    assert len([at for at in left if at > now - 48 * HOUR]) == 16
    assert {at.hour for at in left if at.date() < (now - 48 * HOUR).date()} == {20}


def test_two_snapshots_at_once_are_refused(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def make_another(*_: object) -> str:
        with pytest.raises(DeployProblem, match="is being made"):
            renew_snapshots(town, NOW + HOUR)
        return ""

    monkeypatch.setattr(snapshots, "_snapshot_home", make_another)
    make_snapshot(town, NOW)
    assert [snapshot.at for snapshot in list_snapshots(town)] == [NOW]


def test_monitoring_learns_when_the_last_snapshot_was_made(
    town: Town, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["deploy", "snapshot", f"--demo={town.folder}"])
    assert commands.main() == 0
    (made,) = list_snapshots(town)
    assert str(made.folder) in capsys.readouterr().out
    text = (town.metrics_dir / "atelier_snapshot.prom").read_text()
    assert f"atelier_snapshot_last_success_timestamp_seconds {made.at.timestamp():.0f}\n" in text
