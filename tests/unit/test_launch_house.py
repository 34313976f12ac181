"""What the demo hands to whom: each process only its own secrets, nobody a proxy setting."""

import stat
from pathlib import Path

import pytest

from demo.house import DEFAULT_CITY, House, choose_ports
from demo.processes import Recipe

# docs/architecture.md, "Processes": token → who holds or is shown it.
HOLDERS = {
    "google_client_secret": {"hub", "provider"},
    "hub_service_token": {"hub", "web"},
    "provider_cookie_key": {"provider"},
    "proxy_token": {"hub", "proxy"},
    "steward_hub_token": {"hub", "steward"},
    "web_hub_token": {"hub", "web"},
}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "data with space", choose_ports(0), DEFAULT_CITY)


def list_recipes(house: House) -> dict[str, Recipe]:
    recipes = (house.provider(), house.proxy(), house.web(), house.hub(), house.steward())
    return {recipe.name: recipe for recipe in recipes}


@pytest.mark.parametrize("name", HOLDERS)
def test_a_secret_is_given_only_to_those_who_need_it(house: House, name: str) -> None:
    secret = house.secrets[name]
    holders = {n for n, r in list_recipes(house).items() if secret in r.environment.values()}
    assert holders == HOLDERS[name]


def test_every_secret_is_accounted_for(house: House) -> None:
    assert set(house.secrets) == set(HOLDERS)
    assert len(set(house.secrets.values())) == len(HOLDERS)


def test_no_secret_stands_in_a_command_line(house: House) -> None:
    for recipe in list_recipes(house).values():
        line = " ".join(recipe.command)
        assert not [name for name, secret in house.secrets.items() if secret in line]


def test_no_process_hears_of_a_proxy_or_of_secrets_of_the_terminal(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "https_proxy", "ALL_PROXY", "AWS_SECRET_ACCESS_KEY", "PYTHONPATH"):
        monkeypatch.setenv(name, "http://nowhere.example:1")
    for recipe in list_recipes(house).values():
        assert "http://nowhere.example:1" not in recipe.environment.values()


def test_secrets_are_made_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    first = House(tmp_path, choose_ports(0), DEFAULT_CITY).secrets
    second = House(tmp_path, choose_ports(0), DEFAULT_CITY).secrets
    assert first == second
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    for path in (tmp_path / "secrets").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_demos_have_different_secrets(tmp_path: Path) -> None:
    one = House(tmp_path / "one", choose_ports(0), DEFAULT_CITY).secrets
    other = House(tmp_path / "other", choose_ports(0), DEFAULT_CITY).secrets
    assert not set(one.values()) & set(other.values())


def test_a_broken_off_secret_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "proxy_token.new").write_text("half")
    assert len(House(tmp_path, choose_ports(0), DEFAULT_CITY).secrets["proxy_token"]) == 64


def test_everything_listens_on_loopback_only(house: House) -> None:
    recipes = list_recipes(house)
    assert "--ip=127.0.0.1" in recipes["proxy"].command
    assert "--api-ip=127.0.0.1" in recipes["proxy"].command
    assert recipes["web"].environment["ATELIER_WEB_HOST"] == "127.0.0.1"


def test_the_provider_has_a_host_name_that_is_not_the_hubs(house: House) -> None:
    assert "://accounts.localhost:" in house.provider_url
    assert "://atelier.localhost:" in house.public_url
