"""What a hostile student tries from a notebook is refused, and a neighbour's notebook does not notice."""

import contextlib
import hashlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from hub_config.city import load_city
from hub_config.docker_network import MOST_CONNECTIONS
from tests.docker.attack_cells import (
    SUBJECTS,
    Attack,
    check_refused,
    find_address_of,
    list_attacks,
    write_cell,
    write_prelude,
)
from tests.docker.neighbour import ATTACK_WITHIN_S, measure_cells_s, working_beside
from tests.docker.world import World, open_world
from tests.docker_notebook import Notebook, open_notebook
from tests.docker_school import SLUG, STUDENTS, TEACHER, DockerSchool

pytestmark = pytest.mark.docker


@dataclass(frozen=True)
class Bait:
    """Careless programs of the machine, stood up for the test; nothing may come to them."""

    careless: socket.socket
    loopback: socket.socket
    datagrams: socket.socket
    abstract: socket.socket

    @classmethod
    @contextlib.contextmanager
    def lay(cls) -> Iterator["Bait"]:
        with contextlib.ExitStack() as kept:
            careless = kept.enter_context(socket.create_server(("0.0.0.0", 0)))  # noqa: S104 - the point of it
            loopback = kept.enter_context(socket.create_server(("127.0.0.1", 0)))
            datagrams = kept.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            datagrams.bind(("0.0.0.0", 0))  # noqa: S104
            abstract = kept.enter_context(socket.socket(socket.AF_UNIX))
            abstract.bind(f"\0atelier-attack-{os.getpid()}")
            abstract.listen()
            yield cls(careless, loopback, datagrams, abstract)

    def list_visited(self) -> list[str]:
        """Return the names of those that something came to; the machine's own programs do not count."""
        visited = []
        for name in ("careless", "loopback", "datagrams", "abstract"):
            bait: socket.socket = getattr(self, name)
            bait.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                _, peer = bait.recvfrom(1) if name == "datagrams" else bait.accept()
                if not str(peer[0] if isinstance(peer, tuple) else "").startswith("127."):
                    visited.append(name)
        return visited


@pytest.fixture(scope="module")
def bait() -> Iterator[Bait]:
    with Bait.lay() as laid:
        yield laid


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with open_world() as made:
        yield made


@pytest.fixture(scope="module")
def neighbour(docker_school: DockerSchool) -> Iterator[Notebook]:
    """A notebook that another student has open through all attacks, and has worked in."""
    docker_school.ensure_running(docker_school.anna)
    with open_notebook(docker_school.stack, docker_school.anna, STUDENTS[0]) as notebook:
        measure_cells_s(notebook)
        yield notebook


@pytest.fixture
def attacker(docker_school: DockerSchool) -> Iterator[Notebook]:
    """A notebook of the hostile student, with a kernel of its own for each attack."""
    docker_school.ensure_running(docker_school.boris)
    with open_notebook(docker_school.stack, docker_school.boris, STUDENTS[1]) as notebook:
        yield notebook


@pytest.fixture(scope="module")
def targets(docker_school: DockerSchool, bait: Bait, world: World) -> dict[str, Any]:
    """Addresses, names, processes and files of this machine and this test, and nothing else."""
    school = docker_school
    for account in school.accounts.values():
        school.ensure_running(account)
    house, town = school.stack.house, school.stack.town
    limits = load_city(house.city_file).find_school("primer").limits.personal
    homes = Path(str(school.stack.client.volumes.get(f"atelier-home-{school.anna}").attrs["Mountpoint"]))
    return {
        "gateway": town.gateway,
        "world": world.address,
        "metadata": world.metadata,
        "world_port": world.port,
        "other_bridge": find_address_of(town.daemon.bridge),
        "neighbour": school.find_address(school.anna),
        "team": school.find_address(school.team),
        "course": school.find_address(school.course),
        "neighbour_account": school.anna,
        "team_account": school.team,
        "course_account": school.course,
        "teacher": TEACHER,
        "slug": SLUG,
        "hub_url": house.hub_api_url.removesuffix("/hub/api"),
        "hub_port": house.ports.hub,
        "web_port": house.ports.web,
        "public_port": house.ports.public,
        "proxy_api_port": house.ports.proxy_api,
        "provider_port": house.ports.provider,
        "careless_port": bait.careless.getsockname()[1],
        "loopback_port": bait.loopback.getsockname()[1],
        "datagram_port": bait.datagrams.getsockname()[1],
        "abstract": bait.abstract.getsockname().decode(),
        "docker_socket": town.daemon.url.removeprefix("unix://"),
        "city_file": str(house.city_file),
        "folders": [
            str(homes),
            str(homes.parent.parent),
            str(house.data_dir),
            str(house.service_dir / "blobs"),
        ],
        "files": [str(house.service_dir / "atelier.db"), str(homes / "n.txt"), str(house.city_file)],
        "processes": list_processes(school),
        "secret_hashes": hash_secrets(school),
        "processes_limit": limits.processes,
        "memory_mb": limits.memory_mb,
        "cpus": limits.cpus,
        "most_connections": MOST_CONNECTIONS,
    }


def list_processes(school: DockerSchool) -> dict[str, int]:
    """Process ids, as the machine counts, of what an attacker would like to meet."""
    neighbour = school.stack.find_container(school.anna).attrs["State"]["Pid"]
    dockerd = next(p.pid for p in psutil.process_iter(["name"]) if p.info["name"] == "dockerd")
    return {"neighbour": int(neighbour), "dockerd": dockerd, "test": os.getpid()}


def hash_secrets(school: DockerSchool) -> dict[str, str]:
    """Secrets of the hub and tokens of other accounts; only their hashes are shown to the attacker."""
    secrets = dict(school.stack.house.secrets)
    for account in (school.anna, school.team, school.course):
        variables = school.stack.find_container(account).attrs["Config"]["Env"]
        given = dict(variable.partition("=")[::2] for variable in variables)
        secrets[f"token of {account}"] = given["JUPYTERHUB_API_TOKEN"]
    return {name: hashlib.sha256(value.encode()).hexdigest() for name, value in secrets.items()}


# ------------------------------------------------ the attacks
def test_there_are_at_least_forty_attacks_each_with_a_name_of_its_own() -> None:
    everything = list_attacks(*SUBJECTS, "database", "disk", "endings")
    attacks = [str(attack) for attack in everything if attack.name != "allowed"]
    assert len(attacks) == len(set(attacks)) >= 40


@pytest.mark.parametrize("attack", list_attacks(), ids=str)
def test_attack_is_refused_and_the_neighbour_does_not_notice(
    attack: Attack, attacker: Notebook, neighbour: Notebook, targets: dict[str, Any], bait: Bait
) -> None:
    attacker.run(write_prelude(targets))
    with working_beside(neighbour) as watch:
        for _ in watch.list_rounds():
            check_refused(attack, attacker.run(write_cell(attack), ATTACK_WITHIN_S))
    assert bait.list_visited() == []
