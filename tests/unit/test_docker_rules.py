"""Engine `docker` without a daemon: what a container is given, firewall, user numbers."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError, NotFound
from traitlets.config import Config

from hub_config.accounts import Account
from hub_config.city import WorkspaceLimits, parse_city
from hub_config.configure import configure
from hub_config.docker_engine import (
    DockerWorkspace,
    describe_container,
    describe_host,
    list_images,
    quote_lines,
)
from hub_config.docker_homes import FIRST_UID, UID_LABEL, Home, Homes, HomesFull
from hub_config.docker_network import (
    BRIDGE,
    BRIDGE_OPTION,
    FORWARD_CHAIN,
    INPUT_CHAIN,
    NETWORK,
    ensure_network,
    find_gateway,
    list_rules,
)
from hub_config.seccomp import describe_course_profile, describe_students_profile, list_default_calls
from hub_config.settings import HubSettings
from hub_config.workspaces import find_limits

CITY = """
name: Град
schools:
  one: {name: Първо, domains: [one.example], first_administrator: admin@one.example}
"""
LIMITS = WorkspaceLimits(memory_mb=512, cpus=0.5, processes=100)
HOME = Home("atelier-home-k3aaaaaaaaaa", 20_007)


def make_settings(**changes: object) -> HubSettings:
    secrets = ("web_hub_token", "steward_hub_token", "hub_service_token", "proxy_token")
    return HubSettings(
        **{  # type: ignore[arg-type]
            "city_file": Path("city.yaml"),
            "data_dir": Path("/data"),
            "public_url": "http://atelier.localhost:8000",
            "google_client_id": "client",
            "engine": "docker",
            **dict.fromkeys(("google_client_secret", *secrets), 32 * "x"),
            **changes,
        }
    )


def make_account(kind: str) -> Account:
    prefix = "" if kind == "personal" else f"{kind}-"
    kinds: Any = kind
    return Account(f"{prefix}k3aaaaaaaaaa", kinds, True, "М", "М", "#1", "bg", "Europe/Sofia", "one")


# ------------------------------------------------ configuration
def test_engine_docker_is_a_setting() -> None:
    config = Config()
    configure(config, make_settings(hub_host="172.31.240.1"), parse_city(CITY))
    assert config.JupyterHub.spawner_class is DockerWorkspace
    assert config.JupyterHub.hub_bind_url == "http://172.31.240.1:8081"
    assert config.DockerWorkspace.env_keep == []
    assert config.DockerWorkspace.pull_policy == "skip"


def test_a_hub_in_a_container_says_where_it_is_reached() -> None:
    config = Config()
    address = "http://172.31.240.1:8081"
    configure(config, make_settings(hub_connect_url=address), parse_city(CITY))
    assert config.JupyterHub.hub_connect_url == address


def test_students_images_hold_no_grading_tools() -> None:
    images = list_images("registry.example/atelier-", "2.0")
    assert images["personal"] == images["team"] == "registry.example/atelier-workspace:2.0"
    assert images["course"] == "registry.example/atelier-course:2.0"


# ------------------------------------------------ rights and measure
@pytest.mark.parametrize("kind", ["personal", "team", "course"])
def test_no_kind_has_a_capability_or_a_writable_root(kind: str) -> None:
    host = describe_host(LIMITS, HOME, kind)
    assert host["cap_drop"] == ["ALL"]
    assert "cap_add" not in host
    assert host["read_only"] is True
    assert "no-new-privileges" in host["security_opt"]
    assert "privileged" not in host


def test_measure_is_the_limits() -> None:
    host = describe_host(LIMITS, HOME, "personal")
    assert host["memswap_limit"] == 512 * 1024 * 1024
    assert host["pids_limit"] == 100
    assert host["cpu_shares"] <= 1024 / 8, "hub, service and database come first on a busy machine"
    assert all("size=" in options and "nr_inodes=" in options for options in host["tmpfs"].values())


@pytest.mark.parametrize("kind", ["personal", "team"])
def test_only_the_course_may_sandbox(kind: str) -> None:
    assert describe_host(LIMITS, HOME, kind)["security_opt"][1] == f"seccomp={describe_students_profile()}"
    assert describe_host(LIMITS, HOME, "course")["security_opt"][1] == f"seccomp={describe_course_profile()}"
    assert "host_config" not in describe_container(make_account(kind), HOME)


def describe_school(name: str, base: int) -> dict[str, Any]:
    """A school whose limits are all its own, and other ones for each kind."""
    kinds = {"personal": base, "team": base + 1, "course": base + 2}
    return {
        "name": name,
        "domains": [f"{name}.example"],
        "first_administrator": f"admin@{name}.example",
        "limits": {
            kind: {
                "memory_mb": number,
                "cpus": number / 1000,
                "processes": number + 10,
                "disk_mb": number + 20,
                "files": number + 1000,
            }
            for kind, number in kinds.items()
        },
    }


@pytest.mark.parametrize(("kind", "more"), [("personal", 0), ("team", 1), ("course", 2)])
@pytest.mark.parametrize(("school", "base"), [("one", 300), ("two", 600)])
def test_limits_are_those_of_the_accounts_own_school_and_kind(
    school: str, base: int, kind: str, more: int
) -> None:
    schools = {"one": describe_school("one", 300), "two": describe_school("two", 600)}
    city = parse_city(json.dumps({"name": "Град", "schools": schools}))
    found = find_limits(city, replace(make_account(kind), school=school))
    number = base + more
    assert (found.memory_mb, found.cpus, found.processes) == (number, number / 1000, number + 10)
    assert (found.disk_mb, found.files) == (number + 20, number + 1000)


def test_an_account_of_no_school_has_the_defaults_and_no_schools_limits() -> None:
    city = parse_city(json.dumps({"name": "Град", "schools": {"one": describe_school("one", 300)}}))
    found = find_limits(city, replace(make_account("personal"), school=None))
    assert found == WorkspaceLimits()


def test_container_is_its_own_user() -> None:
    assert describe_container(make_account("personal"), HOME)["user"] == "20007:20007"


def test_what_a_container_said_forges_no_line_of_the_hub() -> None:
    said = b"kernel \x1b[2Jx\r[I 2026] User k3 logged in\n\xff" + b"y" * 5000
    lines = quote_lines(said).split("\n")
    assert [line[:5] for line in lines] == ["  | k", "  | [", "  | \ufffd"]
    assert all(line.isprintable() and len(line) < 400 for line in lines)


def test_what_counts_for_all_containers_is_a_small_share() -> None:
    limits = {limit["Name"]: limit["Hard"] for limit in describe_host(LIMITS, HOME, "personal")["ulimits"]}
    assert limits["sigpending"] <= 1024
    assert limits["msgqueue"] <= 128 * 1024
    calls = set(list_default_calls())
    assert not {call for call in calls if call.startswith(("inotify", "io_", "fanotify", "sync"))} - {
        "sync_file_range"
    }


# ------------------------------------------------ firewall
class Networks:
    """What is asked of a Docker client about one network that is there."""

    def __init__(self, options: dict[str, str] | None) -> None:
        self._options = options

    def networks(self, names: list[str]) -> list[dict[str, Any]]:
        addresses = {"Config": [{"Gateway": "10.0.0.1"}]}
        return [{"Name": name, "IPAM": addresses, "Options": self._options} for name in names]


def test_a_network_on_its_bridge_is_used_as_it_is() -> None:
    found: Any = Networks({BRIDGE_OPTION: BRIDGE})
    assert ensure_network(found) == "10.0.0.1"


@pytest.mark.parametrize("options", [None, {BRIDGE_OPTION: "br-0"}])
def test_a_network_on_another_bridge_than_the_rules_are_for_is_refused(options: Any) -> None:
    found: Any = Networks(options)
    with pytest.raises(RuntimeError, match=f"docker network rm {NETWORK}"):
        ensure_network(found)


def test_a_workspace_has_so_many_connections_and_no_more() -> None:
    rules = list_rules("ws", "10.0.0.1", (8081, 8082))
    for port in ("8081", "8082"):
        of_port = [rule for rule in rules if port in rule]
        assert [rule[rule.index("-j") + 1] for rule in of_port] == ["REJECT", "REJECT", "ACCEPT"]
        assert "connlimit" in of_port[0]
        assert int(of_port[0][of_port[0].index("--connlimit-above") + 1]) <= 32
        assert "hashlimit" in of_port[1]


def test_firewall_lets_in_two_ports_and_passes_nothing_on() -> None:
    rules = list_rules("ws", "10.0.0.1", (8081, 8082))
    admitted = [rule for rule in rules if rule[-1] == "ACCEPT" and "--dport" in rule]
    assert [rule[rule.index("--dport") + 1] for rule in admitted] == ["8081", "8082"]
    assert all(rule[rule.index("-d") + 1] == "10.0.0.1" for rule in admitted)
    entering = [rule for rule in rules if rule[1] == INPUT_CHAIN]
    assert entering[-1] == ("-A", INPUT_CHAIN, "-i", "ws", "-j", "DROP")
    passing = [rule for rule in rules if rule[1] == FORWARD_CHAIN]
    assert [rule[rule.index("-j") + 1] for rule in passing] == ["REJECT", "DROP"]
    assert {rule[2] for rule in passing} == {"-i", "-o"}


def test_rules_concern_no_other_interface() -> None:
    assert all("ws" in rule for rule in list_rules("ws", "10.0.0.1", (1,)))


def test_gateway_is_the_first_address() -> None:
    assert find_gateway("172.31.240.0/20") == "172.31.240.1"


# ------------------------------------------------ user numbers
class Volumes:
    """A daemon that knows volumes and preparations."""

    def __init__(self, **uids: int) -> None:
        self.labels = {f"atelier-home-{name}": {UID_LABEL: str(uid)} for name, uid in uids.items()}
        self.containers: set[str] = set()
        self.calls: list[str] = []
        self.dies_after: str | None = None
        self.failing_starts = 0

    async def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        self.calls.append(method)
        answer = getattr(self, f"_{method}")(*args, **kwargs)
        if method == self.dies_after:
            raise ConnectionError("the hub ended")
        return answer

    def _inspect_volume(self, name: str) -> Any:
        if name not in self.labels:
            raise NotFound("no such volume")
        return {"Labels": self.labels[name]}

    def _volumes(self, filters: Any) -> Any:
        return {"Volumes": [{"Labels": labels} for labels in self.labels.values()] or None}

    def _create_container(self, image: str, *, name: str, host_config: Any, **_: Any) -> None:
        mount = host_config["Mounts"][0]
        self.labels[mount["Source"]] = mount["VolumeOptions"]["Labels"]
        self.containers.add(name)

    def _inspect_container(self, name: str) -> None:
        if name not in self.containers:
            raise NotFound("no such container")

    def _start(self, name: str) -> None:
        assert name in self.containers
        if self.failing_starts:
            self.failing_starts -= 1
            raise APIError("no such file or directory")

    def _wait(self, name: str, timeout: int) -> Any:
        return {"StatusCode": 0}

    def _remove_container(self, name: str) -> None:
        self.containers.remove(name)


async def skip_waiting(_: float) -> None:
    """In place of `asyncio.sleep`."""


async def test_each_account_gets_a_number_of_its_own_also_at_the_same_moment() -> None:
    daemon, homes = Volumes(old=FIRST_UID + 5), Homes(60_000)
    made = await asyncio.gather(*(homes.ensure(daemon, f"a{n}", "image") for n in range(30)))
    uids = [home.uid for home in made]
    assert len(set(uids)) == 30
    assert min(uids) == FIRST_UID + 6


async def test_number_stays_with_the_account_when_the_hub_forgot_everything() -> None:
    daemon = Volumes()
    first = await Homes(60_000).ensure(daemon, "anna", "image")
    assert await Homes(60_000).ensure(daemon, "anna", "image") == first


@pytest.mark.parametrize("dies_after", ["create_container", "start", "wait"])
async def test_a_cut_off_first_start_is_finished_by_the_next(dies_after: str) -> None:
    daemon = Volumes()
    daemon.dies_after = dies_after
    with pytest.raises(ConnectionError):
        await Homes(60_000).ensure(daemon, "anna", "image")
    daemon.dies_after, daemon.calls = None, []
    home = await Homes(60_000).ensure(daemon, "anna", "image")
    assert home.uid == FIRST_UID
    assert daemon.calls[-3:] == ["start", "wait", "remove_container"]
    assert daemon.containers == set()


async def test_a_start_at_the_moment_of_the_exchange_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_config.docker_homes.NOT_YET_POLL_S", 0.001)
    daemon = Volumes()
    daemon.failing_starts = 2
    await Homes(60_000, subvolumes=True).ensure(daemon, "anna", "image")
    assert daemon.calls.count("start") == 3
    assert daemon.containers == set()


@pytest.mark.parametrize("subvolumes", [True, False])
async def test_a_start_that_never_succeeds_says_docker_s_own_words(
    subvolumes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_config.docker_homes.NOT_YET_POLL_S", 1.0)
    monkeypatch.setattr("hub_config.docker_homes.PREPARE_WITHIN_S", 4)
    monkeypatch.setattr("hub_config.docker_homes.asyncio.sleep", skip_waiting)
    daemon = Volumes()
    daemon.failing_starts = 100
    with pytest.raises(APIError, match="no such file"):
        await Homes(60_000, subvolumes=subvolumes).ensure(daemon, "anna", "image")
    assert daemon.calls.count("start") == (2 if subvolumes else 1)


async def test_an_existing_home_is_not_touched() -> None:
    daemon = Volumes(anna=20_003)
    assert (await Homes(60_000).ensure(daemon, "anna", "image")).uid == 20_003
    assert daemon.calls == ["inspect_volume", "inspect_container"]


async def test_when_numbers_run_out_the_repair_is_said() -> None:
    with pytest.raises(HomesFull, match=r"/etc/subuid.*ATELIER_LAST_UID"):
        await Homes(FIRST_UID).ensure(Volumes(anna=FIRST_UID), "boris", "image")
