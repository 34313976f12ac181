"""Which builder makes the images, and what installs inside when the first choice fails."""

import subprocess
from pathlib import Path

import pytest

from images.build import BuildFailed, build_images
from images.builder import Builder
from images.catalog import IMAGES

DEBIAN_12 = '[ "$1" = --version ] && echo "Docker version 20.10.24+dfsg1, build 297e128"'
NEW_WITH_PLUGIN = '[ "$1" != --version ] || echo "Docker version 28.2.2, build e6534b4"'
NEW_WITHOUT = f'{NEW_WITH_PLUGIN}; [ "$1" = --version ]'


def make_program(path: Path, script: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("script", "buildkit"),
    [(DEBIAN_12, "1"), (NEW_WITH_PLUGIN, "1"), (NEW_WITHOUT, "0")],
    ids=["Debian 12", "with the plug-in", "without it"],
)
def test_the_builder_is_the_best_that_the_client_has(tmp_path: Path, script: str, buildkit: str) -> None:
    chosen = Builder.choose(make_program(tmp_path / "docker", script), {})
    assert chosen.variables["DOCKER_BUILDKIT"] == buildkit


@pytest.mark.parametrize("wanted", ["0", "1"])
def test_who_has_chosen_a_builder_gets_it(tmp_path: Path, wanted: str) -> None:
    chosen = Builder.choose(make_program(tmp_path / "docker", DEBIAN_12), {"DOCKER_BUILDKIT": wanted})
    assert chosen.variables["DOCKER_BUILDKIT"] == wanted


def test_what_a_person_prefers_for_other_images_does_not_count(tmp_path: Path) -> None:
    docker = make_program(tmp_path / "docker", NEW_WITH_PLUGIN)
    chosen = Builder.choose(docker, {"BUILDX_BUILDER": "mine", "BUILDX_NO_DEFAULT_ATTESTATIONS": "0"})
    assert chosen.variables["BUILDX_BUILDER"] == "default"  # DOCKER_HOST's, or the context's of that name
    assert chosen.variables["BUILDX_NO_DEFAULT_ATTESTATIONS"] == "1"


def test_the_daemon_is_that_of_the_context_in_use(tmp_path: Path) -> None:
    """buildx refuses the builder of another context; Debian 12's client knows neither."""
    for said, name in (("rootless", "rootless"), ("Usage:  docker context COMMAND", "default")):
        shows = f'[ "$1 $2" = "context show" ] && {{ echo "{said}"; exit 0; }}; {NEW_WITH_PLUGIN}'
        chosen = Builder.choose(make_program(tmp_path / "docker", shows), {})
        assert chosen.variables["BUILDX_BUILDER"] == name


def test_a_builders_own_words_are_told_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """buildx would keep them to itself with --quiet."""
    failing = f'[ "$1" = build ] && {{ echo "words of $*" >&2; exit 1; }}; {DEBIAN_12}'
    docker = make_program(tmp_path / "docker", failing)
    monkeypatch.delenv("DOCKER_BUILDKIT", raising=False)
    with pytest.raises(BuildFailed, match="words of build") as failed:
        build_images(["base"], "1", docker)
    assert "--quiet" not in str(failed.value)
    assert Builder.choose(docker, {}).variables["BUILDKIT_PROGRESS"] == "plain"


@pytest.mark.parametrize("wanted", ["", "0", "1"])
def test_a_missing_client_is_told_with_the_package_that_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", wanted)
    with pytest.raises(BuildFailed, match=r"no-docker is not installed; Debian: apt-get install docker\.io"):
        build_images(["base"], "1", str(tmp_path / "no-docker"))


# ------------------------------------------------ build_environment.sh
@pytest.mark.parametrize(
    ("status", "who"), [(0, ["uv"]), (2, ["uv", "pip"])], ids=["uv can", "only pip knows the mirror"]
)
def test_pip_installs_the_same_lock_where_uv_cannot(tmp_path: Path, status: int, who: list[str]) -> None:
    told = tmp_path / "told"
    for name, code in (("uv", status), ("pip", 0)):
        make_program(tmp_path / "tools" / name, f'echo "{name} $*" >>{told}; exit {code}')
    (tmp_path / "environment").mkdir()
    done = run_script(tmp_path, "ours", str(tmp_path))
    assert done.returncode == 0, done.stderr
    lines = told.read_text().splitlines()
    assert [line.split()[0] for line in lines] == who
    assert all("--no-index" in line and line.endswith(".whl") for line in lines)
    # uv may have put the packages there before it failed; pip would then call them done, without byte code.
    assert len(who) == 1 or "--force-reinstall" in lines[1]
    assert ("uv could not" in done.stderr) == (len(who) == 2)


def test_a_build_fails_when_neither_can_install(tmp_path: Path) -> None:
    for name in ("uv", "pip"):
        make_program(tmp_path / "tools" / name, "exit 1")
    done = run_script(tmp_path, "ours", str(tmp_path))
    assert (done.returncode, done.stderr.strip()) == (1, "uv could not; trying pip …")


def run_script(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script with other folders than a build stage's."""
    (folder / "x-1-py3-none-any.whl").touch()
    text = (IMAGES / "build_environment.sh").read_text()
    for place, own in (("/opt/installer/bin", "tools"), ("/opt/atelier", "environment")):
        assert place in text
        text = text.replace(place, str(folder / own))
    script = folder / "script.sh"
    script.write_text(text)
    return subprocess.run(["sh", str(script), *arguments], capture_output=True, text=True, check=False)
