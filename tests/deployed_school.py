"""A deployed town: compose, with the system on one Docker daemon and workspaces on another."""

import contextlib
import datetime as dt
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import httpx
import pytest

from demo.ports import list_free_ports
from deploy.certificate import put_in_place
from deploy.first_time import prepare_town
from deploy.homes import Home, VolumeHomes
from deploy.settings import TownSettings, write_settings
from deploy.stack import ComposeStack
from front.certificate import make_certificate
from images.catalog import name_tag
from tests.docker_stack import Town
from tests.docker_town import CLIENT, VERSION, Daemon, find_cache, provide_images, run

IMAGES = ("hub", "service", "proxy", "database", "front", "workspace")  # the last for Lab's static files
ANSWERS = {
    "domain": "atelier.example.bg",
    "google_client_id": "1-a.apps.googleusercontent.com",
    "operator": "tech@school.example",
    "certificate": "files",
    "backup_key": "",
    "google_client_secret": "secret",
}
PROM = "atelier_steward.prom"


@dataclass
class DeployedSchool:
    """A deployed town with the daemon that runs its system."""

    stack: ComposeStack
    system: docker.DockerClient

    def find(self, service: str) -> docker.models.containers.Container:
        (found,) = self.system.containers.list(filters={"label": f"com.docker.compose.service={service}"})
        return found

    def is_healthy(self, service: str) -> bool:
        with contextlib.suppress(ValueError, docker.errors.NotFound):
            return bool(self.find(service).attrs["State"]["Health"]["Status"] == "healthy")
        return False

    def ask_web(self) -> int:
        """Ask web whether the database answers; 0 when web itself does not."""
        token = (self.stack.folder / "secrets" / "hub" / "atelier_hub_service_token").read_text().strip()
        url = f"http://{self.stack.settings.gateway}:8082/services/atelier/internal/health"
        try:
            headers = {"Authorization": f"Bearer {token}"}
            return httpx.get(url, headers=headers, timeout=5, trust_env=False).status_code
        except httpx.HTTPError:
            return 0

    def ask_front(self, host: str, path: str, *headers: str) -> bytes:
        """Ask the front over TLS as a browser would; return its whole answer."""
        port = int(self.stack.settings.extra["ATELIER_FRONT_HTTPS_PORT"])
        trusted = ssl.create_default_context(cafile=str(self.stack.folder / "trial" / "authority.pem"))
        asked = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
        plain = socket.create_connection(("127.0.0.1", port), 10)
        with trusted.wrap_socket(plain, server_hostname=host) as secure:
            secure.sendall("\r\n".join([*asked, "", ""]).encode())
            return secure.makefile("rb").read()

    def is_reached(self) -> bool:
        """Whether the hub's sign-in page comes through the front."""
        with contextlib.suppress(OSError):
            answer = self.ask_front(self.stack.settings.domain, "/hub/login")
            return answer.startswith(b"HTTP/1.1 200 ")
        return False

    def ask_hub(self) -> int:
        try:
            url = f"http://{self.stack.settings.gateway}:8081/hub/api/"
            return httpx.get(url, timeout=5, trust_env=False).status_code
        except httpx.HTTPError:
            return 0

    def find_steward_s_note(self) -> float:
        """When the steward, which listens on nothing, last said that it is well."""
        return (self.stack.folder / "metrics" / PROM).stat().st_mtime


@dataclass(frozen=True)
class OwnHomes(VolumeHomes):
    """The homes of one test; others may use the same daemon."""

    accounts: tuple[str, ...] = ()

    def list_homes(self) -> list[Home]:
        return [home for home in super().list_homes() if home.account in self.accounts]


@contextlib.contextmanager
def run_system(daemon: Daemon) -> Iterator[Daemon]:
    """The machine's own daemon, without remapped users, with the system's images."""
    provide_images(daemon, IMAGES)  # its cache has most of them
    second = Daemon(find_cache() / "docker-system", remapped=False)
    try:
        with second:
            saved = [str(CLIENT), "--host", daemon.url, "save", *(name_tag(name, VERSION) for name in IMAGES)]
            with subprocess.Popen(saved, stdout=subprocess.PIPE) as saving:
                subprocess.run(
                    [str(CLIENT), "--host", second.url, "load", "-q"],
                    stdin=saving.stdout,
                    check=True,
                    capture_output=True,
                )
            yield second
    finally:
        # Containers on the host's network leave a mount behind, and with it the daemon's folder.
        run("umount", f"{second.folder}/exec/netns/default", check=False)
        shutil.rmtree(second.folder, ignore_errors=True)


@contextlib.contextmanager
def deploy_school(compose: Path, daemon: Daemon, system: Daemon, published: Path) -> Iterator[DeployedSchool]:
    """A town that `compose` brought up; its containers' last words are printed at the end.

    `published`: where another town of the same images leaves its compressed files, which take minutes of CPU.
    """
    # Not pytest's folder: the images' user may not enter it.
    folder = Path(tempfile.mkdtemp(prefix="atelier-town-"))
    try:
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.closing(docker.DockerClient(system.url)) as client,
        ):
            patch.setenv("DOCKER_HOST", system.url)
            stack = ComposeStack(folder, _prepare(folder, daemon), (str(compose),))
            if published.exists():
                shutil.copytree(published, folder / "static", dirs_exist_ok=True)
            try:
                stack.up(VERSION)
                if not published.exists():
                    shutil.copytree(folder / "static", published)
                yield DeployedSchool(stack, client)
            finally:
                for container in client.containers.list(all=True):
                    print(f"======== {container.name}\n{container.logs(tail=40).decode()}")  # noqa: T201
                stack._call("down", "--timeout=5")
    finally:
        shutil.rmtree(folder)


def _prepare(folder: Path, daemon: Daemon) -> TownSettings:
    settings = prepare_town(folder, ANSWERS)
    proxy, api, https, http = list_free_ports(4)
    made = make_certificate(folder / "trial", settings.domain, dt.datetime.now(dt.UTC))
    put_in_place(folder, settings.domain, made.certificate, made.key, dt.datetime.now(dt.UTC))
    settings.gateway, settings.docker_url = Town.make(daemon).gateway, daemon.url
    ports = {"PROXY_PORT": proxy, "PROXY_API_PORT": api, "FRONT_HTTPS_PORT": https, "FRONT_HTTP_PORT": http}
    settings.extra = {f"ATELIER_{name}": str(port) for name, port in ports.items()}
    (folder / "settings.json").unlink()
    write_settings(folder, settings)
    return settings
