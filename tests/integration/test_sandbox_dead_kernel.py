"""A kernel that is gone before the first question is a problem told to the teacher, and no endless wait."""

import sys
import time
from pathlib import Path
from typing import Any

import pytest
from atelier_nbgrader.sandbox import bubblewrap
from atelier_nbgrader.sandbox.run import GradingProblem, run_cells

from tests.components import require_sandbox

pytestmark = pytest.mark.sandbox


@pytest.mark.parametrize("attempt", range(5))
def test_a_kernel_that_ends_at_once_is_reported_within_seconds(
    attempt: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_sandbox()
    whole_command = bubblewrap.kernel_command

    def ends_at_once(*args: Any, **options: Any) -> list[str]:
        command = whole_command(*args, **options)
        return [*command[: command.index(sys.executable)], "/usr/bin/true"]

    monkeypatch.setattr(bubblewrap, "kernel_command", ends_at_once)
    began = time.monotonic()
    with pytest.raises(GradingProblem, match=r"did not start|ended the kernel"):
        run_cells(["1 + 1"] * 20, tmp_path)
    assert time.monotonic() - began < 45, f"attempt {attempt}"
