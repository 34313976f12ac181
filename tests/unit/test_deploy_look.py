"""`make deploy-check` looks at everything it promises: no check is left out of the whole."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from deploy import look
from deploy.first_time import prepare_town
from deploy.settings import load_town_settings

ANSWERS = {
    "domain": "atelier.example.bg",
    "google_client_id": "1.apps.googleusercontent.com",
    "operator": "tech@school.example",
    "google_client_secret": "secret",
}
# What a technician is promised (docs/deployment.md), by the finding's subject.
PROMISED = {
    *("DNS", "certificate", "disk", "quota", "tools", "Docker", "workspaces", "version"),
    *("clock", "terminals", "crashes", "ports", "firewall", "secrets", "backup"),
}
WRONG: dict[str, Any] = {
    "find_addresses": lambda _: [],
    "find_file_system": lambda _: "ext4",
    "_counts_quotas": lambda _: False,
    "describe_daemon": lambda _: {},
    "_ask_clock": lambda: "no",
    "list_listening": lambda: [("192.0.2.7", 5432)],
    "list_container_processes": set,
    "_run": lambda *_: None,
    "list_backups": lambda _: [],
}


class FullDisk:
    free, total = 0, 100


def test_all_that_is_wrong_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    prepare_town(tmp_path, ANSWERS, as_root=False)
    settings = load_town_settings(tmp_path)
    assert settings
    (tmp_path / "secrets" / "hub" / "atelier_google_client_secret").chmod(0o644)
    for name, answer in WRONG.items():
        monkeypatch.setattr(look, name, answer)
    monkeypatch.setattr(look.shutil, "which", lambda _: None)
    monkeypatch.setattr(look.shutil, "disk_usage", lambda _: FullDisk)
    monkeypatch.setattr(look.Path, "read_text", read_bad_settings(Path.read_text))
    findings = list(look.look_at_machine(tmp_path, settings, None, dt.datetime.now(dt.UTC)))
    assert {finding.subject for finding in findings} == PROMISED
    assert all(finding.repair for finding in findings)


KERNEL = Path("/proc/sys/kernel")
BAD_SETTINGS = {
    KERNEL / "pty" / "max": "4096\n",
    KERNEL / "core_pattern": "|/usr/lib/systemd/systemd-coredump %P\n",
}


def read_bad_settings(read_text: Any) -> Any:
    def read(path: Path, *arguments: Any, **options: Any) -> str:
        return BAD_SETTINGS.get(path) or str(read_text(path, *arguments, **options))

    return read


def test_a_container_that_has_just_ended_has_no_processes(monkeypatch: pytest.MonkeyPatch):
    class Api:
        def containers(self, **_: Any) -> list[dict[str, Any]]:
            return [{"Id": "ending"}, {"Id": "running"}]

        def top(self, container: str, _: str) -> dict[str, Any]:
            return {"Processes": None if container == "ending" else [["7"]]}

    class Client:
        api = Api()

        def __init__(self, **_: Any) -> None: ...
        def close(self) -> None: ...

    monkeypatch.setattr("docker.DockerClient", Client)
    assert look.list_container_processes() == {7}
