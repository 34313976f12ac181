"""BuildKit is taken where Docker's client has it, the classic builder where not."""

from pathlib import Path

import pytest

from images.builder import Builder

DEBIAN_12 = '[ "$1" = version ] && { echo 20.10.24+dfsg1; echo "no daemon" >&2; exit 1; }; exit 1'
NEW_WITH_PLUGIN = '[ "$1" = version ] && echo 28.2.2; exit 0'
NEW_WITHOUT = '[ "$1" = version ] && { echo 28.2.2; exit 0; }; echo "unknown command" >&2; exit 1'
OLD = 'echo 17.12.1-ce; [ "$1" = version ]'


def make_client(folder: Path, script: str) -> str:
    client = folder / "docker"
    client.write_text(f"#!/bin/sh\n{script}\n")
    client.chmod(0o755)
    return str(client)


@pytest.mark.parametrize(
    ("script", "buildkit"), [(DEBIAN_12, "1"), (NEW_WITH_PLUGIN, "1"), (NEW_WITHOUT, "0"), (OLD, "0")]
)
def test_the_builder_is_the_best_that_the_client_has(tmp_path: Path, script: str, buildkit: str) -> None:
    chosen = Builder.choose(make_client(tmp_path, script), {})
    assert chosen.variables["DOCKER_BUILDKIT"] == buildkit


@pytest.mark.parametrize("wanted", ["0", "1"])
def test_who_has_chosen_a_builder_gets_it(tmp_path: Path, wanted: str) -> None:
    chosen = Builder.choose(make_client(tmp_path, DEBIAN_12), {"DOCKER_BUILDKIT": wanted})
    assert chosen.variables["DOCKER_BUILDKIT"] == wanted


def test_images_are_built_into_the_daemon_and_nowhere_else(tmp_path: Path) -> None:
    """A person's own buildx builder would keep them in a container of its own, where no `FROM` finds them."""
    chosen = Builder.choose(make_client(tmp_path, NEW_WITH_PLUGIN), {"BUILDX_BUILDER": "mine"})
    assert chosen.variables["BUILDX_BUILDER"] == "default"


def test_a_missing_client_is_told_with_the_package_that_has_it(tmp_path: Path) -> None:
    from images.build import BuildFailed, build_images

    with pytest.raises(BuildFailed, match=r"no-docker is not installed; Debian: apt-get install docker\.io"):
        build_images(["base"], "1", str(tmp_path / "no-docker"))
