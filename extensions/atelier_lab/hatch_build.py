"""What the wheel needs before it is packed: the built sidebar (checked) and the menus' catalogue (made)."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CONTEXT_MARK = "\x04"
# The day that hatchling gives all files of a wheel. With today in it, the same files made another wheel each
# minute, and the images other layers.
MADE_ON = dt.datetime(2020, 2, 2, tzinfo=dt.UTC)


class BuildParts(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        check_sidebar(root / "atelier_lab" / "labextension" / "package.json")
        write_menus(
            root / "atelier_lab" / "language_bg" / "jupyterlab.json",
            root / "jupyterlab_language_pack_bg_BG" / "locale" / "bg_BG" / "LC_MESSAGES" / "jupyterlab.mo",
        )


def check_sidebar(built: Path) -> None:
    """Refuse to pack a wheel without the sidebar, and say which command makes it."""
    if not built.exists():
        raise FileNotFoundError(
            f"{built} is missing: build the sidebar first with "
            "`jlpm install --immutable && jlpm build:prod` in extensions/atelier_lab"
        )


def write_menus(source: Path, target: Path) -> None:
    """Compile the texts that have a context: Lab's server translates only those, by gettext."""
    catalogue = Catalog(locale="bg_BG", domain="jupyterlab", creation_date=MADE_ON, revision_date=MADE_ON)
    for key, forms in json.loads(source.read_text(encoding="utf-8")).items():
        context, mark, message = key.partition(CONTEXT_MARK)
        if mark:
            catalogue.add(message, forms[0], context=context)
    target.parent.mkdir(parents=True, exist_ok=True)
    # In one step: a Lab that runs from this checkout may be reading it.
    unfinished = target.with_suffix(".part")
    with unfinished.open("wb") as compiled:
        write_mo(compiled, catalogue)
    unfinished.replace(target)
