"""What can be missing or wrong on a school's machine: one small function each, on facts that were looked up.

Each returns findings; none means well. `deploy.look` looks the facts up.
"""

import datetime as dt
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key

Level = Literal["error", "warning"]
OLDEST_DOCKER = (20, 10)
CERTIFICATE_WARN = dt.timedelta(days=21)
SMALLEST_FREE_SHARE, SMALLEST_FREE_BYTES = 0.10, 10 * 1024**3
ENOUGH_TERMINALS = 1_000_000
WORLD_PORTS = {22: "ssh", 80: "front", 443: "front"}
RENEW = "renew it, then: .venv/bin/python -m deploy certificate fullchain.pem privkey.pem (--town=…)"
OLDEST_BACKUP = dt.timedelta(hours=30)


@dataclass(frozen=True)
class Finding:
    """Something missing or wrong. An error stops a deployment; a warning is to be known."""

    level: Level
    subject: str
    fact: str
    repair: str

    def __str__(self) -> str:
        return f"{self.level.upper():<8}{self.subject}: {self.fact}\n        Repair: {self.repair}"


def _error(subject: str, fact: str, repair: str) -> Finding:
    return Finding("error", subject, fact, repair)


def _warning(subject: str, fact: str, repair: str) -> Finding:
    return Finding("warning", subject, fact, repair)


# ---------------------------------------------------------------- names and certificate
def check_dns(domain: str, own: Collection[str], below: Collection[str]) -> list[Finding]:
    """`own`: addresses of the domain; `below`: those of a name below it that nobody entered by hand."""
    if not own:
        return [
            _error("DNS", f"{domain} has no address", f"enter an A record for {domain} at your DNS provider")
        ]
    if not below:
        repair = f"enter a wildcard record: *.{domain} with the same address"
        return [_error("DNS", f"names below {domain} have no address; every account has one", repair)]
    if set(own) != set(below):
        fact = f"{domain} is {', '.join(sorted(own))}, but *.{domain} is {', '.join(sorted(below))}"
        return [_error("DNS", fact, "let both records have the same address")]
    return []


def check_certificate(
    chain_pem: bytes | None,
    key_pem: bytes | None,
    domain: str,
    now: dt.datetime,
    place: str = "/srv/atelier/certificate",
    obtain: str | None = None,
) -> list[Finding]:
    """The front's certificate with its chain, and its key; both lie in `place`. `obtain`: the command that
    brings a first one there, where there is such a command.
    """
    absent = [name for name, pem in (("certificate.pem", chain_pem), ("key.pem", key_pem)) if not pem]
    if absent or not chain_pem or not key_pem:
        repair = obtain or f"put certificate.pem (with its chain) and key.pem into {place}/"
        return [_error("certificate", f"there is none: {' and '.join(absent)} in {place}", repair)]
    try:
        chain = x509.load_pem_x509_certificates(chain_pem)
        key = load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError) as error:
        return [
            _error("certificate", f"cannot be read: {error}", "give PEM files, the key without a password")
        ]
    return [
        *_check_validity(chain[0], now),
        *_check_names(chain[0], domain),
        *_check_key(chain[0], key.public_key()),
        *_check_chain(chain),
    ]


def _check_validity(leaf: x509.Certificate, now: dt.datetime) -> list[Finding]:
    ends = leaf.not_valid_after_utc
    if now < leaf.not_valid_before_utc:
        return [
            _error(
                "certificate",
                f"valid only from {leaf.not_valid_before_utc:%d.%m.%Y %H:%M} UTC; this machine's clock says "
                f"{now:%d.%m.%Y %H:%M} UTC",
                "set the clock (timedatectl set-ntp true), or wait until it is valid",
            )
        ]
    if now >= ends:
        return [_error("certificate", f"ended on {ends:%d.%m.%Y %H:%M} UTC", RENEW)]
    if ends - now < CERTIFICATE_WARN:
        return [_warning("certificate", f"ends on {ends:%d.%m.%Y}", RENEW)]
    return []


def _check_names(leaf: x509.Certificate, domain: str) -> list[Finding]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        covered = {name.lower() for name in names.get_values_for_type(x509.DNSName)}
    except x509.ExtensionNotFound:
        covered = set()
    missing = [name for name in (domain, f"*.{domain}") if name not in covered]
    if not missing:
        return []
    fact = f"does not cover {' and '.join(missing)} (it covers: {', '.join(sorted(covered)) or 'nothing'})"
    return [
        _error(
            "certificate", fact, "ask for one certificate for both names; a wildcard needs a DNS challenge"
        )
    ]


def _check_key(leaf: x509.Certificate, public_key: object) -> list[Finding]:
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if leaf.public_key().public_bytes(*form) == public_key.public_bytes(*form):  # type: ignore[attr-defined]
        return []
    return [_error("certificate", "key.pem is the key of another certificate", "put the right pair there")]


def _check_chain(chain: Sequence[x509.Certificate]) -> list[Finding]:
    if len(chain) > 1 or chain[0].issuer == chain[0].subject:
        return []
    repair = "append the authority's intermediate certificate (often called fullchain.pem)"
    return [_warning("certificate", "comes without its chain: some browsers will refuse it", repair)]


# ---------------------------------------------------------------- the machine
def check_disk(path: str, free: int, total: int) -> list[Finding]:
    """Room where the town's data lie, in bytes."""
    if free < SMALLEST_FREE_BYTES or free < total * SMALLEST_FREE_SHARE:
        fact = f"{path} has {free / 1e9:.1f} GB of {total / 1e9:.0f} GB left"
        return [_error("disk", fact, "make room or enlarge it: without room nothing can be handed in")]
    return []


def check_quota(path: str, file_system: str, quotas_on: bool) -> list[Finding]:
    """Whether one account can fill the disk of all."""
    if file_system != "btrfs":
        fact = f"{path} is {file_system}: one account can fill the disk before the soft quota notices"
        return [
            _warning("quota", fact, "keep the town on btrfs with quotas, or watch the alert DiskFullSoon")
        ]
    if not quotas_on:
        return [_error("quota", f"btrfs at {path} counts no quotas", f"btrfs quota enable {path}")]
    return []


def check_clock(synchronized: str | None) -> list[Finding]:
    """`synchronized`: what timedatectl says of NTPSynchronized."""
    if synchronized == "yes":
        return []
    fact = "nobody sets it" if synchronized == "no" else "whether it is right is not known (no timedatectl)"
    install = "apt-get install systemd-timesyncd && timedatectl set-ntp true"
    repair = f"{install}; receipts and deadlines go by this clock"
    return [(_error if synchronized == "no" else _warning)("clock", fact, repair)]


def check_terminals(most: int) -> list[Finding]:
    """`most`: terminals that all containers and the machine may have open together (kernel.pty.max)."""
    if most >= ENOUGH_TERMINALS:
        return []
    fact = f"the kernel allows {most} in all: one workspace can open every one, and nobody else has any"
    setting = f"echo kernel.pty.max={ENOUGH_TERMINALS} >/etc/sysctl.d/60-atelier.conf && sysctl --system"
    return [_warning("terminals", fact, f"{setting}; then each workspace's memory bounds its own")]


def check_crashes(pattern: str) -> list[Finding]:
    """`pattern`: what the kernel does with the memory of a program that crashes (kernel.core_pattern)."""
    program = pattern.strip().removeprefix("|").split(" ")[0]
    if not pattern.startswith("|"):
        return []
    fact = f"for each crash, in a workspace too, the kernel starts {program} as root"
    setting = "echo kernel.core_pattern=core >/etc/sysctl.d/61-atelier-crashes.conf && sysctl --system"
    return [
        _warning("crashes", fact, f"{setting}; then the limit that each workspace has lets none be written")
    ]


def check_ports(listening: Collection[tuple[str, int]], gateway: str) -> list[Finding]:
    """`listening`: address and port of every open TCP port. The world may reach the front and ssh only."""
    found = []
    for address, port in sorted(set(listening)):
        known = ip_address(address.partition("%")[0])
        if known.is_loopback or str(known) == gateway or port in WORLD_PORTS:
            continue
        fact = f"port {port} is open on {address}"
        repair = "bind it to 127.0.0.1, or close it in the firewall: workspaces and the world could reach it"
        found.append(_error("ports", fact, repair))
    return found


def check_holders(holders: Mapping[tuple[str, int], str]) -> list[Finding]:
    """`holders`: address and port that Atelier listens on → the program that has it and is not ours."""
    repair = "end that program, and its start with the machine (systemctl disable --now …), then: make deploy"
    return [
        _error("ports", f"port {port} on {address} is taken by {program}", repair)
        for (address, port), program in sorted(holders.items())
    ]


def check_tools(present: Collection[str], with_key: bool, file_system: str = "") -> list[Finding]:
    """Programs that the technician's commands call: name → Debian's package."""
    needed = {
        "docker": "docker.io",
        "iptables": "iptables",
        "pg_dump": "postgresql-client",
        "pg_restore": "postgresql-client",
        "rsync": "rsync",
        "brotli": "brotli",
        **({"age": "age"} if with_key else {}),
        **({"btrfs": "btrfs-progs"} if file_system == "btrfs" else {}),
    }
    missing = sorted({package for program, package in needed.items() if program not in present})
    if missing:
        return [
            _error("tools", f"{', '.join(missing)} not installed", f"apt-get install {' '.join(missing)}")
        ]
    return []


# ---------------------------------------------------------------- Docker
def check_docker_version(subject: str, version: str | None) -> list[Finding]:
    """The version of a daemon, or None when it does not answer."""
    if version is None:
        return [_error(subject, "the daemon does not answer", "systemctl status docker atelier-docker")]
    found = re.match(r"(\d+)\.(\d+)", version)
    if not found or (int(found[1]), int(found[2])) < OLDEST_DOCKER:
        return [_error(subject, f"Docker {version} is too old", "Debian 12's docker.io (20.10) or newer")]
    return []


def check_workspaces_daemon(security: Sequence[str], foreign: Sequence[str]) -> list[Finding]:
    """`security`: the daemon's security options; `foreign`: containers on it that are no workspaces."""
    found = []
    if not any("userns" in option for option in security):
        repair = 'set "userns-remap": "default" in its daemon.json (make deploy writes one)'
        found.append(
            _error("workspaces", "their daemon does not remap users: root inside is root outside", repair)
        )
    if foreign:
        fact = f"their daemon also runs {', '.join(foreign[:3])}"
        found.append(_error("workspaces", fact, "run the system on the machine's own daemon"))
    return found


def check_installed(tag: str | None) -> list[Finding]:
    """`tag`: of the version that was brought up."""
    return [] if tag else [_error("version", "none was brought up to its end yet", "make deploy")]


def check_images(wanted: Collection[str], present: Collection[str], subject: str) -> list[Finding]:
    """Images of the version to run."""
    missing = sorted(set(wanted) - set(present))
    if missing:
        return [_error(subject, f"images are missing: {', '.join(missing)}", "make deploy")]
    return []


def check_firewall(rules: str, bridge: str) -> list[Finding]:
    """`rules`: what ``iptables -S`` prints."""
    if "-A INPUT -j ATELIER-INPUT" in rules and f"-A ATELIER-FORWARD -o {bridge} -j DROP" in rules:
        return []
    return [
        _error(
            "firewall", "the workspaces' rules are not there", "make deploy (it writes them at each start)"
        )
    ]


# ---------------------------------------------------------------- what was written down
def check_secrets(files: Mapping[str, tuple[int, int]]) -> list[Finding]:
    """`files`: secret → (mode, size in bytes)."""
    found = []
    for name, (mode, size) in sorted(files.items()):
        if mode & 0o077:
            found.append(_error("secrets", f"{name} can be read by others", f"chmod 600 {name}"))
        if not size:
            found.append(_error("secrets", f"{name} is empty", "write the secret into it"))
    return found


def check_backups(newest_at: dt.datetime | None, encrypted: bool, now: dt.datetime) -> list[Finding]:
    """The newest backup's age."""
    if newest_at is None:
        return [
            _warning(
                "backup", "none was made yet", "make backup; systemctl enable --now atelier-backup.timer"
            )
        ]
    found = []
    if now - newest_at > OLDEST_BACKUP:
        fact = f"the newest is of {newest_at:%d.%m.%Y %H:%M} UTC"
        found.append(_error("backup", fact, "journalctl -u atelier-backup; make backup"))
    if not encrypted:
        fact = "they are not encrypted, so they hold no secrets: a restore signs everybody out"
        found.append(
            _warning(
                "backup", fact, "age-keygen; backup_key in settings.json; keep the private key elsewhere"
            )
        )
    return found
