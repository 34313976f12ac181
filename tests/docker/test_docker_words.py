"""What a student reads when something fails because there is no internet."""

from collections.abc import Iterator

import pytest

from tests.docker.world import open_world
from tests.docker_notebook import Notebook, open_notebook
from tests.docker_school import STUDENTS, DockerSchool

pytestmark = [pytest.mark.docker, pytest.mark.side_by_side]

NO_INTERNET = "В това работно място няма интернет"
NO_INSTALLING = "Тук нищо не може да се инсталира"


@pytest.fixture(scope="module")
def notebook(docker_school: DockerSchool) -> Iterator[Notebook]:
    """A student's notebook in a school that speaks Bulgarian."""
    docker_school.ensure_running(docker_school.anna)
    with open_notebook(docker_school.stack, docker_school.anna, STUDENTS[0]) as opened:
        yield opened


@pytest.mark.parametrize(
    "code",
    [
        "import requests; requests.get('https://data.example/cities.csv')",
        "import urllib.request; urllib.request.urlopen('http://data.example/')",
        "import pandas; pandas.read_csv('https://data.example/cities.csv')",
    ],
)
def test_who_opens_an_address_reads_that_there_is_no_internet(notebook: Notebook, code: str) -> None:
    assert NO_INTERNET in notebook.run(code).splitlines()[-1]


@pytest.mark.parametrize(
    "code",
    [
        "%pip install seaborn",
        "!pip install seaborn",
        "!pip3 install --user seaborn",
        "!conda install seaborn",
        "import sys; print(__import__('subprocess').getoutput(f'{sys.executable} -m pip install seaborn'))",
    ],
)
def test_who_installs_reads_that_nothing_can_be_installed(notebook: Notebook, code: str) -> None:
    assert NO_INSTALLING in notebook.run(code)


def test_an_address_without_a_name_is_explained_too_and_at_once(notebook: Notebook) -> None:
    with open_world() as world:
        url = f"http://{world.address}:{world.port}/"
        said = notebook.run(f"import urllib.request; urllib.request.urlopen({url!r})", 20)
    assert NO_INTERNET in said


def test_other_mistakes_are_left_alone(notebook: Notebook) -> None:
    assert NO_INTERNET not in notebook.run("open('/no/such/file')")
