"""The front's configuration is filled from the same settings as everything else."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from front.render import UnsafeValue, render
from front.settings import FrontSettings


def make_settings(**changes: object) -> FrontSettings:
    values: dict[str, object] = {
        "public_url": "https://atelier.example.bg",
        "front_certificate": Path("/run/secrets/certificate.pem"),
        "front_certificate_key": Path("/run/secrets/key.pem"),
        "front_static_dir": Path("/srv/static"),
        "front_run_dir": Path("/run/front"),
        **changes,
    }
    return FrontSettings(**values)  # type: ignore[arg-type]


def test_every_placeholder_is_filled() -> None:
    named = ("@hub_itself", "@service_itself", "@cookie_flood")  # nginx's own
    rendered = render(make_settings())
    for name in named:
        rendered = rendered.replace(name, "")
    assert "@" not in rendered


@pytest.mark.parametrize("url", ["http://atelier.example.bg", "https://atelier.example.bg/path", "atelier"])
def test_only_https_without_a_path_is_an_address(url: str) -> None:
    with pytest.raises(ValidationError):
        make_settings(public_url=url)


@pytest.mark.parametrize(
    "changes",
    [
        {"front_static_dir": Path("/srv/static;} evil {")},
        {"front_proxy": "proxy:8000; return 200"},
        {"front_certificate": Path("/x\n}")},
        {"front_user": "$user"},
    ],
)
def test_no_value_changes_the_meaning_of_the_configuration(changes: dict[str, object]) -> None:
    with pytest.raises(UnsafeValue, match="choose another"):
        render(make_settings(**changes))


def test_optional_parts_are_there_only_when_set() -> None:
    plain = render(make_settings())
    assert "\n  resolver " not in plain
    assert "308" not in plain
    assert "\nuser " not in plain
    full = render(
        make_settings(
            front_resolver="127.0.0.11",
            front_http_port=80,
            front_user="www-data",
            front_proxy="proxy:8000",
        )
    )
    assert "resolver 127.0.0.11 valid=5s" in full
    assert "return 308 https://$host$request_uri" in full
    assert "\nuser www-data;" in full


def test_a_port_other_than_443_is_part_of_the_shared_address() -> None:
    assert make_settings().static_url == "https://static--service.atelier.example.bg"
    with_port = make_settings(public_url="https://atelier.localhost:8443")
    assert with_port.static_url == "https://static--service.atelier.localhost:8443"
