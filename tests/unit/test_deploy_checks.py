"""Each check of `make deploy-check` on facts as they are found: quiet when well, a repair when not."""

import datetime as dt
import os
import re
import socket
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy import checks, look
from deploy.settings import TownSettings

NOW = dt.datetime(2026, 11, 21, 20, 0, tzinfo=dt.UTC)
DOMAIN = "atelier.example.bg"
DAY = dt.timedelta(days=1)
WORLD = "0.0.0.0"  # noqa: S104 - what is being warned of


def facts(findings: list[checks.Finding]) -> str:
    return "\n".join(f"{finding.level} {finding.fact}" for finding in findings)


# ---------------------------------------------------------------- names
def test_a_domain_with_its_wildcard_is_well():
    assert checks.check_dns(DOMAIN, ["203.0.113.7"], ["203.0.113.7"]) == []


@pytest.mark.parametrize(
    ("own", "below", "fact"),
    [
        ([], [], "has no address"),
        (["203.0.113.7"], [], "names below"),
        (["203.0.113.7"], ["203.0.113.9"], r"but \*.atelier.example.bg is 203.0.113.9"),
    ],
)
def test_a_missing_record_is_named(own: list[str], below: list[str], fact: str):
    (finding,) = checks.check_dns(DOMAIN, own, below)
    assert finding.level == "error"
    assert re.search(fact, finding.fact)


# ---------------------------------------------------------------- certificate
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())


def make_pem(
    names: tuple[str, ...] = (DOMAIN, f"*.{DOMAIN}"),
    begins: dt.datetime = NOW - DAY,
    ends: dt.datetime = NOW + 90 * DAY,
    issuer: str = "Authority",
) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    )
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def key_pem(key: ec.EllipticCurvePrivateKey = KEY) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_a_whole_certificate_is_well():
    assert checks.check_certificate(make_pem() + make_pem(issuer="Root"), key_pem(), DOMAIN, NOW) == []


@pytest.mark.parametrize(
    ("chain", "key", "fact"),
    [
        (None, key_pem(), "error there is none: certificate.pem in /srv/atelier/certificate"),
        (b"nonsense", key_pem(), "error cannot be read"),
        (make_pem(ends=NOW - DAY / 2), key_pem(), "error ended on 21.11.2026"),
        (
            make_pem(begins=NOW + DAY),
            key_pem(),
            "error valid only from 22.11.2026 20:00 UTC; this machine's clock says 21.11.2026 20:00 UTC",
        ),
        (make_pem(ends=NOW + 20 * DAY), key_pem(), "warning ends on 11.12.2026"),
        (make_pem(names=(DOMAIN,)), key_pem(), "error does not cover *.atelier.example.bg"),
        (
            make_pem(names=("other.example", f"*.{DOMAIN}")),
            key_pem(),
            "error does not cover atelier.example.bg",
        ),
        (make_pem(), key_pem(OTHER_KEY), "error key.pem is the key of another certificate"),
        (make_pem(), key_pem(), "warning comes without its chain"),
    ],
)
def test_a_wrong_certificate_is_named(chain: bytes | None, key: bytes, fact: str):
    assert fact in facts(checks.check_certificate(chain, key, DOMAIN, NOW))


def test_the_trial_authoritys_certificate_is_well(tmp_path: Path):
    from front.certificate import make_certificate

    made = make_certificate(tmp_path, DOMAIN, NOW)
    findings = checks.check_certificate(
        made.certificate.read_bytes(), made.key.read_bytes(), DOMAIN, NOW + dt.timedelta(minutes=1)
    )
    assert [finding for finding in findings if finding.level == "error"] == []


# ---------------------------------------------------------------- machine
@pytest.mark.parametrize(
    ("free", "total", "well"), [(200e9, 1000e9, True), (50e9, 1000e9, False), (5e9, 20e9, False)]
)
def test_a_full_disk_is_an_error(free: float, total: float, well: bool):
    assert (checks.check_disk("/srv/atelier", int(free), int(total)) == []) is well


def test_without_quotas_one_account_can_fill_the_disk():
    assert checks.check_quota("/srv/atelier", "btrfs", True) == []
    assert "error" in facts(checks.check_quota("/srv/atelier", "btrfs", False))
    assert "warning" in facts(checks.check_quota("/srv/atelier", "ext4", False))


@pytest.mark.parametrize(
    ("said", "level"), [("yes", ""), ("no", "error"), (None, "warning"), ("", "warning")]
)
def test_a_clock_that_nobody_sets_is_an_error(said: str | None, level: str):
    assert facts(checks.check_clock(said)).partition(" ")[0] == level


@pytest.mark.parametrize(("most", "level"), [(4096, "warning"), (1_000_000, "")])
def test_terminals_that_one_workspace_could_use_up_are_told(most: int, level: str):
    assert facts(checks.check_terminals(most)).partition(" ")[0] == level


@pytest.mark.parametrize(
    ("pattern", "level"),
    [
        ("core\n", ""),
        ("/var/crash/%e.%p\n", ""),
        ("|/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h\n", "warning"),
        ("|/usr/share/apport/apport -p%p\n", "warning"),
    ],
)
def test_a_program_of_roots_that_every_crash_starts_is_told(pattern: str, level: str):
    found = checks.check_crashes(pattern)
    assert facts(found).partition(" ")[0] == level
    assert all(pattern[1:].split()[0] in finding.fact for finding in found)


@pytest.mark.parametrize("address", [WORLD, "::", "192.168.1.5", "172.17.0.1", "fe80::1%eth0"])
@pytest.mark.parametrize("port", [8000, 8001, 8081, 5432, 2375, 9100])
def test_a_port_open_to_the_world_or_to_workspaces_is_an_error(address: str, port: int):
    assert f"port {port} is open on {address}" in facts(checks.check_ports([(address, port)], "172.31.240.1"))


def test_front_ssh_loopback_and_the_gateway_may_be_open():
    well = [
        (WORLD, 443),
        ("::", 80),
        (WORLD, 22),
        ("127.0.0.1", 8001),
        ("::1", 9100),
        ("172.31.240.1", 8081),
    ]
    assert checks.check_ports(well, "172.31.240.1") == []


def test_a_port_that_another_program_has_is_named_with_it():
    found = facts(checks.check_holders({(WORLD, 80): "apache2 (process 7)"}))
    assert found == f"error port 80 on {WORLD} is taken by apache2 (process 7)"
    assert checks.check_holders({}) == []


def test_who_listens_where_atelier_will_is_found_and_the_systems_own_are_not(monkeypatch: pytest.MonkeyPatch):
    settings = TownSettings("atelier.example.bg", "1.apps.googleusercontent.com", "tech@school.example")
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.extra["ATELIER_PROXY_PORT"] = str(server.getsockname()[1])
        monkeypatch.setattr(look, "list_container_processes", set)
        found = facts(look.look_at_holders(settings))
        assert f"port {server.getsockname()[1]} on 127.0.0.1 is taken by" in found
        assert f"process {os.getpid()}" in found
        monkeypatch.setattr(look, "list_container_processes", lambda: {os.getpid()})
        assert f"process {os.getpid()}" not in facts(look.look_at_holders(settings))


def test_missing_programs_are_named_by_their_packages():
    present = {"docker", "iptables", "pg_dump", "pg_restore", "brotli"}
    (finding,) = checks.check_tools(present, with_key=True)
    assert finding.repair == "apt-get install age rsync"
    assert checks.check_tools({*present, "rsync"}, with_key=False) == []
    (finding,) = checks.check_tools({*present, "rsync"}, with_key=False, file_system="btrfs")
    assert finding.repair == "apt-get install btrfs-progs"


# ---------------------------------------------------------------- Docker
@pytest.mark.parametrize(
    ("version", "well"),
    [("20.10.24+dfsg1", True), ("27.3.1", True), ("19.03.8", False), (None, False), ("?", False)],
)
def test_an_old_or_silent_docker_is_an_error(version: str | None, well: bool):
    assert (checks.check_docker_version("Docker", version) == []) is well


def test_the_workspaces_daemon_remaps_users_and_runs_nothing_else():
    assert checks.check_workspaces_daemon(["name=seccomp,profile=default", "name=userns"], []) == []
    found = facts(checks.check_workspaces_daemon(["name=seccomp"], ["atelier-database"]))
    assert "does not remap" in found
    assert "atelier-database" in found


def test_a_missing_image_is_named():
    found = checks.check_images({"atelier-hub:1", "atelier-web:1"}, {"atelier-hub:1"}, "Docker")
    assert "atelier-web:1" in facts(found)


def test_before_the_first_version_no_image_is_missed():
    assert checks.check_installed("0.1.0-abc") == []
    assert "none was brought up" in facts(checks.check_installed(None))


def test_the_firewall_of_the_network_is_recognised():
    from hub_config.docker_network import list_rules

    rules = list_rules("atelier-ws", "172.31.240.1", [8081, 8082])
    printed = "-A INPUT -j ATELIER-INPUT\n" + "\n".join(" ".join(rule) for rule in rules)
    assert checks.check_firewall(printed, "atelier-ws") == []
    assert checks.check_firewall("-A INPUT -j ATELIER-INPUT\n", "atelier-ws")
    assert checks.check_firewall("", "atelier-ws")


# ---------------------------------------------------------------- secrets and backups
def test_secrets_that_others_can_read_are_named():
    found = facts(checks.check_secrets({"hub/a": (0o600, 64), "hub/b": (0o644, 64), "hub/c": (0o600, 0)}))
    assert found == "error hub/b can be read by others\nerror hub/c is empty"


def test_an_old_backup_is_an_error_and_a_plain_one_a_warning():
    assert checks.check_backups(NOW - dt.timedelta(hours=20), True, NOW) == []
    assert "error the newest is of 19.11.2026" in facts(checks.check_backups(NOW - 2 * DAY, True, NOW))
    assert "warning they are not encrypted" in facts(checks.check_backups(NOW, False, NOW))
    assert "warning none" in facts(checks.check_backups(None, True, NOW))


def test_each_finding_says_how_to_repair_it():
    finding = checks.check_disk("/srv", 0, 10)[0]
    assert "Repair: make room" in str(finding)


# ---------------------------------------------------------------- a renewed certificate
def test_a_renewed_certificate_takes_its_place_only_when_it_fits(tmp_path: Path):
    from deploy.certificate import put_in_place
    from deploy.problem import DeployProblem

    for name, content in {"chain": make_pem() + make_pem(issuer="Root"), "key": key_pem()}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "other").write_bytes(key_pem(OTHER_KEY))
    put_in_place(tmp_path / "town", DOMAIN, tmp_path / "chain", tmp_path / "key", NOW)
    placed = tmp_path / "town" / "certificate"
    assert (placed / "key.pem").read_bytes() == key_pem()
    assert (placed / "key.pem").stat().st_mode & 0o077 == 0
    ends = (tmp_path / "town" / "metrics" / "atelier_certificate.prom").read_text()
    assert f"{(NOW + 90 * DAY).timestamp():.0f}" in ends
    with pytest.raises(DeployProblem, match="the one in use stays"):
        put_in_place(tmp_path / "town", DOMAIN, tmp_path / "chain", tmp_path / "other", NOW)
    assert (placed / "key.pem").read_bytes() == key_pem()
