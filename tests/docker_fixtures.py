"""One daemon, one set of images and one stack for all tests that are marked `docker`."""

from collections.abc import Iterator

import pytest

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
    with DockerStack(tmp_path_factory.mktemp("docker-stack"), town) as running:
        yield running


@pytest.fixture(scope="session")
def docker_school(docker_stack: DockerStack) -> DockerSchool:
    """A teacher, two students, their team and course; each workspace runs."""
    return DockerSchool.open(docker_stack)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked `docker`, and say so, unless ``-m docker`` asks for it.

    It starts daemons as root and takes minutes: `make test` stays what everybody can run.
    """
    if "docker" in (config.option.markexpr or ""):
        return
    left_out = pytest.mark.skip(reason="needs Docker; run: make test-docker")
    for item in items:
        if item.get_closest_marker("docker"):
            item.add_marker(left_out)
