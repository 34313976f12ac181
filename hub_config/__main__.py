"""The operator's commands about configuration: `hub_config check` and `hub_config reference`."""

import importlib
import os
from pathlib import Path
from typing import Annotated

import typer

from hub_config.city import CityError, load_city
from hub_config.reference import describe_all
from hub_config.settings import HubSettings

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


@app.command()
def check(
    city_file: Annotated[
        Path | None, typer.Argument(help="The city file; default: ATELIER_CITY_FILE.")
    ] = None,
) -> None:
    """Check the city file and say everything that is wrong with it."""
    path = city_file or Path(os.environ.get("ATELIER_CITY_FILE", "city.yaml"))
    try:
        city = load_city(path)
    except CityError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{path}: correct. {city.name}, {len(city.schools)} schools:")
    for school in city.schools.values():
        domains = ", ".join(school.domains)
        typer.echo(f"  {school.id}: {school.name}; {domains}; {school.zone}; marks: {school.scale.name}")


@app.command()
def reference(
    also: Annotated[list[str] | None, typer.Option(help="More settings, as module:Class.")] = None,
) -> None:
    """Print the reference of the city file and the settings as Markdown."""
    more = [getattr(importlib.import_module(one.split(":")[0]), one.split(":")[1]) for one in also or []]
    typer.echo(describe_all([HubSettings, *more]), nl=False)


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
