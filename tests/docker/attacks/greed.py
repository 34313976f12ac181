# A student's programs take what they can get: memory, processes, disk, sockets, the processor, the log.
from tests.docker.attacks.prelude import *

# %% fork_bomb: as many processes as there can be
code = """
import os, time
made = []
try:
    while True:
        pid = os.fork()
        if pid == 0:
            time.sleep(4); os._exit(0)
        made.append(pid)
except BlockingIOError:
    print(len(made))
time.sleep(2)
"""
status, said = run_apart(code)
check("processes", status == 0 and int(said.split()[0]) < targets["processes_limit"], (status, said))

# %% threads: as many threads as there can be
code = """
import threading, time
end = threading.Event()
made = []
try:
    while True:
        thread = threading.Thread(target=end.wait, daemon=True); thread.start(); made.append(thread)
except RuntimeError:
    print(len(made), flush=True)
time.sleep(2)
import os; os._exit(0)
"""
status, said = run_apart(code)
check("threads", status == 0 and int(said.split()[0]) < targets["processes_limit"], (status, said))

# %% memory: as much memory as there can be
status, said = run_apart("x = []\nwhile True: x.append(bytearray(20_000_000))")
check("ended", status == -9 or "MemoryError" in said, (status, said))

# %% processor: every core, for as long as there is
code = """
import multiprocessing as m, os, time
def work(end):
    while time.time() < end: pass
end = time.time() + 5
p = [m.get_context("fork").Process(target=work, args=(end,)) for _ in range(8)]
[x.start() for x in p]; [x.join() for x in p]
t = os.times(); print((t.children_user + t.children_system) / 5)
"""
status, said = run_apart(code)
check("cores", float(said.split()[-1]) < targets["cpus"] * 1.35, said)

# %% files_in_memory: fill /tmp, /dev/shm and /run/atelier with bytes
for path, most_mb in (("/tmp", 256), ("/dev/shm", 64), ("/run/atelier", 16)):

    def fill() -> None:
        with open(f"{path}/big", "wb", buffering=0) as file:
            for _ in range(most_mb * 2):
                file.write(bytes(1 << 20))

    attempt(path, fill, "ENOSPC")
    if os.path.exists(f"{path}/big"):
        check(
            f"{path} bytes", os.path.getsize(f"{path}/big") <= most_mb << 20, os.path.getsize(f"{path}/big")
        )
        os.remove(f"{path}/big")

# %% file_numbers_in_memory: fill /tmp and /run/atelier with empty files
import shutil

for path, most in (("/tmp", 20_000), ("/run/atelier", 20_000)):
    os.makedirs(f"{path}/many", exist_ok=True)

    def fill() -> None:
        for number in range(most + 1000):
            os.close(os.open(f"{path}/many/{number}", os.O_CREAT | os.O_WRONLY))

    attempt(path, fill, "ENOSPC")
    shutil.rmtree(f"{path}/many")

# %% sockets_and_files: as many open files and connections as there can be
import resource

check(
    "limit", resource.getrlimit(resource.RLIMIT_NOFILE)[1] <= 4096, resource.getrlimit(resource.RLIMIT_NOFILE)
)
attempt("raise it", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (10**6, 10**6)), "ValueError", "EPERM")
status, said = run_apart("""
import socket
kept = []
try:
    while True: kept.extend(socket.socketpair())
except OSError as error: print(len(kept), error.errno)
""")
check("sockets", status == 0 and int(said.split()[0]) <= 4096, said)
status, said = run_apart(f"""
import socket
kept = []
try:
    while len(kept) < 3000:
        kept.append(socket.create_connection(({targets["gateway"]!r}, {targets["hub_port"]}), 2))
except OSError as error: print(len(kept), error.errno)
""")
got = int(said.split()[0]) if status == 0 and said else -1
check("connections to the hub", 0 <= got <= targets["most_connections"], (status, said))

# %% flood_of_requests: the hub's API, as fast as it goes
answers = turned_away = 0
end = time.monotonic() + 4
while time.monotonic() < end:
    try:
        hub("GET", "users")
    except urllib.error.HTTPError as error:
        answers += error.code == 403
    except OSError:
        turned_away += 1  # by the firewall: more new connections than one workspace may open
check("all refused", answers > 0, (answers, turned_away))

# %% shared_memory_and_queues: kernel objects that outlive a process
import fcntl

code = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True); libc.shmat.restype = ctypes.c_void_p
made = []
while len(made) < 20000 and (number := libc.shmget(0, 1 << 20, 0o1600)) >= 0: made.append(number)
for number in made[:100]: ctypes.memset(ctypes.c_void_p(libc.shmat(number, None, 0)), 1, 1 << 20)
print(len(made))
"""
before = count_memory()
status, said = run_apart(code)
kept = [line.split() for line in open("/proc/sysvipc/shm").read().splitlines()[1:]]
check("segments", status == 0 and 0 < int(said) == len(kept) <= 4096, (status, said, len(kept)))
check("of nobody else", {int(row[7]) for row in kept} == {os.getuid()}, "own")
grown_mb = (count_memory() - before) >> 20
check("charged to the workspace", grown_mb >= 90, grown_mb)
for row in kept:
    call("shmctl", int(row[1]), 0, None)
attempt("pipe", lambda: fcntl.fcntl(os.pipe()[1], 1031, 1 << 28), "EPERM")

# %% log: fill the container's log on the machine
line = b"x" * 4000 + b"\n"
log = os.open("/proc/1/fd/2", os.O_WRONLY | os.O_NONBLOCK)
written, end = 0, time.monotonic() + 4
while time.monotonic() < end and written < 60_000_000:
    try:
        written += os.write(log, line)
    except BlockingIOError:
        time.sleep(0.001)
check("tried", written > 5_000_000, written)

# %% huge_output: more output than a browser or the server can hold
own = f"{os.environ['JUPYTERHUB_SERVICE_URL'].rstrip('/')}/api"
ended = count_ended()
for _ in range(60):
    sys.stdout.write("y" * 1_000_000)
    sys.stdout.flush()
check("own server answers", ask("GET", own).startswith("200"), own)
check("memory", count_memory() < targets["memory_mb"] << 20, count_memory() >> 20)
check("nothing was ended", count_ended() == ended, count_ended())
