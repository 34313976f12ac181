"""The narrow profile of system calls is in nobody's way: what classes do with files, terminals and plots."""

import pytest

from tests.docker_school import DockerSchool

pytestmark = [pytest.mark.docker, pytest.mark.side_by_side]

WORKS = {
    "terminal": """
import curses, fcntl, os, pty, select, struct, termios, tty
end, terminal = pty.openpty()
fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 90, 0, 0))
assert os.get_terminal_size(terminal) == (90, 30) and os.isatty(terminal)
tty.setraw(terminal)
os.write(end, b"three")
assert select.select([terminal], [], [], 5)[0]
assert fcntl.ioctl(terminal, termios.FIONREAD, bytes(4))[:1] == b"\\x05"
curses.setupterm("xterm", terminal)
assert curses.tigetnum("cols") > 0
""",
    "shell in a terminal": """
import os, pty
pid, end = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", "stty size && tty"])
said = b""
try:
    while part := os.read(end, 100):
        said += part
except OSError:
    pass  # the shell has ended
assert b"/dev/pts/" in said, said
""",
    "reserved file": """
import os
with open("reserved", "wb") as file:
    os.posix_fallocate(file.fileno(), 0, 1_000_000)
assert os.stat("reserved").st_size == 1_000_000 and os.stat("reserved").st_blocks * 512 >= 1_000_000
os.remove("reserved")
""",
    "database": """
import os, sqlite3
with sqlite3.connect("a.db") as database:
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE IF NOT EXISTS a (b)")
    database.executemany("INSERT INTO a VALUES (?)", [(n,) for n in range(10_000)])
    assert database.execute("SELECT count(*) FROM a").fetchone()[0] >= 10_000
os.remove("a.db")
""",
    "copies": """
import os, shutil, subprocess
with open("a", "wb") as file:
    file.write(os.urandom(300_000))
shutil.copyfile("a", "b")
subprocess.run(["cp", "a", "c"], check=True)
subprocess.run(["sync", "a"], check=True)
os.sync()
assert open("a", "rb").read() == open("b", "rb").read() == open("c", "rb").read()
[os.remove(name) for name in "abc"]
""",
    "plot": """
import io
import matplotlib.pyplot as plot
import numpy
numpy.arange(100_000).tofile("numbers")
plot.plot(numpy.fromfile("numbers", dtype=int)[:9])
picture = io.BytesIO()
plot.savefig(picture)
assert picture.getvalue()[1:4] == b"PNG"
import os; os.remove("numbers")
""",
    "many processes": """
import multiprocessing, socket
from multiprocessing import shared_memory
def double(n): return 2 * n
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(double, [1, 2, 3]) == [2, 4, 6]
memory = shared_memory.SharedMemory(create=True, size=1_000_000)
memory.buf[999_999] = 7
memory.close(); memory.unlink()
assert "lo" in [name for _, name in socket.if_nameindex()]
""",
    "what a kernel measures": """
import psutil
assert "lo" in psutil.net_if_stats() and psutil.net_if_addrs()["lo"]
assert psutil.Process().memory_info().rss > 0
""",
}


@pytest.mark.parametrize("kind", ["personal", "course"])
@pytest.mark.parametrize("work", WORKS)
def test_work_goes_on(docker_school: DockerSchool, kind: str, work: str) -> None:
    account = docker_school.accounts[kind]
    docker_school.ensure_running(account)
    docker_school.stack.run_inside(account, f"{WORKS[work]}\nprint('done')")
