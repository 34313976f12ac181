"""The workspaces' firewall is exchanged in one step, in a network namespace of the test's own."""

import json
import os
import shlex
import shutil
import subprocess
import sys

import pytest

from hub_config.docker_network import FORWARD_CHAIN, INPUT_CHAIN, list_rules
from tests.components import skip_or_fail

WRITE = (
    "import sys, json; from hub_config.docker_network import apply_rules\n"
    "apply_rules(json.loads(sys.argv[1]))"
)


@pytest.fixture(autouse=True)
def needs_root() -> None:
    if os.geteuid() != 0 or not shutil.which("iptables-restore"):
        skip_or_fail("needs to be root, with iptables (Debian's package iptables)")


def run_apart(script: str) -> str:
    """Run a shell script in a network of its own and return what it printed."""
    done = subprocess.run(
        ["unshare", "--net", "sh", "-euc", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def describe_writing(rules: list[tuple[str, ...]]) -> str:
    return shlex.join([sys.executable, "-c", WRITE, json.dumps(rules)])


def test_written_twice_they_are_there_once() -> None:
    write = describe_writing(list_rules("atelier-ws", "172.31.240.1", [8081, 8082]))
    first, _, second = run_apart(f"{write}; iptables -S; echo ==; {write}; iptables -S").partition("==\n")
    assert first == second
    for chain, hook in ((INPUT_CHAIN, "INPUT"), (FORWARD_CHAIN, "FORWARD")):
        assert first.count(f"-A {hook} -j {chain}\n") == 1
        assert f"-A {chain} -" in first
    assert f"-A {INPUT_CHAIN} -i atelier-ws -j DROP" in first


def test_where_a_rule_is_refused_the_earlier_ones_stay() -> None:
    rules = list_rules("atelier-ws", "172.31.240.1", [8081])
    wrong = [*rules[:1], ("-A", INPUT_CHAIN, "-m", "no-such-match")]
    write, fail = describe_writing(rules), describe_writing(wrong)
    said = run_apart(f"{write}; iptables -S; echo ==; ! {fail} 2>/dev/null; iptables -S")
    before, _, after = said.partition("==\n")
    assert before == after
    assert f"-A {INPUT_CHAIN} -i atelier-ws -j DROP" in after
