"""The profile of system calls, read as the kernel's filter reads it: what is answered to which arguments."""

import json
import socket
import termios
from typing import Any

import pytest

from hub_config.seccomp import (
    EOPNOTSUPP,
    EPERM,
    SANDBOX,
    describe_course_profile,
    describe_students_profile,
    list_default_calls,
)

PROFILES = {"student": describe_students_profile(), "course": describe_course_profile()}
ALLOWED = 0
UPPER_HALF = 0xDEAD << 32  # of a register, where the kernel looks at 32 bits only
RAW, SEQUENCED, DCCP_KIND = 3, 5, 6
NO_WAIT = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC


def matches(argument: dict[str, Any], given: int) -> bool:
    if argument["op"] == "SCMP_CMP_MASKED_EQ":
        return bool(given & argument["value"] == argument["valueTwo"])
    assert argument["op"] == "SCMP_CMP_EQ"
    return bool(given == argument["value"])


def answer(profile: str, call: str, *given: int) -> int:
    """Return what a call is answered: 0 when the kernel does it, else the number of the error."""
    read = json.loads(profile)
    answers = {
        rule.get("errnoRet", ALLOWED)
        for rule in read["syscalls"]
        if call in rule["names"]
        and all(matches(argument, given[argument["index"]]) for argument in rule.get("args", []))
    }
    assert len(answers) <= 1, f"{call}{given}: the rules contradict each other"
    return answers.pop() if answers else int(read["defaultErrnoRet"])


@pytest.fixture(params=PROFILES)
def profile(request: pytest.FixtureRequest) -> str:
    return PROFILES[request.param]


# ------------------------------------------------ calls
def test_what_is_not_named_is_refused(profile: str) -> None:
    assert json.loads(profile)["defaultAction"] == "SCMP_ACT_ERRNO"
    assert answer(profile, "no_such_call") == EPERM


def test_each_call_beyond_the_default_has_its_reason() -> None:
    assert set(SANDBOX) == {"clone", "unshare", "mount", "umount2", "pivot_root", "sethostname"}
    assert all(len(reason.split()) >= 4 for reason in SANDBOX.values())
    assert not set(SANDBOX) & set(list_default_calls())


def test_students_make_processes_and_no_namespaces() -> None:
    for call in set(SANDBOX) - {"clone"}:
        assert answer(PROFILES["student"], call, 0) == EPERM, call
    assert answer(PROFILES["student"], "clone", 17) == ALLOWED
    for bit in range(7, 32):
        wanted = EPERM if 1 << bit & 0x7E020000 else ALLOWED
        assert answer(PROFILES["student"], "clone", 1 << bit | 17) == wanted, hex(1 << bit)


def test_dangerous_calls_stay_refused(profile: str) -> None:
    dangerous = (
        "bpf perf_event_open keyctl add_key request_key init_module finit_module kexec_load reboot setns"
    )
    dangerous += " userfaultfd open_by_handle_at io_uring_setup fsopen move_mount swapon iopl acct chroot"
    dangerous += " sync syncfs quotactl"
    assert {answer(profile, call, 0, 0) for call in dangerous.split()} == {EPERM}


def test_clone3_is_absent_so_that_its_flags_cannot_hide(profile: str) -> None:
    assert answer(profile, "clone3") == 38


def test_no_call_takes_the_disk_without_writing(profile: str) -> None:
    assert answer(profile, "fallocate", 3, 1, 0, 500 << 30) == EOPNOTSUPP


# ------------------------------------------------ ioctl
@pytest.mark.parametrize(
    "request_number",
    [
        *(termios.TCGETS, termios.TCSETSW, termios.TIOCGWINSZ, termios.TIOCSWINSZ, termios.TIOCSCTTY),
        *(termios.TIOCGPGRP, termios.TIOCSPGRP, termios.TIOCPKT, termios.TIOCNOTTY, termios.TIOCGETD),
        *(termios.FIONREAD, termios.FIONBIO, termios.FIOCLEX, termios.FIONCLEX, termios.FIOASYNC),
        *(0x8004_5430, 0x4004_5431, 0x5441, 0x802C_542A),  # TIOCGPTN, TIOCSPTLCK, TIOCGPTPEER, TCGETS2
        *(
            0x8912,
            0x8913,
            0x8915,
            0x8927,
            0x8933,
            0x8946,
        ),  # SIOCGIF: CONF, FLAGS, ADDR, HWADDR, INDEX; ETHTOOL
    ],
)
def test_terminals_and_sockets_work(profile: str, request_number: int) -> None:
    assert answer(profile, "ioctl", 3, request_number) == ALLOWED


@pytest.mark.parametrize(
    "request_number",
    [
        *(
            0x5000_940E,
            0x5000_9401,
            0x5000_9417,
            0x4008_941A,
            0x8008_9419,
        ),  # btrfs: subvolumes, snapshots, flags
        *(0x4030_5828, 0x4030_582A, 0x4030_5839),  # XFS: reserve, make zeroes
        *(0x8008_6601, 0x4008_6602, 0x401C_5820, 0xC020_660B),  # flags of files, projects, where a file lies
        *(
            0xC018_AA3F,
            0xAE01,
            0x4004_54CA,
            0x2400,
            0xC038_2102,
        ),  # userfaultfd, KVM, tun, perf, seccomp
        termios.TIOCSETD,
        *(0x8940, 0x89A0, 0x8983, 0x89F0),  # bridges, VLANs, a driver's own
        *(0, 1, 0x5301, 0x5501, 0xFFFF_FFFF),
    ],
)
def test_file_systems_and_devices_are_asked_for_nothing(profile: str, request_number: int) -> None:
    for given in (request_number, UPPER_HALF | request_number):
        assert answer(profile, "ioctl", 3, given) == EPERM


def test_copies_by_reference_go_on_as_ordinary_ones(profile: str) -> None:
    assert answer(profile, "ioctl", 3, 0x4004_9409) == EOPNOTSUPP
    assert answer(profile, "ioctl", 3, 0x4020_940D) == EOPNOTSUPP
    assert answer(profile, "copy_file_range", 3, 0, 4, 0, 9, 0) == ALLOWED


# ------------------------------------------------ socket
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("flags", [0, NO_WAIT])
def test_tcp_and_udp_are_spoken_and_nothing_else(profile: str, family: int, flags: int) -> None:
    spoken = {
        (kind, protocol)
        for kind in range(16)
        for protocol in range(300)
        if answer(profile, "socket", family, kind | flags, protocol) == ALLOWED
    }
    assert spoken == {(1, 0), (1, 6), (2, 0), (2, 17)}


@pytest.mark.parametrize(
    ("kind", "protocol"), [(1, 132), (SEQUENCED, 132), (DCCP_KIND, 0), (DCCP_KIND, 33), (2, 115), (RAW, 1)]
)
def test_no_protocol_makes_the_machine_load_a_module(profile: str, kind: int, protocol: int) -> None:
    assert answer(profile, "socket", socket.AF_INET, kind, protocol) == EPERM


def test_netlink_is_asked_about_interfaces_only(profile: str) -> None:
    families = {
        protocol
        for protocol in range(32)
        if answer(profile, "socket", socket.AF_NETLINK, socket.SOCK_RAW | NO_WAIT, protocol) == ALLOWED
    }
    assert families == {0}


def test_nobody_speaks_to_the_machine_around_the_network(profile: str) -> None:
    spoken = {family for family in range(50) if answer(profile, "socket", family, 1, 0) == ALLOWED}
    assert spoken == {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK}
    pairs = {family for family in range(50) if answer(profile, "socketpair", family, 1, 0) == ALLOWED}
    assert pairs == {socket.AF_UNIX}
