"""Where an announced lesson is measured: the demo with either engine, with or without the front server."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deploy.front_files import compress_more
from front.trial import PUBLISHED, FrontHouse, make_trial
from images.catalog import REPOSITORY, name_tag
from tests.atelier_stack import Stack
from tests.docker_stack import DockerDemo, DockerHouse, DockerStack, Town
from tests.docker_town import (
    VERSION,
    Daemon,
    check_docker,
    find_cache,
    provide_base,
    provide_images,
    run_client,
)
from tests.front_stack import FrontStack

_PUBLISH = "import pathlib, front.publish; front.publish.publish_lab(pathlib.Path('/srv/static'))"


class DockerFrontHouse(DockerHouse, FrontHouse):
    """A demo house whose workspaces are containers and whose public address is the front's."""


class DockerFrontStack(FrontStack):
    """A running Atelier with engine `docker` behind the front server."""

    demo: DockerDemo

    def __init__(self, data_dir: Path, town: Town) -> None:
        Stack.__init__(self, data_dir)
        self.demo = DockerDemo(town, data_dir)
        self.house = make_trial(self.demo, house_class=DockerFrontHouse)
        object.__setattr__(self.house, "town", town)


@contextmanager
def run_stack(engine: str, *, front: bool) -> Iterator[Stack]:
    """Start the demo with an engine, `local` or `docker`; it ends with the block."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        if engine == "local":
            yield running.enter_context(FrontStack(folder) if front else Stack(folder))
            return
        town = running.enter_context(run_town())
        if front:
            publish_lab(town.daemon, PUBLISHED)
        yield running.enter_context(DockerFrontStack(folder, town) if front else DockerStack(folder, town))


@contextmanager
def run_town() -> Iterator[Town]:
    """Start a Docker daemon with the workspaces' images; it ends with the block."""
    check_docker()
    cache = find_cache()
    with Daemon(cache / "docker") as daemon:
        provide_base(daemon, cache)
        provide_images(daemon, ["workspace", "course"])
        yield Town.make(daemon)


def publish_lab(daemon: Daemon, static_dir: Path) -> None:
    """Publish Lab's files as the workspace image has them: its pages name them by their content."""
    static_dir.mkdir(parents=True, exist_ok=True)
    run_client(
        daemon,
        # Not remapped, for it writes into a folder of the machine's.
        *("run", "--rm", "--network=none", "--userns=host", "--user=0:0", "--entrypoint=python"),
        *("--env=PYTHONPATH=/opt/front", f"--volume={REPOSITORY / 'front'}:/opt/front/front:ro"),
        *(f"--volume={static_dir}:/srv/static", name_tag("workspace", VERSION), "-c", _PUBLISH),
    )
    compress_more(static_dir)
