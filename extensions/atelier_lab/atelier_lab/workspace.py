"""What this workspace is, from its environment (docs/architecture.md names the variables)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workspace:
    """One workspace. `token` is its identity towards the service: never logged, never sent to the browser."""

    service_url: str
    pages_url: str
    kind: str
    account: str
    course: str | None
    language: str
    zone: str
    token: str
    home: Path

    @property
    def is_students(self) -> bool:
        """True for personal and team workspaces."""
        return self.kind in ("personal", "team")


def load_workspace(environ: Mapping[str, str], home: Path) -> Workspace:
    """Read the workspace from `environ`; `home` is the folder that Lab shows.

    Without `ATELIER_SERVICE_URL` (Lab outside Atelier) the service counts as unreachable.
    """
    return Workspace(
        service_url=environ.get("ATELIER_SERVICE_URL", "").rstrip("/"),
        pages_url=environ.get("ATELIER_PAGES_URL", ""),
        kind=environ.get("ATELIER_KIND", "personal"),
        account=environ.get("ATELIER_ACCOUNT") or environ.get("JUPYTERHUB_USER", ""),
        course=environ.get("ATELIER_COURSE") or None,
        language="bg" if environ.get("ATELIER_LANGUAGE", "en").startswith("bg") else "en",
        zone=environ.get("ATELIER_ZONE", "Europe/Sofia"),
        token=environ.get("JUPYTERHUB_API_TOKEN", ""),
        home=home,
    )
