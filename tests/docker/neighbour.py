"""The neighbour: another student whose notebook goes on working while somebody attacks."""

import statistics
import threading
import time

import pytest

from tests.docker_notebook import Notebook

# What the neighbour's cell does: some computing and a file, about what a student's does.
CELL = "t = sum(n * n for n in range(200_000)); open('/home/work/n.txt', 'w').write(str(t)); print(t)"
ANSWER = str(sum(n * n for n in range(200_000)))
SAMPLES = 7
SLOWER = 2.0
# The machine's own noise: a cell takes some tens of milliseconds, and other programs run beside the test.
NOISE_S = 0.05
MEASURED_AGAIN = 3
ATTACK_WITHIN_S = 150


def measure_cells_s(notebook: Notebook, enough: int, until: threading.Event | None = None) -> list[float]:
    """Run the neighbour's cell at least `enough` times and until the event; return how long each took."""
    times_s: list[float] = []
    while len(times_s) < enough or (until is not None and not until.is_set()):
        began = time.monotonic()
        assert ANSWER in notebook.run(CELL)
        times_s.append(time.monotonic() - began)
    return times_s


def run_beside(neighbour: Notebook, attacker: Notebook, cells: list[str]) -> tuple[str, list[float]]:
    """Run the attacker's cells; return what the last one said, and the neighbour's times meanwhile."""
    said: list[str] = []
    ended = threading.Event()

    def attack() -> None:
        try:
            said.extend(attacker.run(cell, ATTACK_WITHIN_S) for cell in cells)
        finally:
            ended.set()

    thread = threading.Thread(target=attack, daemon=True)
    thread.start()
    times_s = measure_cells_s(neighbour, 1, ended)
    thread.join(ATTACK_WITHIN_S)
    assert said, "the attack's kernel ended"
    return said[-1], times_s


def check_neighbour(usual_s: list[float], meanwhile_s: list[float], neighbour: Notebook) -> None:
    """Fail when the neighbour's notebook took more than twice its usual time.

    What is usual is measured before and, since other programs may have begun to use the machine, after.
    """
    slow = statistics.median(meanwhile_s)
    for _ in range(MEASURED_AGAIN):
        if slow <= SLOWER * statistics.median(usual_s) + NOISE_S:
            return
        usual_s = measure_cells_s(neighbour, SAMPLES)
    pytest.fail(f"the neighbour's cell took {slow:.3f} s, usually {statistics.median(usual_s):.3f} s")
