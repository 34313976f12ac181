"""Large bodies do not fill the hub's memory, which all schools share, whoever sends them."""

import contextlib
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from hub_config.bodies import MOST_BODY_BYTES
from tests.atelier_stack import Stack

pytestmark = pytest.mark.hub

BODY_BYTES, CONNECTIONS = 99_000_000, 20
PATHS = ("/hub/api/users", "/hub/login", "/hub/api/oauth2/token", "/nothing/there")
PART = bytes(64 * 1024)


def measure_mb(stack: Stack) -> float:
    return float(psutil.Process(stack.demo.processes["hub"].pid).memory_info().rss / 2**20)


def send_body(stack: Stack, path: str, chunked: bool) -> bytes:
    """Send as much of a large body as the hub takes, and return how its answer begins."""
    address = urlsplit(stack.house.hub_api_url)
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {BODY_BYTES}"
    head = f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: token x\r\n{length}\r\n\r\n"
    part = b"%x\r\n%s\r\n" % (len(PART), PART) if chunked else PART
    with socket.create_connection((address.hostname, address.port), 30) as hub:
        with contextlib.suppress(ConnectionError):
            hub.sendall(head.encode())
            for _ in range(BODY_BYTES // len(PART)):
                hub.sendall(part)
        with contextlib.suppress(ConnectionError):
            return hub.recv(100)
    return b""


@pytest.fixture(scope="module")
def quiet_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("bodies"), demo_people=False) as running:
        yield running


@pytest.mark.parametrize("chunked", [False, True])
def test_large_bodies_are_turned_away_before_they_are_in_memory(quiet_stack: Stack, chunked: bool) -> None:
    before_mb = measure_mb(quiet_stack)
    most_mb = before_mb
    for number in range(CONNECTIONS):
        said = send_body(quiet_stack, PATHS[number % len(PATHS)], chunked)
        assert said == b"" or said.startswith((b"HTTP/1.1 400", b"HTTP/1.1 413")), said
        most_mb = max(most_mb, measure_mb(quiet_stack))
    assert most_mb < before_mb + 40
    assert httpx.get(quiet_stack.house.hub_api_url, timeout=10).status_code == 200


def test_bodies_that_wait_together_stay_small(quiet_stack: Stack) -> None:
    """All are sent to just before their end, where the hub holds what it has of each."""
    address = urlsplit(quiet_stack.house.hub_api_url)
    head = f"POST /hub/login HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
    before_mb = measure_mb(quiet_stack)
    with contextlib.ExitStack() as kept:
        for _ in range(CONNECTIONS):
            hub = kept.enter_context(socket.create_connection((address.hostname, address.port), 30))
            with contextlib.suppress(ConnectionError):
                hub.sendall(head.encode())
                for _ in range(BODY_BYTES // len(PART)):
                    hub.sendall(PART)
        assert httpx.get(quiet_stack.house.hub_api_url, timeout=10).status_code == 200
        assert measure_mb(quiet_stack) < before_mb + 40


def test_what_the_hub_is_really_sent_fits(quiet_stack: Stack) -> None:
    """A list of accounts of the length that a large city has is read, and refused for its sender only."""
    names = [f"k{number:011}" for number in range(50_000)]
    answer = httpx.post(
        f"{quiet_stack.house.hub_api_url}/users",
        json={"usernames": names},
        headers={"Authorization": "token x"},
        timeout=30,
    )
    assert int(answer.request.headers["Content-Length"]) < MOST_BODY_BYTES
    assert answer.status_code == 403
