"""compose.yaml: accepted by compose v1 and v2, no wish left open, each service closed as far as it can be."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from deploy.settings import TownSettings, describe_compose
from deploy.stack import FOLDERS, NGINX, SERVICES, STOPPED_FOR_AN_UPGRADE, ComposeStack
from images.catalog import load_images
from tests.composes import GENERATIONS, provide_compose

ROOT = Path(__file__).parents[2]
FILE = ROOT / "compose.yaml"
SETTINGS = TownSettings("atelier.example.bg", "1.apps.googleusercontent.com", "tech@school.example")


def load() -> dict[str, Any]:
    services: dict[str, Any] = YAML(typ="safe").load(FILE)["services"]
    return services


@pytest.mark.parametrize("generation", GENERATIONS)
def test_compose_accepts_it_with_the_variables_that_deploy_writes(generation: str, tmp_path: Path):
    compose = str(provide_compose(generation))
    variables = tmp_path / "compose.env"
    variables.write_text(describe_compose(SETTINGS, Path("/srv/atelier"), "0.1.0", 998))
    command = [compose, f"--env-file={variables}", f"--file={FILE}", "config", "--quiet"]
    done = subprocess.run(
        command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "WARN" not in done.stderr, done.stderr


def test_every_variable_is_written_by_deploy_or_has_a_default():
    asked = re.findall(r"\$\{([A-Z_]+)(:-|:\?)?", FILE.read_text())
    written = {line.partition("=")[0] for line in describe_compose(SETTINGS, Path("/t"), "x", 1).splitlines()}
    assert {name for name, default in asked if default != ":-"} <= written
    assert {name for name, default in asked if not default} == set()


def test_nothing_is_found_by_a_generated_name():
    text = FILE.read_text()
    assert "container_name" not in text
    assert "links:" not in text
    for service in load().values():
        assert service["network_mode"] in ("host", "none")
        assert "ports" not in service


@pytest.mark.parametrize("name", load())
def test_a_service_can_do_no_more_than_it_must(name: str):
    service = load()[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert "mem_limit" in service
    assert not service.get("privileged")
    assert service["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_watched_and_restarted(name: str):
    service = load()[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"


def test_secrets_are_files_and_each_service_gets_its_own_folder_only():
    for name, service in load().items():
        for variable in service.get("environment", {}):
            assert not re.search(r"TOKEN|PASSWORD|CLIENT_SECRET|DATABASE_URL", variable), (name, variable)
        mounted = [volume for volume in service["volumes"] if "/secrets/" in volume]
        expected = {"migrate": "web"}.get(name, name)
        assert [volume.split("/secrets/")[1].partition(":")[0] for volume in mounted] == (
            [] if name == "front" else [expected]
        )
        assert all(volume.endswith(":ro") for volume in mounted)


def test_only_the_hub_gets_a_docker_socket_and_not_the_machines():
    holders = [name for name, s in load().items() if any("docker.sock" in volume for volume in s["volumes"])]
    assert holders == ["hub"]
    assert "/var/run/docker.sock" not in FILE.read_text()


def test_every_folder_that_is_mounted_is_made_by_deploy():
    inside = {
        volume.split("}/")[1].partition(":")[0]
        for service in load().values()
        for volume in service["volumes"]
        if volume.startswith("${ATELIER_TOWN")
    }
    made = {
        *FOLDERS,
        "city.yaml",
        *(f"secrets/{name}" for name in ("database", "proxy", "hub", "web", "steward")),
    }
    assert inside <= made


def test_each_image_of_ours_exists():
    names = {s["image"].partition(":")[0].removeprefix("atelier-") for s in load().values()}
    assert names <= set(load_images())


def test_what_everybody_connects_to_may_have_many_files_open():
    """A connection is an open file; the proxy and the front hold two for each browser's socket."""
    services = load()
    for name in ("hub", "web", "proxy", "front"):
        limit = services[name]["ulimits"]["nofile"]
        assert limit["soft"] == limit["hard"] >= 16384, name


def test_an_upgrade_leaves_proxy_and_front_up():
    assert set(STOPPED_FOR_AN_UPGRADE) == {"steward", "web", "hub"}


def test_the_front_is_told_to_read_anew_in_a_way_that_survives_a_reboot(monkeypatch: pytest.MonkeyPatch):
    """What `docker kill` signalled, with HUP too, is not started again with the machine (unless-stopped)."""
    called: list[tuple[str, ...]] = []
    stack = ComposeStack(Path("/srv/atelier"), SETTINGS, ("docker-compose",))
    monkeypatch.setattr(ComposeStack, "_call", lambda self, *arguments: called.append(arguments))
    stack.reload_front()
    ((verb, *_, last),) = called
    assert (verb, last) == ("exec", "reload")
    entry = (ROOT / "images" / "front" / "Dockerfile").read_text().split("ENTRYPOINT ")[1]
    assert json.loads(entry)[3:] == list(NGINX)
