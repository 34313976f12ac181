"""Claims about live documents: only the workspace's own pages open them, whoever's cookies come."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from tests.lab_stand_in import Lab, StandInService, serve, start_lab


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    root = tmp_path_factory.mktemp("team")
    with (
        serve(StandInService()) as service,
        start_lab(root, service.url, kind="team", account="team-k3aaaaaaaaaa") as lab,
    ):
        yield lab


async def connect(lab: Lab, origin: str | None) -> int:
    """Open the room in which members see one another, as a browser of a member; return the HTTP status."""
    address = lab.url.replace("http:", "ws:") + "api/collaboration/room/JupyterLab:globalAwareness"
    headers = {"Cookie": lab.sign_in()} | ({"Origin": origin} if origin else {})
    try:
        socket = await websocket_connect(HTTPRequest(address, headers=headers))
    except HTTPClientError as refused:
        return refused.code
    socket.close()
    return 101


async def test_own_page_sees_the_other_members(team: Lab) -> None:
    parts = urlsplit(team.url)
    assert await connect(team, f"{parts.scheme}://{parts.netloc}") == 101


@pytest.mark.parametrize("origin", ["http://team-other.localhost", "https://atelier.localhost", "null"])
async def test_page_of_another_origin_does_not_although_the_members_cookies_come_along(
    team: Lab, origin: str
) -> None:
    assert await connect(team, origin) == 403
