"""What tests of all kinds share: the real stack, one per test run; databases; a school; Docker's parts."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from demo import ports
from tests.atelier_stack import Stack
from tests.databases import (
    database_server,
    databases,
    postgresql_server,
    repeat_on_each_kind,
    session,
    shared_databases,
    sqlite_server,
)
from tests.docker_fixtures import (
    daemon,
    docker_school,
    docker_stack,
    images,
    town,
)
from tests.marking import alone, school, together

__all__ = [
    "alone",
    "daemon",
    "database_server",
    "databases",
    "docker_school",
    "docker_stack",
    "images",
    "postgresql_server",
    "pytest_generate_tests",
    "school",
    "session",
    "shared_databases",
    "sqlite_server",
    "together",
    "town",
]
MOST_WORKERS = 4
pytest_generate_tests = repeat_on_each_kind


def pytest_configure() -> None:
    """Give each process of a run ports of its own: whoever draws one binds it seconds later."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = len(ports.DRAWN_FROM) // MOST_WORKERS
    ports.DRAWN_FROM = ports.DRAWN_FROM[worker % MOST_WORKERS * share :][:share]


@pytest.hookimpl(tryfirst=True)  # before the marks are chosen from
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Say of each test what `pyproject.toml` promises of its markers.

    What is marked `docker` is left out, by name, unless ``-m docker`` asks for it or CI is set: it starts
    daemons as root and takes minutes, and `make test` stays what everybody can run. It and what is marked
    `browser` needs the machine for itself: the former measures neighbours, and Chromium breaks off loads
    whenever another Docker changes the machine's interfaces.
    """
    wanted = "docker" in config.option.markexpr or os.environ.get("CI") == "true"
    left_out = pytest.mark.skip(reason="needs Docker; run: make test-docker")
    for item in items:
        docker, browser = item.get_closest_marker("docker"), item.get_closest_marker("browser")
        if (docker or browser) and not item.get_closest_marker("side_by_side"):
            item.add_marker(pytest.mark.undisturbed)
        if docker and not wanted:
            item.add_marker(left_out)


NEEDS_DAEMON = ("tests/deploy/", "tests/docker/", "tests/images/")


class DockerTogether(LoadFileScheduling):
    """File by file; what needs the daemon counts as one, since a process has the daemon until it ends."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "docker" if file.startswith(NEEDS_DAEMON) else file


@pytest.hookimpl(optionalhook=True)  # it belongs to pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> DockerTogether | None:
    return DockerTogether(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running Atelier with the demo's people. Its logs are printed when a test that uses it fails."""
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    found = item.funcargs if isinstance(item, pytest.Function) else {}
    running = found.get("stack") or found.get("docker_stack") or getattr(found.get("lesson"), "stack", None)
    if report.failed and isinstance(running, Stack):
        report.sections.append(("logs of the stack", running.describe_logs()))
    return report
