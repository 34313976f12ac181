"""What a workspace reaches: the hub's API and the service; nothing else."""

import socket
from collections.abc import Iterator

import pytest

from tests.docker.world import open_world
from tests.docker_school import DockerSchool
from tests.docker_town import run

pytestmark = pytest.mark.docker

WAIT_S = 2


@pytest.fixture(params=["personal", "team", "course"])
def account(request: pytest.FixtureRequest, docker_school: DockerSchool) -> str:
    """An account of each kind, its workspace running."""
    name = docker_school.accounts[request.param]
    docker_school.ensure_running(name)
    return name


def can_reach(school: DockerSchool, account: str, host: str, port: int) -> bool:
    """Tell whether a program in a workspace can open a connection."""
    code = (
        f"import socket\ntry:\n    socket.create_connection(({host!r}, {port}), {WAIT_S}).close()\n"
        "except OSError:\n    print('no')\nelse:\n    print('yes')"
    )
    return school.stack.run_inside(account, code).strip() == "yes"


@pytest.fixture
def open_service() -> Iterator[int]:
    """A careless service of the machine: it listens on every address. Returns its port."""
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104 - the point of the test
        yield int(server.getsockname()[1])


def test_reaches_the_hub_and_the_service(docker_school: DockerSchool, account: str) -> None:
    house, gateway = docker_school.stack.house, docker_school.stack.town.gateway
    assert can_reach(docker_school, account, gateway, house.ports.hub)
    assert can_reach(docker_school, account, gateway, house.ports.web)


def test_no_workspace_reaches_another(docker_school: DockerSchool) -> None:
    docker_school.ensure_running(docker_school.anna)
    for other in ("other", "team", "course"):
        name = docker_school.accounts[other]
        docker_school.ensure_running(name)
        address = docker_school.find_address(name)
        assert not can_reach(docker_school, docker_school.anna, address, 8888), other
        assert not can_reach(docker_school, name, docker_school.find_address(docker_school.anna), 8888), other


def test_the_proxy_and_its_api_are_out_of_reach(docker_school: DockerSchool, account: str) -> None:
    ports = docker_school.stack.house.ports
    for port in (ports.public, ports.proxy_api, ports.provider):
        assert not can_reach(docker_school, account, docker_school.stack.town.gateway, port)


def test_no_service_of_the_machine_is_reached_however_carelessly_it_listens(
    docker_school: DockerSchool, account: str, open_service: int
) -> None:
    addresses = {line.split()[3].split("/")[0] for line in run("ip", "-4", "-o", "addr").splitlines()}
    for address in sorted(addresses - {"127.0.0.1"}):
        assert not can_reach(docker_school, account, address, open_service), address


def test_the_world_and_a_metadata_address_are_out_of_reach(docker_school: DockerSchool, account: str) -> None:
    with open_world() as world:
        for address in world.addresses:
            assert not can_reach(docker_school, account, address, world.port), address


def test_names_are_not_even_asked_for(docker_school: DockerSchool, account: str) -> None:
    code = (
        "import socket, time\nbegan = time.monotonic()\n"
        "try:\n    print(socket.getaddrinfo('pypi.org', 443))\n"
        "except socket.gaierror:\n    print('unknown', time.monotonic() - began < 4)"
    )
    assert docker_school.stack.run_inside(account, code).strip() == "unknown True"


def test_a_question_to_dockers_own_name_server_leads_nowhere(
    docker_school: DockerSchool, account: str
) -> None:
    code = (
        "import socket\n"
        "head = bytes.fromhex('123401000001000000000000')\n"
        "question = head + b'\\x04pypi\\x03org\\x00\\x00\\x01\\x00\\x01'\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(4)\n"
        "s.sendto(question, ('127.0.0.11', 53))\n"
        "try:\n    answer = s.recv(512)\n    print('answers', int.from_bytes(answer[6:8], 'big'))\n"
        "except OSError:\n    print('answers 0')"
    )
    assert docker_school.stack.run_inside(account, code).strip() == "answers 0"


def test_speaks_no_ipv6_and_opens_no_raw_socket(docker_school: DockerSchool, account: str) -> None:
    code = (
        "import socket\n"
        "print([line for line in open('/proc/net/if_inet6') if ' lo' not in line])\n"
        "for family, kind in ((socket.AF_PACKET, socket.SOCK_RAW), (socket.AF_INET, socket.SOCK_RAW)):\n"
        "    try:\n        socket.socket(family, kind, 1)\n        print('open')\n"
        "    except PermissionError:\n        print('refused')"
    )
    assert docker_school.stack.run_inside(account, code).split("\n")[:3] == ["[]", "refused", "refused"]


def test_isolation_holds_without_dockers_own_rules(docker_school: DockerSchool) -> None:
    """A second daemon that starts on the machine clears what the first one had written."""
    docker_school.ensure_running(docker_school.anna)
    docker_school.ensure_running(docker_school.boris)
    kept = run("iptables-save")
    bridge = docker_school.stack.town.bridge
    try:
        run("iptables", "-F", "DOCKER-ISOLATION-STAGE-1")
        run("iptables", "-P", "FORWARD", "ACCEPT")
        run("iptables", "-D", "FORWARD", "-i", bridge, "-o", bridge, "-j", "DROP", check=False)
        address = docker_school.find_address(docker_school.boris)
        assert not can_reach(docker_school, docker_school.anna, address, 8888)
        with open_world() as world:
            for address in world.addresses:
                assert not can_reach(docker_school, docker_school.anna, address, world.port), address
    finally:
        run("iptables-restore", stdin=kept)
