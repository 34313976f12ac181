"""The technician's commands: ``python -m deploy <command>``; make's targets call them.

``--town`` is the folder that `make deploy` set up, ``--demo`` a folder of `make run`.
"""

import datetime as dt
import io
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from deploy.backup import list_backups, make_backup, note_success, remove_old_backups
from deploy.deleted_files import bring_back, list_versions
from deploy.lock import alone
from deploy.problem import DeployProblem
from deploy.restore import check_backup, check_receipts, restore_backup
from deploy.rsync import shorten
from deploy.settings import TownSettings, load_town_settings
from deploy.snapshots import note_snapshot, renew_snapshots
from deploy.town import Town, describe_service, find_demo, load_town
from deploy.versions import load_installed, rollback, upgrade

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
DEFAULT_TOWN = Path("/srv/atelier")

TownOption = Annotated[Path, typer.Option("--town", help="Folder of a deployed city.")]
DemoOption = Annotated[Path | None, typer.Option("--demo", help="Folder of a demo instead.")]
KeyOption = Annotated[str | None, typer.Option("--key", help="age public key, or a file of them.")]
IdentityOption = Annotated[Path | None, typer.Option("--identity", help="File with the age private key.")]

AccountArgument = Annotated[str, typer.Argument(help="As `atelier roster list` shows it; team-…, course-….")]
PathArgument = Annotated[str, typer.Argument(help="Inside the home, e.g. geo-8a/hw1/hw1.ipynb")]


def tell_notes(notes: Iterable[str]) -> None:
    """Print notes, each on one line: students choose the names in them."""
    for note in notes:
        typer.echo(f"  note: {shorten(note)}")


def find_stores(town: Path, demo: Path | None) -> Town:
    """Return where the data lie."""
    return find_demo(demo.resolve()) if demo else load_town(town.resolve())


@app.command()
def backup(town: TownOption = DEFAULT_TOWN, demo: DemoOption = None, key: KeyOption = None) -> None:
    """Back everything up while it runs; keep the newest backups, remove older ones."""
    stores = find_stores(town, demo)
    with nullcontext() if demo else alone("make backup", wait=True):  # the nightly one waits for an upgrade
        now = dt.datetime.now(dt.UTC)
        made = make_backup(stores, now, key or os.environ.get("BACKUP_KEY") or stores.backup_key)
        note_success(stores, made, now)
    rows = sum(made.manifest.rows.values())
    typer.echo(
        f"{made.path}: {made.size / 1e6:.1f} MB in {made.took_s:.1f} s; "
        f"{len(made.manifest.homes)} homes, {len(made.manifest.files)} files, {rows} rows"
    )
    tell_notes(made.manifest.notes)
    installed = load_installed(stores.folder)
    spared = installed.backup if installed else None
    for path in remove_old_backups(stores.backups_dir, stores.backups_kept, spared):
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
    with nullcontext() if demo else alone("make restore"):
        manifest = restore_backup(stores, path, identity)
    typer.echo(
        f"Restored {path.name} of {manifest.made_at}: {len(manifest.files)} files with equal hashes, "
        f"{len(manifest.homes)} homes, {sum(manifest.rows.values())} rows. Start it: the hub finds no "
        "workspace running; who was signed in stays so if the secrets were in the backup."
    )
    tell_notes(manifest.notes)


@app.command()
def receipts(town: TownOption = DEFAULT_TOWN, demo: DemoOption = None) -> None:
    """Compare every stored archive with the SHA-256 that its receipt names."""
    typer.echo(f"{check_receipts(find_stores(town, demo))} archives are as their receipts say")


# ---------------------------------------------------------------- snapshots
@app.command()
def snapshot(town: TownOption = DEFAULT_TOWN, demo: DemoOption = None) -> None:
    """Snapshot all homes, and remove snapshots that are too old."""
    stores, now = find_stores(town, demo), dt.datetime.now(dt.UTC)
    made, removed = renew_snapshots(stores, now)
    note_snapshot(stores, made)
    typer.echo(f"{made.folder}; {len(removed)} older ones removed")
    tell_notes(made.problems)


@app.command("versions")
def show_versions(
    account: AccountArgument, path: PathArgument, town: TownOption = DEFAULT_TOWN, demo: DemoOption = None
) -> None:
    """List the snapshots that hold a file or folder of a home."""
    for version in list_versions(find_stores(town, demo), account, path):
        typer.echo(
            f"{version.snapshot.at:%Y-%m-%d %H:%M} UTC  {'folder' if version.is_folder else version.size}"
        )


@app.command("bring-back")
def bring_one_back(
    account: AccountArgument,
    path: PathArgument,
    at: Annotated[dt.datetime | None, typer.Option(help="Not newer than this (UTC).")] = None,
    town: TownOption = DEFAULT_TOWN,
    demo: DemoOption = None,
) -> None:
    """Put a deleted or older file back into a home; never over what is there."""
    instant = at.replace(tzinfo=dt.UTC) if at else None
    for done in bring_back(find_stores(town, demo), account, path, instant):
        typer.echo(f"{account}: {done}")


# ---------------------------------------------------------------- the stack
@app.command("up")
def deploy_up(
    town: TownOption = DEFAULT_TOWN,
    answers: Annotated[Path | None, typer.Option(help="File of answers: name=value lines.")] = None,
    restore_from: Annotated[Path | None, typer.Option("--restore", help="Begin with this backup.")] = None,
    identity: IdentityOption = None,
) -> None:
    """Ask the few settings once, write them down, and start everything."""
    from deploy.first_time import check_root, deploy

    check_root()
    now = dt.datetime.now(dt.UTC)
    with alone("make deploy"):
        deploy(town.resolve(), answers, now, backup=restore_from, identity=identity)


@app.command("certificate")
def put_certificate(
    chain: Annotated[Path, typer.Argument(help="Certificate with its chain (PEM).")],
    key: Annotated[Path, typer.Argument(help="Its private key (PEM).")],
    town: TownOption = DEFAULT_TOWN,
) -> None:
    """Put a renewed certificate into its place and let the front take it; refuses one that does not fit."""
    from deploy.certificate import put_in_place
    from deploy.stack import ComposeStack, find_compose

    folder = town.resolve()
    settings = find_settings(folder)
    put_in_place(folder, settings.domain, chain, key, dt.datetime.now(dt.UTC))
    if load_installed(folder):
        ComposeStack(folder, settings, tuple(find_compose())).reload_front()
    typer.echo("The front has the new certificate")


@app.command("logs")
def collect(town: TownOption = DEFAULT_TOWN) -> None:
    """Put the containers' log lines into files by day, and remove those that are too old."""
    from deploy.logs import collect_logs, remove_old_logs

    folder, now = town.resolve(), dt.datetime.now(dt.UTC)
    settings = find_settings(folder)
    for path in collect_logs(folder / "logs", now):
        typer.echo(f"{path}")
    for path in remove_old_logs(folder / "logs", settings.find_log_days, now):
        typer.echo(f"removed: {path}")


@app.command("check")
def check_machine(town: TownOption = DEFAULT_TOWN) -> None:
    """Say what is missing or wrong on this machine, each with its repair."""
    from deploy.look import look_at_machine

    folder = town.resolve()
    settings, installed = find_settings(folder), load_installed(folder)
    tag = installed.tag if installed else None
    findings = list(look_at_machine(folder, settings, tag, dt.datetime.now(dt.UTC)))
    for finding in findings:
        typer.echo(str(finding))
    errors = [finding for finding in findings if finding.level == "error"]
    typer.echo(f"{len(errors)} errors, {len(findings) - len(errors)} warnings")
    raise typer.Exit(1 if errors else 0)


PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@app.command("compose", context_settings=PASSED_ON)
def call_compose(context: typer.Context, town: TownOption = DEFAULT_TOWN) -> None:
    """Call compose with this town's files, e.g. `compose logs web`, `compose restart hub web steward`."""
    from deploy.stack import ComposeStack, find_compose

    folder = town.resolve()
    stack = ComposeStack(folder, find_settings(folder), tuple(find_compose()))
    raise typer.Exit(stack.call_by_hand(*context.args))


@app.command("atelier", context_settings=PASSED_ON)
def call_service(context: typer.Context, town: TownOption = DEFAULT_TOWN) -> None:
    """Call a command of the service on this town, e.g. `atelier roster import 8a.csv --school primer`."""
    variables = describe_service(load_town(town.resolve()))
    command = [sys.executable, "-m", "atelier", *context.args]
    raise typer.Exit(subprocess.run(command, env={**os.environ, **variables}, check=False).returncode)


@app.command("upgrade")
def upgrade_town(town: TownOption = DEFAULT_TOWN) -> None:
    """Move to the version of this checkout: images, backup, migration, start."""
    from deploy.front_files import publish_static
    from deploy.stack import ComposeStack, find_compose
    from deploy.town_images import find_tag, provide_images, tidy_up
    from deploy.units import enable_units, install_units

    folder = town.resolve()
    settings, tag, now = find_settings(folder), find_tag(), dt.datetime.now(dt.UTC)
    with alone("make upgrade"):
        enable_units(install_units(folder, settings.gateway))
        provide_images(tag, settings.docker_url, now)
        publish_static(folder, tag)  # while the old version still answers: it takes a while, and only adds
        runner = ComposeStack(folder, settings, tuple(find_compose()))
        done = upgrade(load_town(folder), runner, tag, now, settings.backup_key or None)
        typer.echo(f"Version {done.tag} runs; backup: {done.backup}. Back: make rollback")
        typer.echo("Freeing what earlier versions and builds have left …")
        tidy_up({done.tag, done.previous_tag or ""}, settings.docker_url)


@app.command("rollback")
def roll_back(
    town: TownOption = DEFAULT_TOWN,
    identity: IdentityOption = None,
    from_backup: Annotated[bool, typer.Option(help="Take the backup's database.")] = False,
) -> None:
    """Go back to the version before the last upgrade; what was handed in since then stays."""
    from deploy.stack import ComposeStack, find_compose

    folder = town.resolve()
    runner = ComposeStack(folder, find_settings(folder), tuple(find_compose()))
    now = dt.datetime.now(dt.UTC)
    with alone("make rollback"):
        done = rollback(load_town(folder), runner, now, from_backup=from_backup, identity=identity)
    typer.echo(f"Version {done.tag} runs again")


def find_settings(folder: Path) -> TownSettings:
    """Return what `make deploy` wrote down. Raises DeployProblem."""
    settings = load_town_settings(folder)
    if settings is None:
        raise DeployProblem(f"nothing is deployed in {folder}", "make deploy")
    return settings


def main() -> int:
    """Run a command; a problem is shown as fact and repair. Returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a name that this console cannot show ends no backup
    try:
        code = app(standalone_mode=False)
    except DeployProblem as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except typer.Abort:
        return 130
    except Exception as error:
        if hasattr(error, "show"):  # click's own: a wrong option
            error.show()
            return 2
        raise
    # Outside of its standalone mode typer returns the code of an Exit; a command's own value is no code.
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
