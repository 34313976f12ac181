"""A database that the machine runs carelessly is out of reach of every workspace."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.docker.attack_cells import (
    Attack,
    check_refused,
    find_address_of,
    list_attacks,
    write_cell,
    write_prelude,
)
from tests.docker.neighbour import working_beside
from tests.docker_notebook import Notebook, open_notebook
from tests.docker_school import STUDENTS, DockerSchool
from tests.postgresql import run_careless_postgresql

pytestmark = pytest.mark.docker


@pytest.fixture
def targets(docker_school: DockerSchool) -> Iterator[dict[str, Any]]:
    """A PostgreSQL that lets everybody in, at the very address at which workspaces see the machine."""
    town, house = docker_school.stack.town, docker_school.stack.house
    with run_careless_postgresql(town.gateway) as (port, folder):
        with psycopg.connect(host=town.gateway, port=port, user="atelier", dbname="postgres") as database:
            assert database.execute("SELECT 1").fetchone() == (1,), "it must answer, or this shows nothing"
        yield {
            "gateway": town.gateway,
            "other_bridge": find_address_of(town.daemon.bridge),
            "hub_port": house.ports.hub,
            "database_port": port,
            "database_folder": str(folder),
        }


@pytest.mark.parametrize("attack", list_attacks("database"), ids=str)
def test_no_workspace_reaches_a_database(
    attack: Attack, docker_school: DockerSchool, neighbour: Notebook, targets: dict[str, Any]
) -> None:
    docker_school.ensure_running(docker_school.boris)
    with open_notebook(docker_school.stack, docker_school.boris, STUDENTS[1]) as attacker:
        attacker.run(write_prelude(targets))
        with working_beside(neighbour) as watch:
            for _ in watch.list_rounds():
                check_refused(attack, attacker.run(write_cell(attack)))
