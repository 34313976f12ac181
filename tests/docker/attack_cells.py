"""Attacks as data: cells of the notebooks in ``attacks/``, and how one is sent and judged."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.docker_town import run

FOLDER = Path(__file__).parent / "attacks"
SUBJECTS = ("network", "hub", "machine", "greed")
MARK = "# %% "
OUTCOME = "OUTCOME "


@dataclass(frozen=True)
class Attack:
    """One cell: `name` is unique within its notebook, `tries` says what it tries."""

    subject: str
    name: str
    tries: str
    code: str

    def __str__(self) -> str:
        return f"{self.subject}-{self.name}"


def list_attacks(*subjects: str) -> list[Attack]:
    """Return the cells of the notebooks; what stands before a notebook's first cell is for readers only."""
    found = []
    for subject in subjects or SUBJECTS:
        cells = f"\n{(FOLDER / f'{subject}.py').read_text()}".split(f"\n{MARK}")[1:]
        for cell in cells:
            title, _, code = cell.partition("\n")
            name, _, tries = title.partition(": ")
            found.append(Attack(subject, name, tries, code))
    return found


def find_attack(subject: str, name: str) -> Attack:
    """Return one cell."""
    return next(attack for attack in list_attacks(subject) if attack.name == name)


def write_prelude(targets: dict[str, Any]) -> str:
    """Return the first cell: helpers, and what there is to attack."""
    return f"{(FOLDER / 'prelude.py').read_text()}\ntargets.update({targets!r})\n"


def write_cell(attack: Attack) -> str:
    """Return an attack as one cell that ends by telling its outcome."""
    return f"{attack.code}\nprint({OUTCOME!r} + json.dumps(outcome), flush=True)\n"


def read_outcome(said: str) -> dict[str, dict[str, str]]:
    """Find the outcome in what a cell printed. Fails when the attack did not come to its end."""
    lines = [line for line in said.splitlines() if line.startswith(OUTCOME)]
    assert lines, f"the attack did not end by itself: {said[-3000:]}"
    outcome: dict[str, dict[str, str]] = json.loads(lines[-1].removeprefix(OUTCOME))
    return outcome


def check_refused(attack: Attack, said: str) -> None:
    """Fail unless all that a cell tried was refused as foreseen."""
    outcome = read_outcome(said)
    for part in ("won", "odd"):
        assert outcome[part] == {}, f"{attack.tries}: {part} {outcome[part]}"
    assert outcome["refused"], "the attack tried nothing"


def find_address_of(interface: str) -> str:
    """Return the address of one of this machine's bridges."""
    return run("ip", "-4", "-o", "addr", "show", interface).split()[3].split("/")[0]
