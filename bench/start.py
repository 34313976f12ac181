"""What a start spends inside a workspace: ``python -m bench.start``, no hub, no Docker, no browser.

Starts the server of a workspace as the hub does and does what Lab does until the first cell has run; prints
the CPU seconds (user and system, all processes of the workspace) of each step, once with our start and once
with JupyterHub's own and ipykernel's. CPU seconds are usable also on a machine that does other things.
"""

import argparse
import asyncio
import statistics
import tempfile
from pathlib import Path

import psutil

from tests.lab_server import STARTED, Server, start_server

ORDINARY = "jupyterhub.singleuser"
ORDINARY_KERNELS = "--ServerApp.kernel_spec_manager_class=jupyter_client.kernelspec.KernelSpecManager"
LAB_ASKS = (
    "lab", "lab/api/settings", "lab/api/translations/bg_BG", "api/kernelspecs", "api/kernels", "api/sessions",
    "api/terminals", "api/contents?content=1",
)  # fmt: skip
MB = 1024 * 1024


def read_cpu_s(server: Server) -> float:
    """Return what the server and its kernels have spent by now (the kernel's clock, in nanoseconds)."""
    main = psutil.Process(server.pid)
    files = [
        Path(f"/proc/{one.pid}/task").glob("*/schedstat") for one in (main, *main.children(recursive=True))
    ]
    running_s = sum(int(file.read_text().split()[0]) for found in files for file in found) / 1e9
    ended = main.cpu_times()
    return running_s + float(ended.children_user + ended.children_system)


def read_memory_mb(server: Server) -> tuple[float, float]:
    """Return what the server, and what its kernels hold: PSS, where shared pages count by halves."""
    main = psutil.Process(server.pid)
    kernels = sum(one.memory_full_info().pss for one in main.children(recursive=True))
    return main.memory_full_info().pss / MB, kernels / MB


async def run_first_cell(server: Server) -> None:
    """Open a session and run a cell in it."""
    cells = await server.connect(server.start_kernel())
    assert await cells.say("print(6 * 7)") == "42"


def measure(kind: str, *, ordinary: bool) -> dict[str, float]:
    """Return CPU seconds of each step and the memory after the last, of one workspace."""
    module, arguments = (ORDINARY, (ORDINARY_KERNELS,)) if ordinary else (STARTED, ())
    with (
        tempfile.TemporaryDirectory() as root,
        start_server(Path(root), kind, module, arguments) as server,
    ):
        started_s = read_cpu_s(server)
        for address in LAB_ASKS:
            server.ask(address)
        asked_s = read_cpu_s(server)
        asyncio.run(run_first_cell(server))
        ran_s = read_cpu_s(server)
        server_mb, kernel_mb = read_memory_mb(server)
    return {
        "server until it answers, s": started_s,
        "what Lab asks first, s": asked_s - started_s,
        "kernel until a cell has run, s": ran_s - asked_s,
        "together, s": ran_s,
        "server, MB": server_mb,
        "kernel, MB": kernel_mb,
    }


def main() -> None:
    """Print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kind", default="personal", choices=("personal", "team", "course"))
    options.add_argument("-n", "--times", type=int, default=5)
    chosen = options.parse_args()
    both = [
        [measure(chosen.kind, ordinary=ordinary) for _ in range(chosen.times)] for ordinary in (True, False)
    ]
    print(f"{chosen.kind}, medians of {chosen.times}: ordinary start, ours")
    for step in both[0][0]:
        ordinary, ours = (statistics.median(one[step] for one in side) for side in both)
        print(f"{step:32} {ordinary:8.2f} {ours:8.2f}")


if __name__ == "__main__":
    main()
