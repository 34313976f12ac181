"""Which ports the demo and the tests take for what they start."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import ports
from demo.ports import list_free_ports
from demo.problem import DemoProblem


@pytest.fixture(params=["127.0.0.1", "127.0.0.2"], ids=["loopback", "another address"])
def held(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port that somebody listens on, as a hub does on the gateway of the workspaces' network."""
    with socket.create_server((request.param, 0)) as listening:
        yield listening.getsockname()[1]


def test_free_ports_are_different_and_none_that_an_outgoing_connection_may_get() -> None:
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    found = list_free_ports(200)
    assert len(set(found)) == 200
    assert not [port for port in found if first <= port <= last]
    assert set(found) != set(list_free_ports(200)), "two who draw at the same time must not draw the same"


def test_a_port_that_somebody_holds_on_any_address_is_not_free(
    held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "DRAWN_FROM", range(held, held + 1))
    with pytest.raises(DemoProblem, match="1 free ports are needed, and there are 0"):
        list_free_ports(1)


@pytest.mark.parametrize(
    ("kernels_own", "expected"),
    [("25000\t60999\n", range(20000, 25000)), ("1024\t65535\n", range(20000, 32000))],
    ids=["wide", "everything"],
)
def test_a_wider_range_of_the_kernel_is_avoided_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernels_own: str, expected: range
) -> None:
    monkeypatch.setattr(ports, "DRAWN_FROM", range(20000, 32000))  # a process of a test run has a part of it
    (tmp_path / "range").write_text(kernels_own)
    monkeypatch.setattr(ports, "KERNELS_OWN", tmp_path / "range")
    assert ports.list_candidates() == list(expected)
