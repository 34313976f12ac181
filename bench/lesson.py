"""``python -m bench.lesson``: from the click to a usable Lab, with an announced lesson and without one.

Each student clicks *Open my workspace* on My work in a browser of their own (Chromium on this machine, no
slow line): the first time with an empty cache, the second time with Lab's files in it. "Answers" is the first
byte of Lab's page, which is what starting costs; "usable" is Lab's main area with its launcher. Workspaces of
the lesson were started by the steward because it is due; the others start at each click. The real demo
on free ports; one click at a time, with and without a lesson in turn (a class that clicks at once is in
`bench.bell`). The machine's load is printed: other work slows all of it. `--front`: behind the front server,
as a school's machine is. ``--engine docker`` (as root): workspaces are containers.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from bench.announcing import ON_ROSTER, announced_lesson
from bench.bell_verdict import MISSED
from bench.lesson_houses import run_stack
from tests.atelier_stack import Stack
from tests.chromium import run_chromium
from tests.front_stack import FrontStack
from tests.waiting import wait_until

WITHOUT, ANNOUNCED = "without a lesson", "announced lesson"
CACHES = ("empty", "filled")
AIM_S = 2.0
WITHIN_MS = 120_000
WITHIN_S = 300.0


@dataclass(frozen=True)
class Wait:
    """Seconds after the click."""

    answers_s: float
    usable_s: float


def main() -> int:
    """Measure and print the table. Returns 1 when workspaces of a lesson are usable later than the aim."""
    chosen, load = _parse_options(), os.getloadavg()[0]
    known, cold = (
        [f"{kind}.{n}@students.school-a.example" for n in range(chosen.students)]
        for kind in ("known", "cold")
    )
    with run_stack(chosen.engine, front=chosen.front) as stack, run_browser(stack) as chromium:
        _add_people(stack, known, cold)
        with announced_lesson(stack, known):
            accounts = [stack.find_person(email) for email in known]
            wait_until(lambda: all(map(stack.is_ready, accounts)), WITHIN_S, "not started")
            found = measure(stack, chromium, known, cold)
    verdicts = judge(found)
    print("\n".join([describe(found), "", *verdicts]))
    print(f"\nLoad of the machine before: {load:.1f} on {os.cpu_count()} cores.")
    return int(any(verdict.startswith(MISSED) for verdict in verdicts))


def measure(
    stack: Stack, chromium: Any, known: Sequence[str], cold: Sequence[str]
) -> dict[str, list[tuple[Wait, Wait]]]:
    """Let students click one after the other, twice each: with an empty and with a filled cache."""
    found: dict[str, list[tuple[Wait, Wait]]] = {WITHOUT: [], ANNOUNCED: []}
    for without, announced in zip(cold, known, strict=True):
        found[WITHOUT].append(_click_twice(stack, chromium, without, stop_each=True))
        found[ANNOUNCED].append(_click_twice(stack, chromium, announced, stop_each=False))
    return found


def run_browser(stack: Stack) -> AbstractContextManager[Any]:
    """Start Chromium; it trusts the front's certificate where there is one."""
    return run_chromium(stack.chromium_arguments) if isinstance(stack, FrontStack) else run_chromium()


def describe(found: Mapping[str, Sequence[tuple[Wait, Wait]]]) -> str:
    """Return medians, and the longest in brackets, as a Markdown table."""
    lines = ["| from the click | cache | Lab's page answers | usable |", "|---|---|---|---|"]
    for name in found:
        for cache, waits in _by_cache(found[name]):
            answers, usable = [w.answers_s for w in waits], [w.usable_s for w in waits]
            lines.append(f"| {name} | {cache} | {_show(answers)} | {_show(usable)} |")
    return "\n".join(lines)


def judge(found: Mapping[str, Sequence[tuple[Wait, Wait]]]) -> list[str]:
    """Return a sentence for each cache of the announced lesson; a missed aim begins with `MISSED`."""
    verdicts = []
    for cache, waits in _by_cache(found[ANNOUNCED]):
        usable_s = statistics.median(wait.usable_s for wait in waits)
        missed = "" if usable_s < AIM_S else MISSED
        verdicts.append(
            f"{missed}{ANNOUNCED}, {cache} cache: usable after {usable_s:.2f} s (aim: under {AIM_S:.0f} s)"
        )
    return verdicts


def _by_cache(students: Sequence[tuple[Wait, Wait]]) -> Iterator[tuple[str, Sequence[Wait]]]:
    return zip(CACHES, zip(*students, strict=True), strict=True)


def _add_people(stack: Stack, known: Sequence[str], cold: Sequence[str]) -> None:
    people = [f"Ученик {email.split('@')[0].replace('.', '')} {email} student" for email in (*known, *cold)]
    stack.add_people(ON_ROSTER, *people)


def _click_twice(stack: Stack, chromium: Any, email: str, *, stop_each: bool) -> tuple[Wait, Wait]:
    """Return the waits of one student's first and second click.

    `stop_each`: the workspace is stopped after each; one of a lesson the steward would start again.
    """
    print(f"{email} …", file=sys.stderr, flush=True)
    account = stack.find_person(email)
    with chromium.new_context(locale="bg-BG") as context:
        page = stack.signed_in_page(context, email)
        first = _click(page)
        page.goto(stack.pages_url)
        if stop_each:
            _stop(stack, account)
        second = _click(page)
    if stop_each:
        _stop(stack, account)
    return first, second


def _stop(stack: Stack, account: str) -> None:
    stack.ask_hub("DELETE", f"users/{account}/server")
    wait_until(lambda: not stack.is_ready(account), 60, f"{account} did not stop")


def _click(page: Any) -> Wait:
    """Click the way to the own workspace; return the waits for Lab's page and for its launcher."""
    begun = time.monotonic()
    page.click('a[data-opens][href*="/hub/spawn/"]:not([href*="team-"]):not([href*="course-"])')
    page.wait_for_url("**/user/*/lab**", wait_until="commit", timeout=WITHIN_MS)
    answers_s = time.monotonic() - begun
    page.wait_for_selector(".jp-Launcher-body, .jp-NotebookPanel", state="visible", timeout=WITHIN_MS)
    return Wait(answers_s, time.monotonic() - begun)


def _show(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.1f} s ({max(seconds):.1f} s)"


def _parse_options() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--students", type=int, default=3, help="students of each kind")
    options.add_argument(
        "--engine", choices=("local", "docker"), default="local", help="docker: workspaces are containers"
    )
    options.add_argument("--front", action="store_true", help="behind the front server, with either engine")
    return options.parse_args()


if __name__ == "__main__":
    sys.exit(main())
