"""The images of a town: built from this checkout with Debian's newest packages, kept for one way back.

The system's images stay on the machine's own daemon; the workspaces' ones are handed to theirs.
"""

import contextlib
import datetime as dt
import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.look import SYSTEM_DOCKER, WORKSPACE_IMAGES
from deploy.problem import DeployProblem
from images.build import LABEL, VENDOR, BuildFailed, build_images, tell_person
from images.catalog import find_version, load_images, name_tag

if TYPE_CHECKING:
    import docker

REPOSITORY = Path(__file__).resolve().parent.parent
OURS = f"{LABEL}.vendor={VENDOR}"  # build stages inherit it from base
OF_A_VERSION = re.compile(r"atelier-([a-z]+):(\d[\w.]*-[0-9a-f]{12})")


def find_tag() -> str:
    """Return the tag of this checkout's images: version and commit; a rollback finds the earlier ones."""
    done = subprocess.run(
        ["git", "-C", str(REPOSITORY), "rev-parse", "--short=12", "HEAD"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DeployProblem(
            f"the commit of {REPOSITORY} is not known (see above)", "clone the repository with git"
        )
    return f"{find_version()}-{done.stdout.strip()}"


def provide_images(tag: str, docker_url: str, now: dt.datetime) -> None:
    """Build all images, and hand the workspaces' ones to their daemon. Raises DeployProblem."""
    images = load_images()
    _refresh_bases({image.parent for image in images.values() if ":" in image.parent})
    try:
        # Debian's packages are asked for anew once a week; within it a repeated build takes seconds.
        build_images(images, tag, tell=tell_person, arguments={"WEEK": f"{now:%G-W%V}"})
    except BuildFailed as failed:
        raise DeployProblem(str(failed), "mend what the builder says, then: make deploy") from failed
    _hand_over([name_tag(name, tag) for name in WORKSPACE_IMAGES], docker_url)


def _refresh_bases(tags: Collection[str]) -> None:
    """Fetch Debian's newer image where a registry is reached; one that is here does, too."""
    for tag in tags:
        if subprocess.run(["docker", "pull", "--quiet", tag], check=False, capture_output=True).returncode:
            sys.stdout.write(f"A newer {tag} could not be fetched; the one that is here is used.\n")


def _hand_over(names: list[str], docker_url: str) -> None:
    with subprocess.Popen(["docker", "save", *names], stdout=subprocess.PIPE) as saving:
        loading = subprocess.run(
            ["docker", "--host", docker_url, "load", "--quiet"], stdin=saving.stdout, check=False
        )
        assert saving.stdout is not None
        saving.stdout.close()  # or `docker save` waits for ever for a reader that has ended
    if saving.returncode or loading.returncode:
        raise DeployProblem(
            "the workspaces' daemon did not take its images", "systemctl status atelier-docker"
        )


def tidy_up(kept: Collection[str], docker_url: str) -> None:
    """Free on both daemons what versions other than `kept` and builds have left; what fails is told only."""
    for url in (SYSTEM_DOCKER, docker_url):
        remove_old_images(url, kept)
        forget_old_builds(url)


def remove_old_images(url: str, kept: Collection[str]) -> None:
    """Remove the images of versions other than `kept`; what a container uses stays."""
    import docker

    with tidying(url), connect(url) as client:
        tags = [name for image in client.api.images() for name in image["RepoTags"] or []]
        for tag in list_old(tags, kept):
            with contextlib.suppress(docker.errors.APIError):  # a workspace of that version still runs
                client.api.remove_image(tag)


def forget_old_builds(url: str, unused_for: str = "24h") -> None:
    """Free what builds have left beside the images; `unused_for` as Go writes durations.

    BuildKit keeps each step: those go that nothing has read so long. The classic builder keeps each stage as
    an image without a name, 400 MB for the workspace alone, and a tag that is made anew leaves its old image:
    those go that are as old. Images with a name stay.
    """
    with tidying(url), connect(url) as client:
        client.api.prune_builds(filters={"until": unused_for}, all=True)
    with tidying(url), connect(url) as client:
        client.images.prune(filters={"dangling": True, "label": OURS, "until": unused_for})


def connect(url: str) -> "contextlib.closing[docker.DockerClient]":
    """A client of a daemon. Raises DockerException when it does not answer."""
    import docker

    return contextlib.closing(docker.DockerClient(base_url=url, timeout=120))


@contextlib.contextmanager
def tidying(url: str) -> Iterator[None]:
    """Where tidying a daemon up fails, that is told and nothing else: the next upgrade does it again."""
    import docker

    try:
        yield
    except (docker.errors.DockerException, OSError) as trouble:  # a connection that breaks off is the latter
        sys.stderr.write(f"Old images and builds stay at {url}: {trouble}. The next upgrade frees them.\n")


def list_old(tags: Collection[str], kept: Collection[str]) -> list[str]:
    """Return those of our images' tags that belong to other versions than `kept`."""
    found = {tag: OF_A_VERSION.fullmatch(tag) for tag in tags}
    return sorted(tag for tag, match in found.items() if match and match[2] not in kept)
