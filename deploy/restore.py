"""Putting a backup back into an empty stack, with every hash compared before anything is written.

What lies in homes was chosen by people, who changed it while it was read: of one home something may have no
place. It is noted, and all the rest comes back.
"""

import errno
import hashlib
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import create_engine, text

from deploy.archive import clamp_time, read_archive
from deploy.databases import (
    check_empty,
    count_rows,
    forget_running_servers,
    restore_database,
)
from deploy.encryption import open_decrypted
from deploy.homes import Home, check_account
from deploy.inside import fill_file, finish_folder, make_file, make_folder, make_link, split_path
from deploy.manifest import MOST_NOTES, Manifest, shorten_name
from deploy.problem import DeployProblem
from deploy.town import Town

PIECE_BYTES = 256 * 1024
# What no home can bring about: whatever comes next would meet it, too.
OF_THE_MACHINE = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EPERM),
)


def check_backup(path: Path, identity: Path | None = None) -> Manifest:
    """Read a whole backup and compare every hash with its manifest. Raises DeployProblem; writes nothing."""
    if not path.is_file():
        raise DeployProblem(
            f"there is no backup {path}", "give the file's path: FROM=/path/to/atelier-….tar.gz"
        )
    with open_decrypted(path, identity) as stream:
        return read_archive(stream, _keep_nothing)


def _keep_nothing(_info: tarfile.TarInfo, _content: Iterator[bytes]) -> None:
    return


def restore_backup(town: Town, path: Path, identity: Path | None = None) -> Manifest:
    """Restore a backup into `town`, which must be empty and not running. Raises DeployProblem.

    Each promise of the backup is checked at the end: as many rows as were counted, and the bytes of every
    archive that a row names. What had no place in a home is named in the manifest's notes.
    """
    check_town_empty(town)
    manifest = check_backup(path, identity)
    with tempfile.TemporaryDirectory(prefix="atelier-restore-") as folder:
        placer = Placer(town, manifest, Path(folder))
        with open_decrypted(path, identity) as stream:
            read_archive(stream, placer.place)
        placer.finish()
        for name, url in (("service", town.database_url), ("hub", town.hub_database_url)):
            copies = list(Path(folder).glob(f"{name}.*"))
            if copies:
                restore_database(url, copies[0])
    _check_rows(town, manifest)
    check_receipts(town)
    forget_running_servers(town.hub_database_url)
    return manifest


def check_town_empty(town: Town) -> None:
    """Raise DeployProblem when something of value lies where the backup would go."""
    for url in (town.database_url, town.hub_database_url):
        check_empty(url)
    blobs = town.blob_dir / "sha256"
    if blobs.is_dir() and any(blobs.iterdir()):
        raise _not_empty(f"{town.blob_dir} holds archives")
    if homes := town.homes.list_homes():
        raise _not_empty(f"{len(homes)} homes are there, e.g. {homes[0].folder}")


def _not_empty(fact: str) -> DeployProblem:
    return DeployProblem(fact, "restore only into an empty stack; move what is there away first")


@dataclass
class Placer:
    """Puts a backup's members where they belong. Links are made last, and nothing is written through one."""

    town: Town
    manifest: Manifest
    databases: Path
    homes: dict[str, Home] = field(default_factory=dict)
    links: list[tuple[Home, str, str]] = field(default_factory=list)
    folders: list[tuple[Home, str, int, int]] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)

    def place(self, info: tarfile.TarInfo, content: Iterator[bytes]) -> None:
        """Put one member into its place. Raises DeployProblem."""
        room, _, name = info.name.partition("/")
        with _tell_machine_errors(info.name):
            if room == "homes":
                self._place_in_home(info, name, content)
            elif room == "blobs" and info.isreg():
                self._place_own(self.town.blob_dir / name, content, info.mtime)
            elif room == "databases" and info.isreg():
                write_file(self.databases / name, content, 0o600, info.mtime)
            elif room in ("keepsakes", "secrets"):
                self._place_small_file(getattr(self.town, room), name, content)
            else:
                raise DeployProblem(
                    f"{info.name!r} has no place here", "restore with the version that made it"
                )

    def _place_small_file(self, known: dict[str, Path], name: str, content: Iterator[bytes]) -> None:
        """What is there already stays: a machine's own city file and secrets win."""
        target = known.get(name)
        if target is None and known is self.town.secrets:
            target = self.town.folder / "secrets" / name
        if target is not None and not target.exists():
            self._place_own(target, content, None)

    def _place_own(self, path: Path, content: Iterator[bytes], modified_s: float | None) -> None:
        """Write a file of the system's, for the processes that will read it."""
        missing = [folder for folder in path.parents if not folder.exists()]
        write_file(path, content, 0o600, modified_s)
        if self.town.process_uid is not None:
            for made in (path, *missing):
                os.chown(made, self.town.process_uid, self.town.process_uid)

    def _place_in_home(self, info: tarfile.TarInfo, name: str, content: Iterator[bytes]) -> None:
        account, _, inside = name.partition("/")
        home, modified_s = self._find_home(account), clamp_time(info.mtime)
        if info.issym():
            self.links.append((home, inside, info.linkname))
        elif not info.isdir():
            self._try(make_file, home, inside, content, info.mode, modified_s)
        elif self._try(make_folder, home, inside):
            self.folders.append((home, inside, info.mode, modified_s))

    def _try(self, make: Callable[..., None], home: Home, inside: str, *values: object) -> bool:
        """Make something in a home, or note that it has no place there. Raises what concerns all homes."""
        try:
            make(home, split_path(inside), *values)
        except OSError as error:
            if error.errno is None or error.errno in OF_THE_MACHINE:
                raise
            self._note(home, inside, error)
            return False
        return True

    def _note(self, home: Home, inside: str, error: OSError) -> None:
        failed = self.failed[home.account] = self.failed.get(home.account, 0) + 1
        if failed <= MOST_NOTES:
            name = shorten_name(f"homes/{home.account}/{inside}")
            self.manifest.notes.append(f"not restored, {error.strerror}: {name}")

    def _find_home(self, account: str) -> Home:
        if account not in self.homes:
            check_account(account)
            self.homes[account] = self.town.homes.make_home(account, self.manifest.homes.get(account))
        return self.homes[account]

    def finish(self) -> None:
        """Make empty homes, links, and what folders' modes and times were."""
        for account in self.manifest.homes:
            self._find_home(account)
        with _tell_machine_errors("a link or a folder of a home"):
            for home, inside, target in self.links:
                self._try(make_link, home, inside, target)
            for home, inside, mode, modified_s in reversed(self.folders):
                self._try(finish_folder, home, inside, mode, modified_s)
        for account, count in self.failed.items():
            if count > MOST_NOTES:
                self.manifest.notes.append(f"not restored, {count - MOST_NOTES} more: homes/{account}")


@contextmanager
def _tell_machine_errors(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in OF_THE_MACHINE:
            raise
        raise DeployProblem(
            f"{shorten_name(name)!r} could not be read or written: {error.strerror}",
            "make room or mend the disk, empty the stack, and restore again",
        ) from error


def write_file(path: Path, content: Iterator[bytes], mode: int, modified_s: float | None) -> None:
    """Write a new file. Raises FileExistsError; nothing is ever overwritten, no link is followed."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        fill_file(file, content, mode, None if modified_s is None else clamp_time(modified_s))


# ---------------------------------------------------------------- what a backup promises
def _check_rows(town: Town, manifest: Manifest) -> None:
    found = count_rows(town.database_url)
    different = [table for table, rows in manifest.rows.items() if found.get(table) != rows]
    if different:
        raise DeployProblem(
            f"table {different[0]} has {found.get(different[0])} rows, the backup counted "
            f"{manifest.rows[different[0]]}",
            "empty the stack and restore another backup",
        )


def check_receipts(town: Town) -> int:
    """Compare the bytes of every stored archive with the SHA-256 that receipts name; return how many.

    Raises DeployProblem naming the first that is lost or differs.
    """
    engine = create_engine(town.database_url)
    try:
        with closing(engine.connect()) as connection:
            rows = connection.execute(text("SELECT sha256, size FROM blob ORDER BY sha256")).all()
    finally:
        engine.dispose()
    for sha256, size in rows:
        _check_blob(town.blob_dir / "sha256" / sha256[:2] / sha256, sha256, size)
    return len(rows)


def _check_blob(path: Path, sha256: str, size: int) -> None:
    repair = "take the file from another backup"
    if not path.is_file():
        raise DeployProblem(f"the archive {sha256} is lost: {path} is not there", repair)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
    if digest.hexdigest() != sha256 or path.stat().st_size != size:
        raise DeployProblem(f"the archive {path} is damaged", repair)
