"""The operators' commands of the service: `atelier web`, `steward`, `db`, `roster`, `course`."""

import os
from typing import Annotated

import typer

from atelier.commands import roster
from atelier.commands.environment import load_or_explain
from atelier.settings import StoreSettings, WebSettings
from atelier.store import (
    downgrade_database,
    find_revision,
    open_database,
    upgrade_database,
    write_revision,
)

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
database = typer.Typer(no_args_is_help=True, help="The service's database.")
app.add_typer(database, name="db")
app.add_typer(roster.app, name="roster")
app.add_typer(roster.courses, name="course")


@app.command()
def web() -> None:
    """Run the web process: pages and exchange."""
    from atelier.web import serve

    serve(load_or_explain(WebSettings))


@app.command()
def steward() -> None:
    """Run the steward: keeps the hub's accounts and shares as the roster wants them."""
    from atelier.steward import run_steward

    run_steward()


@database.command("upgrade")
def upgrade() -> None:
    """Create the tables, or bring them to this version. Safe to repeat; existing rows stay."""
    settings = load_or_explain(StoreSettings)
    upgrade_database(open_database(settings.database_url))
    typer.echo("The database is up to date.")


@database.command("current")
def current() -> None:
    """Print the revision that the tables are at; nothing for an empty database."""
    typer.echo(find_revision(open_database(load_or_explain(StoreSettings).database_url)) or "")


@database.command("downgrade")
def downgrade(revision: Annotated[str, typer.Argument(help="As `db current` printed it before.")]) -> None:
    """Bring the tables back to an earlier version's shape; rows stay. Part of `make rollback`."""
    from alembic.util import CommandError

    try:
        downgrade_database(open_database(load_or_explain(StoreSettings).database_url), revision)
    except CommandError as error:
        raise typer.BadParameter(f"{error}; `atelier db current` tells where the tables are") from error
    typer.echo(f"The database is at {revision}.")


@database.command("revision")
def revision(message: Annotated[str, typer.Argument(help="What the step changes.")]) -> None:
    """For developers: write the migration from an empty upgraded database to the models."""
    engine = open_database("sqlite://")
    with engine.connect():
        upgrade_database(engine)
        typer.echo(write_revision(engine, message))


def main() -> None:
    """Entry point of the console script."""
    os.umask(0o077)  # what is written (SQLite's files, with names and marks) is for this user alone
    app()


if __name__ == "__main__":
    main()
