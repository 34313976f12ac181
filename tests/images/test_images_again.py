"""Building again: nothing new where nothing has changed, and no leftovers that grow with each version."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from deploy.town_images import OURS, forget_old_builds
from images.build import build_images
from images.builder import Builder
from tests.docker_town import BASE_TAG, CLIENT, VERSION, Daemon, find_cache, provide_base, run_client
from tests.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.side_by_side]
DOCKERFILE = f"""
FROM {BASE_TAG} AS stage
LABEL {OURS}
RUN echo made >/made
FROM {BASE_TAG}
COPY --from=stage /made /made
"""


def test_a_second_build_makes_the_same_images(
    daemon: Daemon, images: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def list_ids() -> list[str]:
        with daemon.connect() as client:
            return [str(client.images.get(tag).id) for tag in images.values()]

    before = list_ids()
    monkeypatch.setenv("DOCKER_HOST", daemon.url)
    build_images(images, VERSION, str(CLIENT))
    assert list_ids() == before


@pytest.fixture
def other(daemon: Daemon, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that has built nothing yet. (`daemon` has made the base tag.)"""
    data_root = tmp_path / "docker"
    with Daemon(data_root, remapped=False) as running:
        provide_base(running, find_cache())
        yield running
    shutil.rmtree(data_root)


@pytest.mark.parametrize("buildkit", ["1", "0"], ids=["BuildKit", "classic"])
def test_what_builds_left_behind_goes_when_nobody_has_used_it_lately(
    other: Daemon, tmp_path: Path, buildkit: str
) -> None:
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE)
    builder = Builder.choose(str(CLIENT), {"DOCKER_BUILDKIT": buildkit})
    variables = {**os.environ, **builder.variables, "DOCKER_HOST": other.url}
    subprocess.run([str(CLIENT), "build", "--quiet", "--tag=kept", context], env=variables, check=True)
    with other.connect() as client:
        assert count_left_behind(client) > 0
        forget_old_builds(other.url, "1h")
        assert count_left_behind(client) > 0
        # The daemon counts an image's age in whole seconds.
        wait_until(lambda: forgets_all(other, client), 20, "what builds left behind is not forgotten")
    assert run_client(other, "run", "--rm", "--network=none", "kept", "cat", "/made") == "made\n"


def forgets_all(daemon: Daemon, client: docker.DockerClient) -> bool:
    forget_old_builds(daemon.url, "1ms")
    return count_left_behind(client) == 0


def count_left_behind(client: docker.DockerClient) -> int:
    """How many steps and images there are on the disk that no image with a name has a part in."""
    steps = client.api.df()["BuildCache"] or ()
    unnamed = client.images.list(filters={"dangling": True})
    return len(unnamed) + sum(bool(step["Size"]) and not step["Shared"] for step in steps)
