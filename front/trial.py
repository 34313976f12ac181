"""The demo's processes behind a front server on free ports, without containers: for tests and measurements.

``trial = make_trial(demo, static_dir)`` before the demo starts, ``start_front(demo, trial)`` after.
"""

import datetime as dt
import os
import pwd
import shutil
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from demo.house import House
from demo.launch import Demo
from demo.ports import LOOPBACK, list_free_ports
from demo.processes import Process, Recipe
from front.certificate import Certificate, make_certificate
from front.publish import PARTS
from front.render import render
from front.settings import FrontSettings

PUBLISHED = Path(__file__).resolve().parent.parent / ".data" / "front-static"
START_WITHIN_S = 10


@dataclass(frozen=True)
class FrontHouse(House):
    """A demo's folders, addresses and environments when a front server stands before its proxy."""

    host: str = "atelier.localhost"
    https_port: int = 0
    http_port: int = 0
    static_dir: Path = PUBLISHED
    certificate: Certificate | None = None

    @property
    def public_url(self) -> str:
        return f"https://{self.host}:{self.https_port}"

    @property
    def pages_url(self) -> str:
        return f"https://atelier--service.{self.host}:{self.https_port}/services/atelier/"

    @property
    def front_dir(self) -> Path:
        """Certificate, configuration, and nginx's folders for what passes."""
        return self.data_dir / "front"

    @property
    def front_settings(self) -> FrontSettings:
        """The front's settings, as a deployment would have them in the environment."""
        assert self.certificate is not None
        return FrontSettings(
            public_url=self.public_url,
            front_address=LOOPBACK,
            front_https_port=self.https_port,
            front_http_port=self.http_port,
            front_proxy=f"{LOOPBACK}:{self.ports.public}",
            front_certificate=self.certificate.certificate,
            front_certificate_key=self.certificate.key,
            front_static_dir=self.static_dir,
            front_run_dir=self.front_dir,
            front_user=pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() == 0 else None,
        )

    @property
    def hub_environment(self) -> dict[str, str]:
        return {**super().hub_environment, "ATELIER_STATIC_URL": self.front_settings.static_url}

    def front(self) -> Recipe:
        """How nginx is started. Its configuration is written anew each time."""
        configuration = self.front_dir / "nginx.conf"
        configuration.write_text(render(self.front_settings), encoding="utf-8")
        command = [find_nginx(), "-c", str(configuration), "-e", "stderr"]
        return Recipe("front", command, self.plain_environment, self.front_dir)


def find_nginx() -> str:
    """Return nginx's path; Debian keeps it where ordinary users do not look."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise FileNotFoundError(
            "nginx is missing: apt-get install nginx libnginx-mod-http-brotli-filter "
            "libnginx-mod-http-brotli-static brotli"
        )
    return found


def make_trial(
    demo: Demo,
    *,
    host: str = "atelier.localhost",
    static_dir: Path = PUBLISHED,
    house_class: type[FrontHouse] = FrontHouse,
) -> FrontHouse:
    """Put a demo that has not started behind a front. Publishes the static files unless they are there."""
    https_port, http_port = list_free_ports(2)
    for publish in PARTS.values():
        publish(static_dir)
    plain = demo.house
    house = house_class(plain.data_dir, plain.ports, plain.city_file, host, https_port, http_port, static_dir)
    certificate = make_certificate(house.front_dir, host, dt.datetime.now(dt.UTC))
    demo.house = replace(house, certificate=certificate)
    return demo.house


def start_front(demo: Demo, house: FrontHouse) -> None:
    """Start nginx beside the demo's processes; it ends with them. Returns when it accepts connections."""
    process = Process(house.front(), house.logs_dir / "front.log")
    demo.processes["front"] = process
    _wait_until_listening(process, [house.https_port, house.http_port])


def _wait_until_listening(process: Process, ports: Sequence[int]) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    for port in ports:
        while True:
            process.check_alive()
            try:
                socket.create_connection((LOOPBACK, port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise process.describe_problem(f"does not listen after {START_WITHIN_S} s") from None
                time.sleep(0.05)
