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
