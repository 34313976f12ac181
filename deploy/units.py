"""systemd's units of a town: the second Docker daemon, its network and quota, and what runs by the clock."""

import grp
import json
import subprocess
import sys
from pathlib import Path

from deploy.docker_daemon import IDLE_ADDRESS, IDLE_BRIDGE, OPTIONS, SOCKET, describe_workspaces_daemon
from deploy.problem import DeployProblem
from deploy.settings import GATEWAY, find_subnet, write_private

REPOSITORY = Path(__file__).resolve().parent.parent
PLACE = Path("/etc/systemd/system")
GROUP = "atelier-docker"
DAEMON_FILE = "docker-daemon.json"
LASTING_UNITS = (
    "atelier-docker.socket",
    "atelier-docker.service",
    "atelier-network.service",
    "atelier-quota.service",
)
RENEWED_UNITS = ("atelier-network.service", "atelier-quota.service")


def describe_units(folder: Path, python: str, gateway: str = GATEWAY) -> dict[str, str]:
    """Return systemd's units: name → text. The daemon, its firewall and quota, backups, snapshots, checks."""
    names = {
        "folder": folder,
        "python": python,
        "repository": REPOSITORY,
        "socket": SOCKET,
        "subnet": find_subnet(gateway),
        "ports": "--port=8081 --port=8082",  # of hub and web
        "group": GROUP,
        "options": " ".join(OPTIONS),
        "bridge": IDLE_BRIDGE,
        "address": IDLE_ADDRESS,
    }
    lasting = (_SOCKET, _DAEMON, _NETWORK, _QUOTA)
    return {
        **{name: text.format(**names) for name, text in zip(LASTING_UNITS, lasting, strict=True)},
        "atelier-backup.service": _once("backup", "backup", _TRY_AGAIN, within="16h", **names),
        "atelier-backup.timer": _timer("backup every night", "*-*-* 02:30:00"),
        "atelier-snapshot.service": _once("snapshot of homes", "snapshot", _TRY_AGAIN, within="8h", **names),
        "atelier-snapshot.timer": _timer("snapshots of homes", "*-*-* 06..20/2:00:00"),
        "atelier-logs.service": _once("logs by day", "logs", _TRY_AGAIN, within="2h", **names),
        "atelier-logs.timer": _timer("logs by day", "*-*-* 03:30:00"),
        # What it finds makes it fail; to look again at once would find the same.
        "atelier-look.service": _once("look at the machine", "check", "", within="30min", **names),
        "atelier-look.timer": _timer("look at the machine every hour", "hourly"),
    }


def install_units(folder: Path, gateway: str = GATEWAY, place: Path = PLACE) -> list[str]:
    """Write units and the second daemon's configuration; return the names of the units to enable.

    What runs by an older text is stopped: systemd would go on with it. Workspaces go on (`live-restore`).
    """
    config = json.dumps(describe_workspaces_daemon(str(folder)), indent=1)
    units = describe_units(folder, sys.executable, gateway)
    files = {folder / DAEMON_FILE: config, **{place / name: units[name] for name in LASTING_UNITS}}
    changed = {
        "atelier-docker.service" if path.name == DAEMON_FILE else path.name for path in find_changed(files)
    }
    stale = [name for name in LASTING_UNITS if name in changed]
    _add_group()
    if stale:  # before the new ones are written: who repeats after a failure finds the difference again
        _systemctl("stop", *stale)
    write_private(folder / DAEMON_FILE, config)
    for name, text in units.items():
        (place / name).write_text(text, encoding="utf-8")
    if stale:  # the hub may have woken the daemon meanwhile, as it was before
        _systemctl("daemon-reload")
        _systemctl("restart", *stale)
    return [name for name in units if name.endswith(".timer") or name in LASTING_UNITS]


def find_changed(wanted: dict[Path, str]) -> list[Path]:
    """Return the files that are there and say something else."""
    return [
        path for path, text in wanted.items() if path.exists() and path.read_text(encoding="utf-8") != text
    ]


def enable_units(names: list[str]) -> None:
    """Let systemd start the units now and at each start of the machine."""
    _systemctl("daemon-reload")
    _systemctl("enable", "--now", *names)
    # Their text is the same, but what they run may be newer, and rules of the firewall may have been lost.
    _systemctl("restart", *RENEWED_UNITS)


def _systemctl(*arguments: str) -> None:
    command = ["systemctl", *arguments]
    try:
        done = subprocess.run(command, check=False)
    except FileNotFoundError as missing:
        raise DeployProblem(
            "systemd does not run here",
            "start the second daemon and the timers by other means, see docs/deployment.md",
        ) from missing
    if done.returncode:
        raise DeployProblem(
            f"`{' '.join(command)}` failed", "journalctl -e -u 'atelier-*' says why; then: make deploy"
        )


def _add_group() -> None:
    try:
        grp.getgrnam(GROUP)
    except KeyError:
        done = subprocess.run(["groupadd", "--system", GROUP], capture_output=True, text=True, check=False)
        if done.returncode:
            raise DeployProblem(
                f"the group {GROUP} was not made: {done.stderr.strip()}",
                "mend what it says, then: make deploy",
            ) from None


# systemd holds the socket, so that it is there before Docker starts the hub's container (which would make a
# folder of that name) and stays the same one when the daemon is restarted under the hub.
_SOCKET = """[Unit]
Description=Socket of the Docker daemon of Atelier's workspaces
Before=docker.service

[Socket]
ListenStream={socket}
SocketMode=0660
SocketUser=root
SocketGroup={group}

[Install]
WantedBy=sockets.target
"""

# Before the machine's own daemon: hub and web listen on the workspaces' bridge, and whichever daemon starts
# last has its rules whole. The idle bridge: see deploy.docker_daemon.
_DAEMON = """[Unit]
Description=Docker daemon of Atelier's workspaces
Requires=atelier-docker.socket
After=atelier-docker.socket network-online.target containerd.service
Wants=network-online.target containerd.service
Before=docker.service
RequiresMountsFor={folder}

[Service]
Type=notify
ExecStartPre=-/bin/ip link add name {bridge} type bridge
ExecStartPre=/bin/ip address replace {address} dev {bridge}
ExecStart=/usr/sbin/dockerd --config-file={folder}/docker-daemon.json {options}
Restart=always
RestartSec=2
LimitNOFILE=1048576
TasksMax=infinity
Delegate=yes
KillMode=process

[Install]
WantedBy=multi-user.target
"""

_NETWORK = """[Unit]
Description=Network and firewall of Atelier's workspaces
Requires=atelier-docker.service
After=atelier-docker.service
Before=docker.service

[Service]
Type=oneshot
RemainAfterExit=yes
WorkingDirectory={repository}
ExecStart={python} -m hub_config.docker_network --docker=unix://{socket} --subnet={subnet} {ports}

[Install]
WantedBy=multi-user.target
"""

_QUOTA = """[Unit]
Description=Disk quota of Atelier's workspaces
After=atelier-docker.service
RequiresMountsFor={folder}

[Service]
WorkingDirectory={repository}
Nice=5
ExecStart={python} -m hub_config.docker_quota --docker=unix://{socket}
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
"""

# A timer that was missed while the machine was off goes off early in its next start: after Docker, then, and
# again until the database answers. It ends at some time, whatever lies in a home: one that never ends would
# never run again.
_ONCE = """[Unit]
Description=Atelier: {what}
RequiresMountsFor={folder}
After=docker.service atelier-docker.service
StartLimitIntervalSec=1h
StartLimitBurst=10

[Service]
Type=oneshot
{restart}WorkingDirectory={repository}
Nice=10
IOSchedulingClass=idle
TimeoutStartSec={within}
ExecStart={python} -m deploy {command} --town={folder}
"""

_TIMER = """[Unit]
Description=Atelier: {what}

[Timer]
OnCalendar={when}
Persistent=true

[Install]
WantedBy=timers.target
"""


_TRY_AGAIN = "Restart=on-failure\nRestartSec=120\n"


def _once(what: str, command: str, restart: str, /, **names: object) -> str:
    return _ONCE.format(what=what, command=command, restart=restart, **names)


def _timer(what: str, when: str) -> str:
    return _TIMER.format(what=what, when=when)
