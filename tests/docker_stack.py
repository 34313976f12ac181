"""The real stack with engine `docker`: hub, proxy, service on the machine; workspaces as containers.

`tests.docker_town` brings the daemon. The hub and the service listen on the gateway of the workspaces'
network only, as they would in a school; the proxy stays on loopback.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import docker

from demo.house import House
from demo.launch import Demo
from demo.processes import Recipe
from hub_config import docker_network
from hub_config.docker_engine import KIND_LABEL
from hub_config.docker_network import ensure_network, remove_rules
from tests.atelier_stack import Stack
from tests.docker_town import VERSION, Daemon, run
from tests.waiting import wait_until

NETWORK = "atelier-workspaces"
START_WITHIN_S = 60


@dataclass(frozen=True)
class Town:
    """A daemon with images, and the network on it."""

    daemon: Daemon
    gateway: str
    bridge: str

    @classmethod
    def make(cls, daemon: Daemon) -> Self:
        """Make the network on a subnet that nobody here uses."""
        used = run("ip", "-4", "route")
        third = next(n for n in range(0, 240, 16) if f"10.214.{n}.0/20" not in used)
        bridge = f"{daemon.bridge}w"
        with daemon.connect() as client:
            gateway = ensure_network(client.api, name=NETWORK, bridge=bridge, subnet=f"10.214.{third}.0/20")
        return cls(daemon, gateway, bridge)


class DockerHouse(House):
    """A demo house whose workspaces are containers."""

    town: Town

    @property
    def hub_api_url(self) -> str:
        return f"http://{self.town.gateway}:{self.ports.hub}/hub/api"

    @property
    def web_url(self) -> str:
        return f"http://{self.town.gateway}:{self.ports.web}"

    @property
    def web_environment(self) -> dict[str, str]:
        return {**super().web_environment, "ATELIER_WEB_HOST": self.town.gateway}

    @property
    def hub_environment(self) -> dict[str, str]:
        return {
            **super().hub_environment,
            "ATELIER_ENGINE": "docker",
            "ATELIER_HUB_HOST": self.town.gateway,
            "ATELIER_DOCKER_URL": self.town.daemon.url,
            "ATELIER_DOCKER_NETWORK": NETWORK,
            "ATELIER_IMAGE_TAG": VERSION,
        }

    def proxy(self) -> Recipe:
        recipe = super().proxy()
        error_target = f"--error-target=http://{self.town.gateway}:{self.ports.hub}/hub/error"
        others = [part for part in recipe.command if not part.startswith("--error-target")]
        return replace(recipe, command=[*others, error_target])


class DockerDemo(Demo):
    """The demo with engine `docker`: the same processes, the firewall, and containers that end with it."""

    def __init__(self, town: Town, data_dir: Path, port: int = 0, **options: Any) -> None:
        super().__init__(data_dir, port, **options)
        house = DockerHouse(self.house.data_dir, self.house.ports, self.house.city_file)
        object.__setattr__(house, "town", town)
        self.house = house
        self.town = town

    def start(self) -> None:
        self.narrow_network()
        super().start()

    def narrow_network(self) -> None:
        """What an operator's machine does at each start."""
        where = ["--docker", self.town.daemon.url, "--name", NETWORK, "--bridge", self.town.bridge]
        ports = ["--port", str(self.house.ports.hub), "--port", str(self.house.ports.web)]
        assert docker_network.main([*where, *ports]) == 0

    def stop(self) -> None:
        """End the processes, then the workspaces: containers outlive a hub. Another demo's stay."""
        own = f"JUPYTERHUB_API_URL={self.house.hub_api_url}"
        try:
            super().stop()
        finally:
            remove_rules()
            with self.town.daemon.connect() as client:
                for container in client.containers.list(all=True, filters={"label": KIND_LABEL}):
                    if own in container.attrs["Config"]["Env"]:
                        container.remove(force=True)


class DockerStack(Stack):
    """A running Atelier with engine `docker`."""

    demo: DockerDemo

    def __init__(
        self, data_dir: Path, town: Town, *, demo_people: bool = True, city_file: Path | None = None
    ) -> None:
        super().__init__(data_dir, demo_people=demo_people, city_file=city_file)
        self.town = town
        self.demo = DockerDemo(town, data_dir, seed=demo_people, city_file=city_file)
        self.house = self.demo.house

    @cached_property
    def client(self) -> docker.DockerClient:
        return docker.DockerClient(base_url=self.town.daemon.url, timeout=120)

    # ------------------------------------------------ inside a workspace
    def find_container(self, account: str) -> Any:
        """Return the container of a running workspace."""
        return self.client.containers.get(f"atelier-{account}")

    def run_inside(self, account: str, code: str, timeout_s: int = 60) -> str:
        """Run Python in a workspace as its own user with its environment; return what it printed."""
        container = self.find_container(account)
        status, output = container.exec_run(["timeout", str(timeout_s), "python", "-c", code])
        text = str(output.decode(errors="replace"))
        assert status == 0, f"exit {status}: {text}"
        return text

    def stop_workspace(self, account: str) -> None:
        """Stop a workspace through the hub's API and wait until its container is gone."""
        self.ask_hub("DELETE", f"users/{account}/server")
        wait_until(lambda: not self.is_running(account), START_WITHIN_S, f"{account} did not stop")

    def is_running(self, account: str) -> bool:
        """Tell whether the account's container exists."""
        named = {"name": f"^/?atelier-{account}$"}
        return bool(self.client.containers.list(all=True, filters=named, ignore_removed=True))
