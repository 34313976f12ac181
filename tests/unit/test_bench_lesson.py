"""What the measurement of single clicks in an announced lesson says of its figures."""

import datetime as dt
from pathlib import Path
from types import SimpleNamespace

from bench.lesson import ANNOUNCED, WITHOUT, Wait, describe, judge
from bench.lesson_houses import DockerFrontHouse
from demo.house import DEFAULT_CITY, choose_ports
from front.certificate import make_certificate

HOST = "atelier.localhost"


def clicks(empty_s: float, filled_s: float) -> list[tuple[Wait, Wait]]:
    return [(Wait(0.1, empty_s), Wait(0.1, filled_s))] * 3


def test_an_announced_lesson_is_judged_with_an_empty_cache_and_with_a_filled_one() -> None:
    empty, filled = judge({WITHOUT: clicks(9, 9), ANNOUNCED: clicks(2.1, 1.2)})
    assert empty == "MISSED: announced lesson, empty cache: usable after 2.10 s (aim: under 2 s)"
    assert filled == "announced lesson, filled cache: usable after 1.20 s (aim: under 2 s)"
    empty, filled = judge({WITHOUT: clicks(9, 9), ANNOUNCED: clicks(1.9, 2.0)})
    assert not empty.startswith("MISSED")
    assert filled.startswith("MISSED"), "under two seconds"


def test_a_click_without_a_lesson_is_shown_and_not_judged() -> None:
    found = {WITHOUT: clicks(9, 8), ANNOUNCED: clicks(1, 1)}
    assert not any("MISSED" in verdict for verdict in judge(found))
    assert "| without a lesson | empty | 0.1 s (0.1 s) | 9.0 s (9.0 s) |" in describe(found)


def test_a_house_with_containers_behind_the_front_is_both(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path / "front", HOST, dt.datetime.now(dt.UTC))
    house = DockerFrontHouse(
        tmp_path, choose_ports(0), DEFAULT_CITY, HOST, 8443, 8080, tmp_path / "static", certificate
    )
    town = SimpleNamespace(gateway="10.214.0.1", daemon=SimpleNamespace(url="unix:///a.sock"))
    object.__setattr__(house, "town", town)
    told = house.hub_environment
    assert told["ATELIER_ENGINE"] == "docker"
    assert told["ATELIER_HUB_HOST"] == "10.214.0.1"
    assert told["ATELIER_PUBLIC_URL"] == f"https://{HOST}:8443"
    assert told["ATELIER_STATIC_URL"] == f"https://static--service.{HOST}:8443"
    assert house.web_environment["ATELIER_WEB_HOST"] == "10.214.0.1"
