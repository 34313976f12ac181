"""Starts the demo and ends it: ``python -m demo.launch [--data .data/demo] [--port 8000]``.

The five processes of docs/architecture.md are siblings below this one. None is restarted silently: when one
ends by itself, the launcher says which, shows its last lines, and ends the others.
"""

import argparse
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Self

from demo.checks import check_before_start, hold_data_dir, list_warnings
from demo.house import DEFAULT_CITY, REPOSITORY, House, choose_ports
from demo.problem import DemoProblem
from demo.processes import Process, Recipe, adopt_orphans, end_orphans, list_last_lines, wait_until_healthy
from hub_config.local_processes import stop_workspaces

START_WITHIN_S = 120
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_WITHIN_S = 10
# Those who could start or stop a workspace meanwhile.
STOP_FIRST = ("steward", "hub")


class Demo:
    """A running demo city, also for tests: ``with Demo(tmp_path, port=0) as demo: …``.

    `data_dir` is made if absent; `port` 0 takes a free one; `seed` False leaves the service's
    database without people and courses. Addresses and environments are in `house`. Raises DemoProblem.
    """

    def __init__(
        self, data_dir: Path, port: int = 8000, *, city_file: Path | None = None, seed: bool = True
    ) -> None:
        ports = choose_ports(port)
        self.house = House(data_dir.resolve(), ports, (city_file or DEFAULT_CITY).resolve())
        self.processes: dict[str, Process] = {}
        self._seed = seed
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start all five and return when each answers. Ends what was started when one does not."""
        self._lock = hold_data_dir(self.house)
        try:
            check_before_start(self.house)
            # Of a launcher that was killed: the hub leaves workspaces running when it ends.
            stop_workspaces(self.house.homes_dir)
            self._prepare_database()
            self._start_processes()
        except BaseException:
            with _signals_ignored():
                self.stop()
            raise

    def _start_processes(self) -> None:
        house = self.house
        for recipe in (house.provider(), house.proxy(), house.web(), house.hub()):
            self._start(recipe)
        wait_until_healthy(list(self.processes.values()), START_WITHIN_S)
        # The steward last: it has nothing to compare before the hub answers.
        self._start(house.steward())

    def _start(self, recipe: Recipe) -> None:
        self.processes[recipe.name] = Process(recipe, self.house.logs_dir / f"{recipe.name}.log")

    def _prepare_database(self) -> None:
        run_command(self.house, "setup", [sys.executable, "-m", "atelier", "db", "upgrade"])
        if self._seed:
            self._seed_once()

    def _seed_once(self) -> None:
        """Put people, a course and teams in, unless an earlier start did. Safe after a cut-off start."""
        done = self.house.service_dir / "seeded"
        if not done.exists():
            accounts_file = self.house.accounts_file
            run_command(self.house, "setup", [sys.executable, "-m", "demo.seed", str(accounts_file)])
            done.touch()

    def check(self) -> None:
        """Raise DemoProblem when a process has ended by itself."""
        for process in self.processes.values():
            process.check_alive()

    def wait(self, poll_s: float = 0.5) -> None:
        """Return never; raises DemoProblem when a process ends by itself."""
        while True:
            self.check()
            time.sleep(poll_s)

    def restart(self, name: str) -> None:
        """End one process and start it again with the same environment, as an operator would.

        Workspaces go on running while the hub restarts.
        """
        process = self.processes.pop(name)
        process.end(STOP_WITHIN_S, with_family=False)
        self._start(process.recipe)
        wait_until_healthy([self.processes[name]], START_WITHIN_S)

    def stop(self) -> None:
        """End everything: first who starts workspaces, then the workspaces, then the others."""
        for name in (*STOP_FIRST, *self.processes):
            if process := self.processes.pop(name, None):
                process.end(STOP_WITHIN_S)
        if self._lock:
            stop_workspaces(self.house.homes_dir)
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None


def run_command(house: House, name: str, command: list[str]) -> str:
    """Run one command of the service to its end and return what it printed. Raises DemoProblem."""
    done = subprocess.run(
        command,
        env=house.web_environment,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    log = house.logs_dir / f"{name}.log"
    with log.open("a", encoding="utf-8") as out:
        out.write(done.stdout)
    if done.returncode:
        lines = "\n".join(f"    {line}" for line in list_last_lines(log))
        raise DemoProblem(
            f"`{' '.join(command[1:])}` failed (exit code {done.returncode}). Its last lines:\n{lines}",
            f"read the whole log in {log}; to start over with empty data: make reset",
        )
    return done.stdout


# ---------------------------------------------------------------- the command
def main() -> int:
    options = _parse_options()
    adopt_orphans()
    try:
        with _signals_as_interrupt():
            _run(options)
    except KeyboardInterrupt:
        return 0
    except DemoProblem as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    demo = Demo(options.data, options.port, city_file=options.city)
    for warning in list_warnings():
        print(f"Warning: {warning}", file=sys.stderr)
    print("Starting …", flush=True)
    began = time.monotonic()
    try:
        demo.start()
        print(describe(demo, time.monotonic() - began), flush=True)
        demo.wait()
    finally:
        with _signals_ignored():
            _stop(demo)


def _stop(demo: Demo) -> None:
    if demo.processes:
        print("\nStopping …", flush=True)
        demo.stop()
        print("Everything has stopped.", flush=True)
    end_orphans()


def describe(demo: Demo, seconds: float) -> str:
    """Return what a person needs to begin: address, accounts, where data lie, how to start over."""
    from demo.accounts import describe_accounts

    house = demo.house
    return f"""
Atelier is running (started in {seconds:.1f} s):  {house.public_url}

{describe_accounts()}

Data:        {house.data_dir}   (logs: {house.logs_dir})
Start over:  make reset
End:         Ctrl+C

This demo isolates nobody: every workspace is a process of your own user. It is for trying out,
on this machine, and not for a class.
"""


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo.launch", description="Start the demo city.")
    parser.add_argument("--data", type=Path, default=REPOSITORY / ".data" / "demo", help="folder of all data")
    parser.add_argument("--port", type=_port, default=8000, help="the port that browsers open (default 8000)")
    parser.add_argument("--city", type=Path, default=None, help="another city file than demo/city.yaml")
    return parser.parse_args()


def _port(value: str) -> int:
    if not value.isdigit() or not 0 <= int(value) <= 65535:
        raise argparse.ArgumentTypeError(
            f"{value!r} is no port; write a number from 1 to 65535, e.g. PORT=9000"
        )
    return int(value)


@contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in ENDING_SIGNALS:
        signal.signal(number, interrupt)
    yield


@contextmanager
def _signals_ignored() -> Iterator[None]:
    """Nobody's second Ctrl+C may leave a process behind: ending takes at most about half a minute."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets only the main thread say what signals do
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # one that was not set from Python stays replaced
                signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
