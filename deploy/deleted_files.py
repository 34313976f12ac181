"""Bringing a deleted or older file back from the snapshots into its home; nothing there is overwritten."""

import datetime as dt
import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deploy.homes import Home, check_account
from deploy.inside import NEW_FILE_FLAGS, exists, fill_file, open_folder, split_path
from deploy.problem import DeployProblem
from deploy.snapshots import Snapshot, list_snapshots
from deploy.town import Town
from deploy.tree import walk_tree

PIECE_BYTES = 256 * 1024


@dataclass(frozen=True)
class Version:
    """A file or folder of a home as a snapshot has it."""

    snapshot: Snapshot
    is_folder: bool
    size: int


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
            if exists(name, here):
                if not beside:
                    return ""
                name = _name_beside(name, version.snapshot.at)
            descriptor = os.open(name, NEW_FILE_FLAGS, 0o600, dir_fd=here)
            with os.fdopen(descriptor, "wb") as new:
                pieces = iter(lambda: old.read(PIECE_BYTES), b"")
                fill_file(new, pieces, os.fstat(old.fileno()).st_mode, None, home.owner)
    return "/".join([*parts[:-1], name])


def _name_beside(name: str, at: dt.datetime) -> str:
    stem, dot, ending = name.rpartition(".")
    when = f"{at:%Y-%m-%d %H-%M}"
    return f"{stem} ({when}){dot}{ending}" if stem else f"{name} ({when})"


def _look(root: Path, parts: tuple[str, ...]) -> os.stat_result | None:
    try:
        with open_folder(root, parts[:-1]) as folder:
            return os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None
