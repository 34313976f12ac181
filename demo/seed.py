"""The demo's first contents: its people and one course that has begun, put in at the first start only."""

import sys
from collections.abc import Callable
from pathlib import Path

from demo.house import REPOSITORY, House

ROSTERS_DIR = REPOSITORY / "demo" / "rosters"
RunCommand = Callable[[list[str]], str]


def seed_once(house: House, run: RunCommand) -> None:
    """Put the demo's people and course in, unless an earlier start did. Safe after a cut-off start."""
    done = house.service_dir / "seeded"
    if done.exists():
        return
    for school_id, roster in list_rosters():
        run(
            [
                sys.executable,
                "-m",
                "atelier",
                "roster",
                "import",
                str(roster),
                "--school",
                school_id,
                "--apply",
            ]
        )
    done.touch()


def list_rosters() -> list[tuple[str, Path]]:
    """Return (school id, file) of every roster of the demo; a file's name begins with the school's id."""
    return [(path.stem.partition("_")[0], path) for path in sorted(ROSTERS_DIR.glob("*.csv"))]
