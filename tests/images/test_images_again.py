"""Building again: nothing new where nothing has changed, and no leftovers that grow with each version."""

import os
import subprocess
from pathlib import Path

import docker
import pytest

from deploy.town_images import forget_old_builds
from images.build import build_images
from images.builder import Builder
from tests.docker_town import BASE_TAG, CLIENT, VERSION, Daemon, find_cache, provide_base, run_client

pytestmark = [pytest.mark.docker, pytest.mark.side_by_side]


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


def test_what_builds_left_behind_goes_when_nobody_has_used_it_lately(tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(
        f"FROM {BASE_TAG} AS stage\nRUN echo made >/made\nFROM {BASE_TAG}\nCOPY --from=stage /made /made\n"
    )
    with Daemon(tmp_path / "docker", remapped=False) as other, other.connect() as client:
        provide_base(other, find_cache())
        variables = {**os.environ, **Builder.choose(str(CLIENT)).variables, "DOCKER_HOST": other.url}
        subprocess.run([str(CLIENT), "build", "--quiet", "--tag=kept", context], env=variables, check=True)
        assert count_left_behind(client) > 0
        forget_old_builds(other.url, "1h")
        assert count_left_behind(client) > 0
        forget_old_builds(other.url, "1ms")
        assert count_left_behind(client) == 0
        assert run_client(other, "run", "--rm", "--network=none", "kept", "cat", "/made") == "made\n"


def count_left_behind(client: docker.DockerClient) -> int:
    """How many steps of builds BuildKit keeps that are no part of an image."""
    return sum(bool(step["Size"]) and not step["Shared"] for step in client.api.df()["BuildCache"] or ())
