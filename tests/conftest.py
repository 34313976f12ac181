"""The real stack that integration and browser tests share: one per test run."""

import os
from collections.abc import Iterator

import pytest

from tests.atelier_stack import Stack
from tests.docker_fixtures import (
    daemon,
    docker_school,
    docker_stack,
    images,
    pytest_collection_modifyitems,
    town,
)

__all__ = ["daemon", "docker_school", "docker_stack", "images", "pytest_collection_modifyitems", "town"]


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running Atelier with the demo's people. Its logs are printed when a test that uses it fails.

    `ATELIER_TEST_ENGINE=docker`: the same tests against workspaces that are containers.
    """
    if os.environ.get("ATELIER_TEST_ENGINE") == "docker":
        yield request.getfixturevalue("docker_stack")
        return
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    found = item.funcargs if isinstance(item, pytest.Function) else {}
    running = found.get("stack") or found.get("docker_stack")
    if report.failed and isinstance(running, Stack):
        report.sections.append(("logs of the stack", running.describe_logs()))
    return report
