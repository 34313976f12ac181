"""What a hub that is killed leaves behind."""

import contextlib
from pathlib import Path

import psutil
import pytest

from tests.atelier_stack import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.hub


def list_cullers(of: psutil.Process) -> list[psutil.Process]:
    """Return the hub's culler, once `setpriv` has become it: before that it does not end with the hub."""
    found = []
    for child in of.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.name() != "setpriv" and "jupyterhub_idle_culler" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_culler_of_a_killed_hub_ends_with_it(tmp_path: Path) -> None:
    with Stack(tmp_path, demo_people=False) as stack:
        hub = psutil.Process(stack.demo.processes["hub"].pid)
        (culler,) = wait_until(lambda: list_cullers(hub), 30, "the hub's culler has not started")
        stack.demo.processes.pop("hub")
        hub.kill()
        hub.wait(10)
        wait_until(lambda: not culler.is_running(), 10, "the culler outlived its hub")
