"""The few settings of a technician: asked once or read from a file, checked, written down for root only."""

import json
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from ipaddress import ip_interface
from pathlib import Path
from urllib.parse import urlsplit

from deploy.problem import DeployProblem
from deploy.town import PROCESS_UID, SETTINGS

Ask = Callable[[str, str], str]
EMAIL = re.compile(r"[^@\s,;]+@[a-z0-9-]+(\.[a-z0-9-]+)+")
DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
# Who holds which secret: docs/operator-guide.md. Each process finds only its own files.
HOLDERS: dict[str, tuple[str, ...]] = {
    "atelier_google_client_secret": ("hub",),
    "atelier_web_hub_token": ("hub", "web"),
    "atelier_hub_service_token": ("hub", "web"),
    "atelier_steward_hub_token": ("hub", "steward"),
    "atelier_proxy_token": ("hub", "proxy"),
    "atelier_metrics_token": ("hub", "web", "monitoring"),
    "atelier_password": ("database",),
    "hub_password": ("database",),
}


GATEWAY = "172.31.240.1"  # of the workspaces' network: the machine as workspaces see it
SUBNET_BITS = 20


@dataclass
class TownSettings:
    """What a technician decides. `certificate`: 'files' (certificate.pem and key.pem are put into
    ``<town>/certificate/``) or 'acme-dns' (certbot brings them there: `deploy.certificate`). `operator`: of
    this machine; on the pages the first school's administrator, until its roster says otherwise.
    """

    domain: str
    google_client_id: str
    operator: str
    certificate: str = "files"
    backup_key: str = ""
    backups_kept: int = 14
    snapshot_days: int = 14
    log_days: int = 30
    log_days_of: dict[str, int] = field(default_factory=dict)
    gateway: str = GATEWAY
    docker_url: str = "unix:///run/atelier-docker.sock"
    extra: dict[str, str] = field(default_factory=dict)

    def check(self) -> list[str]:
        """Return what is wrong, each with its repair; empty when all is well."""
        wrong = []
        if not DOMAIN.fullmatch(self.domain):
            wrong.append(f"domain: {self.domain!r} is no host name; write e.g. atelier.example.bg")
        if not self.google_client_id.endswith(".apps.googleusercontent.com"):
            wrong.append(
                "google_client_id: Google's end in .apps.googleusercontent.com; copy it from the console "
                "(docs/operator-guide.md, Sign-in with Google)"
            )
        if not EMAIL.fullmatch(self.operator):
            wrong.append(f"operator: {self.operator!r} is no e-mail address")
        if self.certificate not in ("files", "acme-dns"):
            wrong.append("certificate: write 'files' or 'acme-dns'")
        if self.backup_key and not (self.backup_key.startswith("age1") or Path(self.backup_key).is_file()):
            wrong.append("backup_key: write an age public key (age1…), a file of them, or nothing")
        try:
            find_subnet(self.gateway)
        except ValueError as error:
            wrong.append(f"gateway: {error}")
        for name in ("backups_kept", "snapshot_days", "log_days"):
            if not 1 <= getattr(self, name) <= 3650:
                wrong.append(f"{name}: write a number of days or backups from 1 to 3650")
        return wrong

    def find_log_days(self, service: str) -> int:
        """Return for how many days the log lines of a service are kept."""
        return self.log_days_of.get(service, self.log_days)

    @property
    def public_url(self) -> str:
        return f"https://{self.domain}"


def find_subnet(gateway: str) -> str:
    """Return the workspaces' network of a gateway, e.g. 172.31.240.0/20. Raises ValueError."""
    network = ip_interface(f"{gateway}/{SUBNET_BITS}").network
    if network.version != 4 or not network.is_private or str(next(network.hosts())) != gateway:
        raise ValueError(f"{gateway!r} is not the first address of a private /{SUBNET_BITS}, e.g. {GATEWAY}")
    return str(network)


QUESTIONS = (
    ("domain", "The city's host name, e.g. atelier.example.bg"),
    ("google_client_id", "Google's OAuth client id"),
    ("operator", "Your e-mail address: the operator's, who is the first school's administrator on the pages"),
    ("certificate", "Certificate: 'files' that you bring, or 'acme-dns' (certbot asks an authority)"),
    ("backup_key", "age public key for backups (empty: backups are plain and without secrets)"),
)


def ask_settings(ask: Ask, known: Mapping[str, str]) -> TownSettings:
    """Ask for what `known` (a file, the environment) does not say. Raises DeployProblem naming all faults."""
    defaults = {"certificate": "files", "backup_key": ""}
    values = {
        name: known[name] if name in known else ask(question, defaults.get(name, ""))
        for name, question in QUESTIONS
    }
    settings = TownSettings(**values)  # type: ignore[arg-type]  # all of these are texts
    if wrong := settings.check():
        raise DeployProblem(
            "these settings cannot be used:\n  " + "\n  ".join(wrong), "answer again: make deploy"
        )
    return settings


def write_settings(folder: Path, settings: TownSettings) -> None:
    """Write settings.json (0600) once. Raises DeployProblem when other ones are there."""
    path = folder / SETTINGS
    content = json.dumps(asdict(settings), indent=1, ensure_ascii=False) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") != content:
        raise DeployProblem(f"{path} is there already and says something else", "edit it, then: make deploy")
    write_private(path, content)


def load_town_settings(folder: Path) -> TownSettings | None:
    """Return what was written down, or None. Raises DeployProblem for what cannot be used."""
    path = folder / SETTINGS
    if not path.exists():
        return None
    try:
        settings = TownSettings(**json.loads(path.read_text(encoding="utf-8")))
    except PermissionError as error:
        raise DeployProblem(f"{path} is for root only", "run this as root") from error
    except (TypeError, ValueError) as error:
        raise DeployProblem(f"{path} cannot be used: {error}", "mend it") from error
    if wrong := settings.check():
        raise DeployProblem(f"{path} cannot be used:\n  " + "\n  ".join(wrong), "mend it, then: make deploy")
    return settings


def write_secrets(folder: Path, google_client_secret: str | None, owner: int | None = PROCESS_UID) -> None:
    """Make every secret that is absent, and give each process a folder with its own ones only.

    Existing ones stay. `owner` is the images' user; None leaves the files to who runs this.
    """
    made: dict[str, str] = {}
    for name, holders in HOLDERS.items():
        places = [folder / "secrets" / holder / name for holder in holders]
        there = [place for place in places if place.exists()]
        if there:
            made[name] = there[0].read_text().strip()
        elif name == "atelier_google_client_secret":
            made[name] = google_client_secret or ""
        else:
            made[name] = secrets.token_hex(32)
        for place in places:
            if made[name] and not place.exists():
                _hand_out(place, made[name], owner)
    for holder, database in (("web", "atelier"), ("steward", "atelier"), ("hub", "hub")):
        name = "atelier_hub_database_url" if holder == "hub" else "atelier_database_url"
        place = folder / "secrets" / holder / name
        if not place.exists():
            url = f"postgresql+psycopg://{database}:{made[f'{database}_password']}@/{database}?host=/run/postgresql"
            _hand_out(place, url, owner)


def _hand_out(place: Path, secret: str, owner: int | None) -> None:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(place, f"{secret}\n")
    if owner is not None:
        os.chown(place.parent, owner, owner)
        os.chown(place, owner, owner)


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.part")
    draft.unlink(missing_ok=True)
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(content)
        os.fsync(file.fileno())
    draft.replace(path)


def describe_compose(
    settings: TownSettings, folder: Path, tag: str, docker_group: int, file_system: str = ""
) -> str:
    """Return the file of variables that compose.yaml asks for. No secret is in it."""
    address = urlsplit(settings.public_url).netloc
    values = {
        "COMPOSE_PROJECT_NAME": "atelier",
        "ATELIER_TOWN": str(folder),
        "ATELIER_PUBLIC_URL": settings.public_url,
        "ATELIER_STATIC_URL": f"https://static--service.{address}",
        "ATELIER_GATEWAY": settings.gateway,
        "ATELIER_GOOGLE_CLIENT_ID": settings.google_client_id,
        "ATELIER_DOCKER_SOCKET": urlsplit(settings.docker_url).path,
        "ATELIER_DOCKER_GROUP": str(docker_group),
        "ATELIER_IMAGE_TAG": tag,
        "ATELIER_DISK_QUOTA": "btrfs" if file_system == "btrfs" else "soft",
        **settings.extra,
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())
