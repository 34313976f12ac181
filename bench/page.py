"""``python -m bench.page``: Lab's first page, Atelier behind its front server against the stock, in one run.

Two students use one laptop one after the other. Each side is measured `--repeat` times, alternating; the
table shows medians. Traffic is counted on the wire by a relay between browser and server; the line
(10 Mbit/s, 40 ms) and the slow processor (4×) are Chromium's own emulation. Workspaces are up before a load
begins; a kernel starts with the first load of each student.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from playwright.sync_api import sync_playwright

from bench.page_browser import Journey, Load, measure_journey
from bench.page_houses import Side, run_atelier, run_stock

CLASS_SIZE = 30
KINDS = ("cold", "warm", "next student")
AIMS = {"cold": 1_600_000, "warm": 60_000, "next student": 60_000}
CLASS_AIM = 55_000_000


def main() -> int:
    """Measure and print the table. Returns 1 when Atelier misses an aim."""
    options = _parse_options()
    journeys: list[Journey] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running, sync_playwright() as playwright:
        sides: list[Side] = [
            running.enter_context(run_stock(Path(folder) / "stock")),
            running.enter_context(run_atelier(Path(folder) / "atelier")),
        ]
        for number in range(options.repeat):
            for side in sides:
                _say(f"{side.name}, {number + 1} of {options.repeat} …", sys.stderr)
                journeys.append(measure_journey(playwright, side))
    if options.json:
        options.json.write_text(json.dumps([asdict(journey) for journey in journeys], indent=1))
    missed = list_missed_aims(journeys)
    _say("\n\n".join([describe(journeys), *missed]))
    return 1 if missed else 0


def describe(journeys: Sequence[Journey]) -> str:
    """Return the medians as a Markdown table."""
    lines = [
        "| | bytes down | up | requests | notebook visible | first output |",
        "|---|---|---|---|---|---|",
    ]
    for side in dict.fromkeys(journey.side for journey in journeys):
        lines.append(f"| {side}: signing in | {_kb(find_sign_in_bytes(journeys, side))} | | | | |")
        for kind in KINDS:
            load = find_median(journeys, side, kind)
            lines.append(
                f"| {side}: {kind} | {_kb(load.down_bytes)} | {_kb(load.up_bytes)} | {load.requests} "
                f"| {load.visible_s:.1f} s | {load.output_s:.1f} s |"
            )
    for side in dict.fromkeys(journey.side for journey in journeys):
        cold, used = (find_class_bytes(journeys, side, kind) for kind in ("cold", "next student"))
        lines.append(
            f"\n{side}: a class of {CLASS_SIZE} signs in and opens Lab: {cold / 1e6:.1f} MB on laptops that "
            f"never had Lab, {used / 1e6:.1f} MB on laptops that another class used before."
        )
    return "\n".join(lines)


def find_median(journeys: Sequence[Journey], side: str, kind: str) -> Load:
    """Return the medians of each figure over all loads of one kind."""
    loads = [load for one in journeys if one.side == side for load in one.loads if load.kind == kind]
    return Load(
        kind,
        int(statistics.median(load.down_bytes for load in loads)),
        int(statistics.median(load.up_bytes for load in loads)),
        int(statistics.median(load.requests for load in loads)),
        statistics.median(load.visible_s for load in loads),
        statistics.median(load.output_s for load in loads),
    )


def find_sign_in_bytes(journeys: Sequence[Journey], side: str) -> int:
    """Return the median of what the first student's sign-in brought down the line."""
    return int(statistics.median(one.sign_in_bytes for one in journeys if one.side == side))


def find_class_bytes(journeys: Sequence[Journey], side: str, kind: str) -> int:
    """Return what a class brings down the school's line: everybody signs in and opens one notebook.

    Nothing is shared between laptops: 30 times what one of them loads. Signing in is counted as cold.
    """
    one = find_sign_in_bytes(journeys, side) + find_median(journeys, side, kind).down_bytes
    return CLASS_SIZE * one


def list_missed_aims(journeys: Sequence[Journey]) -> list[str]:
    """Return a sentence for each aim that Atelier's medians do not reach."""
    missed = []
    for kind, aim in AIMS.items():
        down = find_median(journeys, "Atelier", kind).down_bytes
        if down >= aim:
            missed.append(f"Missed: {kind} is {_kb(down)}, the aim is under {_kb(aim)}.")
    of_class = find_class_bytes(journeys, "Atelier", "cold")
    if of_class >= CLASS_AIM:
        missed.append(
            f"Missed: the class is {of_class / 1e6:.1f} MB, the aim is under {CLASS_AIM / 1e6:.0f} MB."
        )
    return missed


def _say(text: str, where: TextIO = sys.stdout) -> None:
    where.write(f"{text}\n")
    where.flush()


def _kb(count: int) -> str:
    return f"{count / 1000:,.0f} kB"


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="journeys of each side (default 3)")
    parser.add_argument("--json", type=Path, default=None, help="file for every single figure")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
