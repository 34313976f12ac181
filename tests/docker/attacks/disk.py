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

# %% file_numbers: fill the home with empty files

os.makedirs("/home/work/many", exist_ok=True)
made = 0


def fill() -> None:
    global made
    while made < targets["home_files"] * 3:
        os.close(os.open(f"/home/work/many/{made}", os.O_CREAT | os.O_WRONLY))
        made += 1


attempt("files", fill, "EDQUOT", "ENOSPC", "EMFILE")
