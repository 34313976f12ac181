"""The hub's configuration, read from a bare `Config()` as JupyterHub would read it."""

import copy
import math
from pathlib import Path

import pytest
from jupyterhub import orm
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from traitlets.config import Config

from hub_config import docker_engine, rights, workspaces
from hub_config.city import City, parse_city
from hub_config.configure import configure
from hub_config.services import describe_culler
from hub_config.settings import HubSettings
from hub_config.sign_in import AtelierAuthenticator

CITY = """
name: Град
schools:
  one:
    name: Първо
    domains: [one.example]
    first_administrator: admin@one.example
    limits:
      team: {idle_s: 120, max_age_s: 600}
  two:
    name: Второ
    domains: [two.example]
    first_administrator: admin@two.example
    limits:
      personal: {idle_s: 7200, max_age_s: 90000}
"""
SECRETS = {
    "google_client_secret": "google-secret",
    "web_hub_token": "web-token-" + 22 * "w",
    "steward_hub_token": "steward-token-" + 18 * "s",
    "hub_service_token": "service-token",
    "proxy_token": "proxy-token",
}


@pytest.fixture(scope="module")
def city() -> City:
    return parse_city(CITY)


def make_settings(**changes: object) -> HubSettings:
    values = {
        "city_file": Path("city.yaml"),
        "data_dir": Path("/data"),
        "public_url": "http://atelier.localhost:8000",
        "google_client_id": "client",
        **SECRETS,
        **changes,
    }
    return HubSettings(**values)


def make_config(city: City, **changes: object) -> Config:
    config = Config()
    configure(config, make_settings(**changes), city)
    return config


def test_hub_listens_on_loopback_only_and_gives_every_account_an_origin(city: City) -> None:
    c = make_config(city)
    assert c.JupyterHub.hub_bind_url == "http://127.0.0.1:8081"
    assert c.JupyterHub.subdomain_host == "http://atelier.localhost:8000"
    assert c.JupyterHub.default_url == "http://atelier--service.atelier.localhost:8000/services/atelier/"


def test_proxy_is_external_and_a_hub_restart_keeps_workspaces(city: City) -> None:
    c = make_config(city)
    assert c.ConfigurableHTTPProxy.should_start is False
    assert c.JupyterHub.cleanup_servers is False


def test_no_provider_token_is_kept(city: City) -> None:
    assert make_config(city).AtelierAuthenticator.enable_auth_state is False


def test_google_is_the_provider_unless_a_stand_in_is_named(city: City) -> None:
    authenticator = AtelierAuthenticator(config=make_config(city))
    assert authenticator.authorize_url == "https://accounts.google.com/o/oauth2/v2/auth"
    assert authenticator.token_url == "https://www.googleapis.com/oauth2/v4/token"
    assert authenticator.userdata_url == "https://www.googleapis.com/oauth2/v1/userinfo"


def test_stand_in_is_reached_by_settings_only(city: City) -> None:
    config = make_config(
        city,
        oidc_authorize_url="http://accounts.localhost:1/auth",
        oidc_token_url="http://127.0.0.1:1/token",
        oidc_userinfo_url="http://127.0.0.1:1",
    )
    authenticator = AtelierAuthenticator(config=config)
    assert authenticator.authorize_url == "http://accounts.localhost:1/auth"
    assert authenticator.token_url == "http://127.0.0.1:1/token"
    assert authenticator.userdata_url == "http://127.0.0.1:1/oauth2/v1/userinfo"


def test_rights_end_within_a_minute_without_the_steward() -> None:
    # An answer may be as old as each keeper lets it be, one after the other.
    assert workspaces.AUTH_REFRESH_S + workspaces.HUB_CACHE_S < 60


def test_a_workspace_that_does_not_want_to_end_is_dead_well_within_the_minute(city: City) -> None:
    spawner = workspaces.LocalWorkspace(config=make_config(city))
    leftovers_s = spawner.leftover_timeout_s * 2  # asked, then forced
    assert spawner.interrupt_timeout + spawner.term_timeout + spawner.kill_timeout + leftovers_s < 30


def test_a_class_of_containers_that_do_not_want_to_end_is_dead_well_within_the_minute() -> None:
    """Although somebody starts meanwhile, to whom stops give way, and thirty ignore what they are told."""
    workspace = docker_engine.DockerWorkspace()
    rounds, removals_s = math.ceil(30 / workspace.stop_workers), 5  # 30, 0.3 CPU seconds each, two cores
    assert docker_engine.STOP_PATIENCE_S + rounds * docker_engine.STOP_TIMEOUT_S + removals_s < 40


def test_refresh_is_strict(city: City) -> None:
    c = make_config(city)
    assert c.AtelierAuthenticator.auth_refresh_strict is True
    assert c.AtelierAuthenticator.auth_refresh_age == workspaces.AUTH_REFRESH_S
    assert "refresh_pre_spawn" not in c.AtelierAuthenticator  # the workspace asks: load_account


def test_web_has_no_role_and_no_scope(city: City) -> None:
    c = make_config(city)
    assert not [role for role in c.JupyterHub.load_roles if "atelier" in role.get("services", [])]


def test_each_service_has_only_its_own_token(city: City) -> None:
    tokens = {s["name"]: s.get("api_token") for s in make_config(city).JupyterHub.services}
    expected = {"atelier": SECRETS["web_hub_token"], "steward": SECRETS["steward_hub_token"], "culler": None}
    assert tokens == expected


def test_visitors_tokens_never_get_more_than_access(city: City) -> None:
    c = make_config(city)
    assert c.Spawner.oauth_client_allowed_scopes == []
    assert rights.EXCHANGE_SCOPE in c.Spawner.server_token_scopes


def test_people_can_make_no_tokens_and_share_nothing() -> None:
    names = {scope.partition("!")[0] for scope in rights.USER_SCOPES}
    assert names.isdisjoint({"self", "tokens", "shares", "groups", "users", "admin:users"})


def test_tokens_expire(city: City) -> None:
    assert 0 < make_config(city).JupyterHub.token_expires_in_max_seconds <= 14 * 24 * 3600


def test_workspaces_inherit_no_secret(city: City) -> None:
    kept = make_config(city).Spawner.env_keep
    assert not [name for name in kept if "TOKEN" in name or "SECRET" in name or name.startswith("ATELIER")]
    assert "PATH" not in kept  # the engine sets it: the hub's own may show the operator's folders


@pytest.mark.parametrize(
    ("client_id", "expected"),
    [
        ("service-atelier", True),
        ("jupyterhub-user-team-abcdefghijkl", True),
        ("jupyterhub-user-course-abcdefghijkl", True),
        ("jupyterhub-user-abcdefghijkl", False),
        ("jupyterhub-user-team-abcdefghijkl-x", False),
        ("jupyterhub-user-team-ABCDEFGHIJKL", False),
        ("service-other", False),
        (None, False),
    ],
)
def test_only_the_service_and_shared_workspaces_open_without_confirmation(
    city: City, client_id: object, expected: bool
) -> None:
    clients = copy.deepcopy(make_config(city).JupyterHub.tornado_settings["oauth_no_confirm_list"])
    assert (client_id in clients) is expected


def test_culler_never_stops_before_the_longest_limit_of_the_city(city: City) -> None:
    assert {"--timeout=7200", "--max-age=90000"} <= set(describe_culler(city)["command"])


def test_culler_waits_for_at_least_two_reports_of_activity() -> None:
    short = parse_city(
        "name: Г\nschools:\n  a:\n    name: А\n    domains: [a.example]\n"
        "    first_administrator: b@a.example\n    limits:\n"
        + "".join(f"      {k}: {{idle_s: 60, max_age_s: 600}}\n" for k in ("personal", "team", "course"))
    )
    assert f"--timeout={2 * workspaces.ACTIVITY_INTERVAL_S}" in describe_culler(short)["command"]


@pytest.mark.parametrize(("url", "expected"), [("http://a.localhost:1", False), ("https://a.example", True)])
def test_cookies_are_bound_to_their_host_under_https(city: City, url: str, expected: bool) -> None:
    assert make_config(city, public_url=url).JupyterHub.cookie_host_prefix_enabled is expected


@pytest.mark.parametrize("secret", SECRETS.values())
def test_no_secret_reaches_a_command_line(city: City, secret: str) -> None:
    c = make_config(city)
    assert secret not in str([service.get("command") for service in c.JupyterHub.services])
    assert secret not in str(c.Spawner) + str(c.LocalWorkspace) + str(c.AtelierWorkspace)


def test_sign_in_page_of_the_local_engine_says_that_it_isolates_nobody(city: City) -> None:
    assert make_config(city).JupyterHub.template_vars["isolates"] is False


def test_a_failed_statement_of_the_hubs_database_shows_no_parameter(city: City) -> None:
    session = orm.new_session_factory("sqlite:///:memory:", **make_config(city).JupyterHub.db_kwargs)()
    with session, pytest.raises(OperationalError) as failed:
        session.execute(text("INSERT INTO nowhere VALUES (:code)"), {"code": "s3cretvalue"})
    assert "s3cretvalue" not in str(failed.value)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_hub_makes_no_line_that_nobody_will_see(city: City, log_format: str) -> None:
    told = make_config(city, log_format=log_format).JupyterHub.logging_config
    assert told["loggers"] == {"JupyterHub": {"level": "INFO"}}


def test_log_lines_are_for_a_person_unless_the_setting_says_json(city: City) -> None:
    assert "handlers" not in make_config(city).JupyterHub.logging_config
    config = make_config(city, log_format="json").JupyterHub
    assert config.logging_config["handlers"]["console"] == {"formatter": "json", "filters": ["secrets"]}
    told = [
        any("logging_config" in word for word in service.get("command", ())) for service in config.services
    ]
    assert told.count(True) == 1, "the culler's lines stand among the hub's"


@pytest.mark.parametrize("name", ["web_hub_token", "steward_hub_token", "metrics_token"])
@pytest.mark.parametrize("token", ["", "klasnastaya", 65 * "k"])
def test_a_token_that_could_be_guessed_is_refused_since_it_is_hashed_once(
    city: City, name: str, token: str
) -> None:
    assert make_config(city).JupyterHub.trust_user_provided_tokens
    wanted = rf"{name}\n.*has {len(token)} letters; needed are 32 to 64 random letters"
    with pytest.raises(ValidationError, match=wanted) as refused:
        make_settings(**{name: token})
    assert not token or token not in str(refused.value)
