"""A team's member makes the home unusable: the workspace starts again all the same, and nothing is lost."""

from collections.abc import Iterator

import pytest

from tests.docker.neighbour import working_beside
from tests.docker_notebook import Notebook
from tests.docker_school import DockerSchool
from tests.waiting import wait_until

pytestmark = pytest.mark.docker

# What is done to the home just before the workspace is started anew.
SPOILED = {
    "a file where programs keep settings": "rm -rf .local; echo mine >.local",
    "a link in a ring": "rm -rf .local; ln -s .local .local",
    "a link out": "rm -rf .local/share; mkdir -p .local; ln -s /etc .local/share",
    "locked folders": "mkdir -p .local/share; chmod 0 .local/share .local .",
    "a pipe for the live store": "rm -rf .local/share/atelier/*; mkfifo .local/share/atelier/ystore.db",
    "a folder for the live store": "rm -rf .local/share/atelier/*; mkdir .local/share/atelier/ystore.db",
    "settings of Jupyter and IPython": "rm -rf .jupyter .ipython; echo x >.jupyter; echo x >.ipython",
}
REPAIR = (
    "chmod 700 . ; rm -rf .local .local.* .jupyter .ipython; mkdir -p .local/share/atelier; "
    "test ! -e work.txt || test $(cat work.txt) = work"
)


@pytest.fixture
def school(docker_school: DockerSchool) -> Iterator[DockerSchool]:
    docker_school.ensure_running(docker_school.boris)
    yield docker_school
    spoil(docker_school, REPAIR)


def spoil(school: DockerSchool, commands: str) -> None:
    """Run shell commands in the home: in the workspace or, where none runs, in a container beside."""
    client, image = school.stack.client, school.stack.client.images.list("atelier-workspace:test")[0]
    volume = f"atelier-home-{school.boris}"
    uid = client.volumes.get(volume).attrs["Labels"]["atelier.uid"]
    client.containers.run(
        image,
        ["-c", f"cd /home/work; {commands}"],
        entrypoint="sh",
        user=f"{uid}:{uid}",
        volumes={volume: {"bind": "/home/work", "mode": "rw"}},
        network_mode="none",
        remove=True,
    )


@pytest.mark.parametrize("kind", SPOILED)
def test_a_spoiled_home_starts(school: DockerSchool, neighbour: Notebook, kind: str) -> None:
    stack, name = school.stack, school.boris
    stack.run_inside(name, "open('/home/work/work.txt', 'w').write('work')")
    stack.stop_workspace(name)
    wait_until(lambda: not stack.is_ready(name), 60, "the hub takes it to run")
    spoil(school, SPOILED[kind])
    stack.start_workspace(name)
    # Beside what runs in the spoiled home; its start took the processor time of any start.
    with working_beside(neighbour):
        assert stack.run_inside(name, "print(open('/home/work/work.txt').read())").strip() == "work"
    if "a file" in kind:
        find = "import pathlib; print([p.read_text() for p in pathlib.Path('/home/work').glob('.local.*')])"
        assert "mine" in stack.run_inside(name, find)
