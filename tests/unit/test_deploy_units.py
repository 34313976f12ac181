"""systemd's units of a town. That they start, and start again with the machine, was tried on a booted one
(docs/deployment.md, "What was tried"); here is what those trials taught.
"""

import configparser
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.docker_daemon import IDLE_BRIDGE, describe_workspaces_daemon
from deploy.settings import TownSettings, describe_compose
from deploy.units import LASTING_UNITS, describe_units, enable_units, install_units
from tests.components import skip_or_fail

TOWN = Path("/srv/atelier")
UNITS = describe_units(TOWN, "/usr/bin/python3")


def read(name: str) -> configparser.ConfigParser:
    """Keys that stand twice (ExecStartPre) keep their last value."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(UNITS[name])
    return unit


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_whole(name: str):
    unit = read(name)
    assert unit["Unit"]["Description"]
    assert "{" not in UNITS[name]
    if name.endswith(".timer"):
        assert f"{name.removesuffix('.timer')}.service" in UNITS
    elif name.endswith(".service"):
        assert unit["Service"]["ExecStart"].startswith("/")


def test_systemd_finds_nothing_wrong(tmp_path: Path):
    """`systemd-analyze verify` reads them as systemd does; it wants the programs that they start."""
    if not shutil.which("systemd-analyze"):
        skip_or_fail("needs systemd-analyze (Debian's package systemd)")
    for name, text in UNITS.items():
        # The daemon may not be installed where tests run.
        (tmp_path / name).write_text(text.replace("/usr/sbin/dockerd", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in UNITS)],
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "atelier-" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def test_what_lasts_and_every_timer_is_enabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("deploy.units._add_group", lambda: None)
    enabled = set(install_units(tmp_path, place=tmp_path))
    assert enabled == {name for name in UNITS if name.endswith(".timer")} | set(LASTING_UNITS)
    for name in enabled:
        assert read(name)["Install"]["WantedBy"], name
    assert {path.name for path in tmp_path.glob("atelier-*")} == set(UNITS)


@pytest.mark.parametrize(
    "name", [name for name in UNITS if "--town=" in UNITS[name] or "dockerd" in UNITS[name]]
)
def test_what_needs_the_town_waits_for_its_disk(name: str):
    assert read(name)["Unit"]["RequiresMountsFor"] == str(TOWN)


BY_THE_CLOCK = [name for name in UNITS if "Type=oneshot" in UNITS[name] and "--town=" in UNITS[name]]


@pytest.mark.parametrize("name", BY_THE_CLOCK)
def test_what_runs_by_the_clock_ends_at_some_time(name: str):
    """systemd gives what runs once all the time there is, and does not start it again meanwhile."""
    within = read(name)["Service"]["TimeoutStartSec"]
    length = int(within.removesuffix("min")) / 60 if within.endswith("min") else int(within.removesuffix("h"))
    assert 0 < length < 24


def test_the_workspaces_daemon_remaps_users_and_listens_on_no_port():
    daemon = json.loads(json.dumps(describe_workspaces_daemon("/srv/atelier")))
    assert daemon["userns-remap"] == "default"
    assert daemon["hosts"] == ["fd://"]
    assert daemon["data-root"] != "/var/lib/docker"


def test_the_workspaces_daemon_leaves_the_other_ones_bridge_alone():
    """A daemon told to have no bridge deletes docker0, and nothing can be built on the machine any more."""
    daemon = describe_workspaces_daemon("/srv/atelier")
    assert daemon["bridge"] not in ("none", "docker0", "")
    lines = UNITS["atelier-docker.service"].splitlines()
    made = next(n for n, line in enumerate(lines) if f"ip link add name {IDLE_BRIDGE}" in line)
    assert made < next(n for n, line in enumerate(lines) if line.startswith("ExecStart="))
    assert daemon["bridge"] == IDLE_BRIDGE


def test_the_end_of_the_workspaces_daemon_leaves_quotas_on():
    """Docker's driver for btrfs, its default there, disables the quotas of the file system on its way out."""
    assert describe_workspaces_daemon("/srv/atelier")["storage-driver"] == "overlay2"


def test_the_two_daemons_share_no_namespace_of_containerd():
    """In one (Docker's is "moby") each takes the other's events, and the ends of its health checks."""
    started = read("atelier-docker.service")["Service"]["ExecStart"].split()
    options = [word for word in started if word.startswith("--containerd-")]
    assert [word.partition("=")[0] for word in options] == [
        "--containerd-namespace",
        "--containerd-plugins-namespace",
    ]
    assert len({word.partition("=")[2] for word in options} | {"moby", "plugins.moby"}) == 4


def test_the_daemon_knows_every_setting_that_it_gets():
    """It ends at once at a name in its file that is none of its options."""
    dockerd = shutil.which("dockerd")
    if not dockerd:
        skip_or_fail("needs dockerd (Debian's package docker.io)")
    printed = subprocess.run([str(dockerd), "--help"], capture_output=True, text=True, check=True).stdout
    options = {line.split("--")[1].split()[0] for line in printed.splitlines() if " --" in line}
    given = {name.removesuffix("s") for name in describe_workspaces_daemon("/srv/atelier")}
    assert given <= {name.removesuffix("s") for name in options}
    for word in read("atelier-docker.service")["Service"]["ExecStart"].split()[1:]:
        assert word.removeprefix("--").partition("=")[0] in options


def test_the_hubs_socket_is_there_before_its_container_and_outlives_the_daemon():
    """Docker makes a folder of a mounted file that is absent; a socket made anew is another file."""
    unit = read("atelier-docker.socket")
    settings = TownSettings("atelier.example.bg", "1.apps.googleusercontent.com", "tech@school.example")
    path = unit["Socket"]["ListenStream"]
    assert f"ATELIER_DOCKER_SOCKET={path}\n" in describe_compose(settings, TOWN, "x", 1)
    assert unit["Socket"]["SocketMode"] == "0660"
    assert "docker.service" in unit["Unit"]["Before"].split()
    assert "atelier-docker.socket" in read("atelier-docker.service")["Unit"]["Requires"].split()


def test_the_workspaces_bridge_is_there_before_the_system_listens_on_it():
    for name in ("atelier-docker.service", "atelier-network.service"):
        assert "docker.service" in read(name)["Unit"]["Before"].split()


def test_the_network_is_the_one_of_the_gateway_in_the_settings():
    assert "--subnet=172.31.240.0/20 " in UNITS["atelier-network.service"]
    assert "--subnet=10.99.0.0/20 " in describe_units(TOWN, "/p", "10.99.0.1")["atelier-network.service"]


@pytest.mark.parametrize("gateway", ["10.99.0.2", "192.0.2.300", "8.8.0.1", "fd00::1"])
def test_a_gateway_that_is_none_is_named(gateway: str):
    settings = TownSettings("atelier.example.bg", "1.apps.googleusercontent.com", "tech@school.example")
    assert settings.check() == []
    settings.gateway = gateway
    assert [line.partition(":")[0] for line in settings.check()] == ["gateway"]


@pytest.mark.parametrize("what", ["backup", "snapshot", "logs"])
def test_what_was_missed_while_the_machine_was_off_waits_for_docker_and_tries_again(what: str):
    unit = read(f"atelier-{what}.service")
    assert {"docker.service", "atelier-docker.service"} <= set(unit["Unit"]["After"].split())
    assert unit["Service"]["Restart"] == "on-failure"
    assert int(unit["Unit"]["StartLimitBurst"]) * int(unit["Service"]["RestartSec"]) < 3600
    assert read(f"atelier-{what}.timer")["Timer"]["Persistent"] == "true"


def test_looking_again_at_once_would_find_the_same():
    assert "Restart" not in read("atelier-look.service")["Service"]


def test_each_deployment_writes_the_firewall_anew_and_runs_this_version_s_quota(
    monkeypatch: pytest.MonkeyPatch,
):
    called: list[tuple[str, ...]] = []
    monkeypatch.setattr("deploy.units._systemctl", lambda *arguments: called.append(arguments))
    enable_units(["a.service"])
    assert called[-1] == ("restart", "atelier-network.service", "atelier-quota.service")
