# A student's programs fill the disk on which the whole school writes.
from tests.docker.attacks.prelude import *

# %% disk: fill the home with bytes
path, written = "/home/work/big", 0


def fill() -> None:
    global written
    with open(path, "wb", buffering=0) as file:
        while written < targets["disk_mb"] * 30 << 20:
            written += file.write(bytes(1 << 20))
            os.fsync(file.fileno())


attempt("bytes", fill, "EDQUOT", "EFBIG", "ENOSPC")
check("left as it was", os.path.getsize(path) == written, written)
with open("/home/work/small", "w") as file:
    file.write("a small notebook can still be saved")
check("small files", os.path.getsize("/home/work/small") > 0, "saved")

# %% hidden: fill the disk with files that have no name
written = 0


def fill() -> None:
    global written
    files = []
    while written < targets["disk_mb"] * 30 << 20:
        path = f"/home/work/hidden{len(files)}"
        files.append(open(path, "wb", buffering=0))
        os.unlink(path)
        for _ in range(10):
            written += files[-1].write(bytes(1 << 20))
        os.fsync(files[-1].fileno())


attempt("bytes", fill, "EDQUOT", "EFBIG", "ENOSPC")
check("no name", not [name for name in os.listdir("/home/work") if name.startswith("hidden")], written)
