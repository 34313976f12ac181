"""Snapshots of homes, so that a deleted file comes back: every two hours, later one a day, for 14 days.

On btrfs a home that is a subvolume is snapshot in an instant; elsewhere rsync copies what changed and links
the rest to the snapshot before. No workspace can reach them.
"""

import datetime as dt
import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.homes import Home
from deploy.metrics import write_metrics
from deploy.problem import DeployProblem
from deploy.rsync import copy_home
from deploy.town import Town
from deploy.tree import Unreal, walk_tree
from hub_config.hostile_folders import walk_folders

STAMP = "%Y%m%dT%H%M%SZ"
NAME = re.compile(r"\d{8}T\d{6}Z")
SUBVOLUME_INODE = 256  # the root of every btrfs subvolume
# Where every file of a home is rewritten each time, each snapshot is another home in size.
ALL_KEPT_FOR = dt.timedelta(days=2)
LEAST_FREE = 0.10


@dataclass(frozen=True)
class Snapshot:
    """All homes at one instant. `problems`: homes of which something is missing, and what rsync said."""

    folder: Path
    at: dt.datetime
    problems: tuple[str, ...] = ()


def renew_snapshots(town: Town, now: dt.datetime) -> tuple[Snapshot, list[Snapshot]]:
    """Remove what is too old and what was cut off, then snapshot every home; return the new one and the old.

    In this order: a disk that old ones have filled heals by itself. Raises DeployProblem, also where less
    than a tenth of the disk is free.
    """
    with _alone(town):
        removed = remove_old_snapshots(town, now)
        return _make(town, now), removed


def make_snapshot(town: Town, now: dt.datetime) -> Snapshot:
    """Snapshot every home. What was cut off (a power failure) is removed first. Raises DeployProblem.

    A home of which something could not be read (its owner can bring that about) stops no other.
    """
    with _alone(town):
        return _make(town, now)


@contextmanager
def _alone(town: Town) -> Iterator[None]:
    """Be the only one at work on snapshots: a second would remove the first's draft."""
    town.snapshots_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    town.snapshots_dir.chmod(0o700)
    descriptor = os.open(town.snapshots_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DeployProblem("a snapshot is being made", "let it end, then repeat this") from None
        yield
    finally:
        os.close(descriptor)


def _make(town: Town, now: dt.datetime) -> Snapshot:
    for cut_off in town.snapshots_dir.glob("*.part"):
        remove_tree(cut_off)
    _check_room(town.snapshots_dir)
    earlier = list_snapshots(town)
    folder = town.snapshots_dir / f"{now:{STAMP}}"
    if folder.exists():
        raise DeployProblem(f"{folder} exists already", "wait a second and repeat")
    draft = folder.with_name(f"{folder.name}.part")
    draft.mkdir(mode=0o700)
    previous = earlier[-1].folder if earlier else None
    try:
        said = [_snapshot_home(home, draft / home.account, previous) for home in town.homes.list_homes()]
        draft.rename(folder)
    except BaseException:
        remove_tree(draft)
        raise
    return Snapshot(folder, now.replace(microsecond=0), tuple(problem for problem in said if problem))


def _check_room(folder: Path) -> None:
    usage = shutil.disk_usage(folder)
    if usage.free < LEAST_FREE * usage.total:
        raise DeployProblem(
            f"no snapshot was made: only {usage.free / usage.total:.0%} of the disk of {folder} is free",
            "make room (old backups, large homes, fewer `snapshot_days`): the last tenth is for work",
        )


def _snapshot_home(home: Home, target: Path, previous: Path | None) -> str | None:
    """Return what is wrong with the home, if something is. Raises DeployProblem for what concerns all."""
    if is_subvolume(home.folder) and _run("btrfs", "subvolume", "snapshot", "-r", home.folder, target):
        return None
    unreal = Unreal()
    left_out = [entry.path for entry in walk_tree(home.folder) if unreal.is_too_much(entry)]
    linked = previous / home.account if previous else None
    if problem := copy_home(home.folder, target, linked, left_out):
        return f"{home.account}: {problem}"
    if left_out:
        return f"{home.account}: {len(left_out)} files that are too deep, mostly holes or unreadable"
    return None


def is_subvolume(folder: Path) -> bool:
    """Tell whether a folder is a btrfs subvolume."""
    if folder.stat().st_ino != SUBVOLUME_INODE or not shutil.which("btrfs"):
        return False
    return _run("btrfs", "subvolume", "show", folder)


def _run(*command: str | Path) -> bool:
    done = subprocess.run([str(part) for part in command], capture_output=True, check=False)
    return done.returncode == 0


def list_snapshots(town: Town) -> list[Snapshot]:
    """Return the snapshots there are, oldest first."""
    if not town.snapshots_dir.is_dir():
        return []
    names = sorted(path for path in town.snapshots_dir.iterdir() if NAME.fullmatch(path.name))
    return [Snapshot(path, dt.datetime.strptime(path.name, STAMP).replace(tzinfo=dt.UTC)) for path in names]


def remove_old_snapshots(town: Town, now: dt.datetime) -> list[Snapshot]:
    """Remove snapshots older than the town keeps them, and of days that are over all but the last; return
    which. One day's last snapshot has what was there in its evening.
    """
    snapshots = list_snapshots(town)
    oldest, thinned_before = now - dt.timedelta(days=town.snapshot_days), now - ALL_KEPT_FOR
    last_of_day = {snapshot.at.date(): snapshot for snapshot in snapshots}  # the oldest come first
    old = [
        one
        for one in snapshots
        if one.at < oldest or (one.at < thinned_before and one is not last_of_day[one.at.date()])
    ]
    for snapshot in old:
        remove_tree(snapshot.folder)
    return old


def note_snapshot(town: Town, snapshot: Snapshot) -> None:
    """Tell monitoring when the last snapshot was made."""
    meaning = "When the last snapshot of all homes was made."
    values = {"atelier_snapshot_last_success_timestamp_seconds": (meaning, snapshot.at.timestamp())}
    write_metrics(town.metrics_dir, "atelier_snapshot", values)


def remove_tree(folder: Path) -> None:
    """Remove a snapshot, read-only folders and btrfs subvolumes in it included."""
    for account in folder.iterdir():
        if account.is_dir() and not account.is_symlink() and is_subvolume(account):
            _run("btrfs", "subvolume", "delete", account)
    for _, _, _, _, descriptor in walk_folders(folder):
        if not os.access(f"/proc/self/fd/{descriptor}", os.W_OK | os.X_OK):
            os.fchmod(descriptor, 0o700)
    # Not shutil.rmtree: a student may have made folders deeper than Python calls itself.
    subprocess.run(["rm", "--recursive", "--force", "--", str(folder)], capture_output=True, check=False)
    if folder.exists():
        raise DeployProblem(f"{folder} could not be removed", "remove it by hand")
