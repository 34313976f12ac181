"""Compose in both generations: v1 as Debian 12 has it, v2 as Debian 13 has it.

Debian 12 has no package of v2; the program in Debian 13's runs here, too. It is kept in the tests' cache
folder and never installed.
"""

import os
import shutil
import tempfile
from pathlib import Path

from tests.components import skip_or_fail
from tests.docker_town import find_cache, run

GENERATIONS = ("v1", "v2")
V2_FROM = "trixie"
PACKAGE = "docker-compose"
PLUGIN = Path("usr/libexec/docker/cli-plugins/docker-compose")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def provide_compose(generation: str) -> Path:
    """Return the program of a generation. Without it: a named skip, a failure where CI is set."""
    if generation == "v2":
        return _provide_v2()
    found = shutil.which(PACKAGE)
    if not found:
        skip_or_fail("docker-compose is missing; install Debian's package docker-compose")
    return Path(found)


def _provide_v2() -> Path:
    if os.geteuid() != 0 or not KEYRING.exists():
        skip_or_fail(f"compose v2 is taken from Debian 13 ({V2_FROM}), as root on a Debian machine")
    kept = find_cache() / "compose-v2"
    if kept.exists():
        return kept
    with tempfile.TemporaryDirectory(prefix="atelier-compose-", dir=kept.parent) as folder:
        program = _download(Path(folder))
        assert run(str(program), "version", "--short").startswith("2.")
        program.rename(kept)
    return kept


def _download(folder: Path) -> Path:
    """Return the program out of the package. The machine's own package lists stay as they are."""
    mirror = run(
        *("apt-get", "indextargets", "--format", "$(REPO_URI)"),
        *("Created-By: Packages", "Origin: Debian", "Codename: bookworm"),
    ).split()[0]
    sources = folder / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {mirror} {V2_FROM} main\n")
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    own = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder / "cache",
    }
    options = [f"--option={name}={value}" for name, value in own.items()]
    run("apt-get", *options, "--quiet", "update")
    run("env", f"--chdir={folder}", "apt-get", *options, "--quiet", "download", PACKAGE)
    (package,) = folder.glob("*.deb")
    run("dpkg-deb", "--extract", str(package), str(folder / "unpacked"))
    return folder / "unpacked" / PLUGIN
