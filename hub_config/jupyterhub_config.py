"""Read by JupyterHub: settings and city file in, configuration out. See `hub_config.configure`."""

import os

from hub_config.bodies import limit_bodies
from hub_config.city import load_city
from hub_config.configure import configure
from hub_config.hub_database import quicken_commits
from hub_config.one_thread import hash_secrets_once, load_nothing_twice
from hub_config.settings import load_settings

os.umask(0o077)  # what the hub writes (its database with people's sessions) is for its own user alone
limit_bodies()
quicken_commits()
hash_secrets_once()
load_nothing_twice()

settings = load_settings()
configure(get_config(), settings, load_city(settings.city_file))  # type: ignore[name-defined]  # noqa: F821
