"""The walk with four people at once, unchanged, with workspaces that are containers."""

import pytest

from tests.browser.conftest import chromium
from tests.browser.test_walk import (
    screens,
    test_team_works_live_submits_once_and_each_child_reads_a_mark_its_teacher_signed,
)
from tests.docker_stack import DockerStack

__all__ = [
    "chromium",
    "screens",
    "test_team_works_live_submits_once_and_each_child_reads_a_mark_its_teacher_signed",
]

pytestmark = [pytest.mark.docker, pytest.mark.browser]


@pytest.fixture(scope="session")
def stack(docker_stack: DockerStack) -> DockerStack:
    """What the walk runs on."""
    return docker_stack
