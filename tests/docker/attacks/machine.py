# A student's programs try to get out of the container, to other accounts' files and processes, or to be root.
from tests.docker.attacks.prelude import *

# %% docker_socket: a way to any container daemon
import stat

sockets = [
    os.path.join(top, name)
    for top, folders, names in os.walk("/")
    if not top.startswith(("/proc", "/sys"))
    for name in names
    if stat.S_ISSOCK(os.lstat(os.path.join(top, name)).st_mode)
]
check("sockets", not [path for path in sockets if not path.startswith(("/run/atelier", "/tmp"))], sockets)
check("variables", not [name for name in os.environ if "DOCKER" in name], "none")

# %% write_kernel_settings: the kernel's switches under /proc and /sys
for path in (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sysrq-trigger",
    "/proc/irq/default_smp_affinity",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/kernel/uevent_helper",
    "/sys/power/state",
):
    attempt(path, lambda: write_file(path, "1"), "EROFS", "EACCES", "EPERM", "ENOENT")
for path in ("/proc/kcore", "/proc/kmsg", "/proc/timer_list"):
    attempt(
        f"read {path}",
        lambda: read_file(path) if read_file(path) != "b''" else 1 / 0,
        "EACCES",
        "EPERM",
        "ENOENT",
        "ZeroDivisionError",
    )

# %% mount: put file systems together anew
for kind, source, place in (
    (b"proc", b"proc", b"/tmp"),
    (b"tmpfs", b"tmpfs", b"/tmp"),
    (b"ext4", b"/dev/vda", b"/tmp"),
):
    attempt(f"mount {kind!r}", lambda: call("mount", source, place, kind, 0, None), "EPERM")
attempt("remount /", lambda: call("mount", None, b"/", None, 32 | 4096, None), "EPERM")
attempt("umount", lambda: call("umount2", b"/proc/kcore", 2), "EPERM")
attempt("pivot_root", lambda: call("syscall", 155, b"/tmp", b"/tmp"), "EPERM")
attempt("open_tree", lambda: call("syscall", 428, -100, b"/", 1), "EPERM")
attempt("fsopen", lambda: call("syscall", 430, b"tmpfs", 0), "EPERM")

# %% namespaces: user, mount and network namespaces of one's own, in which one would be root
for name, flag in (
    ("user", 0x10000000),
    ("mount", 0x20000),
    ("net", 0x40000000),
    ("pid", 0x20000000),
    ("cgroup", 0x2000000),
):
    attempt(f"unshare {name}", lambda: call("unshare", flag), "EPERM")
    attempt(f"clone {name}", lambda: call("syscall", 56, flag | 17, 0, 0, 0, 0), "EPERM")
attempt("clone3", lambda: call("syscall", 435, bytes(88), 88), "ENOSYS", "EPERM")
handle = os.open("/proc/1/ns/mnt", os.O_RDONLY)
attempt("setns", lambda: call("setns", handle, 0), "EPERM")

# %% other_processes: see, read or stop what runs in other workspaces and on the machine
mine = os.getuid()
visible = {entry: os.stat(f"/proc/{entry}").st_uid for entry in os.listdir("/proc") if entry.isdigit()}
check("only own processes", set(visible.values()) == {mine}, visible)
for name, number in targets["processes"].items():
    attempt(f"signal {name}", lambda: os.kill(number, 9), "ESRCH")
    attempt(f"environment of {name}", lambda: read_file(f"/proc/{number}/environ"), "ENOENT")
    attempt(f"trace {name}", lambda: call("ptrace", 16, number, 0, 0), "ESRCH", "EPERM")
    attempt(f"memory of {name}", lambda: read_file(f"/proc/{number}/mem"), "ENOENT")

# %% secrets_in_environments: tokens of others in any process, file or log of this container
import hashlib
import re

texts = [os.environb.get(name, b"") for name in os.environb]
for entry in (e for e in os.listdir("/proc") if e.isdigit()):
    for part in ("environ", "cmdline"):
        try:
            texts += open(f"/proc/{entry}/{part}", "rb").read().replace(b"=", b"\0").split(b"\0")
        except OSError:
            pass
for top, _, names in os.walk("/opt/atelier/etc"):
    for name in names:
        texts += re.findall(rb"[\w-]{16,}", open(os.path.join(top, name), "rb").read())
known = {hashlib.sha256(text).hexdigest() for text in texts}
found = [name for name, digest in targets["secret_hashes"].items() if digest in known]
check("secrets of others", found == [], found)
check("own token is seen", hashlib.sha256(os.environb[b"JUPYTERHUB_API_TOKEN"]).hexdigest() in known, "yes")

# %% keyring: the kernel's keys, which containers share
attempt("add_key", lambda: call("syscall", 248, b"user", b"atelier", b"x", 1, -4), "EPERM")
attempt("request_key", lambda: call("syscall", 249, b"user", b"atelier", None, 0), "EPERM")
attempt("keyctl", lambda: call("syscall", 250, 0, -3, 1), "EPERM")
check("list of keys", read_file("/proc/keys") == "b''", read_file("/proc/keys"))

# %% dangerous_calls: calls with a history of holes
calls = {
    "bpf": (321, "EPERM"),
    "perf_event_open": (298, "EPERM"),
    "userfaultfd": (323, "EPERM"),
    "io_uring_setup": (425, "EPERM"),
    "kexec_load": (246, "EPERM"),
    "init_module": (175, "EPERM"),
    "finit_module": (313, "EPERM"),
    "open_by_handle_at": (304, "EPERM"),
    "swapon": (167, "EPERM"),
    "reboot": (169, "EPERM"),
    "settimeofday": (164, "EPERM"),
    "quotactl": (179, "EPERM"),
    "sethostname": (170, "EPERM"),
    "iopl": (172, "EPERM"),
    "acct": (163, "EPERM"),
    "syslog": (103, "EPERM"),
    "move_pages": (279, "EPERM"),
    "lookup_dcookie": (212, "EPERM"),
    "fanotify_init": (300, "EPERM"),
}
for name, (number, refusal) in calls.items():
    attempt(name, lambda: call("syscall", number, 0, 0, 0, 0, 0), refusal)

# %% set_user_id: programs that make one root
found = []
for top, folders, names in os.walk("/"):
    folders[:] = [f for f in folders if os.path.join(top, f) not in ("/proc", "/sys")]
    for name in names:
        path = os.path.join(top, name)
        if os.lstat(path).st_mode & 0o6000:
            found.append(path)
import subprocess

for path in [p for p in found if p.endswith(("/su", "/mount", "/passwd", "/chsh", "/newgrp", "/gpasswd"))]:
    done = subprocess.run([path, "--help"], capture_output=True, check=False)
    check(f"{path} gains nothing", b"No such" not in done.stderr, done.returncode)
status = dict(line.split(":\t") for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
check("no new privileges", status["NoNewPrivs"] == "1", status["NoNewPrivs"])
import shutil

for path in ("/home/work/id", "/tmp/id"):
    shutil.copy("/usr/bin/id", path)
    os.chmod(path, 0o6777)
    try:
        said = subprocess.run([path, "-u"], capture_output=True, text=True, check=False).stdout.strip()
    except PermissionError:
        said = "refused"
    check(path, said in (str(os.getuid()), "refused"), said)
    os.remove(path)

# %% become_root: capabilities, other users, other groups
attempt("setuid 0", lambda: os.setuid(0), "EPERM")
attempt("setgid 0", lambda: os.setgid(0), "EPERM")
attempt("setgroups", lambda: os.setgroups([0, 999]), "EPERM")
attempt("setuid neighbour", lambda: os.setuid(os.getuid() + 1), "EPERM")
check("capabilities", int(open("/proc/self/status").read().split("CapBnd:\t")[1].split()[0], 16) == 0, "none")
header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)
attempt("capset", lambda: call("capset", header, data), "EPERM")

# %% devices: make or open devices of the machine
import stat

for name, kind, device in (
    ("disk", stat.S_IFBLK, os.makedev(254, 0)),
    ("memory", stat.S_IFCHR, os.makedev(1, 1)),
):
    attempt(name, lambda: os.mknod(f"/tmp/{name}", 0o666 | kind, device), "EPERM")
for path in (
    "/dev/vda",
    "/dev/sda",
    "/dev/mem",
    "/dev/kmsg",
    "/dev/kvm",
    "/dev/fuse",
    "/dev/net/tun",
    "/dev/loop0",
    "/dev/btrfs-control",
):
    attempt(path, lambda: os.open(path, os.O_RDWR), "ENOENT", "EPERM", "EACCES")
attempt("console", lambda: write_file("/dev/console"), "ENOENT", "EACCES", "EPERM", "EIO")

# %% chroot: another root, and the way back up
attempt("chroot", lambda: os.chroot("/tmp"), "EPERM")
os.chdir("/")
for _ in range(30):
    os.chdir("..")
check("root", os.path.samefile(".", "/") and not os.path.exists(targets["city_file"]), os.getcwd())
for path in ("/proc/1/root", "/proc/self/root"):
    check(path, not os.path.exists(path + targets["city_file"]), "own root")

# %% control_groups: raise one's own limits, or run a program of the machine by release_agent
found = [top for top, _, _ in os.walk("/sys/fs/cgroup") if os.access(top, os.W_OK)]
check("writable groups", found == [], found[:3])
for part in (
    "memory.max",
    "pids.max",
    "cgroup.procs",
    "memory/memory.limit_in_bytes",
    "pids/pids.max",
    "memory/release_agent",
    "cpu/cpu.cfs_quota_us",
):
    attempt(part, lambda: write_file(f"/sys/fs/cgroup/{part}", "max"), "EROFS", "EACCES", "EPERM", "ENOENT")

# %% change_the_image: programs and settings that every account shares
for path in (
    "/etc/passwd",
    "/etc/ld.so.preload",
    "/usr/local/bin/start-workspace",
    "/opt/atelier/bin/python",
    "/opt/atelier/etc/jupyter/x.json",
    "/usr/bin/bash",
    "/srv/x",
    "/var/tmp/x",
):
    attempt(path, lambda: write_file(path), "EROFS", "EACCES", "ENOENT")

# %% core_dumps: a crash that writes memory to disk, or calls the machine's handler
import resource

check("limit", resource.getrlimit(resource.RLIMIT_CORE) == (0, 0), resource.getrlimit(resource.RLIMIT_CORE))
attempt("raise it", lambda: resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)), "ValueError", "EPERM")
before = set(os.listdir("/home/work"))
status, _ = run_apart("import os; os.chdir('/home/work'); os.abort()")
after = set(os.listdir("/home/work"))
check("crashed and left nothing", status == -6 and before == after, (status, after - before))

# %% scheduling: more of the processor than others, and shelter from the end under memory pressure
attempt("nice", lambda: os.nice(-5), "EPERM", "EACCES")
attempt("real time", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)), "EPERM")
attempt("shelter", lambda: write_file("/proc/self/oom_score_adj", "-900"), "EACCES", "EPERM")
attempt("other's limits", lambda: call("prlimit64", 1, 7, (ctypes.c_uint64 * 2)(10**6, 10**6), None), "EPERM")

# %% volumes_of_others: other accounts' homes and the machine's folders by path
mounts = [line.split() for line in open("/proc/self/mountinfo")]
homes = [m[3] for m in mounts if "atelier-home-" in m[3]]
own = f"atelier-home-{os.environ['JUPYTERHUB_USER']}"
check("mounts", len(homes) == 1 and own in homes[0], homes)
check(
    "/home",
    os.listdir("/home/") == ["work"] or set(os.listdir("/home")) == {"work", "atelier"},
    os.listdir("/home"),
)
for path in [*targets["folders"], f"/home/{targets['neighbour_account']}", "/var/lib/docker/volumes"]:
    attempt(path, lambda: os.listdir(path), "ENOENT", "EACCES")

# %% links_out_of_the_home: links to backups, snapshots, the exchange's archives, the hub's database
os.makedirs("/home/work/links", exist_ok=True)
for number, path in enumerate(
    [*targets["folders"], *targets["files"], "/etc/shadow", "/proc/1/root/etc/shadow"]
):
    link = f"/home/work/links/{number}"
    if not os.path.islink(link):
        os.symlink(path, link)
    attempt(path, lambda: read_file(link), "ENOENT", "EACCES", "EPERM")
    attempt(f"hard {path}", lambda: os.link(path, f"{link}h"), "ENOENT", "EACCES", "EPERM", "EXDEV")
attempt("hard own", lambda: os.link("/etc/passwd", "/home/work/links/p"), "EXDEV", "EPERM")

# %% requests_of_file_systems: btrfs' subvolumes, XFS' reserved space and the like, which need no right
home = os.open("/home/work", os.O_RDONLY)
file = os.open("/home/work/asked", os.O_CREAT | os.O_RDWR)
terminal, other_end = os.openpty()
for name, request in {
    "make a subvolume": 0x5000940E,
    "make a snapshot": 0x50009401,
    "make a snapshot, second version": 0x50009417,
    "lock a subvolume": 0x4008941A,
    "reserve space": 0x4030582A,
    "reserve space, old": 0x40305828,
    "make zeroes": 0x40305839,
    "flags of a file": 0x40086602,
    "project of a file": 0x401C5820,
    "userfaultfd": 0xC018AA3F,
    "a bridge": 0x8940,
    "a VLAN": 0x8982,
}.items():
    for where, handle in (("home", home), ("file", file)):
        attempt(f"{name}: {where}", lambda: call("ioctl", handle, request, bytes(4096)), "EPERM")
attempt("a line discipline", lambda: call("ioctl", terminal, 0x5423, (ctypes.c_int * 1)(21)), "EPERM")
check("terminals work", os.isatty(other_end) and len(os.get_terminal_size(other_end)) == 2, "yes")
os.remove("/home/work/asked")

# %% reserved_space: the whole disk in one moment, without writing a byte
disk = os.statvfs("/home/work")
file = os.open("/home/work/reserved", os.O_CREAT | os.O_RDWR)
whole = ctypes.c_long(disk.f_bavail * disk.f_frsize // 2)
for kept in (0, 1):
    attempt(f"fallocate {kept}", lambda: call("fallocate", file, kept, ctypes.c_long(0), whole), "ENOTSUP")
check("takes nothing", os.fstat(file).st_blocks == 0, os.fstat(file).st_blocks)
os.remove("/home/work/reserved")

# %% modules: protocols for which the machine would load a module
for family in (socket.AF_INET, socket.AF_INET6):
    for kind in (1, 2, 3, 4, 5, 6, 10):
        for protocol in (0, 1, 2, 6, 17, 33, 46, 58, 115, 132, 136, 255, 262):
            if (kind, protocol) not in ((1, 0), (1, 6), (2, 0), (2, 17)):
                what = f"socket {family} {kind} {protocol}"
                attempt(what, lambda: call("socket", family, kind, protocol), "EPERM")
for protocol in range(1, 24):
    attempt(f"netlink {protocol}", lambda: call("socket", socket.AF_NETLINK, 3, protocol), "EPERM")

# %% flush: make the machine write everybody's files to the disk at once
attempt("syncfs", lambda: call("syncfs", os.open("/home/work", os.O_RDONLY)), "EPERM")
attempt("sync", lambda: call("syscall", 162), "EPERM")
with open("/home/work/own", "w") as own:
    check("the own file", os.fsync(own.fileno()) is None, "written")
os.remove("/home/work/own")
