"""Refuses to build a wheel without the sidebar, and says which command makes it."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SidebarMustBeBuilt(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        built = Path(self.root) / "atelier_lab" / "labextension" / "package.json"
        if not built.exists():
            raise FileNotFoundError(
                f"{built} is missing: build the sidebar first with "
                "`jlpm install --immutable && jlpm build:prod` in extensions/atelier_lab"
            )
