"""The system calls of workspaces: Docker's default and, for courses, call by call, what bubblewrap needs.

Docker has no way to say "the default and these", and the default depends on its version: Debian 12's admits
`io_uring_*` and sockets to the machine's hypervisor (vsock), which newer ones withdrew. So the whole profile
is written down. `DEFAULT` is what Docker 20.10 to 28 admits to a program without capabilities on 64-bit x86
and ARM (source: moby, profiles/seccomp), less these. Calls of other architectures and of 32-bit programs are
left out: they fail.
"""

import json
from collections.abc import Mapping
from typing import Any

EPERM = 1
ENOSYS = 38
ARCHITECTURES = ("SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64")
VSOCK_FAMILY = 40
# The flags of clone that make namespaces: all of them, as Docker's default masks them.
NAMESPACES = 0x7E020000
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)

DEFAULT = """
files:    access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
          fadvise64 fallocate fchdir fchmod fchmodat fchown fchownat fcntl fdatasync flock fstat fstatfs fsync
          ftruncate futimesat getcwd getdents getdents64 ioctl lchown link linkat lseek lstat mkdir mkdirat
          mknod mknodat name_to_handle_at newfstatat open openat openat2 pread64 preadv preadv2 pwrite64
          pwritev pwritev2 read readahead readlink readlinkat readv rename renameat renameat2 rmdir sendfile
          splice stat statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink
          unlinkat utime utimensat utimes vmsplice write writev
labels:   fgetxattr flistxattr fremovexattr fsetxattr getxattr lgetxattr listxattr llistxattr lremovexattr
lsetxattr
          removexattr setxattr
watching: epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
epoll_wait_old
          eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch poll
          ppoll pselect6 select
old aio:  io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit
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
          sendmsg sendto setsockopt shutdown socketpair
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
    begin = _allow("clone", index=0, value=NAMESPACES, operator="MASKED_EQ")
    begin["args"][0]["valueTwo"] = 0
    return _describe_profile(begin)


def describe_course_profile() -> str:
    """Return the seccomp profile of course workspaces, as JSON for Docker's ``seccomp=`` option."""
    return _describe_profile(_allow(*SANDBOX))


def _describe_profile(more: dict[str, Any]) -> str:
    allowed = [
        _allow(*list_default_calls()),
        _allow("socket", index=0, value=VSOCK_FAMILY, operator="NE"),
        *(_allow("personality", index=0, value=value, operator="EQ") for value in PERSONALITIES),
        more,
        # Its flags lie in memory, where a filter cannot look: "not there", so that programs take clone
        # instead.
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS},
    ]
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": EPERM,
        "architectures": list(ARCHITECTURES),
        "syscalls": allowed,
    }
    return json.dumps(profile)


def _allow(*names: str, index: int = 0, value: int | None = None, operator: str = "") -> dict[str, Any]:
    rule: dict[str, Any] = {"names": list(names), "action": "SCMP_ACT_ALLOW"}
    if value is not None:
        rule["args"] = [{"index": index, "value": value, "op": f"SCMP_CMP_{operator}"}]
    return rule
