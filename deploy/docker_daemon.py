"""The second Docker daemon's configuration, and the machine's own: which one runs what."""

from typing import Any

SOCKET = "/run/atelier-docker.sock"


def describe_workspaces_daemon(town: str) -> dict[str, Any]:
    """Return ``daemon.json`` of the daemon that runs workspaces and nothing else."""
    return {
        "data-root": f"{town}/workspaces",
        "exec-root": "/run/atelier-docker",
        "pidfile": "/run/atelier-docker.pid",
        "hosts": [f"unix://{SOCKET}"],
        "group": "atelier-docker",
        "userns-remap": "default",
        # Its only network is the workspaces' (hub_config.docker_network).
        "bridge": "none",
        "live-restore": True,
        "log-driver": "json-file",
        "log-opts": {"max-size": "1m", "max-file": "2"},
        "no-new-privileges": True,
        "experimental": False,
    }
