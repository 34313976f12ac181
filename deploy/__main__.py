"""The technician's commands: ``python -m deploy <command>``; make's targets call them.

``--town`` is the folder that `make deploy` set up, ``--demo`` a folder of `make run`.
"""

import datetime as dt
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.backup import list_backups, make_backup, note_success, remove_old_backups
from deploy.problem import DeployProblem
from deploy.restore import check_backup, check_receipts, restore_backup
from deploy.town import Town, find_demo, load_town

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
DEFAULT_TOWN = Path("/srv/atelier")

TownOption = Annotated[Path, typer.Option("--town", help="Folder of a deployed city.")]
DemoOption = Annotated[Path | None, typer.Option("--demo", help="Folder of a demo instead.")]
KeyOption = Annotated[str | None, typer.Option("--key", help="age public key, or a file of them.")]
IdentityOption = Annotated[Path | None, typer.Option("--identity", help="File with the age private key.")]


def find_stores(town: Path, demo: Path | None) -> Town:
    """Return where the data lie."""
    return find_demo(demo.resolve()) if demo else load_town(town.resolve())


@app.command()
def backup(town: TownOption = DEFAULT_TOWN, demo: DemoOption = None, key: KeyOption = None) -> None:
    """Back everything up while it runs; keep the newest backups, remove older ones."""
    stores = find_stores(town, demo)
    now = dt.datetime.now(dt.UTC)
    made = make_backup(stores, now, key or os.environ.get("BACKUP_KEY") or None)
    note_success(stores, made, now)
    rows = sum(made.manifest.rows.values())
    typer.echo(
        f"{made.path}: {made.size / 1e6:.1f} MB in {made.took_s:.1f} s; "
        f"{len(made.manifest.homes)} homes, {len(made.manifest.files)} files, {rows} rows"
    )
    for note in made.manifest.notes:
        typer.echo(f"  note: {note}")
    for path in remove_old_backups(stores.backups_dir, stores.backups_kept):
        typer.echo(f"  removed, {stores.backups_kept} newer ones are kept: {path.name}")


@app.command("backups")
def list_all(town: TownOption = DEFAULT_TOWN, demo: DemoOption = None) -> None:
    """List the backups on this machine."""
    for path in list_backups(find_stores(town, demo).backups_dir):
        typer.echo(f"{path}  {path.stat().st_size / 1e6:.1f} MB")


@app.command("check-backup")
def check_one(
    path: Annotated[Path, typer.Argument(help="The backup's file.")], identity: IdentityOption = None
) -> None:
    """Read a backup to its end and compare all hashes; restores nothing."""
    manifest = check_backup(path, identity)
    typer.echo(
        f"{path.name} is whole: {manifest.made_at}, Atelier {manifest.version}, schema {manifest.schema}, "
        f"{len(manifest.files)} files, {len(manifest.homes)} homes"
    )


@app.command()
def restore(
    path: Annotated[Path, typer.Argument(help="The backup's file.")],
    town: TownOption = DEFAULT_TOWN,
    demo: DemoOption = None,
    identity: IdentityOption = None,
) -> None:
    """Restore a backup into an empty stack that does not run; refuses any other."""
    stores = find_stores(town, demo)
    manifest = restore_backup(stores, path, identity)
    typer.echo(
        f"Restored {path.name} of {manifest.made_at}: {len(manifest.files)} files with equal hashes, "
        f"{len(manifest.homes)} homes, {sum(manifest.rows.values())} rows. Start it: the hub finds no "
        "workspace running; who was signed in stays so if the secrets were in the backup."
    )


@app.command()
def receipts(town: TownOption = DEFAULT_TOWN, demo: DemoOption = None) -> None:
    """Compare every stored archive with the SHA-256 that its receipt names."""
    typer.echo(f"{check_receipts(find_stores(town, demo))} archives are as their receipts say")


def main() -> int:
    """Run a command; a problem is shown as fact and repair. Returns the exit code."""
    try:
        app(standalone_mode=False)
    except DeployProblem as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort:
        return 130
    except Exception as error:
        if hasattr(error, "show"):  # click's own: a wrong option
            error.show()
            return 2
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
