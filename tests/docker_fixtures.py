"""One daemon, one set of images and one stack for all tests that are marked `docker`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from demo.house import DEFAULT_CITY
from hub_config.city import Limits, WorkspaceLimits
from tests.docker_school import DockerSchool
from tests.docker_stack import DockerStack, Town
from tests.docker_town import Daemon, check_docker, find_cache, provide_base, provide_images


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    """A Docker daemon with user namespaces and the base tag; named skip without Docker."""
    check_docker()
    cache = find_cache()
    with Daemon(cache / "docker") as running:
        provide_base(running, cache)
        yield running


@pytest.fixture(scope="session")
def images(daemon: Daemon) -> dict[str, str]:
    """All images, built. Returns name → tag."""
    return provide_images(daemon)


@pytest.fixture(scope="session")
def town(daemon: Daemon) -> Town:
    """The daemon with the workspaces' images and network; hub and service are processes of the machine."""
    provide_images(daemon, ["workspace", "course"])
    return Town.make(daemon)


@pytest.fixture(scope="session")
def docker_stack(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerStack]:
    """A running Atelier whose workspaces are containers. Its logs are printed when it does not start."""
    folder = tmp_path_factory.mktemp("docker-stack")
    with DockerStack(folder, town, city_file=write_city(folder / "city.yaml")) as running:
        yield running


def write_city(file: Path) -> Path:
    """The demo's city, but its first school has limits that no other has and that are no defaults."""
    yaml = YAML(typ="safe")
    city = yaml.load(DEFAULT_CITY)
    limits = city["schools"]["primer"]["limits"]
    for kind, defaults in Limits():
        if isinstance(defaults, WorkspaceLimits):
            odd = {"memory_mb": 7, "processes": 3, "disk_mb": 11, "files": 13}
            less = {name: getattr(defaults, name) - number for name, number in odd.items()}
            limits[kind] = {**limits.get(kind, {}), **less, "cpus": round(defaults.cpus - 0.1, 1)}
    yaml.dump(city, file)
    return file


@pytest.fixture(scope="session")
def docker_school(docker_stack: DockerStack) -> DockerSchool:
    """A teacher, two students, their team and course; each workspace runs."""
    return DockerSchool.open(docker_stack)
