"""Peak memory of the demo's processes, as the kernel counted it."""

import threading
from pathlib import Path

import psutil

from hub_config.local_processes import list_processes_at_home

MB = 1024 * 1024


def read_peak_mb(pid: int) -> float:
    """Return a process's largest resident size since its start (VmHWM), in MB; 0 when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0")
    return int(line.split()[1]) / 1024


class WorkspaceWatch:
    """Looks at every workspace twice a second and keeps the largest sizes of servers and of kernels."""

    def __init__(self, homes_dir: Path) -> None:
        self.homes_dir = homes_dir
        self.servers_mb: dict[str, float] = {}
        self.kernels_mb: dict[str, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            for process in list_processes_at_home(self.homes_dir):
                self._look(process)

    def _look(self, process: psutil.Process) -> None:
        try:
            command, home = " ".join(process.cmdline()), Path(process.environ()["HOME"]).name
            peak = read_peak_mb(process.pid)
        except (psutil.Error, OSError, KeyError):
            return
        kept = self.servers_mb if "atelier_lab.start.server" in command else None
        kept = self.kernels_mb if "atelier_lab.start.kernel" in command else kept
        if kept is not None:
            kept[home] = max(kept.get(home, 0), peak)
