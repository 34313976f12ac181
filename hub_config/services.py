"""The services that the hub knows, and how long an unused workspace may run."""

import json
import sys
from typing import Any

from pydantic import SecretStr

from hub_config.city import City
from hub_config.log_lines import describe_logs
from hub_config.settings import SERVICE_NAME, HubSettings
from hub_config.workspaces import ACTIVITY_INTERVAL_S

CULL_EVERY_S = 60
# A hub that is killed (-9) ends no service of its own; the next hub would start a second culler beside it.
# `setpriv` belongs to util-linux, which no Debian is without.
DIE_WITH_THE_HUB = ("setpriv", "--pdeathsig", "TERM", "--")


def describe_web(settings: HubSettings) -> dict[str, Any]:
    """The pages and the exchange. External: it survives a restart of the hub."""
    return {
        "name": SERVICE_NAME,
        "url": settings.service_url,
        "api_token": settings.web_hub_token.get_secret_value(),
        "oauth_client_id": f"service-{SERVICE_NAME}",
        "oauth_redirect_uri": f"{settings.service_public_url}oauth_callback",
        "oauth_no_confirm": True,
        "display": False,
    }


def describe_steward(settings: HubSettings) -> dict[str, Any]:
    """The one component that grants access; the hub never calls it, so it has no address."""
    return {"name": "steward", "api_token": settings.steward_hub_token.get_secret_value(), "display": False}


def describe_monitoring(token: SecretStr) -> dict[str, Any]:
    """Whoever reads the hub's metrics: a token, no process."""
    return {"name": "monitoring", "api_token": token.get_secret_value(), "display": False}


def describe_culler(city: City, log_format: str = "text") -> dict[str, Any]:
    """Stop workspaces that nobody uses, and every workspace at its maximum age.

    The culler knows one timeout and one age for all. Each workspace ends itself at its own school's idle time
    (`hub_config.workspaces`); the culler takes the longest of the city and catches what did not, e.g. with a
    tab open.
    """
    idle_s, max_age_s = find_longest_limits(city)
    options = [f"--timeout={idle_s}", f"--max-age={max_age_s}", f"--cull-every={CULL_EVERY_S}"]
    if log_format == "json":  # its lines stand among the hub's
        options.append(f"--IdleCuller.logging_config={json.dumps(describe_logs())}")
    return {
        "name": "culler",
        "command": [*DIE_WITH_THE_HUB, sys.executable, "-m", "jupyterhub_idle_culler", *options],
        "display": False,
    }


def find_longest_limits(city: City) -> tuple[int, int]:
    """Return the longest idle time and the longest age, in seconds, of any workspace in the city."""
    kinds = [
        limits
        for school in city.schools.values()
        for limits in (school.limits.personal, school.limits.team, school.limits.course)
    ]
    # Activity is reported every ACTIVITY_INTERVAL_S: a shorter timeout would stop workspaces in use.
    idle_s = max(2 * ACTIVITY_INTERVAL_S, *(limits.idle_s for limits in kinds))
    return idle_s, max(limits.max_age_s for limits in kinds)
