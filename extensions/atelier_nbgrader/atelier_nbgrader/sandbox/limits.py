"""What one notebook may use while it is graded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of one run. Each has a unit in its name.

    `memory_mb` is enforced twice: as address space of each process (twice the figure, since numpy and its
    threads reserve what they never touch) and as resident memory of all processes together, measured four
    times a second. `disk_mb` is the size of each of the three memory file systems the student's code can
    write to.
    """

    cell_s: float = 30.0
    run_s: float = 180.0
    start_s: float = 60.0
    memory_mb: int = 1024
    disk_mb: int = 128
    file_mb: int = 64
    processes: int = 32
    cell_output_kb: int = 512
    run_output_mb: int = 8
    message_mb: int = 64
