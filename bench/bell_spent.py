"""Where the processors' time went between two looks: containers, Docker, hub, proxy, service."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from tests.docker_stack import Town

# Part → what a process of it has in its command line. The first that fits counts.
PARTS: Mapping[str, Sequence[str]] = {
    "Docker's daemons": ("dockerd", "containerd"),
    "proxy": ("configurable-http-proxy",),
    "hub": ("hub_config", "jupyterhub_config.py"),
    "service": ("atelier",),
}


def read_busy_s() -> float:
    """Seconds that all processors together have worked since the machine started."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def read_parts_s(town: Town) -> dict[str, float]:
    """Seconds by part, of the processes that live now. Containers' are what their control groups counted."""
    spent: dict[str, float] = defaultdict(float)
    inside: set[int] = set()
    with town.daemon.connect() as client:
        for one in client.api.containers():
            top = client.api.top(one["Id"], ps_args="-eo pid")
            pids = [int(row[0]) for row in top["Processes"]]
            spent["workspaces"] += read_group_s(pids[0])
            inside |= set(pids)
    for process in psutil.process_iter(["cmdline", "cpu_times"]):
        if process.pid not in inside and (part := find_part(process.info["cmdline"] or [])):
            times = process.info["cpu_times"]
            spent[part] += times.user + times.system
    return spent


def read_group_s(pid: int) -> float:
    """Seconds that the control group of a process has used, those of its ended processes included."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, place = line.split(":", 2)
        if "cpuacct" in controllers.split(","):
            return int(Path(f"/sys/fs/cgroup/cpuacct{place}/cpuacct.usage").read_text()) / 1e9
        if not controllers and Path(f"/sys/fs/cgroup{place}/cpu.stat").exists():
            (used,) = [
                u
                for u in Path(f"/sys/fs/cgroup{place}/cpu.stat").read_text().splitlines()
                if "usage_usec" in u
            ]
            return int(used.split()[1]) / 1e6
    raise RuntimeError(f"process {pid} is in no control group that counts its time")


def find_part(command: Sequence[str]) -> str | None:
    """Return the part that a command line belongs to."""
    text = " ".join(command)
    return next((part for part, words in PARTS.items() if any(word in text for word in words)), None)
