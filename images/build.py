"""Builds the images: ``python -m images.build [name …] [--version 0.1.0]``; `make images` builds all.

Each image is built from a folder made for it: its own files, its lock, wheels of our packages. So nothing
else of the checkout (data, secrets, history) can get into one. Wheels are made here and not in the image:
their JavaScript is already built, and no compiler or Node is needed inside.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from images.builder import Builder
from images.catalog import REPOSITORY, Image, find_version, load_images, name_tag

LICENCE = "BSD-3-Clause"
VENDOR = "Atelier"
LABEL = "org.opencontainers.image"
INSTALLER_LOCK = "requirements/bootstrap.txt"  # the lock of what installs the others
HUB_PARTS = ("hub_config", "pyproject.toml")


class BuildFailed(Exception):
    """An image could not be built; the builder's own words stand above."""


def build_images(
    names: Iterable[str],
    version: str,
    docker: str = "docker",
    tell: Callable[[str], object] | None = None,
    arguments: Mapping[str, str] | None = None,
) -> dict[str, float]:
    """Build images and, before them, their parents. Returns seconds by name. Raises BuildFailed.

    `tell` hears of each image before it is built: the first time takes minutes. `arguments`: what Dockerfiles
    ask for besides their parent.
    """
    images = load_images()
    wanted = list_with_parents(images, names)
    if not shutil.which(docker):
        raise BuildFailed(f"{docker} is not installed; Debian: apt-get install docker.io")
    builder = Builder.choose(docker)
    took_s = {}
    for name in wanted:
        if tell:
            tell(f"Building image {name_tag(name, version)} …\n")
        began = time.monotonic()
        build_image(images[name], version, builder, arguments or {})
        took_s[name] = time.monotonic() - began
    return took_s


def list_with_parents(images: Mapping[str, Image], names: Iterable[str]) -> list[str]:
    """Return the names and all their parents that are ours, parents first. Raises BuildFailed."""
    wanted: set[str] = set()
    for name in names:
        if name not in images:
            raise BuildFailed(f"there is no image {name!r}; images/images.yaml has: {', '.join(images)}")
        while name in images:
            wanted.add(name)
            name = images[name].parent
    return [name for name in images if name in wanted]


def build_image(image: Image, version: str, builder: Builder, arguments: Mapping[str, str]) -> None:
    """Build one image; its parent must be there. Raises BuildFailed."""
    parent = image.parent if ":" in image.parent else name_tag(image.parent, version)
    with tempfile.TemporaryDirectory(prefix="atelier-image-") as folder:
        fill_context(image, Path(folder))
        labels = [f"--label={LABEL}.{key}={value}" for key, value in list_labels(image, version).items()]
        command = [builder.docker, "build", f"--tag={name_tag(image.name, version)}"]
        given = {"PARENT": parent, **(arguments if ":" in image.parent else {})}
        options = [f"--build-arg={name}={value}" for name, value in given.items()]
        run([*command, *options, *labels, folder], f"image {image.name}", builder.variables)


def fill_context(image: Image, folder: Path) -> None:
    """Put into `folder` all that the image's Dockerfile may take, and nothing else."""
    shutil.copytree(image.folder, folder, dirs_exist_ok=True)
    for name in list_installing(image):
        shutil.copy(REPOSITORY / name, folder)
    for name in image.folders:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    for name in image.files:
        shutil.copy(REPOSITORY / name, folder)
    for package in image.packages:
        build_wheel(REPOSITORY / package, folder / "wheels")


def build_wheel(package: Path, folder: Path) -> None:
    """Make a wheel of one of our packages. The same files give the same bytes, so that layers are reused."""
    options = ["--wheel", "--quiet", "--no-build-isolation", "--offline", f"--python={sys.executable}"]
    run(
        [sys.executable, "-m", "uv", "build", *options, f"--out-dir={folder}", str(package)],
        f"{package.name}",
    )


def list_labels(image: Image, version: str) -> dict[str, str]:
    """Return the OCI labels without their common prefix. They change only when the image does."""
    revision, created = find_last_change(list_inputs(image))
    return {
        "title": image.title,
        "description": image.description,
        "version": version,
        "vendor": VENDOR,
        "licenses": LICENCE,
        "revision": revision,
        "created": created,
    }


def list_inputs(image: Image) -> list[str]:
    """Return the paths of the checkout from which the image is made, its parent's left out."""
    packages = [path for package in image.packages for path in (HUB_PARTS if package == "." else [package])]
    return [f"images/{image.name}", *list_installing(image), *packages, *image.folders, *image.files]


def list_installing(image: Image) -> list[str]:
    """Return the paths of the checkout by which the image's Python packages are installed."""
    if not image.lock:
        return []
    return [f"requirements/{image.lock}", INSTALLER_LOCK, "images/build_environment.sh"]


def find_last_change(paths: list[str]) -> tuple[str, str]:
    """Return commit and instant of the last change of some paths; outside of a repository: unknown."""
    command = ["git", "log", "-1", "--format=%H %cI", "--", *paths]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    revision, _, created = done.stdout.strip().partition(" ")
    return revision or "unknown", created or "1970-01-01T00:00:00Z"


def run(command: list[str], subject: str, variables: Mapping[str, str] | None = None) -> None:
    """Run a command; what it says is shown only when it fails. Raises BuildFailed."""
    environment = {**os.environ, **(variables or {})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(f"{done.stdout}{done.stderr}\n{subject}: `{' '.join(command)}` failed, see above")


def tell_person(line: str) -> None:
    """Print at once, also into a pipe."""
    sys.stdout.write(line)
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Build Atelier's container images.")
    parser.add_argument("names", nargs="*", help="images to build, with their parents; default: all")
    parser.add_argument("--version", default=find_version(), help="the tag; default: the project's version")
    parser.add_argument("--docker", default="docker", help="the client; default: the first one on PATH")
    chosen = parser.parse_args(arguments)
    try:
        took_s = build_images(chosen.names or load_images(), chosen.version, chosen.docker, tell_person)
    except BuildFailed as failed:
        sys.stderr.write(f"{failed}\n")
        return 1
    for name, seconds in took_s.items():
        sys.stdout.write(f"{name_tag(name, chosen.version):<32} {seconds:6.1f} s\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
