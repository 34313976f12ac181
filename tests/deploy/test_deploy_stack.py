"""compose.yaml brings the system up on a real Docker daemon, and what fell is up again by itself.

Two daemons of the tests' own, as on a school's machine: one for the system, one for workspaces. Lab's static
files are left out: tests of the front server have them.
"""

import contextlib
import datetime as dt
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import httpx
import pytest

from demo.ports import list_free_ports
from deploy.backup import make_backup
from deploy.certificate import put_in_place
from deploy.first_time import prepare_town
from deploy.look import describe_daemon
from deploy.restore import check_backup
from deploy.settings import TownSettings, write_settings
from deploy.stack import SERVICES, ComposeStack
from deploy.town import load_town
from front.certificate import make_certificate
from images.build import build_images
from images.catalog import name_tag
from tests.docker_stack import Town
from tests.docker_town import CLIENT, VERSION, Daemon, find_cache, run
from tests.waiting import wait_until

pytestmark = pytest.mark.docker

COMPOSE = Path("/usr/bin/docker-compose")
IMAGES = ("hub", "service", "proxy", "database", "front")
ANSWERS = {
    "domain": "atelier.example.bg",
    "google_client_id": "1-a.apps.googleusercontent.com",
    "operator": "tech@school.example",
    "certificate": "files",
    "backup_key": "",
    "google_client_secret": "secret",
}
BACK_WITHIN_S = 15
SYSTEM = tuple(name for name in SERVICES if name != "front")  # its master is root
PARTS = {"hub": "hub", "pages": "service"}


@dataclass
class School:
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

    def ask_hub(self) -> int:
        try:
            url = f"http://{self.stack.settings.gateway}:8081/hub/api/"
            return httpx.get(url, timeout=5, trust_env=False).status_code
        except httpx.HTTPError:
            return 0


@pytest.fixture(scope="module")
def system(daemon: Daemon) -> Iterator[Daemon]:
    """The machine's own daemon, without remapped users, with the system's images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", daemon.url)  # its cache has most of them
        build_images(IMAGES, VERSION, str(CLIENT))
    second = Daemon(find_cache() / "docker-system", remapped=False)
    second.bridge = f"sys{os.getpid() % 100000}"
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


@pytest.fixture(scope="module")
def school(daemon: Daemon, system: Daemon) -> Iterator[School]:
    if not COMPOSE.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("docker-compose is missing; install Debian's package docker-compose")
        pytest.skip("needs docker-compose (Debian's package docker-compose)")
    # Not pytest's folder: the images' user may not enter it.
    folder = Path(tempfile.mkdtemp(prefix="atelier-town-"))
    try:
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.closing(docker.DockerClient(system.url)) as client,
        ):
            patch.setenv("DOCKER_HOST", system.url)
            stack = ComposeStack(folder, prepare(folder, daemon), (str(COMPOSE),), static_parts=PARTS)
            try:
                stack.up(VERSION)
                yield School(stack, client)
            finally:
                for container in client.containers.list(all=True):
                    print(f"======== {container.name}\n{container.logs(tail=40).decode()}")  # noqa: T201
                stack._call("down", "--timeout=5")
    finally:
        shutil.rmtree(folder)


def prepare(folder: Path, daemon: Daemon) -> TownSettings:
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


def test_everything_is_healthy_and_reaches_its_database(school: School):
    assert [name for name in SYSTEM if not school.is_healthy(name)] == []
    assert (school.ask_hub(), school.ask_web()) == (200, 200)


def test_the_front_leads_to_the_hub_over_tls(school: School):
    domain, port = school.stack.settings.domain, school.stack.settings.extra["ATELIER_FRONT_HTTPS_PORT"]
    trusted = ssl.create_default_context(cafile=str(school.stack.folder / "trial" / "authority.pem"))
    for name, path, status in (
        (domain, "/hub/login", 200),
        (f"atelier--service.{domain}", "/services/atelier/internal/health", 404),
    ):
        plain = socket.create_connection(("127.0.0.1", int(port)), 10)
        with trusted.wrap_socket(plain, server_hostname=name) as secure:
            secure.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            answer = secure.makefile("rb").read()
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:500]
        assert b"Strict-Transport-Security: max-age" in answer


def test_processes_are_nobody_with_a_read_only_root(school: School):
    for name in SYSTEM:
        container = school.find(name)
        assert container.exec_run(["id", "-u"]).output.strip() == b"1000", name
        assert container.exec_run(["sh", "-c", "touch /usr/x"]).exit_code != 0, name
        assert b"CapEff:\t0000000000000000" in container.exec_run(["cat", "/proc/1/status"]).output, name


def test_no_secret_is_in_a_containers_environment_or_command(school: School):
    secrets = {
        path.read_text().strip() for path in (school.stack.folder / "secrets").rglob("*") if path.is_file()
    } - {"secret"}
    for name in SYSTEM:
        shown = str(school.find(name).attrs)
        assert not [secret for secret in secrets if secret in shown], name


def test_the_hub_reaches_the_workspaces_daemon_and_web_does_not(school: School):
    code = "import docker; print(docker.DockerClient(base_url='unix:///run/atelier-docker.sock').ping())"
    assert school.find("hub").exec_run(["python", "-c", code]).output.strip() == b"True"
    assert school.find("web").exec_run(["ls", "/run/atelier-docker.sock"]).exit_code != 0


@pytest.mark.parametrize("name", ["web", "hub", "proxy", "steward", "database"])
def test_what_is_killed_is_up_again_by_itself(school: School, name: str):
    before = school.find(name).attrs["State"]["StartedAt"]
    began = time.monotonic()
    os.kill(int(school.find(name).attrs["State"]["Pid"]), signal.SIGKILL)

    def is_back() -> bool:
        with contextlib.suppress(ValueError, docker.errors.NotFound):
            started_again = school.find(name).attrs["State"]["StartedAt"] != before
            return started_again and (school.ask_hub(), school.ask_web()) == (200, 200)
        return False

    wait_until(is_back, 60, f"{name} is not back")
    assert time.monotonic() - began < BACK_WITHIN_S


def test_a_backup_of_the_deployed_town_holds_databases_and_homes(school: School):
    town = load_town(school.stack.folder)
    home = town.homes.make_home("abcdefghijk9", 20_500)
    try:
        (home.folder / "work.txt").write_text("mine")
        home.own(home.folder / "work.txt")
        backup = make_backup(town, dt.datetime.now(dt.UTC))
        manifest = check_backup(backup.path)
        assert {"databases/service.pgdump", "databases/hub.pgdump", "homes/abcdefghijk9/work.txt"} <= set(
            manifest.files
        )
        assert manifest.homes["abcdefghijk9"] == 20_500
        assert manifest.schema
        assert home.owner is not None
        assert home.owner > 20_500  # the daemon's user namespace
    finally:
        run(
            str(CLIENT),
            "--host",
            school.stack.settings.docker_url,
            "volume",
            "rm",
            "atelier-home-abcdefghijk9",
        )


def test_the_daemons_are_described_as_they_are(school: School, system: Daemon):
    own = describe_daemon(school.stack.settings.docker_url)
    assert any("userns" in option for option in own["security"])
    assert len(describe_daemon(system.url)["foreign"]) >= len(SERVICES)
    assert describe_daemon("unix:///nonexistent.sock") == {}
