"""What the attacks share: the student beside whom they are made."""

from collections.abc import Iterator

import pytest

from tests.docker.neighbour import measure_cells_s
from tests.docker_notebook import Notebook, open_notebook
from tests.docker_school import STUDENTS, DockerSchool


@pytest.fixture
def neighbour(docker_school: DockerSchool) -> Iterator[Notebook]:
    """A notebook that another student has open and has worked in."""
    docker_school.ensure_running(docker_school.anna)
    with open_notebook(docker_school.stack, docker_school.anna, STUDENTS[0]) as notebook:
        measure_cells_s(notebook)
        yield notebook
