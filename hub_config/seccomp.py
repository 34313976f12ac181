"""The system calls of workspaces: Docker's default and, for courses, call by call, what bubblewrap needs.

Docker has no way to say "the default and these", and the default depends on its version: Debian 12's admits
`io_uring_*` and sockets to the machine's hypervisor (vsock), which newer ones withdrew. Left out as well is
what the kernel counts for all containers and root together, so that one could use it up for all: watches of
files (inotify: 128 by default) and the old asynchronous input (`io_setup`); and `sync` and `syncfs`, which
let the disk write down everybody's files at once (who wants an own file on the disk calls `fsync`). So the
whole profile is written down. `DEFAULT` is what Docker 20.10 to 28 admits to a program without capabilities
on 64-bit x86 and ARM (source: moby, profiles/seccomp), less these. Calls of other architectures and of 32-bit
programs are left out: they fail. `ioctl`, `socket` and `fallocate` have rules of their own.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

Argument = dict[str, Any]
Rule = dict[str, Any]

EPERM = 1
ENOSYS = 38
EOPNOTSUPP = 95
ARCHITECTURES = ("SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64")
# What a notebook speaks: local sockets, TCP and UDP in both versions of IP, and netlink's questions about
# interfaces and addresses (ROUTE). Asking for any other family (vsock, AF_ALG, TIPC, CAN …), kind or protocol
# (SCTP, DCCP, L2TP; netfilter, IPsec) makes the kernel load a module for it, on the machine and for all.
LOCAL, IPV4, IPV6, NETLINK = 1, 2, 10, 16
NETLINK_ROUTE = 0
SOCKET_KIND = 0xF  # the rest of the argument: not inherited, does not wait
STREAM, DATAGRAM, TCP, UDP = 1, 2, 6, 17
SPOKEN = ((STREAM, 0), (STREAM, TCP), (DATAGRAM, 0), (DATAGRAM, UDP))
# An ioctl's second byte says whose request it is; each here is a mask and what must be under it. 0x54 are
# terminals' and those of all open files (how much can be read, not to wait, not to be inherited). One is left
# out, TIOCSETD (0x5423): the kernel loads a module for the line discipline that it is asked for. 0x89 are
# sockets': below 0x8940 they ask about addresses and interfaces, 0x8946 how fast one is (psutil); others
# load modules too (bridge, VLAN). What is left belongs to file systems and devices. btrfs' own need no
# capability: a subvolume inside a home has a quota of its own, without a bound. XFS' reserve the whole disk.
#
# Those get EPERM, not what the kernel says to a request that a file does not know (ENOTTY): for programs that
# try one and go on without it both are the same, and by EPERM a test sees on any file system that it was the
# profile that refused. Copying by reference gets what ext4 says, not supported: some programs (Python 3.14's
# Path.copy) go on with an ordinary copy after that answer only.
OF_TERMINALS = (
    (0xFFE0, 0x5400),
    (0xFFFE, 0x5420),
    (0xFFFF, 0x5422),
    (0xFFFC, 0x5424),
    (0xFFF8, 0x5428),
    (0xFFF0, 0x5430),
    (0xFFC0, 0x5440),
)
OF_SOCKETS = ((0xFFC0, 0x8900), (0xFFFF, 0x8946))
WHOLE_REQUEST = 0xFFFF_FFFF
COPY_BY_REFERENCE = (0x4004_9409, 0x4020_940D)  # FICLONE, FICLONERANGE
# The flags of clone that make namespaces: all of them, as Docker's default masks them.
NAMESPACES = 0x7E020000
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)

DEFAULT = """
files:    access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
          fadvise64 fchdir fchmod fchmodat fchown fchownat fcntl fdatasync flock fstat fstatfs fsync
          ftruncate futimesat getcwd getdents getdents64 lchown link linkat lseek lstat mkdir mkdirat
          mknod mknodat name_to_handle_at newfstatat open openat openat2 pread64 preadv preadv2 pwrite64
          pwritev pwritev2 read readahead readlink readlinkat readv rename renameat renameat2 rmdir sendfile
          splice stat statfs statx symlink symlinkat sync_file_range tee truncate umask unlink
          unlinkat utime utimensat utimes vmsplice write writev
labels:   fgetxattr flistxattr fremovexattr fsetxattr getxattr lgetxattr listxattr llistxattr lremovexattr
lsetxattr
          removexattr setxattr
watching: epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
epoll_wait_old
          eventfd eventfd2 poll ppoll pselect6 select
memory:   brk madvise membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mprotect mremap
msync
          munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages
programs: execve execveat exit exit_group fork getpgid getpgrp getpid getppid getpriority getsid gettid kill
pause
          pidfd_open pidfd_send_signal pipe pipe2 prctl prlimit64 getrlimit getrusage setrlimit
          set_robust_list get_robust_list set_tid_address setpgid setpriority setsid tgkill times tkill vfork
          wait4 waitid process_vm_readv process_vm_writev ptrace arch_prctl modify_ldt rseq restart_syscall
          get_thread_area set_thread_area
users:    capget capset getegid geteuid getgid getgroups getresgid getresuid getuid setfsgid setfsuid setgid
          setgroups setregid setresgid setresuid setreuid setuid
sandboxes: landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp
scheduling: getcpu ioprio_get ioprio_set sched_getaffinity sched_getattr sched_getparam sched_get_priority_max
          sched_get_priority_min sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr
          sched_setparam sched_setscheduler sched_yield futex futex_waitv
signals:  rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
          rt_tgsigqueueinfo sigaltstack signalfd signalfd4
talking:  accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg
sendmmsg
          sendmsg sendto setsockopt shutdown
queues:   mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd
semctl
          semget semop semtimedop shmat shmctl shmdt shmget
time:     adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep getitimer gettimeofday
nanosleep
          setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create
          timerfd_gettime timerfd_settime
machine:  getrandom sysinfo uname
"""

# What bubblewrap calls beyond the default; each works inside a user namespace of its own only, for the
# workspace itself has no capability.
SANDBOX: Mapping[str, str] = {
    "clone": "begin the sandbox in namespaces of its own (user, process, network, IPC, mount, name, cgroup)",
    "unshare": "give the sandbox's first process its namespaces; try that no further ones can be made",
    "mount": "put together the file system that the student's code sees",
    "umount2": "take the workspace's own file system out of the sandbox",
    "pivot_root": "make that file system the root",
    "sethostname": "call every sandbox the same: the workspace's name says whose it is",
}


def list_default_calls() -> list[str]:
    """Return the names in `DEFAULT`, sorted."""
    lines = (line.partition(":")[2] if ":" in line else line for line in DEFAULT.splitlines())
    return sorted({name for line in lines for name in line.split()})


def describe_students_profile() -> str:
    """Return the seccomp profile of personal and team workspaces: processes and threads, no namespaces."""
    return _describe_profile(_allow("clone", _has(0, NAMESPACES, 0)))


def describe_course_profile() -> str:
    """Return the seccomp profile of course workspaces, as JSON for Docker's ``seccomp=`` option."""
    return _describe_profile(_allow(*SANDBOX))


def _describe_profile(more: Rule) -> str:
    allowed = [
        _allow(*list_default_calls()),
        *_list_sockets(),
        *_list_requests(),
        *(_allow("personality", _is(0, value)) for value in PERSONALITIES),
        more,
        # Room is to be taken by writing, which takes time and which a limit on the size of files stops;
        # `fallocate` takes the whole disk in a moment, and past that limit. So told, the C library's
        # posix_fallocate writes instead.
        _answer(EOPNOTSUPP, "fallocate"),
        # Its flags lie in memory, where a filter cannot look: "not there", so that programs take clone
        # instead.
        _answer(ENOSYS, "clone3"),
    ]
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": EPERM,
        "architectures": list(ARCHITECTURES),
        "syscalls": allowed,
    }
    return json.dumps(profile)


def _list_sockets() -> list[Rule]:
    internet = [
        _allow("socket", _is(0, family), _has(1, SOCKET_KIND, kind), _is(2, protocol))
        for family in (IPV4, IPV6)
        for kind, protocol in SPOKEN
    ]
    return [
        _allow("socket", _is(0, LOCAL)),
        *internet,
        _allow("socket", _is(0, NETLINK), _is(2, NETLINK_ROUTE)),
        _allow("socketpair", _is(0, LOCAL)),
    ]


def _list_requests() -> list[Rule]:
    """Of a request the kernel looks at the lower 32 bits only, and so do these."""
    return [
        *(_allow("ioctl", _has(1, mask, value)) for mask, value in (*OF_TERMINALS, *OF_SOCKETS)),
        *(_answer(EOPNOTSUPP, "ioctl", _has(1, WHOLE_REQUEST, value)) for value in COPY_BY_REFERENCE),
    ]


def _is(index: int, value: int) -> Argument:
    return {"index": index, "value": value, "op": "SCMP_CMP_EQ"}


def _has(index: int, mask: int, value: int) -> Argument:
    """What the argument is under a mask."""
    return {"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}


def _allow(*parts: str | Argument) -> Rule:
    """Allow calls, by name; with arguments, only where all of these are so."""
    return _rule("SCMP_ACT_ALLOW", parts)


def _answer(error: int, *parts: str | Argument) -> Rule:
    return {**_rule("SCMP_ACT_ERRNO", parts), "errnoRet": error}


def _rule(action: str, parts: Sequence[str | Argument]) -> Rule:
    """Docker takes conditions on different arguments of one rule together (and)."""
    named = [part for part in parts if isinstance(part, str)]
    arguments = [part for part in parts if not isinstance(part, str)]
    return {"names": named, "action": action, **({"args": arguments} if arguments else {})}
