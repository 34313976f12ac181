"""``python -m bench.bell`` (as root; `make bench-bell`): a class presses start at the same moment.

Stock JupyterHub with DockerSpawner and a plain JupyterLab and nbgrader image against Atelier with engine
`docker`, on one daemon in one run, `--repeat` times in turn. Times are from the bell until each student ran a
cell (`bench.bell_class`). Processor seconds are all that the machine spent from the bell until the last
one had run it, without the class's own; memory is what the machine has less afterwards, each student with one
kernel.

First starts make the homes; later ones find them. Then two classes are up and all stop at once, while one
more student presses start. Last, of Atelier alone: the class's lesson is announced in the service's database,
the real steward starts its workspaces, and when all are up the class opens them at the same moment: the same
way to Lab's page and, a second later, a cell, from where *Open my workspace* leads to. The stock knows no
such thing.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TextIO

import psutil

from bench.bell_class import Lesson
from bench.bell_houses import Atelier, Side, build_stock, list_containers, run_atelier, run_stock
from bench.bell_spent import read_busy_s, read_parts_s
from bench.bell_verdict import MISSED, Bell, Found, Opening, Stops, describe, judge
from demo.house import REPOSITORY
from tests.docker_stack import Town
from tests.docker_town import Daemon, check_docker, find_cache, provide_base, provide_images
from tests.waiting import wait_until

SETTLE_S = 5.0
# Lab's scripts run for about as long before anybody can open a notebook (bench.lesson), and the bell of an
# announced lesson asks for the page: no kernel of the first in the class may start while the last one waits.
KERNEL_AFTER_S = 1.0
WITHIN_S = 300.0


def main() -> int:
    """Measure and print the tables. Returns 1 when Atelier misses an aim."""
    options = _parse_options()
    check_docker()
    found = Found()
    cache = find_cache()
    with Daemon(cache / "docker") as daemon:
        provide_base(daemon, cache)
        provide_images(daemon, ["workspace", "course"])
        build_stock(daemon)
        town = Town.make(daemon)
        sides: dict[str, Callable[[], AbstractContextManager[Side]]] = {
            "stock": lambda: run_stock(town),
            "Atelier": lambda: run_atelier(town, 2 * options.students + 1),
        }
        for number in range(options.repeat):
            for name in options.side or sides:
                _say(f"{name}, {number + 1} of {options.repeat} …", sys.stderr)
                with sides[name]() as side:
                    measure(town, side, options.students, found)
    if options.json:
        options.json.write_text(json.dumps(asdict(found), indent=1))
    _say(describe(found))
    verdicts = judge(found)
    _say("\n".join(["", *verdicts]))
    _say(f"Load of the machine before: {options.load:.1f} on {os.cpu_count()} cores.")
    return int(any(verdict.startswith(MISSED) for verdict in verdicts))


def measure(town: Town, side: Side, count: int, found: Found) -> None:
    """Measure one side; what is found is added, and nothing runs afterwards."""
    last = side.make_lesson(2 * count, 1)
    ring(town, side, last, "warming up")  # the image's files are read from disk once
    stop_all(town, side)
    found.bells.append(ring(town, side, side.make_lesson(0, count), "first starts"))
    stop_all(town, side)
    found.bells.append(ring(town, side, side.make_lesson(0, count), "later starts"))
    alone_s = ring(town, side, last, "alone").waits_s[0]
    stop(town, side, last.accounts)
    ring(town, side, side.make_lesson(count, count), "second class")
    found.stops.append(measure_stops(town, side, last, alone_s))
    if isinstance(side, Atelier):
        found.openings.append(measure_opening(town, side, side.make_lesson(0, count)))


# ---------------------------------------------------------------- starts
def ring(town: Town, side: Side, lesson: Lesson, kind: str) -> Bell:
    """Let a class press start; return when everybody ran a cell. Raises RuntimeError when not all did."""
    with open_class(lesson) as press:
        memory = psutil.virtual_memory().available
        parts_s, before_s = read_parts_s(town), read_busy_s()
        result = press()
        cpu_s = read_busy_s() - before_s - result["own_cpu_s"]
        parts_s = {part: s - parts_s.get(part, 0.0) for part, s in read_parts_s(town).items()}
    errors = [start["error"] for start in result["starts"] if start["error"]]
    if errors:
        raise RuntimeError(f"{side.name}: {len(errors)} of {len(lesson.accounts)} failed:\n{errors[0]}")
    time.sleep(SETTLE_S)  # what a start still does after the cell belongs to its memory
    at_s = [start["at_s"] for start in result["starts"]]
    memory -= psutil.virtual_memory().available
    waits_s, pages_s = ([at[step] for at in at_s] for step in ("output", "page"))
    return Bell(side.name, kind, waits_s, pages_s, cpu_s, memory, parts_s)


@contextmanager
def open_class(lesson: Lesson) -> Iterator[Callable[[], dict]]:  # type: ignore[type-arg]
    """Sign a class in, in a process of its own; yields what rings the bell and returns its result."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.bell_class"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(asdict(lesson)) + "\n")
    process.stdin.flush()
    try:
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError("the class could not sign in; see above")

        def press() -> dict:  # type: ignore[type-arg]
            assert process.stdin
            assert process.stdout
            process.stdin.write("the bell\n")
            process.stdin.flush()
            answer: dict = json.loads(process.stdout.readline())  # type: ignore[type-arg]
            return answer

        yield press
    finally:
        process.stdin.close()
        process.wait(WITHIN_S)


# ---------------------------------------------------------------- an announced lesson
def measure_opening(town: Town, side: Atelier, lesson: Lesson) -> Opening:
    """Announce the class's lesson; when the steward has its workspaces up, let all open them at once."""
    began_s = time.monotonic()
    lesson = replace(lesson, kernel_after_s=KERNEL_AFTER_S)
    with side.announced(lesson):
        wait_until(lambda: all(map(side.is_ready, lesson.accounts)), WITHIN_S, "the steward started not all")
        prepared_s = time.monotonic() - began_s
        bell = ring(town, side, lesson, "announced lesson")
    stop_all(town, side)
    return Opening(bell, prepared_s)


# ---------------------------------------------------------------- stops
def measure_stops(town: Town, side: Side, last: Lesson, alone_s: float) -> Stops:
    """Stop all that runs at once; meanwhile one student presses start."""
    others = list_running(town, side)
    with open_class(last) as press, ThreadPoolExecutor(1) as pool:
        before_s, began_s = read_busy_s(), time.monotonic()
        starting = pool.submit(press)
        stop(town, side, others)
        took_s, cpu_s = time.monotonic() - began_s, read_busy_s() - before_s
        started = starting.result()["starts"][0]
    stop_all(town, side)
    if started["error"]:
        raise RuntimeError(f"{side.name}: a start among stops failed:\n{started['error']}")
    return Stops(side.name, len(others), took_s, cpu_s, alone_s, started["at_s"]["output"])


def stop_all(town: Town, side: Side) -> None:
    stop(town, side, list_running(town, side))


def list_running(town: Town, side: Side) -> list[str]:
    """Return the accounts that have a container."""
    return [name.removeprefix(side.container_prefix) for name in list_containers(town, side)]


def stop(town: Town, side: Side, accounts: Sequence[str]) -> None:
    """Order all stops at once; return when neither the hub nor Docker has one of them any more.

    Whoever asks again and again takes the time of the stops, so the hub is asked about those only that it
    did not end within the order (202), and Docker last.
    """
    with ThreadPoolExecutor(max(1, len(accounts))) as pool:
        answers = list(pool.map(lambda a: side.ask_hub("DELETE", f"users/{a}/server"), accounts))
    for account, answer in zip(accounts, answers, strict=True):
        if answer.status_code not in (202, 204):
            raise RuntimeError(f"{side.name}: a stop was answered {answer.status_code}: {answer.text}")
        if answer.status_code == 202:
            wait_until(lambda a=account: not _is_busy(side, a), WITHIN_S, f"{side.name}'s hub")  # type: ignore[misc]
    wait_until(
        lambda: not set(accounts) & set(list_running(town, side)), WITHIN_S, f"{side.name} did not stop"
    )


def _is_busy(side: Side, account: str) -> bool:
    """Whether the hub still knows a server of the account: a start now would be refused."""
    return bool(side.ask_hub("GET", f"users/{account}").json()["servers"])


# ---------------------------------------------------------------- the command
def _parse_options() -> argparse.Namespace:
    options = argparse.ArgumentParser(description="Measure a class that presses start at the same moment.")
    options.add_argument("--students", type=int, default=30, help="in the class")
    options.add_argument("--repeat", type=int, default=1)
    options.add_argument("--side", action="append", choices=("stock", "Atelier"), help="only this one")
    options.add_argument("--json", type=Path, help="write all figures into this file")
    chosen = options.parse_args()
    chosen.load = os.getloadavg()[0]
    return chosen


def _say(text: str, stream: TextIO = sys.stdout) -> None:
    stream.write(f"{text}\n")
    stream.flush()


if __name__ == "__main__":
    raise SystemExit(main())
