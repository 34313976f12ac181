"""Engine `docker` without a daemon: what a container is given, system calls, firewall, user numbers."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from docker.errors import NotFound
from traitlets.config import Config

from hub_config.accounts import Account
from hub_config.city import WorkspaceLimits, parse_city
from hub_config.configure import configure
from hub_config.docker_engine import DockerWorkspace, describe_container, describe_host, list_images
from hub_config.docker_homes import FIRST_UID, UID_LABEL, Home, Homes, HomesFull
from hub_config.docker_network import FORWARD_CHAIN, INPUT_CHAIN, find_gateway, list_rules
from hub_config.seccomp import SANDBOX, describe_course_profile, list_default_calls
from hub_config.settings import HubSettings

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
            **dict.fromkeys(("google_client_secret", *secrets), "x"),
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
    assert all("size=" in options and "nr_inodes=" in options for options in host["tmpfs"].values())


@pytest.mark.parametrize("kind", ["personal", "team"])
def test_students_run_under_a_narrower_profile_than_the_course(kind: str) -> None:
    _, profile = describe_host(LIMITS, HOME, kind)["security_opt"]
    calls = json.loads(profile.removeprefix("seccomp="))["syscalls"]
    named = {name for rule in calls for name in rule["names"] if rule["action"] == "SCMP_ACT_ALLOW"}
    assert named & set(SANDBOX) == {"clone"}
    (rule,) = [rule for rule in calls if "clone" in rule["names"]]
    assert rule["args"][0] == {"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    assert "host_config" not in describe_container(make_account(kind), HOME)


@pytest.mark.parametrize("kind", ["personal", "team", "course"])
def test_nobody_speaks_to_the_machine_around_the_network(kind: str) -> None:
    _, profile = describe_host(LIMITS, HOME, kind)["security_opt"]
    (rule,) = [rule for rule in json.loads(profile[8:])["syscalls"] if "socket" in rule["names"]]
    assert rule["args"][0] == {"index": 0, "value": socket.AF_VSOCK, "op": "SCMP_CMP_NE"}


def test_container_is_its_own_user() -> None:
    assert describe_container(make_account("personal"), HOME)["user"] == "20007:20007"


# ------------------------------------------------ system calls
def read_profile() -> dict[str, Any]:
    profile: dict[str, Any] = json.loads(describe_course_profile())
    return profile


def test_what_is_not_named_is_refused() -> None:
    assert read_profile()["defaultAction"] == "SCMP_ACT_ERRNO"


def test_each_call_beyond_the_default_has_its_reason() -> None:
    assert set(SANDBOX) == {"clone", "unshare", "mount", "umount2", "pivot_root", "sethostname"}
    assert all(len(reason.split()) >= 4 for reason in SANDBOX.values())
    assert not set(SANDBOX) & set(list_default_calls())


def test_dangerous_calls_stay_refused() -> None:
    named = {name for rule in read_profile()["syscalls"] for name in rule["names"]}
    dangerous = (
        "bpf perf_event_open keyctl add_key request_key init_module finit_module kexec_load reboot setns"
    )
    dangerous += " userfaultfd open_by_handle_at io_uring_setup fsopen move_mount swapon iopl acct chroot"
    assert not named & set(dangerous.split())


def test_clone3_is_absent_so_that_its_flags_cannot_hide() -> None:
    (rule,) = [rule for rule in read_profile()["syscalls"] if "clone3" in rule["names"]]
    assert (rule["action"], rule["errnoRet"]) == ("SCMP_ACT_ERRNO", 38)


# ------------------------------------------------ firewall
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

    def _wait(self, name: str, timeout: int) -> Any:
        return {"StatusCode": 0}

    def _remove_container(self, name: str) -> None:
        self.containers.remove(name)


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


async def test_an_existing_home_is_not_touched() -> None:
    daemon = Volumes(anna=20_003)
    assert (await Homes(60_000).ensure(daemon, "anna", "image")).uid == 20_003
    assert daemon.calls == ["inspect_volume", "inspect_container"]


async def test_when_numbers_run_out_the_repair_is_said() -> None:
    with pytest.raises(HomesFull, match=r"/etc/subuid.*ATELIER_LAST_UID"):
        await Homes(FIRST_UID).ensure(Volumes(anna=FIRST_UID), "boris", "image")
