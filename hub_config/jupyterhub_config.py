"""Read by JupyterHub: settings and city file in, configuration out. See `hub_config.configure`."""

from hub_config.city import load_city
from hub_config.configure import configure
from hub_config.settings import load_settings

settings = load_settings()
configure(get_config(), settings, load_city(settings.city_file))  # type: ignore[name-defined]  # noqa: F821
