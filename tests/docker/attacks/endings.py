# Attacks that may end the attacker's own workspace, and nobody else's.
from tests.docker.attacks.prelude import *

# %% memory_files: memory that belongs to no process (memfd, shared memory, pipes)
code = """
import os, sys
size, chunk = 0, bytes(1 << 20)
files = [os.memfd_create(str(n)) for n in range(8)]
while True:
    for file in files: size += os.write(file, chunk)
"""
status, said = run_apart(code)
check("ended", status == -9 or "No space" in said or "MemoryError" in said, (status, said))

# %% file_numbers: fill the home with empty files
os.makedirs("/home/work/many", exist_ok=True)
made = 0


def fill() -> None:
    global made
    while made < targets["home_files"] * 3:
        os.close(os.open(f"/home/work/many/{made}", os.O_CREAT | os.O_WRONLY))
        made += 1


attempt("files", fill, "EDQUOT", "ENOSPC", "EMFILE")
