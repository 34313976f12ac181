"""Settings for a command: what is missing or wrong is said by name, without a traceback."""

from typing import TypeVar

import typer
from pydantic import ValidationError

from atelier.settings import StoreSettings, secrets_dir

Settings = TypeVar("Settings", bound=StoreSettings)


def load_or_explain(settings: type[Settings]) -> Settings:
    """Read `settings` from the environment, or name each variable that is missing or wrong and end."""
    try:
        return settings(_secrets_dir=secrets_dir())
    except ValidationError as error:
        for problem in error.errors():
            name = f"ATELIER_{problem['loc'][0]}".upper()
            typer.echo(f"{name}: {problem['msg'].lower()}; see docs/reference-settings.md", err=True)
        raise typer.Exit(1) from None
