"""The hub's configuration as a table of contents: one function per concern, each writes into `c`."""

import sys
from pathlib import Path
from typing import Any

from hub_config import rights, services, workspaces
from hub_config.city import City
from hub_config.log_lines import describe_logs
from hub_config.pages import cure_expired_sessions, install_languages
from hub_config.proxy import WatchedProxy
from hub_config.settings import SERVICE_NAME, SERVICE_PREFIX, HubSettings
from hub_config.sign_in import ACCOUNT_PATTERN, AtelierAuthenticator

LOOPBACK = "127.0.0.1"
TOKEN_MAX_AGE_S = 14 * 24 * 3600
SESSION_MAX_AGE_DAYS = 7
START_TIMEOUT_S = 120


def configure(c: Any, settings: HubSettings, city: City) -> None:
    """Write the whole configuration into `c`."""
    set_logs(c, settings)
    set_addresses(c, settings)
    set_proxy(c, settings)
    set_database(c, settings)
    set_lifetime(c)
    set_pages(c, settings)
    set_headers(c, settings)
    set_rights(c)
    set_services(c, settings, city)
    set_monitoring(c, settings)
    set_sign_in(c, settings, city)
    set_refresh(c)
    set_workspaces(c, settings)
    set_local_engine(c, settings)
    set_docker_engine(c, settings)


def set_logs(c: Any, settings: HubSettings) -> None:
    """Lines for a person or for a collector. What keeps secrets out of both is `hub_config.log_secrets`."""
    described = describe_logs() if settings.log_format == "json" else {}
    # Else the logger takes each debug line, has it looked through for secrets, and the handler drops it.
    c.JupyterHub.logging_config = {**described, "loggers": {"JupyterHub": {"level": "INFO"}}}


def set_addresses(c: Any, settings: HubSettings) -> None:
    """The hub listens on one internal address; every account and the service have origins of their own.

    On one origin a student's notebook output could act in a teacher's hub session.
    """
    c.JupyterHub.bind_url = f"http://{LOOPBACK}:{settings.proxy_port}"
    c.JupyterHub.public_url = f"{settings.public_url}/"
    c.JupyterHub.subdomain_host = settings.public_url
    c.JupyterHub.hub_bind_url = f"http://{settings.hub_host}:{settings.hub_port}"
    if settings.hub_connect_url:
        c.JupyterHub.hub_connect_url = settings.hub_connect_url
    c.JupyterHub.default_url = settings.service_public_url


def set_proxy(c: Any, settings: HubSettings) -> None:
    """The proxy is a process of its own: open connections survive a restart of the hub."""
    c.JupyterHub.proxy_class = WatchedProxy
    c.ConfigurableHTTPProxy.should_start = False
    c.ConfigurableHTTPProxy.api_url = f"http://{LOOPBACK}:{settings.proxy_api_port}"
    c.ConfigurableHTTPProxy.auth_token = settings.proxy_token.get_secret_value()


def set_database(c: Any, settings: HubSettings) -> None:
    """The hub's database holds sessions, tokens and shares: all can be made again from the roster."""
    c.JupyterHub.db_url = settings.hub_database_url or f"sqlite:///{settings.data_dir}/jupyterhub.sqlite"
    c.JupyterHub.cookie_secret_file = str(settings.data_dir / "jupyterhub_cookie_secret")
    c.JupyterHub.upgrade_db = True
    c.JupyterHub.db_kwargs = {
        "hide_parameters": True
    }  # codes and sessions, in the text of a failed statement


def set_lifetime(c: Any) -> None:
    """A hub that ends leaves workspaces running and finds them again when it is back.

    A restart of the hub alone must not cost a class its kernels. Whoever stops the whole city ends the
    workspaces too: a container engine does, and the demo's launcher ends all that descends from the hub.
    """
    c.JupyterHub.cleanup_servers = False
    c.JupyterHub.cleanup_proxy = False
    c.JupyterHub.last_activity_interval = workspaces.ACTIVITY_INTERVAL_S
    c.JupyterHub.activity_resolution = 30


def set_pages(c: Any, settings: HubSettings) -> None:
    """Our templates stand before JupyterHub's; jinja's i18n extension translates them per request.

    `isolates` is False for an engine that keeps nobody's files from anybody: the sign-in page says so.
    """
    c.JupyterHub.template_vars = {"isolates": settings.engine != "local"}
    install_languages()
    cure_expired_sessions()
    c.JupyterHub.template_paths = [str(Path(__file__).parent / "templates")]
    c.JupyterHub.jinja_environment_options = {"extensions": ["jinja2.ext.i18n"]}
    c.JupyterHub.allow_named_servers = False


def set_headers(c: Any, settings: HubSettings) -> None:
    """Headers of every hub page, cookies, and which workspaces open without an "Authorize access" page.

    `Content-Security-Policy` is left to JupyterHub: ``frame-ancestors 'none'``.
    """
    c.JupyterHub.tornado_settings = {
        "headers": {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "strict-origin-when-cross-origin",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        },
        "cookie_options": describe_cookies(settings),
        "xsrf_cookie_kwargs": describe_xsrf_cookie(settings),
        "oauth_no_confirm_list": rights.SharedWorkspaces({f"service-{SERVICE_NAME}"}),
    }
    c.JupyterHub.cookie_max_age_days = SESSION_MAX_AGE_DAYS
    # Accounts' origins lie below the hub's: without the prefix one of them could set the hub's cookies.
    # Browsers accept the prefix under https only.
    c.JupyterHub.cookie_host_prefix_enabled = settings.public_url.startswith("https:")


def describe_cookies(settings: HubSettings) -> dict[str, Any]:
    """Return options of the hub's and workspaces' cookies. In a deployment they end with the browser.

    Laptops of a school are used by one class after the other; who forgets to sign out is signed out by the
    last window that closes. The demo keeps people signed in over a restart of the browser.
    """
    if settings.public_url.startswith("https:"):
        return {"SameSite": "Lax", "expires_days": None}
    return {"SameSite": "Lax"}


def describe_xsrf_cookie(settings: HubSettings) -> dict[str, Any]:
    """Return options of the cookie `_xsrf`, which ends with the browser as well.

    JupyterHub overrides `max_age` for who is not signed in; tornado lets an attribute's own name, which has a
    hyphen, have the last word, and an empty one is not sent. The value is signed and bound to the visitor.
    """
    return {"SameSite": "Lax", "secure": settings.public_url.startswith("https:"), "max-age": ""}


def set_rights(c: Any) -> None:
    """Roles with their reasons are in `hub_config.rights`."""
    c.JupyterHub.custom_scopes = rights.CUSTOM_SCOPES
    c.JupyterHub.load_roles = list(rights.ROLES)
    c.JupyterHub.oauth_require_pkce = True
    c.JupyterHub.token_expires_in_max_seconds = TOKEN_MAX_AGE_S
    c.Spawner.server_token_scopes = list(rights.SERVER_TOKEN_SCOPES)
    c.Spawner.oauth_client_allowed_scopes = []


def set_services(c: Any, settings: HubSettings, city: City) -> None:
    """Pages and exchange, steward, culler.

    Their tokens are random numbers, not passwords (the settings refuse short ones): thousands of rounds of
    hashing at each of their requests would hold up the hub's one thread for nothing.
    """
    c.JupyterHub.trust_user_provided_tokens = True
    c.JupyterHub.services = [
        services.describe_web(settings),
        services.describe_steward(settings),
        services.describe_culler(city, settings.log_format),
    ]


def set_monitoring(c: Any, settings: HubSettings) -> None:
    """Prometheus asks `/hub/metrics` with a token that may do nothing else."""
    c.JupyterHub.authenticate_prometheus = True
    if settings.metrics_token:
        c.JupyterHub.services.append(services.describe_monitoring(settings.metrics_token))
        c.JupyterHub.load_roles.append(rights.MONITORING_ROLE)


def set_sign_in(c: Any, settings: HubSettings, city: City) -> None:
    """Google, or a stand-in that plays it; the roster is the list of who may."""
    c.JupyterHub.authenticator_class = AtelierAuthenticator
    authenticator = c.AtelierAuthenticator
    authenticator.city = city
    authenticator.internal_url = f"{settings.service_url}{SERVICE_PREFIX}internal/"
    authenticator.internal_token = settings.hub_service_token.get_secret_value()
    authenticator.my_work_url = settings.service_public_url
    authenticator.client_id = settings.google_client_id
    authenticator.client_secret = settings.google_client_secret.get_secret_value()
    authenticator.oauth_callback_url = f"{settings.public_url}/hub/oauth_callback"
    authenticator.scope = ["openid", "email"]
    authenticator.allow_all = True  # who is not on the roster is refused before this is asked
    authenticator.enable_auth_state = False  # no token of Google's is kept anywhere
    authenticator.username_pattern = ACCOUNT_PATTERN
    _set_stand_in(authenticator, settings)


def _set_stand_in(authenticator: Any, settings: HubSettings) -> None:
    addresses = {
        "authorize_url": settings.oidc_authorize_url,
        "token_url": settings.oidc_token_url,
        "google_api_url": settings.oidc_userinfo_url,
    }
    for name, address in addresses.items():
        if address:
            authenticator[name] = address


def set_refresh(c: Any) -> None:
    """Ask the roster who is still who; strictly, so that a "no" ends tokens' rights as well as sessions'.

    Not once more before a start (`refresh_pre_spawn`): the workspace asks the same (`load_account`), and a
    start would not count as begun before the answer. A busy hub said "not running" to who had just pressed.
    """
    c.AtelierAuthenticator.auth_refresh_age = workspaces.AUTH_REFRESH_S
    c.AtelierAuthenticator.auth_refresh_strict = True


def set_workspaces(c: Any, settings: HubSettings) -> None:
    """What holds for the workspaces of every engine."""
    c.JupyterHub.spawner_class = find_engine(settings.engine)
    c.AtelierWorkspace.service_url = f"{settings.service_url}{SERVICE_PREFIX}".rstrip("/")
    c.AtelierWorkspace.pages_url = settings.service_public_url
    c.AtelierWorkspace.static_url = settings.static_url or ""
    c.Spawner.default_url = "/lab"
    # Files in a home must not change how the server itself starts: in a team everybody can write them.
    c.Spawner.disable_user_config = True
    c.Spawner.env_keep = list(workspaces.PASSED_ON)
    c.Spawner.start_timeout = START_TIMEOUT_S
    c.Spawner.http_timeout = START_TIMEOUT_S
    c.Spawner.consecutive_failure_limit = 0  # one broken workspace must not end the hub for the others


def set_local_engine(c: Any, settings: HubSettings) -> None:
    """Engine `local`: processes beside the hub, for one person trying it out."""
    if settings.engine != "local":
        return
    c.LocalWorkspace.homes_dir = str((settings.data_dir / "homes").resolve())
    c.LocalWorkspace.logs_dir = str((settings.data_dir / "logs").resolve())
    # -P: the working folder is the account's home; a file named random.py there must not become a module.
    c.LocalWorkspace.cmd = [sys.executable, "-P", "-m", "atelier_lab.start.server"]
    c.LocalWorkspace.shell_cmd = []
    c.LocalWorkspace.interrupt_timeout = workspaces.INTERRUPT_S
    c.LocalWorkspace.term_timeout = workspaces.TERMINATE_S


def find_engine(name: str) -> type[workspaces.AtelierWorkspace]:
    """Return the spawner of an engine. What only one engine needs is imported with it."""
    if name == "docker":
        from hub_config.docker_engine import DockerWorkspace

        return DockerWorkspace
    return workspaces.LocalWorkspace


def set_docker_engine(c: Any, settings: HubSettings) -> None:
    """Engine `docker`: containers on a daemon and a network of their own. Limits are the city file's."""
    if settings.engine != "docker":
        return
    from hub_config.docker_engine import list_images
    from hub_config.docker_homes import HOME

    engine = c.DockerWorkspace
    engine.client_kwargs = {"base_url": settings.docker_url, "max_pool_size": 32}
    engine.images = dict(list_images(settings.image_prefix, settings.image_tag))
    engine.last_uid = settings.last_uid
    engine.subvolumes = settings.disk_quota == "btrfs"
    engine.network_name = settings.docker_network
    engine.use_internal_ip = True
    engine.name_template = "atelier-{raw_username}"
    engine.remove = True
    engine.pull_policy = "skip"  # images are put there when a version is deployed, never at a click
    engine.cmd = ["python", "-P", "-m", "atelier_lab.start.server"]  # -P: see above
    engine.notebook_dir = HOME
    engine.env_keep = []  # the hub's variables are the hub's: not even its time zone goes in
