"""The real stack on a PostgreSQL of its own; each of its processes can be killed (-9) and started again."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

from sqlalchemy import create_engine, text

from demo.house import House
from demo.processes import Process, wait_until_healthy
from tests.atelier_stack import Stack
from tests.waiting import wait_until


class Server:
    """PostgreSQL with its ordinary promises (fsync on), reached through a socket in its folder."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self.programs = folder, programs
        self.process: subprocess.Popen[bytes] | None = None
        self.user = "nobody"
        with contextlib.suppress(KeyError):
            self.user = pwd.getpwnam("postgres").pw_name
        if os.getuid() == 0:
            shutil.chown(folder, self.user)
        self._run(
            "initdb", "--pgdata", "data", "--username", "atelier", "--auth", "trust", "--encoding", "UTF8"
        ).wait()

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder.parent / "postgresql.log").open("ab") as log:
            return subprocess.Popen(
                [str(self.programs / program), *arguments],
                cwd=self.folder,
                user=self.user if os.getuid() == 0 else None,
                group=pwd.getpwnam(self.user).pw_gid if os.getuid() == 0 else None,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
                start_new_session=True,
            )

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://atelier@/{database}?host={self.folder}"

    def start(self) -> None:
        """Start and return when it answers."""
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={self.folder}"]
        self.process = self._run("postgres", "-D", "data", *options)
        wait_until(self._answers, 30, "PostgreSQL did not start")

    def _answers(self) -> bool:
        engine = create_engine(self.url("postgres"))
        try:
            with engine.connect():
                return True
        except Exception:  # noqa: BLE001 - not yet
            return False
        finally:
            engine.dispose()

    def create(self, *databases: str) -> None:
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for name in databases:
                connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()

    def kill(self) -> None:
        """Kill the server with all its processes, as the end of its container does."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class PostgresqlHouse(House):
    """A demo house with both databases in PostgreSQL."""

    server: Server

    @property
    def database_url(self) -> str:
        return self.server.url("service")

    @property
    def hub_environment(self) -> dict[str, str]:
        return {**super().hub_environment, "ATELIER_HUB_DATABASE_URL": self.server.url("hub")}


class KillableStack(Stack):
    """A running Atelier whose processes can be killed."""

    def __init__(self, data_dir: Path, server: Server) -> None:
        super().__init__(data_dir, demo_people=False)
        plain = self.demo.house
        house = PostgresqlHouse(plain.data_dir, plain.ports, plain.city_file)
        object.__setattr__(house, "server", server)
        self.demo.house = self.house = house
        self.server = server

    def kill(self, *names: str) -> None:
        """Kill processes at the same instant."""
        for name in names:
            if name == "postgresql":
                self.server.kill()
            else:
                os.kill(self.demo.processes[name].pid, signal.SIGKILL)

    def start_again(self, *names: str) -> None:
        """Start them as Docker's restart policy would; return when each says that it is healthy."""
        fresh = []
        for name in names:
            if name == "postgresql":
                self.server.start()
                continue
            killed = self.demo.processes.pop(name)
            killed.end(5, with_family=False)  # collects it
            assert killed.exit_code == -signal.SIGKILL, f"{name} was not killed: {killed.exit_code}"
            self.demo.processes[name] = Process(killed.recipe, killed.log)
            fresh.append(self.demo.processes[name])
        wait_until_healthy(fresh, 60)
