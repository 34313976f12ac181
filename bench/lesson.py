"""``python -m bench.lesson``: from the click to a usable Lab, with an announced lesson and without one.

Each student clicks *Open my workspace* on My work in a browser of their own (Chromium on this machine, no
slow line): the first time with an empty cache, the second time with Lab's files in it. "Answers" is the first
byte of Lab's page, which is what starting costs; "usable" is Lab's main area with its launcher. Workspaces of
the lesson were started by the steward because it is due; the others start at each click. The real demo
on free ports; one click at a time, with and without a lesson in turn. The machine's load is printed: other
work slows all of it.
"""

import argparse
import datetime as dt
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from atelier import lessons
from atelier.store import utc_now

from tests.atelier_stack import Stack
from tests.chromium import run_chromium
from tests.waiting import wait_until

TEACHER = "bench.teacher@school-a.example"
ZONE = ZoneInfo("Europe/Sofia")
AIM_S = 2.0
WITHIN_MS = 120_000
WITHIN_S = 300.0


@dataclass(frozen=True)
class Wait:
    """Seconds after the click."""

    answers_s: float
    usable_s: float


def main() -> int:
    """Measure and print the table. Returns 1 when a workspace of a lesson is usable later than the aim."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--students", type=int, default=3, help="students of each kind")
    count = options.parse_args().students
    known, cold = (
        [f"{kind}.{n}@students.school-a.example" for n in range(count)] for kind in ("known", "cold")
    )
    found: dict[str, list[tuple[Wait, Wait]]] = {"without a lesson": [], "announced lesson": []}
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder)) as stack, run_chromium() as chromium:
        _add_people(stack, known, cold)
        _announce(stack, known)
        wait_until(lambda: all(stack.is_ready(stack.find_person(e)) for e in known), WITHIN_S, "not started")
        for without, announced in zip(cold, known, strict=True):
            found["without a lesson"].append(_click_twice(stack, chromium, without, stop_between=True))
            found["announced lesson"].append(_click_twice(stack, chromium, announced, stop_between=False))
    print(describe(found))
    print(f"\nLoad of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.")
    return int(statistics.median(second.usable_s for _, second in found["announced lesson"]) > AIM_S)


def describe(found: Mapping[str, Sequence[tuple[Wait, Wait]]]) -> str:
    """Return medians, and the longest in brackets, as a Markdown table."""
    lines = ["| from the click | cache | Lab's page answers | usable |", "|---|---|---|---|"]
    for name, students in found.items():
        for cache, waits in zip(("empty", "filled"), zip(*students, strict=True), strict=True):
            answers, usable = [w.answers_s for w in waits], [w.usable_s for w in waits]
            lines.append(f"| {name} | {cache} | {_show(answers)} | {_show(usable)} |")
    return "\n".join(lines)


def _add_people(stack: Stack, known: Sequence[str], cold: Sequence[str]) -> None:
    people = [f"Ученик {email.split('@')[0].replace('.', '')} {email} student" for email in (*known, *cold)]
    stack.add_people(f"Учителка Измерена {TEACHER} teacher", *people)


def _announce(stack: Stack, students: Sequence[str]) -> None:
    course_id, teacher_id = stack.make_course("bench", TEACHER, students), stack.find_person(TEACHER)
    local = (utc_now() + dt.timedelta(minutes=5)).astimezone(ZONE).replace(tzinfo=None)
    said = lessons.Announcement(local, "Europe/Sofia", 40)
    with stack.session() as session:
        lessons.announce(session, course_id, said, teacher_id=teacher_id, now=utc_now())


def _click_twice(stack: Stack, chromium: Any, email: str, *, stop_between: bool) -> tuple[Wait, Wait]:
    """Return the waits of one student's first and second click; the workspace is stopped in the end."""
    print(f"{email} …", file=sys.stderr, flush=True)
    account = stack.find_person(email)
    with chromium.new_context(locale="bg-BG") as context:
        page = stack.signed_in_page(context, email)
        first = _click(page)
        page.goto(stack.pages_url)
        if stop_between:
            _stop(stack, account)
        second = _click(page)
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


if __name__ == "__main__":
    sys.exit(main())
