"""Moving a city on to another version, and back.

Upgrade: back up, stop who uses the database, migrate, start, wait until all is healthy. Rollback: migrate
back with the version that knows the way, start the earlier one; what was handed in meanwhile stays. Only
where a step cannot be undone is the backup's database taken, on request; the newer one is kept aside.
"""

import datetime as dt
import json
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from deploy.archive import read_archive
from deploy.backup import make_backup
from deploy.databases import find_schema, move_aside, restore_database
from deploy.encryption import open_decrypted
from deploy.problem import DeployProblem
from deploy.restore import check_backup, check_receipts, write_file
from deploy.settings import write_private
from deploy.town import Town

STATE = "installed.json"


class Runner(Protocol):
    """Starts and stops what uses the service's database, in a version named by `tag`."""

    def stop(self) -> None:
        """Stop web, steward and hub; workspaces go on. Safe to repeat."""

    def start(self, tag: str) -> None:
        """Start them and return when they are healthy. Raises DeployProblem."""

    def run_service(self, tag: str, *command: str) -> str:
        """Run `atelier <command>` of a version to its end; return what it printed. Raises DeployProblem."""


@dataclass(frozen=True)
class Installed:
    """Which version runs, and from which it came. `previous_schema`: the database's revision before this
    version; `done`: it was healthy once.
    """

    tag: str
    previous_tag: str | None = None
    previous_schema: str | None = None
    backup: str | None = None
    at: str | None = None
    done: bool = True


def load_installed(folder: Path) -> Installed | None:
    """Return what was noted in a town's folder at the last deployment, upgrade or rollback."""
    path = folder / STATE
    return Installed(**json.loads(path.read_text())) if path.exists() else None


def note_installed(town: Town, installed: Installed) -> None:
    """Write down which version runs."""
    write_private(town.folder / STATE, json.dumps(asdict(installed), indent=1))


def upgrade(town: Town, runner: Runner, tag: str, now: dt.datetime, key: str | None = None) -> Installed:
    """Move to the version `tag`, whose images must be there. Raises DeployProblem; `rollback` leads back."""
    before = load_installed(town.folder)
    if before and not before.done and tag == before.previous_tag:
        raise DeployProblem(
            f"the upgrade from {tag} to {before.tag} was begun and not finished", "make rollback leads back"
        )
    backup = make_backup(town, now, key)
    schema = find_schema(town.database_url)
    runner.stop()
    installed = _plan(
        before, Installed(tag, None, schema, str(backup.path), f"{now:%Y-%m-%dT%H:%M:%SZ}", False)
    )
    # Noted before the first step that a rollback would have to undo.
    note_installed(town, installed)
    runner.run_service(tag, "db", "upgrade")
    runner.start(tag)
    note_installed(town, replace(installed, done=True))
    return installed


def _plan(before: Installed | None, wanted: Installed) -> Installed:
    """Say where a rollback leads: to the version that last was healthy, whatever was tried since."""
    if before and (before.tag == wanted.tag or not before.done):
        return replace(before, tag=wanted.tag, at=wanted.at, done=False)
    return replace(wanted, previous_tag=before.tag if before else None)


def rollback(
    town: Town, runner: Runner, now: dt.datetime, *, from_backup: bool = False, identity: Path | None = None
) -> Installed:
    """Go back to the version before the last upgrade. Raises DeployProblem.

    With `from_backup` the service's database becomes that of the backup; the newer one is kept aside.
    """
    installed = load_installed(town.folder)
    if installed is None or installed.previous_tag is None:
        raise DeployProblem(
            "no upgrade is noted, so there is nothing to go back to", "make upgrade notes one"
        )
    if from_backup:  # before anybody is without the service
        check_backup(Path(str(installed.backup)), identity)
    runner.stop()
    if from_backup:
        _restore_service_database(town, Path(str(installed.backup)), now, identity)
    elif find_schema(town.database_url) != installed.previous_schema:
        _downgrade(runner, installed)
    back = Installed(installed.previous_tag, at=f"{now:%Y-%m-%dT%H:%M:%SZ}")
    runner.start(back.tag)
    note_installed(town, back)  # last: who was cut off before repeats the whole, and each step allows it
    return back


def _downgrade(runner: Runner, installed: Installed) -> None:
    try:
        runner.run_service(installed.tag, "db", "downgrade", installed.previous_schema or "base")
    except DeployProblem as problem:
        raise DeployProblem(
            f"the database cannot be led back to {installed.previous_schema}: {problem.fact}",
            f"make rollback FROM_BACKUP=yes takes the database of {installed.backup} (what came since then "
            "is kept aside, not shown), or go on with this version: make upgrade",
        ) from problem


def _restore_service_database(town: Town, path: Path, now: dt.datetime, identity: Path | None) -> None:
    """Take the service's database of a backup. Archives only ever grow: those of its rows are there."""
    with tempfile.TemporaryDirectory(prefix="atelier-rollback-") as folder:

        def keep(info: tarfile.TarInfo, content: Iterator[bytes]) -> None:
            if info.name.startswith("databases/service."):
                write_file(Path(folder) / Path(info.name).name, content, 0o600, None)

        with open_decrypted(path, identity) as stream:
            read_archive(stream, keep)
        (copy,) = Path(folder).iterdir()
        move_aside(town.database_url, now)
        restore_database(town.database_url, copy)
    check_receipts(town)
