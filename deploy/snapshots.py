"""Snapshots of homes, so that a deleted file comes back: every hour or day, kept for 14 days.

On btrfs a home that is a subvolume is snapshot in an instant; elsewhere rsync copies what changed and links
the rest to the snapshot before. No workspace can reach them.
"""

import datetime as dt
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deploy.homes import Home, check_account
from deploy.problem import DeployProblem
from deploy.town import Town
from deploy.tree import walk_tree

STAMP = "%Y%m%dT%H%M%SZ"
NAME = re.compile(r"\d{8}T\d{6}Z")
SUBVOLUME_INODE = 256  # the root of every btrfs subvolume
LEFT_OUT = (".cache", ".local/share/jupyter/runtime")


@dataclass(frozen=True)
class Snapshot:
    """All homes at one instant."""

    folder: Path
    at: dt.datetime


@dataclass(frozen=True)
class Version:
    """A file or folder of a home as a snapshot has it."""

    snapshot: Snapshot
    is_folder: bool
    size: int


def make_snapshot(town: Town, now: dt.datetime) -> Snapshot:
    """Snapshot every home. What was cut off (a power failure) is finished under a new name next time."""
    town.snapshots_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    town.snapshots_dir.chmod(0o700)
    earlier = list_snapshots(town)
    folder = town.snapshots_dir / f"{now:{STAMP}}"
    if folder.exists():
        raise DeployProblem(f"{folder} exists already", "wait a second and repeat")
    draft = folder.with_name(f"{folder.name}.part")
    if draft.exists():
        remove_tree(draft)
    draft.mkdir(mode=0o700)
    for home in town.homes.list_homes():
        _snapshot_home(home, draft / home.account, earlier[-1].folder if earlier else None)
    draft.rename(folder)
    return Snapshot(folder, now)


def _snapshot_home(home: Home, target: Path, previous: Path | None) -> None:
    if is_subvolume(home.folder) and _run("btrfs", "subvolume", "snapshot", "-r", home.folder, target):
        return
    linked = previous / home.account if previous else None
    options = [f"--link-dest={linked}"] if linked and linked.is_dir() else []
    excluded = [f"--exclude=/{name}/" for name in LEFT_OUT]
    source, into = f"{home.folder}/", f"{target}/"
    command = ["rsync", "-aHX", "--numeric-ids", "--no-devices", "--no-specials", *excluded, *options]
    try:
        done = subprocess.run([*command, source, into], capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        raise DeployProblem("rsync is not installed", "apt-get install rsync") from missing
    if done.returncode not in (0, 24):  # 24: files vanished while it looked
        raise DeployProblem(f"rsync failed for {home.account}: {done.stderr.strip()}", "is the disk full?")


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
    """Remove snapshots older than the town keeps them; return which."""
    oldest = now - dt.timedelta(days=town.snapshot_days)
    old = [snapshot for snapshot in list_snapshots(town) if snapshot.at < oldest]
    for snapshot in old:
        remove_tree(snapshot.folder)
    return old


def remove_tree(folder: Path) -> None:
    """Remove a snapshot, read-only folders and btrfs subvolumes in it included."""
    for account in folder.iterdir():
        if account.is_dir() and not account.is_symlink() and is_subvolume(account):
            _run("btrfs", "subvolume", "delete", account)
    for inside, _, _, descriptor in os.fwalk(folder, follow_symlinks=False):
        if not os.access(inside, os.W_OK | os.X_OK):
            os.fchmod(descriptor, 0o700)
    shutil.rmtree(folder)


# ---------------------------------------------------------------- bringing a file back
def list_versions(town: Town, account: str, path: str) -> list[Version]:
    """Return the snapshots that hold a file or folder of a home, newest first."""
    check_account(account)
    parts = split_path(path)
    found = []
    for snapshot in reversed(list_snapshots(town)):
        status = _look(snapshot.folder / account, parts)
        if status and (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            found.append(Version(snapshot, stat.S_ISDIR(status.st_mode), status.st_size))
    return found


def bring_back(town: Town, account: str, path: str, at: dt.datetime | None = None) -> list[str]:
    """Put a file, or all that is missing below a folder, back into a home. Returns the paths in the home.

    Takes the newest snapshot that has it, or the newest not after `at`. Nothing is overwritten: where a file
    of that name is, the old one gets the snapshot's time into its name. Raises DeployProblem.
    """
    versions = [v for v in list_versions(town, account, path) if at is None or v.snapshot.at <= at]
    home = next((home for home in town.homes.list_homes() if home.account == account), None)
    if not versions or home is None:
        raise DeployProblem(
            f"no snapshot{f' until {at:%Y-%m-%d %H:%M}' if at else ''} has {path!r} of {account}",
            f"look at the name (letters, folder); snapshots are kept for {town.snapshot_days} days",
        )
    version, parts = versions[0], split_path(path)
    source = version.snapshot.folder / account
    if not version.is_folder:
        return [_bring_file(source, home, parts, version, beside=True)]
    inside = _list_files(source, parts)
    return [done for file in inside if (done := _bring_file(source, home, file, version, beside=False))]


def _list_files(source: Path, parts: tuple[str, ...]) -> list[tuple[str, ...]]:
    with open_folder(source, parts) as descriptor:
        files = [entry.path for entry in walk_tree(Path(), descriptor) if entry.kind == "file"]
    return [(*parts, *PurePosixPath(name).parts) for name in files]


def _bring_file(source: Path, home: Home, parts: tuple[str, ...], version: Version, *, beside: bool) -> str:
    with open_folder(source, parts[:-1]) as there, open_folder(home.folder, parts[:-1], home) as here:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        with os.fdopen(os.open(parts[-1], flags, dir_fd=there), "rb") as old:
            name = parts[-1]
            if _exists(name, here):
                if not beside:
                    return ""
                name = _name_beside(name, version.snapshot.at)
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=here)
            with os.fdopen(descriptor, "wb") as new:
                shutil.copyfileobj(old, new)
                if home.owner is not None:
                    os.fchown(new.fileno(), home.owner, home.owner)
                os.fchmod(new.fileno(), os.fstat(old.fileno()).st_mode & 0o777)
    return "/".join([*parts[:-1], name])


def _name_beside(name: str, at: dt.datetime) -> str:
    stem, dot, ending = name.rpartition(".")
    when = f"{at:%Y-%m-%d %H-%M}"
    return f"{stem} ({when}){dot}{ending}" if stem else f"{name} ({when})"


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _look(root: Path, parts: tuple[str, ...]) -> os.stat_result | None:
    try:
        with open_folder(root, parts[:-1]) as folder:
            return os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None


@contextmanager
def open_folder(root: Path, parts: tuple[str, ...], owner: Home | None = None) -> Iterator[int]:
    """A folder below `root`, opened step by step so that no link on the way leads out.

    With `owner`, folders that are missing are made and given to it. Raises OSError.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    descriptor = os.open(root, flags)
    try:
        for part in parts:
            if owner is not None and not _exists(part, descriptor):
                os.mkdir(part, 0o700, dir_fd=descriptor)
                if owner.owner is not None:
                    os.chown(part, owner.owner, owner.owner, dir_fd=descriptor, follow_symlinks=False)
            inner = os.open(part, flags, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def split_path(path: str) -> tuple[str, ...]:
    """Return the parts of a path inside a home. Raises DeployProblem for one that leads elsewhere."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts:
        raise DeployProblem(f"{path!r} is no path inside a home", "write it as in Lab: geo-8a/hw1/hw1.ipynb")
    return parts
