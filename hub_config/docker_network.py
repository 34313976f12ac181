"""The workspaces' network, and the firewall that makes it narrow.

``python -m hub_config.docker_network --port 8081 --port 8082`` (as root, at each start of the machine) makes
the network if it is absent and writes the rules anew; it may be run at any time and changes nothing else.

A workspace reaches the given ports of the network's gateway (the hub's API and the service) and nothing
more. Docker's own switches (`internal`, no traffic between containers) say the same; the rules stand beside
them because a second daemon on the machine clears parts of the first one's rules when it starts. See
docs/decisions/workspaces-network.md.
"""

import argparse
import ipaddress
import subprocess
import sys
from collections.abc import Sequence

import docker
from docker.types import IPAMConfig, IPAMPool

NETWORK = "atelier-workspaces"
BRIDGE = "atelier-ws"
BRIDGE_OPTION = "com.docker.network.bridge.name"
SUBNET = "172.31.240.0/20"
INPUT_CHAIN, FORWARD_CHAIN = "ATELIER-INPUT", "ATELIER-FORWARD"
CHAINS = ((INPUT_CHAIN, "INPUT"), (FORWARD_CHAIN, "FORWARD"))  # each with the kernel's chain that leads to it
# What one workspace may have open to the machine at once, and open anew: hub and service, and the machine's
# table of connections, belong to all. To the hub a workspace's server opens one for each question about a
# visitor, whose answer it keeps (tornado opens ten at once at most), and one for its signs of life; to the
# service one for each transfer. Kernels speak to nobody. A team of eight at work needs a handful.
MOST_CONNECTIONS = 32
NEW_PER_SECOND, NEW_AT_ONCE = 50, 1000
Rule = tuple[str, ...]


def find_gateway(subnet: str) -> str:
    """Return the first address of a subnet: the machine itself, as workspaces see it."""
    return str(next(ipaddress.ip_network(subnet).hosts()))


def ensure_network(
    client: docker.APIClient, *, name: str = NETWORK, bridge: str = BRIDGE, subnet: str = SUBNET
) -> str:
    """Make the network if the daemon has none of that name. Returns its gateway.

    Raises RuntimeError for one that lies on another bridge: the rules would be about nobody.
    """
    known = client.networks(names=[name])
    same = [network for network in known if network["Name"] == name]
    if same:
        found = (same[0].get("Options") or {}).get(BRIDGE_OPTION)
        if found != bridge:
            raise RuntimeError(
                f"Docker's network {name} lies on the bridge {found}, the firewall's rules are for {bridge}; "
                f"stop the workspaces, docker network rm {name}, and run this again"
            )
        return str(same[0]["IPAM"]["Config"][0]["Gateway"])
    gateway = find_gateway(subnet)
    client.create_network(
        name,
        driver="bridge",
        internal=True,
        check_duplicate=True,
        ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=subnet, gateway=gateway)]),
        options={
            BRIDGE_OPTION: bridge,
            "com.docker.network.bridge.enable_icc": "false",
            "com.docker.network.bridge.enable_ip_masquerade": "false",
        },
    )
    return gateway


def list_rules(bridge: str, gateway: str, ports: Sequence[int]) -> list[Rule]:
    """Return the firewall's rules as arguments of iptables, in their order."""
    answers = ("-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "ACCEPT")
    admitted = [rule for port in ports for rule in _list_rules_of_port(bridge, gateway, port)]
    return [
        # The machine answers, and is answered: the hub and the proxy open connections to workspaces.
        ("-A", INPUT_CHAIN, "-i", bridge, *answers),
        *admitted,
        ("-A", INPUT_CHAIN, "-i", bridge, "-j", "DROP"),
        # Nothing is passed on: not to another workspace, not to the world, not from there.
        # Said at once, or a notebook would wait for minutes before it learns that there is no internet.
        ("-A", FORWARD_CHAIN, "-i", bridge, "-j", "REJECT", "--reject-with", "icmp-net-unreachable"),
        ("-A", FORWARD_CHAIN, "-o", bridge, "-j", "DROP"),
    ]


def _list_rules_of_port(bridge: str, gateway: str, port: int) -> list[Rule]:
    """Let in, so many per workspace. Who has too many is told at once."""
    to_port = ("-A", INPUT_CHAIN, "-i", bridge, "-d", gateway, "-p", "tcp", "--dport", str(port))
    at_once = ("-m", "connlimit", "--connlimit-above", str(MOST_CONNECTIONS), "--connlimit-mask", "32")
    rate = ("--hashlimit-above", f"{NEW_PER_SECOND}/second", "--hashlimit-burst", str(NEW_AT_ONCE))
    anew = ("-m", "hashlimit", "--hashlimit-name", f"atelier-{port}", "--hashlimit-mode", "srcip", *rate)
    refused = ("-j", "REJECT", "--reject-with", "tcp-reset")
    return [
        (*to_port, "--syn", *at_once, *refused),
        (*to_port, "--syn", *anew, *refused),
        (*to_port, "-j", "ACCEPT"),
    ]


def apply_rules(rules: Sequence[Rule]) -> None:
    """Write the rules into chains of our own, which every packet passes first. Needs root.

    All in one step: at no moment is a workspace without them, and where one is refused the earlier ones stay.
    """
    chains = [f":{chain} - [0:0]" for chain, _ in CHAINS]
    lines = ["*filter", *chains, *(" ".join(rule) for rule in rules), "COMMIT", ""]
    _run("iptables-restore", "-w", "--noflush", given="\n".join(lines))
    for chain, hook in CHAINS:
        if _iptables("-C", hook, "-j", chain, check=False):
            _iptables("-I", hook, "1", "-j", chain)


def remove_rules() -> None:
    """Take our chains away again."""
    for chain, hook in CHAINS:
        for step in (("-D", hook, "-j", chain), ("-F", chain), ("-X", chain)):
            _iptables(*step, check=False)


def _iptables(*arguments: str, check: bool = True) -> int:
    return _run("iptables", "-w", *arguments, check=check)


def _run(*command: str, given: str | None = None, check: bool = True) -> int:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}; run this as root on the host")
    return done.returncode


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Make the workspaces' network and its firewall.")
    parser.add_argument("--docker", default="unix:///var/run/docker.sock", help="the workspaces' daemon")
    parser.add_argument("--name", default=NETWORK)
    parser.add_argument("--bridge", default=BRIDGE)
    parser.add_argument("--subnet", default=SUBNET)
    parser.add_argument("--port", type=int, action="append", required=True, help="open to workspaces")
    chosen = parser.parse_args(arguments)
    client = docker.APIClient(base_url=chosen.docker)
    gateway = ensure_network(client, name=chosen.name, bridge=chosen.bridge, subnet=chosen.subnet)
    apply_rules(list_rules(chosen.bridge, gateway, chosen.port))
    sys.stdout.write(f"{chosen.name}: gateway {gateway}, open ports {sorted(chosen.port)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
