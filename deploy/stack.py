"""Putting the stack up with compose, v1 or v2: what `make deploy`, `upgrade` and `rollback` drive."""

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from docker.errors import DockerException

from deploy.front_files import publish_static, render_front
from deploy.logs import collect_logs
from deploy.look import SYSTEM_DOCKER, find_file_system
from deploy.problem import DeployProblem
from deploy.settings import TownSettings, describe_compose, write_private
from deploy.town import PROCESS_UID

REPOSITORY = Path(__file__).resolve().parent.parent
COMPOSE_FILE = REPOSITORY / "compose.yaml"
VARIABLES = "compose.env"
HEALTHY_WITHIN_S = 180
POLL_S = 2.0
SERVICES = ("database", "proxy", "hub", "web", "steward", "front")
NGINX = ("/usr/sbin/nginx", "-e", "stderr", "-c", "/srv/front/nginx.conf")  # as images/front starts it
# Who has the database open; proxy and front stay, so that people see a page and workspaces go on.
STOPPED_FOR_AN_UPGRADE = ("steward", "web", "hub")
FOLDERS = {
    "postgresql": (0o700, PROCESS_UID),
    "run/postgresql": (0o700, PROCESS_UID),
    "blobs": (0o700, PROCESS_UID),
    "hub": (0o700, PROCESS_UID),
    "metrics": (0o755, PROCESS_UID),
    "static": (0o755, 0),
    "certificate": (0o700, 0),
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

    def up(self, tag: str) -> None:
        """Migrate the database, start everything, return when all is healthy. Raises DeployProblem."""
        self.up_database(tag)
        self._call("run", "--rm", "-T", "migrate")
        self.start(tag)

    def up_database(self, tag: str) -> None:
        """Start the database alone, as a restore needs it."""
        self.write_variables(tag)
        self._keep_logs()
        self._call("up", "-d", "database")
        self._wait(("database",))

    def start(self, tag: str) -> None:
        """Start all containers in a version and wait until they are healthy."""
        self.write_variables(tag)
        if "front" in self.services:
            render_front(self.folder, self.settings)
            publish_static(self.folder, tag)
        self._keep_logs()
        self._call("up", "-d", "--remove-orphans", *self.services)
        self._wait(self.services)
        if "front" in self.services:
            self.reload_front()  # its container stays when only configuration or certificate changed

    def stop(self) -> None:
        """Stop who uses the database; workspaces, proxy and front go on."""
        self._call("stop", *STOPPED_FOR_AN_UPGRADE)

    def run_service(self, tag: str, *command: str) -> str:
        """Run `atelier <command>` in a version's image."""
        self.write_variables(tag)
        return self._call("run", "--rm", "-T", "migrate", "python", "-m", "atelier", *command)

    def call_by_hand(self, *arguments: str) -> int:
        """Run compose with the town's files and this terminal; return its exit code."""
        return subprocess.run(self._command(*arguments), check=False).returncode

    def reload_front(self) -> None:
        """Let the front read its configuration and certificate anew; no connection is cut."""
        # By nginx' own command: whatever `docker kill` signalled counts as stopped by hand, and would not be
        # there any more when the machine has been started again.
        self._call("exec", "-T", "front", *NGINX, "-s", "reload")

    def write_variables(self, tag: str) -> None:
        """Write what compose.yaml asks for."""
        group, kind = _find_group(self.settings.docker_url), find_file_system(self.folder)
        text = describe_compose(self.settings, self.folder, tag, group, kind)
        write_private(self.folder / VARIABLES, text)

    def _keep_logs(self) -> None:
        """A container that is made anew takes its log along: move the lines first. They stop no start."""
        daemon = os.environ.get("DOCKER_HOST", SYSTEM_DOCKER)
        try:
            list(collect_logs(self.folder / "logs", dt.datetime.now(dt.UTC), daemon))
        except (OSError, DockerException) as error:
            sys.stderr.write(f"log lines of containers that are made anew may be lost: {error}\n")

    def _wait(self, services: tuple[str, ...]) -> None:
        deadline = time.monotonic() + HEALTHY_WITHIN_S
        while waiting := [name for name in services if not self._is_healthy(name)]:
            if time.monotonic() > deadline:
                raise DeployProblem(
                    f"{', '.join(waiting)} did not become healthy in {HEALTHY_WITHIN_S} s",
                    f".venv/bin/python -m deploy compose --town={self.folder} logs --tail=50 {waiting[0]}",
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
