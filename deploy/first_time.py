"""`make deploy`: from a machine with Docker to a running city, and safe to repeat.

What is asked is written down once; what exists stays; what is missing is made.
"""

import datetime as dt
import getpass
import os
import subprocess
import sys
from pathlib import Path

from deploy.look import look_at_certificate, look_at_machine
from deploy.problem import DeployProblem
from deploy.restore import restore_backup
from deploy.settings import (
    TownSettings,
    ask_settings,
    load_town_settings,
    write_secrets,
    write_settings,
)
from deploy.stack import ComposeStack, find_compose, find_tag, install_units, make_folders, provide_images
from deploy.town import PROCESS_UID, load_town
from deploy.versions import Installed, load_installed, note_installed
from hub_config.city import CityError, load_city

CITY = """# The city: its schools. Explained in docs/reference-settings.md.
name: {domain}
schools:
  first-school:
    name: First school
    domains: [{school_domain}]
    zone: Europe/Sofia
    first_administrator: {operator}
"""
SECRET_VARIABLE = "ATELIER_GOOGLE_CLIENT_SECRET"  # noqa: S105 - a variable's name


def deploy(
    folder: Path,
    answers: Path | None,
    now: dt.datetime,
    *,
    backup: Path | None = None,
    identity: Path | None = None,
) -> None:
    """Set everything up and start it, from `backup` if given. Raises DeployProblem: what is in the way."""
    if os.geteuid() != 0:
        raise DeployProblem("this sets up a machine and needs to be root", "sudo make deploy")
    settings = prepare_town(folder, read_answers(answers) if answers else {})
    _check_certificate(folder, settings, now)
    enable_units(install_units(folder))
    tag = find_tag()
    provide_images(tag, settings.docker_url)
    stack = ComposeStack(folder, settings, tuple(find_compose()))
    if backup:
        stack.up_database(tag)
        restore_backup(load_town(folder), backup, identity)
    stack.up(tag)
    _note(folder, tag, now)
    for finding in look_at_machine(folder, settings, tag, now):
        sys.stdout.write(f"{finding}\n")
    sys.stdout.write(f"Atelier runs: {settings.public_url}\n")


def prepare_town(folder: Path, known: dict[str, str], *, as_root: bool = True) -> TownSettings:
    """Ask what is not known; make folders, settings, secrets and a first city file. Existing ones stay."""
    settings = load_town_settings(folder) or ask_settings(ask_person, known)
    make_folders(folder, as_root=as_root)
    write_settings(folder, settings)
    client_secret = folder / "secrets" / "hub" / "atelier_google_client_secret"
    given = known.get("google_client_secret") or os.environ.get(SECRET_VARIABLE)
    if not client_secret.exists() and not given:
        given = ask_secret("Google's OAuth client secret (it is not shown)")
    write_secrets(folder, given, PROCESS_UID if as_root else None)
    prepare_city(folder / "city.yaml", settings)
    return settings


def prepare_city(path: Path, settings: TownSettings) -> None:
    """Write a first city file with one school, or check the one that is there. Raises DeployProblem."""
    if not path.exists():
        values = {"domain": settings.domain, "operator": settings.operator}
        path.write_text(
            CITY.format(**values, school_domain=settings.operator.rpartition("@")[2]), encoding="utf-8"
        )
        path.chmod(0o644)
    try:
        load_city(path)
    except CityError as error:
        raise DeployProblem(str(error), f"mend {path}, then: make deploy") from error


def read_answers(path: Path) -> dict[str, str]:
    """Return name → value of a file of ``name=value`` lines, for a machine that nobody sits at."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in pairs}


def ask_person(question: str, default: str) -> str:
    """Ask at the terminal."""
    if not sys.stdin.isatty():
        raise DeployProblem(
            f"nobody is there to answer: {question}", "give a file: make deploy ANSWERS=answers.txt"
        )
    shown = f" [{default}]" if default else ""
    return input(f"{question}{shown}: ").strip() or default


def ask_secret(question: str) -> str:
    """Ask at the terminal without showing what is typed."""
    if not sys.stdin.isatty():
        raise DeployProblem(f"nobody is there to answer: {question}", f"give it in {SECRET_VARIABLE}")
    return getpass.getpass(f"{question}: ").strip()


def enable_units(names: list[str]) -> None:
    """Let systemd start the units now and at each start of the machine."""
    for command in (["systemctl", "daemon-reload"], ["systemctl", "enable", "--now", *names]):
        try:
            done = subprocess.run(command, check=False)
        except FileNotFoundError as missing:
            raise DeployProblem(
                "systemd does not run here",
                "start the second daemon and the timers by other means, see docs/deployment.md",
            ) from missing
        if done.returncode:
            raise DeployProblem(f"`{' '.join(command)}` failed", "journalctl -xe")


def _check_certificate(folder: Path, settings: TownSettings, now: dt.datetime) -> None:
    wrong = [finding for finding in look_at_certificate(folder, settings, now) if finding.level == "error"]
    if wrong:
        raise DeployProblem(f"certificate: {wrong[0].fact}", wrong[0].repair)


def _note(folder: Path, tag: str, now: dt.datetime) -> None:
    town = load_town(folder)
    before = load_installed(town)
    if before is None or before.tag != tag:
        note_installed(town, Installed(tag, at=f"{now:%Y-%m-%dT%H:%M:%SZ}"))
