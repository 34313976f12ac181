"""Asking the hub who somebody is: OAuth's authorization code with PKCE (RFC 6749 4.1, RFC 7636).

Authlib builds and reads the protocol's messages; they travel through the web process's one client to the hub.
"""

from typing import Any

import httpx
from authlib.common.security import generate_token
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636.challenge import create_s256_code_challenge

from atelier.pages.site import Site

CLIENT_ID = "service-atelier"


class HubUnreachable(Exception):
    """The hub gave no answer, or none that means yes or no."""


class HubRefused(Exception):
    """The hub does not accept the code: it was used before, is too old, or was not meant for us."""


def make_secret() -> str:
    """Return a random value that serves as OAuth state or as PKCE verifier."""
    return str(generate_token(64))


def make_authorize_url(site: Site, state: str, verifier: str) -> str:
    """Return the address at the hub where a browser goes to say who it is."""
    address = prepare_grant_uri(
        f"{site.hub_url}/hub/api/oauth2/authorize",
        client_id=CLIENT_ID,
        response_type="code",
        redirect_uri=_redirect_uri(site),
        state=state,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
    )
    return str(address)


async def fetch_token(site: Site, code: str, verifier: str) -> str:
    """Exchange the code for a token that can do no more than name its owner.

    Raises HubRefused, HubUnreachable.
    """
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": verifier,
        "redirect_uri": _redirect_uri(site),
        "client_id": CLIENT_ID,
        "client_secret": site.settings.web_hub_token.get_secret_value(),
    }
    answer = await _ask(site, "POST", "/oauth2/token", data=fields)
    if answer.status_code in (400, 401, 403):
        raise HubRefused
    token = _read_json(answer).get("access_token")
    if not isinstance(token, str) or not token:
        raise HubUnreachable
    return token


async def find_account(site: Site, token: str) -> str | None:
    """Return the account that a token belongs to, None when the hub no longer knows the token.

    Raises HubUnreachable.
    """
    answer = await _ask(site, "GET", "/user", headers={"Authorization": f"Bearer {token}"})
    if answer.status_code in (401, 403):
        return None
    name = _read_json(answer).get("name")
    return name if isinstance(name, str) else None


async def _ask(site: Site, method: str, path: str, **parts: Any) -> httpx.Response:
    url = site.settings.hub_api_url.rstrip("/") + path
    try:
        return await site.services.hub.request(method, url, **parts)
    except httpx.HTTPError as error:
        raise HubUnreachable from error


def _read_json(answer: httpx.Response) -> dict[str, Any]:
    if answer.status_code != 200:
        raise HubUnreachable
    try:
        content = answer.json()
    except ValueError as error:
        raise HubUnreachable from error
    return content if isinstance(content, dict) else {}


def _redirect_uri(site: Site) -> str:
    return site.settings.service_public_url + "oauth_callback"
