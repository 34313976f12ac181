# A student's programs look for the database.
from tests.docker.attacks.prelude import *

# %% allowed: what must work, or the other cells prove nothing
check("hub", connect(targets["gateway"], targets["hub_port"]) != "", "reached")

# %% by_network: a real PostgreSQL that listens where workspaces see the machine, carelessly
for address in (targets["gateway"], targets["other_bridge"], "127.0.0.1", "localhost"):
    here = address in ("127.0.0.1", "localhost")
    refusals = ("ECONNREFUSED", "EADDRNOTAVAIL") if here else ("TimeoutError", "ENETUNREACH")
    for port in (targets["database_port"], 5432):
        attempt(f"{address}:{port}", lambda: connect(address, port), *refusals)
for name in ("postgresql", "database", "db", "atelier-database"):
    attempt(name, lambda: connect(name, targets["database_port"]), "gaierror")
start = (196608).to_bytes(4, "big") + b"user\0atelier\0database\0postgres\0\0"
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
probe.settimeout(WAIT_S)
probe.sendto(start, (targets["gateway"], targets["database_port"]))
attempt("datagram", lambda: probe.recv(100), "TimeoutError", "ENETUNREACH")

# %% by_socket: PostgreSQL's socket, its files and its passwords
socket_path = f"{targets['database_folder']}/.s.PGSQL.{targets['database_port']}"
for path in (socket_path, "/run/postgresql/.s.PGSQL.5432", "/tmp/.s.PGSQL.5432"):
    attempt(path, lambda: socket.socket(socket.AF_UNIX).connect(path), "ENOENT")
for path in (
    targets["database_folder"],
    "/run/postgresql",
    "/var/run/postgresql",
    "/srv/postgresql",
    "/srv/atelier",
    "/var/lib/postgresql",
    "/run/secrets",
    os.path.expanduser("~/.pgpass"),
):
    attempt(path, lambda: os.stat(path), "ENOENT")
named = [name for name in os.environ if name.startswith("PG") or "DATABASE" in name or "POSTGRES" in name]
check("variables", named == [], named)
