"""Run all tests in two parts: `python -m tests.run`, which is what `make test` calls.

First what may run side by side, on all cores; then what needs the machine for itself (the marker
`undisturbed`). Failures of the first part are told once more at the end, so that the last lines speak of the
whole. Two runs of pytest, since pytest-xdist can keep tests together on one process but not keep the others
still meanwhile.
"""

import os
import subprocess
import sys
from collections.abc import Sequence

WORKERS = (os.cpu_count() or 1) + 1  # much of a test is waiting
SIDE_BY_SIDE = ("-m", "not undisturbed", "-n", str(WORKERS), "--dist", "loadfile", "--no-loadscope-reorder")
UNDISTURBED = ("-m", "undisturbed")


def main() -> int:
    """Run both parts; return 1 when any of them failed."""
    first, told = run_part(SIDE_BY_SIDE)
    second, _ = run_part(UNDISTURBED)
    if first:
        sys.stdout.write("\n".join(("", "In the first part, side by side:", *told, "")))
    return int(bool(first or second))


def run_part(arguments: Sequence[str]) -> tuple[int, list[str]]:
    """Run pytest and pass on what it says; return its exit status, the names of failures and the sum."""
    command = [sys.executable, "-m", "pytest", *arguments]
    told: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            if line.startswith(("FAILED ", "ERROR ", "=")):
                told.append(line.rstrip())
    return process.returncode, [line for line in told if not line.startswith("=")] + told[-1:]


if __name__ == "__main__":
    sys.exit(main())
