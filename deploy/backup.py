"""Making a backup while everything runs.

The order makes it consistent: the service's database first, then the archives. A row is written after its
archive is durable and archives are never changed, so every row's archive is in the backup. Homes come last:
they may be newer than the database, never older.
"""

import datetime as dt
import os
import re
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from deploy.archive import ArchiveWriter
from deploy.databases import copy_database, find_schema, name_copy
from deploy.encryption import open_encrypted
from deploy.gradebooks import copy_gradebook, is_gradebook
from deploy.homes import Home
from deploy.manifest import Manifest
from deploy.metrics import write_metrics
from deploy.problem import DeployProblem
from deploy.town import Town
from deploy.tree import NEVER_COPIED, Entry, Unreal, walk_tree

NAME = re.compile(r"atelier-\d{8}T\d{6}Z\.tar\.gz(\.age)?")
BLOB = re.compile(r"sha256/[0-9a-f]{2}/[0-9a-f]{64}")
# What can be made again at any time, and what only a running server has.
LEFT_OUT_OF_HOMES = ("/.cache/", "/.local/share/jupyter/runtime/", "/.ipynb_checkpoints/")


@dataclass(frozen=True)
class Backup:
    """A finished backup."""

    path: Path
    manifest: Manifest
    size: int
    took_s: float


def make_backup(town: Town, now: dt.datetime, recipient: str | None = None) -> Backup:
    """Write a backup into the town's folder of backups. Secrets are in it only when it is encrypted.

    Raises DeployProblem; then nothing is left that looks like a backup.
    """
    began = time.monotonic()
    town.backups_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = town.backups_dir / f"atelier-{now:%Y%m%dT%H%M%SZ}.tar.gz{'.age' if recipient else ''}"
    if path.exists():
        raise DeployProblem(f"{path} exists already", "wait a second and repeat")
    draft = path.with_name(f"{path.name}.part")
    for cut_off in town.backups_dir.glob("atelier-*.part"):  # by a power failure, under another name
        cut_off.unlink()
    manifest = Manifest(made_at=f"{now:%Y-%m-%dT%H:%M:%SZ}", version=version("atelier-hub-config"))
    try:
        with open_encrypted(draft, recipient) as stream, ArchiveWriter(stream, manifest) as writer:
            _add_all(town, writer, with_secrets=recipient is not None)
        _publish(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return Backup(path, manifest, path.stat().st_size, time.monotonic() - began)


def _add_all(town: Town, writer: ArchiveWriter, *, with_secrets: bool) -> None:
    manifest = writer.manifest
    manifest.schema = find_schema(town.database_url)
    manifest.rows = _add_database(writer, "service", town.database_url)
    _add_blobs(writer, town.blob_dir)
    _add_database(writer, "hub", town.hub_database_url)
    for home in town.homes.list_homes():
        _add_home(writer, home)
    _add_files(writer, "keepsakes", town.keepsakes)
    if with_secrets:
        _add_files(writer, "secrets", town.secrets)
    else:
        manifest.notes.append("without secrets: they are only put into an encrypted backup")


def _add_database(writer: ArchiveWriter, name: str, url: str) -> dict[str, int]:
    with tempfile.TemporaryDirectory(prefix="atelier-backup-") as folder:
        copy = Path(folder) / f"{name}.{name_copy(url)}"
        rows = copy_database(url, copy)
        writer.add_path(f"databases/{copy.name}", copy)
    return rows


def _add_blobs(writer: ArchiveWriter, root: Path) -> None:
    for entry in walk_tree(root):
        is_whole = entry.kind == "file" and BLOB.fullmatch(entry.path)  # not what is still arriving
        if is_whole or entry.kind == "unreadable":
            writer.add_entry(f"blobs/{entry.path}", entry)


def _add_home(writer: ArchiveWriter, home: Home) -> None:
    writer.manifest.homes[home.account] = home.uid
    unreal = Unreal()
    with writer.share(f"homes/{home.account}"):
        for entry in walk_tree(home.folder):
            if not any(part in f"/{entry.path}/" for part in LEFT_OUT_OF_HOMES):
                _add_of_home(writer, home, entry, unreal)


def _add_of_home(writer: ArchiveWriter, home: Home, entry: Entry, unreal: Unreal) -> None:
    name = f"homes/{home.account}/{entry.path}"
    if entry.kind == "file" and is_gradebook(home.account, entry.path, entry.descriptor):
        if (content := copy_gradebook(home, entry.path)) is not None:
            writer.add_bytes(name, content, entry.mode, entry.modified_s)
            return
        writer.note("a plain copy, it could not be opened as a database", name)
    if entry.kind not in NEVER_COPIED and unreal.is_too_much(entry):
        writer.leave_out(name, "mostly holes, or one more name of a file, and too much of it")
        return
    writer.add_entry(name, entry)


def _add_files(writer: ArchiveWriter, folder: str, files: dict[str, Path]) -> None:
    for name, path in files.items():
        if path.is_file():
            writer.add_path(f"{folder}/{name}", path)


def _publish(draft: Path, path: Path) -> None:
    """Make a finished file durable, then give it its name: what bears the name is whole."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.rename(path)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def list_backups(folder: Path) -> list[Path]:
    """Return the backups in a folder, oldest first."""
    return sorted(path for path in folder.glob("atelier-*") if NAME.fullmatch(path.name))


def remove_old_backups(folder: Path, kept: int, spared: str | None = None) -> list[Path]:
    """Remove all but the newest `kept` backups; return what was removed. At least one always stays.

    `spared`: a file that stays however old it is, since a rollback would take it.
    """
    backups = list_backups(folder)
    removed = [path for path in backups[: -max(1, kept)] if str(path) != spared]
    for path in removed:
        path.unlink(missing_ok=True)
    return removed


def note_success(town: Town, backup: Backup, now: dt.datetime) -> None:
    """Tell monitoring when the last backup was made and how large it is."""
    values = {
        "atelier_backup_last_success_timestamp_seconds": (
            "When the last whole backup was made.",
            now.timestamp(),
        ),
        "atelier_backup_size_bytes": ("Size of the last whole backup.", backup.size),
    }
    write_metrics(town.metrics_dir, "atelier_backup", values)
