"""The alert rules: valid, each fires when it should and says what to do, every metric of ours exists."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "monitoring"
NEEDED = {
    "disk": "DiskFull",
    "certificate": "CertificateExpires",
    "backup age": "BackupOld",
    "failed starts": "StartsFail",
    "database": "DatabaseDown",
    "clock": "ClockWrong",
}


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
