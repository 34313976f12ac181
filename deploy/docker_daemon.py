"""The second Docker daemon's configuration, and the machine's own: which one runs what."""

from typing import Any

SOCKET = "/run/atelier-docker.sock"
# A daemon without a default bridge (`"bridge": "none"`) takes docker0 away from the daemon beside it. Nothing
# is ever attached to this one: every container names its network.
IDLE_BRIDGE, IDLE_ADDRESS = "atelier-idle", "172.31.239.1/30"
# One containerd serves both daemons; in one namespace each takes the other's ended processes. As options:
# Debian 12's Docker refuses the second one in daemon.json.
OPTIONS = (
    "--containerd-namespace=atelier-workspaces",
    "--containerd-plugins-namespace=atelier-workspaces-plugins",
)


def describe_workspaces_daemon(town: str) -> dict[str, Any]:
    """Return ``daemon.json`` of the daemon that runs workspaces and nothing else."""
    return {
        "data-root": f"{town}/workspaces",
        "exec-root": "/run/atelier-docker",
        "pidfile": "/run/atelier-docker.pid",
        "hosts": ["fd://"],  # atelier-docker.socket
        # On btrfs Docker would take its driver of that name, which switches all quotas off when it stops.
        "storage-driver": "overlay2",
        "userns-remap": "default",
        # Its only network in use is the workspaces' (hub_config.docker_network).
        "bridge": IDLE_BRIDGE,
        "ip-masq": False,
        "live-restore": True,
        "log-driver": "json-file",
        "log-opts": {"max-size": "1m", "max-file": "2"},
        "no-new-privileges": True,
        "experimental": False,
    }
