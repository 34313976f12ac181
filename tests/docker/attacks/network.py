# A student's programs look for other machines, programs and people on the network.

from tests.docker.attacks.prelude import *

# %% allowed: what must work, or the other cells prove nothing
check("hub", connect(targets["gateway"], targets["hub_port"]) != "", "reached")
check("service", connect(targets["gateway"], targets["web_port"]) != "", "reached")

# %% neighbour_by_address: ask other workspaces' servers and kernels directly
for who in ("neighbour", "team", "course"):
    for port in (8888, 22, 80, 5000):
        attempt(f"{who}:{port}", lambda: connect(targets[who], port), "ENETUNREACH", "TimeoutError")
own = socket.gethostbyname(socket.gethostname())
check("own server answers", (own, 8888) in list_open([(own, 8888)]), "8888")

# %% neighbour_by_name: find other workspaces, the hub and the machine by a name
for name in ("hub", "gateway.docker.internal", "host.docker.internal", targets["neighbour_account"]):
    attempt(name, lambda: socket.getaddrinfo(name, 8888), "gaierror")
# Docker tells the address to whoever knows the account's id (docs/decisions/workspaces-network.md).
for who in ("neighbour", "course"):
    name = f"atelier-{targets[f'{who}_account']}"
    attempt(name, lambda: connect(name, 8888), "ENETUNREACH", "TimeoutError", "gaierror")

# %% scan_own_network: every address near by
base = targets["gateway"].rsplit(".", 1)[0]
own = socket.gethostbyname(socket.gethostname())
others = [f"{base}.{n}" for n in range(2, 255) if f"{base}.{n}" != own]
found = list_open((address, port) for address in others for port in (22, 80, 8888))
check("workspaces", found == [], found)

# %% scan_gateway: every usual port of the machine, as seen from here
wanted = {targets["hub_port"], targets["web_port"]}
others = {targets[f"{name}_port"] for name in ("public", "proxy_api", "provider", "careless", "loopback")}
probed = sorted({*range(1, 1100), 2375, 2376, 3306, 5432, 6379, 8000, 8001, 9090, 9100, *wanted, *others})
found = list_open((targets["gateway"], port) for port in probed)
check("ports", {port for _, port in found} == wanted, found)

# %% proxy_and_provider: the proxy's routes and the sign-in, around the front door
for name in ("public", "proxy_api", "provider"):
    attempt(name, lambda: connect(targets["gateway"], targets[f"{name}_port"]), "TimeoutError")

# %% careless_service: a program of the machine that listens on all addresses, such as a database
for address in (targets["gateway"], targets["other_bridge"]):
    attempt(address, lambda: connect(address, targets["careless_port"]), "TimeoutError", "ENETUNREACH")

# %% loopback_service: a program of the machine that listens on its own loopback
for address in ("127.0.0.1", "0.0.0.0", "localhost"):
    attempt(address, lambda: connect(address, targets["loopback_port"]), "ECONNREFUSED", "EADDRNOTAVAIL")

# %% world: an address beyond the machine (one that the test has made), by stream and datagram
attempt("stream", lambda: connect(targets["world"], targets["world_port"]), "ENETUNREACH", "TimeoutError")
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
probe.settimeout(WAIT_S)
probe.sendto(b"out", (targets["world"], 53))
attempt("datagram", lambda: probe.recv(100), "TimeoutError", "ENETUNREACH")
check("no IPv6", not [line for line in open("/proc/net/if_inet6") if " lo" not in line], "none")

# %% metadata: an address of the range where clouds tell a machine its keys (one that the test has made)
attempt("stream", lambda: connect(targets["metadata"], targets["world_port"]), "ENETUNREACH", "TimeoutError")
attempt("web", lambda: connect(targets["metadata"], 80), "ENETUNREACH", "TimeoutError")
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
probe.settimeout(WAIT_S)
probe.sendto(b"keys", (targets["metadata"], 53))
attempt("datagram", lambda: probe.recv(100), "TimeoutError", "ENETUNREACH")

# %% datagrams: leave by UDP, as a name server's question would
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
probe.settimeout(WAIT_S)
for port in (53, targets["datagram_port"]):
    probe.sendto(b"out", (targets["gateway"], port))
attempt("answer", lambda: probe.recv(100), "TimeoutError")

# %% raw_sockets: forge packets and answers to ARP
for family, kind in ((socket.AF_PACKET, socket.SOCK_RAW), (socket.AF_INET, socket.SOCK_RAW)):
    attempt(f"{family!r}", lambda: socket.socket(family, kind, 1), "EPERM")
attempt("packet datagrams", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM), "EPERM")

# %% false_address: speak as a neighbour or as the machine
FREEBIND, TRANSPARENT = 15, 19
for who in ("neighbour", "gateway"):
    plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    attempt(f"bind {who}", lambda: plain.bind((targets[who], 0)), "EADDRNOTAVAIL")
    free = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    free.setsockopt(socket.IPPROTO_IP, FREEBIND, 1)
    free.bind((targets[who], 0))
    attempt(f"send as {who}", lambda: free.sendto(b"x", (targets["gateway"], 9)), "EINVAL", "ENETUNREACH")
attempt("transparent", lambda: socket.socket().setsockopt(socket.IPPROTO_IP, TRANSPARENT, 1), "EPERM")

# %% own_interface: another address, another route, another hardware address
import fcntl
import struct

control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
address = struct.pack("16sHH4s8x", b"eth0", socket.AF_INET, 0, socket.inet_aton(targets["neighbour"]))
for name, number in (("SIOCSIFADDR", 0x8916), ("SIOCSIFFLAGS", 0x8914), ("SIOCSIFHWADDR", 0x8924)):
    attempt(name, lambda: fcntl.ioctl(control, number, address), "EPERM")
attempt("SIOCADDRT", lambda: fcntl.ioctl(control, 0x890B, bytes(120)), "EPERM")
attempt("SIOCSARP", lambda: fcntl.ioctl(control, 0x8955, bytes(68)), "EPERM")

# %% local_sockets: programs of the machine that listen without the network
attempt("abstract", lambda: socket.socket(socket.AF_UNIX).connect(targets["abstract"]), "ECONNREFUSED")
attempt("machine's vsock", lambda: socket.socket(40, socket.SOCK_STREAM), "EPERM")
for path in (targets["docker_socket"], "/var/run/docker.sock", "/run/containerd/containerd.sock"):
    attempt(path, lambda: socket.socket(socket.AF_UNIX).connect(path), "ENOENT")

# %% rare_families: make the kernel load modules, and speak what no firewall rule is about
for family in sorted({*range(3, 46)} - {10, 16}):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, socket.SOCK_RAW):
        attempt(f"socket {family} {kind!r}", lambda: socket.socket(family, kind), "EPERM")
        attempt(f"pair {family} {kind!r}", lambda: call("socketpair", family, kind, 0, bytes(8)), "EPERM")
names = [name for _, name in socket.if_nameindex()]
check("what is needed works", "eth0" in names and len(socket.socketpair()) == 2, names)

# %% multicast: speak to all neighbours at once
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
probe.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
probe.settimeout(WAIT_S)
for address in ("255.255.255.255", "224.0.0.1", "224.0.0.251"):
    probe.sendto(b"out", (address, targets["datagram_port"]))
attempt("answer", lambda: probe.recv(100), "TimeoutError")
sixth = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
attempt("IPv6", lambda: sixth.sendto(b"out", ("ff02::1%eth0", 5353)), "EADDRNOTAVAIL", "ENETUNREACH")
attempt("ping", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1), "EPERM")

# %% docker_over_the_network: the daemon's own port on the machine
for port in (2375, 2376, 2377, 7946):
    attempt(f"docker:{port}", lambda: connect(targets["gateway"], port), "TimeoutError")
