"""Docker's client, and which of its two builders it takes: BuildKit where it has it, else the classic one.

BuildKit knows in a second that nothing has changed, and moves a build stage's files without reading them
twice. Debian 12's client has it inside; newer ones ask for the plug-in buildx, which may be missing.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

WITH_BUILDKIT_INSIDE = range(18, 23)  # major versions; from 23 on it is the plug-in


@dataclass(frozen=True)
class Builder:
    """The client's program, and the variables with which it builds."""

    docker: str
    variables: Mapping[str, str]

    @classmethod
    def choose(cls, docker: str, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the client's better builder, or the one that ``DOCKER_BUILDKIT`` asks for.

        Raises FileNotFoundError where there is no such client.
        """
        buildkit = environment.get("DOCKER_BUILDKIT") or str(int(has_buildkit(docker)))
        # The images belong into the daemon that DOCKER_HOST names, whatever builder the person prefers.
        # Notes on how they were made would be parts of them that an older daemon does not load.
        alone = {"BUILDX_BUILDER": "default", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
        return cls(docker, {"DOCKER_BUILDKIT": buildkit, **alone})


def has_buildkit(docker: str) -> bool:
    """Whether a client can build with BuildKit. Raises FileNotFoundError where there is no such client."""
    # Its exit status speaks of the daemon, which need not run.
    said = _ask(docker, "version", "--format", "{{.Client.Version}}").stdout
    version = re.match(r"(\d+)\.", said)
    if version and int(version[1]) in WITH_BUILDKIT_INSIDE:
        return True
    return _ask(docker, "buildx", "version").returncode == 0


def _ask(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)
