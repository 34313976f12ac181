"""Measures engine `docker`: ``python -m tests.docker_measure``, as root, prints docs/benchmarks.md's table.

Image sizes; click to ready one after the other and all at once; stops all at once; memory of an idle
workspace. Times are from the order at the hub's API until the hub says "ready" or the container is gone.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.docker_school import SLUG, STUDENTS, TEACHER
from tests.docker_stack import DockerStack, Town
from tests.docker_town import Daemon, find_cache, provide_base, provide_images
from tests.waiting import wait_until

SETTLE_WITHIN_S = 60


def measure_s(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def measure_all_s(actions: list[Callable[[], object]]) -> list[float]:
    """Run all at once; return the time of each."""
    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(measure_s, actions))


def describe(times_s: list[float]) -> str:
    return f"median {statistics.median(times_s):.1f} s, longest {max(times_s):.1f} s"


def read_memory_mib(stack: DockerStack, account: str) -> float:
    """Memory that only this container holds: what the kernel counts for it, without file pages it can
    drop.
    """
    stats = stack.find_container(account).stats(stream=False)["memory_stats"]
    droppable = stats["stats"].get("total_inactive_file", stats["stats"].get("inactive_file", 0))
    return float(stats["usage"] - droppable) / 1024 / 1024


def measure_sizes(daemon: Daemon, images: dict[str, str]) -> list[tuple[str, str]]:
    with daemon.connect() as client:
        sizes = {name: client.images.get(tag).attrs["Size"] / 1e6 for name, tag in images.items()}
    return [(f"image {name}", f"{size:.0f} MB") for name, size in sizes.items()]


def add_students(stack: DockerStack, count: int) -> list[str]:
    """A class whose accounts exist in the hub; returns them."""
    emails = [f"measure.{n}@students.school-a.example" for n in range(count)]
    stack.add_people(*(f"Име Фамилия {email} student" for email in emails))
    accounts = [stack.find_person(email) for email in emails]
    wait_until(
        lambda: all(stack.ask_hub("GET", f"users/{a}").status_code == 200 for a in accounts),
        SETTLE_WITHIN_S,
        "the steward made no accounts",
    )
    return accounts


def measure_starts(stack: DockerStack, count: int) -> list[tuple[str, str]]:
    accounts = add_students(stack, count)
    first = [measure_s(lambda a=a: stack.start_workspace(a)) for a in accounts]  # type: ignore[misc]
    stop = [measure_s(lambda a=a: stack.stop_workspace(a)) for a in accounts]  # type: ignore[misc]
    again = [measure_s(lambda a=a: stack.start_workspace(a)) for a in accounts]  # type: ignore[misc]
    memory = [read_memory_mib(stack, a) for a in accounts]
    stops = measure_all_s([lambda a=a: stack.stop_workspace(a) for a in accounts])  # type: ignore[misc]
    together = measure_all_s([lambda a=a: stack.start_workspace(a) for a in accounts])  # type: ignore[misc]
    return [
        ("click to ready, the account's first start", describe(first)),
        ("click to ready, later starts", describe(again)),
        (f"{count} starts at once", describe(together)),
        ("a stop", describe(stop)),
        (f"{count} stops at once", describe(stops)),
        ("memory of an idle personal workspace", f"median {statistics.median(memory):.0f} MiB"),
    ]


def measure_kinds(stack: DockerStack) -> list[tuple[str, str]]:
    """Idle memory of team and course workspaces."""
    stack.add_people(f"Т У {TEACHER} teacher", *(f"И Ф {email} student" for email in STUDENTS))
    course_id = stack.make_course(SLUG, TEACHER, STUDENTS)
    rows = []
    for account in (stack.make_team(course_id, "Екип", STUDENTS), f"course-{course_id}"):
        wait_until(
            lambda a=account: stack.ask_hub("GET", f"users/{a}").status_code == 200,  # type: ignore[misc]
            SETTLE_WITHIN_S,
            f"no account {account}",
        )
        stack.start_workspace(account)
        kind = account.partition("-")[0]
        rows.append((f"memory of an idle {kind} workspace", f"{read_memory_mib(stack, account):.0f} MiB"))
    return rows


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Measure engine `docker` on this machine.")
    parser.add_argument("--students", type=int, default=8)
    chosen = parser.parse_args(arguments)
    cache = find_cache()
    with Daemon(cache / "docker") as daemon:
        provide_base(daemon, cache)
        images = provide_images(daemon, ["course", "hub", "service"])
        rows = measure_sizes(daemon, images)
        with tempfile.TemporaryDirectory() as folder, DockerStack(Path(folder), Town.make(daemon)) as stack:
            rows += measure_starts(stack, chosen.students) + measure_kinds(stack)
    sys.stdout.write(
        "\n".join(["| what | measured |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows), ""])
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
