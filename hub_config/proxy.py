"""The proxy's routes come back by themselves when the proxy was restarted.

The proxy keeps its routes in memory. JupyterHub writes them anew when it starts the proxy itself; otherwise
only every `last_activity_interval` (two minutes): so long would a class stand before 404s.
"""

import asyncio
import json
from typing import Any

from jupyterhub.proxy import ConfigurableHTTPProxy
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from traitlets import Float

from hub_config.one_thread import look_at_new_objects_only

ASK_TIMEOUT_S = 5.0


class WatchedProxy(ConfigurableHTTPProxy):
    """Asks the proxy every other second whether it knows the hub; writes all routes when it has forgotten."""

    watch_interval_s = Float(2.0, help="Seconds between two looks at the proxy.").tag(config=True)

    _watch: "asyncio.Task[None] | None" = None

    async def check_routes(
        self, user_dict: Any, service_dict: Any, routes: dict[str, Any] | None = None
    ) -> None:
        """Compare all routes with what runs. The first call, at the hub's start, begins the watch as well."""
        await super().check_routes(user_dict, service_dict, routes)
        if self._watch is None:
            look_at_new_objects_only()  # modules, and the accounts whose workspaces run
            self._watch = asyncio.create_task(self._keep_watch(user_dict, service_dict))

    async def _keep_watch(self, user_dict: Any, service_dict: Any) -> None:
        while True:
            await asyncio.sleep(self.watch_interval_s)
            try:
                if await self._has_forgotten():
                    self.log.warning("proxy-forgot: the proxy was restarted; writing its routes again")
                    await super().check_routes(user_dict, service_dict)
            except Exception as error:  # noqa: BLE001 - whatever it was, the next look tries again
                self.log.error("proxy-not-written: %s; trying again", error)

    async def _has_forgotten(self) -> bool:
        """Tell whether the proxy answers and does not know the hub. A silent one is asked again later."""
        request = HTTPRequest(
            f"{self.api_url}/api/routes/",
            headers={"Authorization": f"token {self.auth_token}"},
            request_timeout=ASK_TIMEOUT_S,
            connect_timeout=ASK_TIMEOUT_S,
        )
        try:
            answer = await AsyncHTTPClient().fetch(request)
        except (HTTPClientError, OSError):
            return False
        # The hub's route is "/", which the proxy's API cannot be asked for alone.
        return self._routespec_to_chp_path(self.app.hub.routespec) not in json.loads(answer.body)
