"""The first program inside the sandbox: copies the files in, sets the limits, becomes the kernel.

Runs with `python -I` and the standard library only. Arguments: memory_mb file_mb processes cpu_s files home
fonts connection.
"""

import os
import resource
import shutil
import sys
from pathlib import Path


def main(argv: list[str]) -> None:
    memory_mb, file_mb, processes, cpu_s = (int(value) for value in argv[:4])
    files, home, fonts, connection = argv[4:8]
    shutil.copytree(files, home, dirs_exist_ok=True)
    if Path(fonts).is_dir():
        # Without matplotlib's font list every notebook that plots builds it anew.
        shutil.copytree(fonts, os.environ["MPLCONFIGDIR"])
    _set_limits(memory_mb, file_mb, processes, cpu_s)
    # Started in a folder without students' files: their random.py must not take the place of Python's own
    # while the kernel starts. Cells import from the home all the same: IPython looks into the current folder
    # last.
    os.chdir(Path(__file__).parent)
    kernel = ["-m", "ipykernel_launcher", "-f", connection, "--HistoryManager.hist_file=:memory:"]
    kernel.append(f"--IPKernelApp.exec_lines=__import__('os').chdir({home!r})")
    os.execv(sys.executable, [sys.executable, *kernel])  # noqa: S606 - no shell, fixed command


def _set_limits(memory_mb: int, file_mb: int, processes: int, cpu_s: int) -> None:
    # Twice: numpy and thread stacks reserve address space that they never touch.
    _set_limit(resource.RLIMIT_AS, 2 * memory_mb * 1024 * 1024)
    _set_limit(resource.RLIMIT_FSIZE, file_mb * 1024 * 1024)
    # Counts threads; a kernel has about fifteen.
    _set_limit(resource.RLIMIT_NPROC, processes * 4)
    _set_limit(resource.RLIMIT_CPU, cpu_s)
    _set_limit(resource.RLIMIT_CORE, 0)
    _set_limit(resource.RLIMIT_NOFILE, 512)
    os.nice(10)
    # If the machine runs out of memory, this goes first. Some containers forbid it; the limits above still
    # hold.
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        return


def _set_limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))


if __name__ == "__main__":
    main(sys.argv[1:])
