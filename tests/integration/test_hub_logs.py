"""The log of a real hub whose setting says json: every line is an object, without a secret or an address."""

import json
from pathlib import Path

import pytest

from demo.house import House
from tests.atelier_stack import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.hub
STUDENT = "kanarche.p@students.school-a.example"


class JsonHouse(House):
    """A demo house whose hub writes for a collector."""

    @property
    def hub_environment(self) -> dict[str, str]:
        return {**super().hub_environment, "ATELIER_LOG_FORMAT": "json"}


class JsonStack(Stack):
    """A running Atelier with such a hub."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir, demo_people=False)
        plain = self.demo.house
        self.demo.house = self.house = JsonHouse(plain.data_dir, plain.ports, plain.city_file)


def test_a_hub_writes_json_from_its_first_line_to_its_last_its_culler_too(tmp_path: Path) -> None:
    with JsonStack(tmp_path) as stack:
        stack.add_people(f"Канарче Петрова {STUDENT} student")
        account = stack.find_person(STUDENT)
        stack.sign_in(STUDENT)
        stack.start_workspace(account)
        secrets = list(stack.house.secrets.values())
        # What the hub refuses with an address and a token in the question.
        stack.ask_hub("GET", f"users/{STUDENT}?token={secrets[0]}")
        wait_until(lambda: '"logger": "IdleCuller"' in stack.read_log("hub"), 120, "the culler said nothing")
    log = stack.read_log("hub")
    lines = [json.loads(line) for line in log.splitlines()]
    assert all({"at", "level", "logger", "message"} <= set(line) for line in lines)
    assert any("users/[address]" in line["message"] for line in lines)
    assert any(account in line["message"] for line in lines)
    assert [secret for secret in secrets if secret in log] == []
    assert "kanarche" not in log
    assert "Канарче" not in log
