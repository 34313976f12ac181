"""``python -m front``: the front server's configuration and files."""

import shutil
import sys
from pathlib import Path

import typer
from pydantic import ValidationError

from front.publish import PARTS
from front.render import UnsafeValue, render
from front.settings import FrontSettings

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)


@app.command("render")
def render_configuration() -> None:
    """Print nginx's configuration for the settings in the environment."""
    try:
        print(render(FrontSettings()))
    except (ValidationError, UnsafeValue) as error:
        typer.echo(f"The front's settings cannot be used: {error}", err=True)
        raise typer.Exit(2) from None


@app.command()
def publish(
    target: Path = typer.Argument(help="Folder that the front serves (`ATELIER_FRONT_STATIC_DIR`)."),
    parts: list[str] = typer.Argument(None, help=f"Some of {', '.join(PARTS)}; default: all."),
) -> None:
    """Lay out static files, compressed, under names that say what is in them. What is there already stays."""
    if unknown := set(parts or ()) - set(PARTS):
        typer.echo(f"Unknown: {', '.join(sorted(unknown))}. There are: {', '.join(PARTS)}", err=True)
        raise typer.Exit(2)
    if not shutil.which("brotli"):
        typer.echo("brotli is missing: only gzip is laid out. Repair: apt-get install brotli", err=True)
    for part in parts or PARTS:
        PARTS[part](target)


if __name__ == "__main__":
    sys.exit(app())
