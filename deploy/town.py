"""Where on this machine a city's data lie: a demo's folder, or what `make deploy` has set up."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.homes import FolderHomes, Homes, VolumeHomes
from deploy.problem import DeployProblem

SETTINGS = "settings.json"
WORKSPACES_DOCKER = "unix:///run/atelier-docker.sock"


@dataclass(frozen=True)
class Town:
    """The stores of one city. `keepsakes` are small files that a restore needs and that are no secret;
    `secrets` are: name in the backup → place.
    """

    folder: Path
    database_url: str
    hub_database_url: str
    blob_dir: Path
    homes: Homes
    keepsakes: dict[str, Path] = field(default_factory=dict)
    secrets: dict[str, Path] = field(default_factory=dict)
    backups_kept: int = 14
    snapshot_days: int = 14

    @property
    def backups_dir(self) -> Path:
        return self.folder / "backups"

    @property
    def snapshots_dir(self) -> Path:
        return self.folder / "snapshots"

    @property
    def metrics_dir(self) -> Path:
        """Files for the node exporter's textfile collector."""
        return self.folder / "metrics"


def find_demo(folder: Path) -> Town:
    """Return the stores of a demo (`make run`)."""
    service, hub = folder / "service", folder / "hub"
    return Town(
        folder=folder,
        database_url=f"sqlite:///{service / 'atelier.db'}",
        hub_database_url=f"sqlite:///{hub / 'jupyterhub.sqlite'}",
        blob_dir=service / "blobs",
        homes=FolderHomes(hub / "homes"),
        # Without the mark the next start would put the demo's people in a second time.
        keepsakes={"seeded": service / "seeded", "accounts.json": folder / "accounts.json"},
        secrets={
            "jupyterhub_cookie_secret": hub / "jupyterhub_cookie_secret",
            **{path.name: path for path in sorted((folder / "secrets").glob("*"))},
        },
    )


def load_town(folder: Path) -> Town:
    """Return the stores of a deployed city from its settings. Raises DeployProblem."""
    settings = load_settings(folder)
    socket = folder / "run" / "postgresql"
    base = f"postgresql+psycopg://atelier@/{{}}?host={socket}"
    return Town(
        folder=folder,
        database_url=settings.get("database_url") or base.format("atelier"),
        hub_database_url=settings.get("hub_database_url") or base.format("hub"),
        blob_dir=folder / "blobs",
        homes=VolumeHomes(settings.get("docker_url", WORKSPACES_DOCKER)),
        keepsakes={"city.yaml": folder / "city.yaml"},
        secrets={
            "jupyterhub_cookie_secret": folder / "hub" / "jupyterhub_cookie_secret",
            **{path.name: path for path in sorted((folder / "secrets").rglob("*")) if path.is_file()},
        },
        backups_kept=int(settings.get("backups_kept", 14)),
        snapshot_days=int(settings.get("snapshot_days", 14)),
    )


def load_settings(folder: Path) -> dict[str, Any]:
    """Return what `make deploy` wrote down."""
    path = folder / SETTINGS
    try:
        settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as absent:
        raise DeployProblem(
            f"{path} is not there: nothing is deployed in {folder}",
            "make deploy; for a demo's data give DATA=.data/demo",
        ) from absent
    except (ValueError, PermissionError) as error:
        raise DeployProblem(f"{path} cannot be read: {error}", "mend it, or run as root") from error
    return settings
