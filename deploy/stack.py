"""Putting the stack up with compose, v1 or v2: what `make deploy`, `upgrade` and `rollback` drive."""

import grp
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deploy.docker_daemon import SOCKET, describe_workspaces_daemon
from deploy.front_files import publish_static, render_front
from deploy.look import WORKSPACE_IMAGES, find_file_system
from deploy.problem import DeployProblem
from deploy.settings import TownSettings, describe_compose, write_private
from deploy.town import PROCESS_UID
from images.build import BuildFailed, build_images
from images.catalog import find_version, load_images, name_tag

REPOSITORY = Path(__file__).resolve().parent.parent
COMPOSE_FILE = REPOSITORY / "compose.yaml"
VARIABLES = "compose.env"
HEALTHY_WITHIN_S = 180
POLL_S = 2.0
SERVICES = ("database", "proxy", "hub", "web", "steward", "front")
# Who has the database open; proxy and front stay, so that people see a page and workspaces go on.
STOPPED_FOR_AN_UPGRADE = ("steward", "web", "hub")
LASTING_UNITS = ("atelier-docker.service", "atelier-network.service", "atelier-quota.service")
FOLDERS = {
    "postgresql": (0o700, PROCESS_UID),
    "run/postgresql": (0o700, PROCESS_UID),
    "blobs": (0o700, PROCESS_UID),
    "hub": (0o700, PROCESS_UID),
    "metrics": (0o755, PROCESS_UID),
    "static": (0o755, 0),
    "certificate": (0o700, 0),
    "acme": (0o755, 0),
    "front": (0o755, 0),
    "backups": (0o700, 0),
    "snapshots": (0o700, 0),
    "logs": (0o700, 0),
}


def find_compose() -> list[str]:
    """Return the command of compose v2 or v1. Raises DeployProblem."""
    if shutil.which("docker") and _succeeds("docker", "compose", "version"):
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    raise DeployProblem("compose is not installed", "apt-get install docker-compose")


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@dataclass(frozen=True)
class ComposeStack:
    """The system's containers. A `Runner` for `deploy.versions`."""

    folder: Path
    settings: TownSettings
    compose: tuple[str, ...]
    services: tuple[str, ...] = SERVICES
    static_parts: dict[str, str] | None = None

    def up(self, tag: str) -> None:
        """Migrate the database, start everything, return when all is healthy. Raises DeployProblem."""
        self.up_database(tag)
        self._call("run", "--rm", "migrate")
        self.start(tag)

    def up_database(self, tag: str) -> None:
        """Start the database alone, as a restore needs it."""
        self.write_variables(tag)
        self._call("up", "-d", "database")
        self._wait(("database",))

    def start(self, tag: str) -> None:
        """Start all containers in a version and wait until they are healthy."""
        self.write_variables(tag)
        if "front" in self.services:
            render_front(self.folder, self.settings)
            publish_static(self.folder, tag, self.static_parts)
        self._call("up", "-d", "--remove-orphans", *self.services)
        self._wait(self.services)

    def stop(self) -> None:
        """Stop who uses the database; workspaces, proxy and front go on."""
        self._call("stop", *STOPPED_FOR_AN_UPGRADE)

    def run_service(self, tag: str, *command: str) -> str:
        """Run `atelier <command>` in a version's image."""
        self.write_variables(tag)
        return self._call("run", "--rm", "migrate", "python", "-m", "atelier", *command)

    def reload_front(self) -> None:
        """Let the front read its certificate anew; no connection is cut."""
        self._call("kill", "-s", "HUP", "front")

    def write_variables(self, tag: str) -> None:
        """Write what compose.yaml asks for."""
        group, kind = _find_group(self.settings.docker_url), find_file_system(self.folder)
        text = describe_compose(self.settings, self.folder, tag, group, kind)
        write_private(self.folder / VARIABLES, text)

    def _wait(self, services: tuple[str, ...]) -> None:
        deadline = time.monotonic() + HEALTHY_WITHIN_S
        while waiting := [name for name in services if not self._is_healthy(name)]:
            if time.monotonic() > deadline:
                raise DeployProblem(
                    f"{', '.join(waiting)} did not become healthy in {HEALTHY_WITHIN_S} s",
                    f"{' '.join(self._command('logs', '--tail=50', waiting[0]))}",
                )
            time.sleep(POLL_S)

    def _is_healthy(self, service: str) -> bool:
        container = self._call("ps", "-q", service).strip()
        if not container:
            return False
        state = _read_output("docker", "inspect", "--format={{json .State}}", container)
        return bool(json.loads(state).get("Health", {}).get("Status") == "healthy")

    def _command(self, *arguments: str) -> list[str]:
        variables = str(self.folder / VARIABLES)
        return [
            *self.compose,
            "--project-name=atelier",
            f"--env-file={variables}",
            f"--file={COMPOSE_FILE}",
            *arguments,
        ]

    def _call(self, *arguments: str) -> str:
        return _read_output(*self._command(*arguments))


def _read_output(*command: str) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=sys.stderr, text=True, check=False)
    if done.returncode:
        raise DeployProblem(f"`{' '.join(command)}` failed (see above)", "mend what it says, then repeat")
    return done.stdout


def _find_group(docker_url: str) -> int:
    """Return the group to which the workspaces' socket belongs."""
    path = Path(urlsplit(docker_url).path)
    return path.stat().st_gid if path.exists() else 0


# ---------------------------------------------------------------- images
def find_tag() -> str:
    """Return the tag of this checkout's images: version and commit; a rollback finds the earlier ones."""
    commit = _read_output("git", "-C", str(REPOSITORY), "rev-parse", "--short=12", "HEAD").strip()
    return f"{find_version()}-{commit}"


def provide_images(tag: str, docker_url: str) -> None:
    """Build all images, and hand the workspaces' ones to their daemon. Raises DeployProblem."""
    try:
        build_images(load_images(), tag)
    except BuildFailed as failed:
        raise DeployProblem(str(failed), "mend what the builder says, then: make deploy") from failed
    names = [name_tag(name, tag) for name in WORKSPACE_IMAGES]
    saving = subprocess.Popen(["docker", "save", *names], stdout=subprocess.PIPE)
    loading = subprocess.run(
        ["docker", "--host", docker_url, "load", "--quiet"], stdin=saving.stdout, check=False
    )
    if saving.wait() or loading.returncode:
        raise DeployProblem(
            "the workspaces' daemon did not take its images", "systemctl status atelier-docker"
        )


# ---------------------------------------------------------------- once for a machine
def make_folders(folder: Path, *, as_root: bool = True) -> None:
    """Make the town's folders with their owners; existing ones keep what is in them."""
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    for name, (mode, owner) in FOLDERS.items():
        path = folder / name
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        if as_root:
            os.chown(path, owner, owner)


def describe_units(folder: Path, python: str) -> dict[str, str]:
    """Return systemd's units: name → text. The daemon, its firewall and quota, backups, snapshots, checks."""
    run = f"{python} -m deploy"
    town = f"--town={folder}"
    return {
        "atelier-docker.service": _DAEMON.format(folder=folder),
        "atelier-network.service": _NETWORK.format(python=python, repository=REPOSITORY, socket=SOCKET),
        "atelier-quota.service": _QUOTA.format(python=python, repository=REPOSITORY, socket=SOCKET),
        "atelier-backup.service": _once("Atelier: backup", f"{run} backup {town}"),
        "atelier-backup.timer": _timer("Atelier: backup every night", "*-*-* 02:30:00"),
        "atelier-snapshot.service": _once("Atelier: snapshot of homes", f"{run} snapshot {town}"),
        "atelier-snapshot.timer": _timer("Atelier: snapshots of homes", "*-*-* 06..20/2:00:00"),
        "atelier-logs.service": _once("Atelier: logs by day", f"{run} logs {town}"),
        "atelier-logs.timer": _timer("Atelier: logs by day", "*-*-* 03:30:00"),
        "atelier-look.service": _once("Atelier: look at the machine", f"{run} check {town}"),
        "atelier-look.timer": _timer("Atelier: look at the machine every hour", "hourly"),
    }


def install_units(folder: Path, place: Path = Path("/etc/systemd/system")) -> list[str]:
    """Write units and the second daemon's configuration; return the names of the units to enable."""
    write_private(
        folder / "docker-daemon.json", json.dumps(describe_workspaces_daemon(str(folder)), indent=1)
    )
    units = describe_units(folder, sys.executable)
    for name, text in units.items():
        (place / name).write_text(text, encoding="utf-8")
    try:
        grp.getgrnam("atelier-docker")
    except KeyError:
        _read_output("groupadd", "--system", "atelier-docker")
    return [name for name in units if name.endswith(".timer") or name in LASTING_UNITS]


_DAEMON = """[Unit]
Description=Docker daemon of Atelier's workspaces
After=docker.service network-online.target
Wants=network-online.target

[Service]
Type=notify
ExecStart=/usr/sbin/dockerd --config-file={folder}/docker-daemon.json
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
After=atelier-docker.service docker.service
Requires=atelier-docker.service

[Service]
Type=oneshot
RemainAfterExit=yes
WorkingDirectory={repository}
ExecStart={python} -m hub_config.docker_network --docker=unix://{socket} --port=8081 --port=8082

[Install]
WantedBy=multi-user.target
"""

_QUOTA = """[Unit]
Description=Disk quota of Atelier's workspaces
After=atelier-docker.service

[Service]
WorkingDirectory={repository}
Nice=5
ExecStart={python} -m hub_config.docker_quota --docker=unix://{socket}
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
"""


def _once(description: str, command: str) -> str:
    return (
        f"[Unit]\nDescription={description}\n\n[Service]\nType=oneshot\nWorkingDirectory={REPOSITORY}\n"
        f"Nice=10\nIOSchedulingClass=idle\nExecStart={command}\n"
    )


def _timer(description: str, when: str) -> str:
    return (
        f"[Unit]\nDescription={description}\n\n[Timer]\nOnCalendar={when}\nPersistent=true\n\n"
        "[Install]\nWantedBy=timers.target\n"
    )
