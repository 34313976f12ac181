"""`make deploy`: from a machine with Docker to a running city, and safe to repeat.

What is asked is written down once; what exists stays; what is missing is made.
"""

import datetime as dt
import getpass
import os
import sys
from pathlib import Path

from deploy.look import look_at_machine, look_before
from deploy.problem import DeployProblem
from deploy.restore import check_backup, restore_backup
from deploy.settings import (
    QUESTIONS,
    TownSettings,
    ask_settings,
    load_town_settings,
    write_secrets,
    write_settings,
)
from deploy.stack import ComposeStack, find_compose, make_folders
from deploy.town import PROCESS_UID, SETTINGS, load_town
from deploy.town_images import find_tag, provide_images
from deploy.units import enable_units, install_units
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
CLIENT_SECRET = Path("secrets", "hub", "atelier_google_client_secret")


def deploy(
    folder: Path,
    answers: Path | None,
    now: dt.datetime,
    *,
    backup: Path | None = None,
    identity: Path | None = None,
) -> None:
    """Set everything up and start it, from `backup` if given. Raises DeployProblem: what is in the way."""
    check_root()
    tag = find_tag()
    check_same_version(folder, tag)
    if backup:
        check_backup(backup, identity)  # before minutes of building, and before anything is written
    settings = prepare_town(folder, read_answers(answers) if answers else {})
    _check_first(folder, settings, now)
    enable_units(install_units(folder, settings.gateway))
    provide_images(tag, settings.docker_url, now)
    stack = ComposeStack(folder, settings, tuple(find_compose()))
    if backup:
        stack.up_database(tag)
        restore_backup(load_town(folder), backup, identity)
    stack.up(tag)
    _note(folder, tag, now)
    for finding in look_at_machine(folder, settings, tag, now):
        sys.stdout.write(f"{finding}\n")
    sys.stdout.write(f"Atelier runs: {settings.public_url}\n")


def check_root() -> None:
    """Raise DeployProblem for who may not set up a machine."""
    if os.geteuid() != 0:
        raise DeployProblem("this sets up a machine and needs to be root", "sudo make deploy")


def check_same_version(folder: Path, tag: str) -> None:
    """Raise DeployProblem where another version runs: an upgrade backs up first and knows the way back."""
    installed = load_installed(folder)
    if installed and installed.tag != tag:
        raise DeployProblem(
            f"version {installed.tag} runs here, and this checkout is {tag}",
            f"make upgrade (it backs up first); to repeat the set-up only: git checkout "
            f"{installed.tag.rpartition('-')[2]}, then: make deploy",
        )


def prepare_town(folder: Path, known: dict[str, str], *, as_root: bool = True) -> TownSettings:
    """Ask what is not known; make folders, settings, secrets and a first city file. Existing ones stay."""
    settings = load_town_settings(folder)
    if settings:
        _compare(folder, settings, known)
    else:
        # Who gives answers in a file is not asked besides: what it does not name keeps its default.
        settings = ask_settings(_take_default if known else ask_person, known)
    make_folders(folder, as_root=as_root)
    write_settings(folder, settings)
    client_secret = folder / CLIENT_SECRET
    given = known.get("google_client_secret") or os.environ.get(SECRET_VARIABLE)
    if not client_secret.exists() and not given:
        given = ask_secret("Google's OAuth client secret (it is not shown)")
    write_secrets(folder, given, PROCESS_UID if as_root else None)
    prepare_city(folder / "city.yaml", settings)
    return settings


def _compare(folder: Path, settings: TownSettings, known: dict[str, str]) -> None:
    """Raise DeployProblem for an answer that would be passed over because another one was written down."""
    written = {name: str(getattr(settings, name)) for name, _ in QUESTIONS}
    places = dict.fromkeys(written, folder / SETTINGS)
    if (folder / CLIENT_SECRET).exists():
        written["google_client_secret"] = (folder / CLIENT_SECRET).read_text(encoding="utf-8").strip()
        places["google_client_secret"] = folder / CLIENT_SECRET
    other = [name for name, value in known.items() if name in written and value != written[name]]
    if other:
        where = ", ".join(dict.fromkeys(str(places[name]) for name in other))
        raise DeployProblem(
            f"the answers give another {' and '.join(other)} than {where}",
            f"edit {where} (what is written there counts), then: make deploy without ANSWERS",
        )


def _take_default(question: str, default: str) -> str:
    return default


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
    """Return name → value of a file of ``name=value`` lines, for a machine that nobody sits at.

    Raises DeployProblem for a file that cannot be read and for a name that nobody asks for.
    """
    names = [*(name for name, _ in QUESTIONS), "google_client_secret"]
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DeployProblem(
            f"the answers {path} cannot be read: {getattr(error, 'strerror', None) or error}",
            "ANSWERS names a text file of lines name=value (docs/deployment.md)",
        ) from error
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    unknown = [name.strip() for name, sign, _ in pairs if not sign or name.strip() not in names]
    if unknown:
        raise DeployProblem(
            f"{path}: nobody asks for {', '.join(map(repr, unknown))}",
            f"write lines name=value with the names {', '.join(names)}",
        )
    return {name.strip(): value.strip() for name, _, value in pairs}


def ask_person(question: str, default: str) -> str:
    """Ask at the terminal."""
    if not sys.stdin.isatty():
        raise DeployProblem(
            f"nobody is there to answer: {question}",
            "give a file: make deploy ANSWERS=answers.txt (its lines: docs/deployment.md)",
        )
    shown = f" [{default}]" if default else ""
    return input(f"{question}{shown}: ").strip() or default


def ask_secret(question: str) -> str:
    """Ask at the terminal without showing what is typed."""
    if not sys.stdin.isatty():
        raise DeployProblem(
            f"nobody is there to answer: {question}",
            f"a line google_client_secret=… in the file of ANSWERS, or the variable {SECRET_VARIABLE}",
        )
    return getpass.getpass(f"{question}: ").strip()


def _check_first(folder: Path, settings: TownSettings, now: dt.datetime) -> None:
    """Raise DeployProblem, with all of it, for what would only show after minutes of building."""
    wrong = [finding for finding in look_before(folder, settings, now) if finding.level == "error"]
    if wrong:
        raise DeployProblem(
            "the machine is not ready:\n" + "\n".join(map(str, wrong)), "mend each, then: make deploy"
        )


def _note(folder: Path, tag: str, now: dt.datetime) -> None:
    town = load_town(folder)
    before = load_installed(folder)
    if before is None or before.tag != tag:
        note_installed(town, Installed(tag, at=f"{now:%Y-%m-%dT%H:%M:%SZ}"))
