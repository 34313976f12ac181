"""The alert rules: valid, each fires when it should and says what to do, every metric they ask for exists."""

import inspect
import os
import re
import shutil
import subprocess
from pathlib import Path

import jupyterhub.handlers.base
import jupyterhub.metrics
import pytest
from prometheus_client import REGISTRY
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "monitoring"
NEEDED = {
    "disk": "DiskFull",
    "certificate": "CertificateExpires",
    "backup age": "BackupOld",
    "snapshot age": "SnapshotOld",
    "failed starts": "StartsFail",
    "database": "DatabaseDown",
    "clock": "ClockWrong",
}
HUB_SERIES = re.compile(r"(?P<name>jupyterhub_\w+)(?P<labels>\{[^}]*\})?")
LABEL = re.compile(r'(?P<name>\w+)(?P<compared>=~|!~|!=|=)"(?P<value>[^"]*)"')
OF_PROMETHEUS = {"instance", "job"}


def load_alerts() -> list[dict[str, object]]:
    content = YAML(typ="safe").load(MONITORING / "alerts.yaml")
    return [rule for group in content["groups"] for rule in group["rules"]]


def run_promtool(*arguments: str) -> None:
    if not shutil.which("promtool"):
        if os.environ.get("CI") == "true":
            pytest.fail("promtool is missing; install Debian's package prometheus")
        pytest.skip("needs promtool (Debian's package prometheus)")
    done = subprocess.run(
        ["promtool", *arguments], cwd=MONITORING, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def test_prometheus_accepts_the_rules():
    run_promtool("check", "rules", "alerts.yaml")


def test_alerts_fire_when_they_should_and_a_well_machine_is_quiet():
    run_promtool("test", "rules", "alerts_test.yaml")


def test_prometheus_accepts_the_example_configuration(tmp_path: Path):
    text = (MONITORING / "prometheus.yaml").read_text()
    (tmp_path / "token").write_text("x")
    shutil.copy(MONITORING / "alerts.yaml", tmp_path)
    secret = "/srv/atelier/secrets/monitoring/atelier_metrics_token"
    (tmp_path / "prometheus.yaml").write_text(text.replace(secret, str(tmp_path / "token")))
    run_promtool("check", "config", str(tmp_path / "prometheus.yaml"))


@pytest.mark.parametrize("trouble", NEEDED)
def test_there_is_an_alert_for(trouble: str):
    assert NEEDED[trouble] in [alert["alert"] for alert in load_alerts()]


def test_each_alert_says_what_to_do_and_is_tested():
    tested = (MONITORING / "alerts_test.yaml").read_text()
    for alert in load_alerts():
        assert {"summary", "repair"} <= set(alert["annotations"]), alert["alert"]
        assert f'firing",alertname="{alert["alert"]}"' in tested, f"{alert['alert']} has no test"


def test_every_metric_of_ours_that_a_rule_asks_for_is_made_somewhere():
    asked = {name for alert in load_alerts() for name in re.findall(r"atelier_[a-z_]+", str(alert["expr"]))}
    places = [*(ROOT / "extensions/atelier/atelier").rglob("*.py"), *(ROOT / "deploy").rglob("*.py")]
    code = "\n".join(path.read_text() for path in places)
    assert {name for name in asked if name.removesuffix("_total") not in code} == set()


def list_hub_series() -> list[tuple[str, dict[str, str]]]:
    """Return what JupyterHub shows from its start on: names of series and their labels."""
    assert jupyterhub.metrics.SERVER_SPAWN_DURATION_SECONDS  # importing it is what fills the registry
    samples = [sample for family in REGISTRY.collect() for sample in family.samples]
    return [(one.name, one.labels) for one in samples if one.name.startswith("jupyterhub_")]


def list_asked(text: str) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Return the hub's series in an expression: each its name and its conditions."""
    return [(one["name"], LABEL.findall(one["labels"] or "")) for one in HUB_SERIES.finditer(text)]


def meets(labels: dict[str, str], conditions: list[tuple[str, str, str]]) -> bool:
    def holds(name: str, compared: str, value: str) -> bool:
        pattern = value if compared in ("=~", "!~") else re.escape(value)
        return bool(re.fullmatch(pattern, labels[name])) == compared.startswith("=")

    return all(name in labels and holds(name, compared, value) for name, compared, value in conditions)


def test_the_hub_has_every_series_that_a_rule_asks_it_for():
    """Also from its start on: what appears with the value 1 has not grown, so `increase` does not see it."""
    asked = [one for alert in load_alerts() for one in list_asked(str(alert["expr"]))]
    assert asked
    for name, conditions in asked:
        found = [labels for series, labels in list_hub_series() if series == name]
        assert any(meets(labels, conditions) for labels in found), f"{name} {conditions}: the hub has {found}"


def test_every_reason_that_a_rule_names_is_one_of_the_hubs():
    known = {reason.value for reason in jupyterhub.metrics.ServerSpawnFailureReason}
    known |= {status.value for status in jupyterhub.metrics.ServerSpawnStatus}
    known |= set(re.findall(r'reason="(\w+)"', inspect.getsource(jupyterhub.handlers.base)))
    for alert in load_alerts():
        for _, conditions in list_asked(str(alert["expr"])):
            assert {word for _, _, value in conditions for word in value.split("|")} <= known, alert["alert"]


def test_the_rules_are_tried_on_series_as_the_hub_makes_them():
    tried = list_asked((MONITORING / "alerts_test.yaml").read_text())
    assert tried
    for name, conditions in tried:
        names = {label for label, _, _ in conditions} - OF_PROMETHEUS
        assert names in [set(labels) for series, labels in list_hub_series() if series == name], (
            name,
            conditions,
        )


def test_a_hub_counts_a_second_click_as_a_refusal_with_a_reason():
    """What the rule leaves out, in the hub's own words."""
    second_click = {"status": "failure", "reason": "already-pending"}
    assert second_click in [labels for _, labels in list_hub_series() if "reason" in labels]
    spawn_rules = [
        one for alert in load_alerts() for one in list_asked(str(alert["expr"])) if "spawn" in one[0]
    ]
    assert [one for one in spawn_rules if meets(second_click, one[1])] == []
