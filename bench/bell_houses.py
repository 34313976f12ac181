"""The two sides of the bell on one Docker daemon: stock JupyterHub with DockerSpawner, and Atelier.

Hub and proxy are processes of the machine on both sides, workspaces are containers. All of stock's that is
not default says where things are, who may enter, and that a start may take as long as it does.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx

from bench.announcing import ON_ROSTER, announced_lesson
from bench.bell_class import Lesson
from bench.page_houses import end_hub
from demo.house import REPOSITORY, find_node
from demo.ports import LOOPBACK, list_free_ports
from images.builder import Builder
from tests.atelier_stack import NO_AUTHORITIES
from tests.docker_stack import DockerStack, Town
from tests.docker_town import CLIENT, Daemon, run
from tests.waiting import wait_until

STOCK = REPOSITORY / "bench" / "stock"
STOCK_TAG = "stock-jupyterlab:bench"
STOCK_NETWORK = "stock"
WITHIN_S = 300.0


class Side(Protocol):
    """A running deployment with its students."""

    @property
    def name(self) -> str: ...
    @property
    def container_prefix(self) -> str: ...

    def make_lesson(self, first: int, count: int) -> Lesson:
        """Return the lesson of the students number `first` and the `count` - 1 after."""

    def ask_hub(self, method: str, path: str) -> httpx.Response:
        """Ask the hub's API."""


# ---------------------------------------------------------------- Atelier
@dataclass
class Atelier:
    """The demo's processes, engine `docker`."""

    stack: DockerStack
    accounts: dict[str, str]
    name: str = "Atelier"
    container_prefix: str = "atelier-"

    def make_lesson(self, first: int, count: int) -> Lesson:
        chosen = list(self.accounts)[first : first + count]
        return Lesson(self.stack.public_url, False, chosen, [self.accounts[email] for email in chosen])

    def ask_hub(self, method: str, path: str) -> httpx.Response:
        return self.stack.ask_hub(method, path)

    def is_ready(self, account: str) -> bool:
        """Tell whether an account's workspace is up."""
        return self.stack.is_ready(account)

    def announced(self, lesson: Lesson) -> AbstractContextManager[None]:
        """Announce the lesson; it is taken back with the block."""
        return announced_lesson(self.stack, lesson.students)


@contextmanager
def run_atelier(town: Town, students: int) -> Iterator[Atelier]:
    """Start Atelier with a school of so many students and their teacher; it ends with the block."""
    emails = [f"bell.{n}@students.school-a.example" for n in range(students)]
    with tempfile.TemporaryDirectory() as folder, DockerStack(Path(folder), town) as stack:
        stack.add_people(ON_ROSTER, *(f"Ученик Звънец {email} student" for email in emails))
        accounts = {email: stack.find_person(email) for email in emails}
        wait_until(
            lambda: all(stack.ask_hub("GET", f"users/{a}").status_code == 200 for a in accounts.values()),
            WITHIN_S,
            "the steward made no accounts",
        )
        yield Atelier(stack, accounts)


# ---------------------------------------------------------------- stock
@dataclass
class Stock:
    """JupyterHub and DockerSpawner as they come."""

    port: int
    hub_url: str
    token: str
    name: str = "stock"
    container_prefix: str = "jupyter-"

    def make_lesson(self, first: int, count: int) -> Lesson:
        names = [f"student{n}" for n in range(first, first + count)]
        return Lesson(f"http://{LOOPBACK}:{self.port}", True, names, names)

    def ask_hub(self, method: str, path: str) -> httpx.Response:
        headers = {"Authorization": f"token {self.token}"}
        url = f"{self.hub_url}/{path}"
        return httpx.request(method, url, headers=headers, timeout=60, trust_env=False, verify=NO_AUTHORITIES)


def build_stock(daemon: Daemon) -> None:
    """Build the plain JupyterLab and nbgrader image."""
    command = [str(CLIENT), "--host", daemon.url, "build", f"--tag={STOCK_TAG}", str(STOCK)]
    variables = {**os.environ, **Builder.choose(str(CLIENT)).variables}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the stock's image could not be built:\n{done.stdout}{done.stderr}")


@contextmanager
def run_stock(town: Town) -> Iterator[Stock]:
    """Start stock JupyterHub; hub, proxy, containers and network end with the block."""
    port, proxy_api_port, hub_port = list_free_ports(3)
    gateway = _make_network(town)
    stock = Stock(port, f"http://{gateway}:{hub_port}/hub/api", os.urandom(16).hex())
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "jupyterhub_config.py"
        config.write_text(_describe(stock, gateway, hub_port, proxy_api_port), encoding="utf-8")
        process = _start_hub(config, town.daemon.url)
        try:
            wait_until(lambda: _answers(stock), WITHIN_S, f"the stock's hub, see {folder}/hub.log")
            yield stock
        finally:
            end_hub(process, WITHIN_S)
            _remove_containers(town)


def _make_network(town: Town) -> str:
    """Make the stock's network; return the gateway's address, where its hub listens."""
    used = run("ip", "-4", "route")
    third = next(n for n in range(0, 240, 16) if f"10.216.{n}.0/20" not in used)
    subnet, gateway = f"10.216.{third}.0/20", f"10.216.{third}.1"
    with town.daemon.connect() as client:
        pools = [{"Subnet": subnet, "Gateway": gateway}]
        client.api.create_network(STOCK_NETWORK, driver="bridge", ipam={"Driver": "default", "Config": pools})
    return gateway


def _start_hub(config: Path, docker_url: str) -> subprocess.Popen[bytes]:
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": programs, "HOME": str(config.parent), "DOCKER_HOST": docker_url}
    with (config.parent / "hub.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(config)],
            cwd=config.parent,
            env=environment,
            stdout=log,
            stderr=log,
        )


def _answers(stock: Stock) -> bool:
    try:
        return stock.ask_hub("GET", "").is_success
    except httpx.HTTPError:
        return False


def _describe(stock: Stock, gateway: str, hub_port: int, proxy_api_port: int) -> str:
    proxy = REPOSITORY / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
    return f"""
c = get_config()
c.JupyterHub.bind_url = "http://{LOOPBACK}:{stock.port}"
c.JupyterHub.hub_bind_url = "http://{gateway}:{hub_port}"
c.JupyterHub.hub_connect_url = "http://{gateway}:{hub_port}"
c.JupyterHub.redirect_to_server = False  # the bell rings after signing in
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.services = [{{"name": "bench", "api_token": "{stock.token}"}}]
c.JupyterHub.load_roles = [
    {{"name": "bench", "services": ["bench"], "scopes": ["admin:users", "servers", "list:users"]}}
]
c.ConfigurableHTTPProxy.api_url = "http://{LOOPBACK}:{proxy_api_port}"
c.ConfigurableHTTPProxy.command = ["{find_node()}", "{proxy}"]
c.JupyterHub.spawner_class = "docker"
c.DockerSpawner.image = "{STOCK_TAG}"
c.DockerSpawner.network_name = "{STOCK_NETWORK}"
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.remove = True
c.DockerSpawner.notebook_dir = "/home/jovyan"
c.DockerSpawner.volumes = {{"stock-home-{{username}}": "/home/jovyan"}}
c.Spawner.default_url = "/lab"
c.Spawner.start_timeout = {WITHIN_S:.0f}
c.Spawner.http_timeout = {WITHIN_S:.0f}
"""


def _remove_containers(town: Town) -> None:
    with town.daemon.connect() as client:
        for container in client.containers.list(all=True, filters={"name": "^/?jupyter-"}):
            container.remove(force=True)
        client.networks.get(STOCK_NETWORK).remove()


def list_containers(town: Town, side: Side) -> Sequence[str]:
    """Return the names of a side's containers, whatever state they are in."""
    with town.daemon.connect() as client:
        found = client.api.containers(all=True, filters={"name": f"^/?{side.container_prefix}"})
    return [str(one["Names"][0]).lstrip("/") for one in found]
