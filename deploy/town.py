"""Where on this machine a city's data lie: a demo's folder, or what `make deploy` has set up."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.homes import FolderHomes, Homes, VolumeHomes
from deploy.problem import DeployProblem

SETTINGS = "settings.json"
PROCESS_UID = 1000  # the images' user
WORKSPACES_DOCKER = "unix:///run/atelier-docker.sock"


@dataclass(frozen=True)
class Town:
    """The stores of one city. `keepsakes` are small files that a restore needs and that are no secret;
    `secrets` are: name in the backup → place. `process_uid`: to whom the containers' files belong, None where
    they belong to whoever runs this.
    """

    folder: Path
    database_url: str
    hub_database_url: str
    blob_dir: Path
    homes: Homes
    keepsakes: dict[str, Path] = field(default_factory=dict)
    secrets: dict[str, Path] = field(default_factory=dict)
    process_uid: int | None = None
    backup_key: str | None = None
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
    return Town(
        folder=folder,
        database_url=_load_database_url(folder, "web", "atelier_database_url"),
        hub_database_url=_load_database_url(folder, "hub", "atelier_hub_database_url"),
        blob_dir=folder / "blobs",
        homes=VolumeHomes(settings.get("docker_url", WORKSPACES_DOCKER)),
        keepsakes={"city.yaml": folder / "city.yaml"},
        secrets={
            "jupyterhub_cookie_secret": folder / "hub" / "jupyterhub_cookie_secret",
            **{
                str(path.relative_to(folder / "secrets")): path
                for path in sorted((folder / "secrets").rglob("*"))
                if path.is_file()
            },
        },
        process_uid=PROCESS_UID,
        backup_key=settings.get("backup_key") or None,
        backups_kept=int(settings.get("backups_kept", 14)),
        snapshot_days=int(settings.get("snapshot_days", 14)),
    )


def describe_service(town: Town) -> dict[str, str]:
    """Return the variables with which the service's commands (`atelier roster …`) work on this town."""
    return {
        "ATELIER_CITY_FILE": str(town.folder / "city.yaml"),
        "ATELIER_DATABASE_URL": town.database_url,
        "ATELIER_BLOB_DIR": str(town.blob_dir),
    }


def _load_database_url(folder: Path, holder: str, name: str) -> str:
    """Return a database's address as this machine reaches it: the same socket in another folder."""
    path = folder / "secrets" / holder / name
    try:
        url = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise DeployProblem(
            f"{path} cannot be read: {error.strerror}", "run as root; make deploy makes it"
        ) from error
    return url.replace("host=/run/postgresql", f"host={folder / 'run' / 'postgresql'}")


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
