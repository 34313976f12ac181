"""A start that the hub's spawner refuses, and a hub that is not there: the steward tells the two apart."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from atelier.steward.hub import HubClient, HubRefused, HubUnreachable

from tests.steward_hub import HOMELESS, TOKEN, run_hub

pytestmark = pytest.mark.hub


class ProxyWithoutHub(BaseHTTPRequestHandler):
    """What stands in for a hub that is down: its answer has a body of its own."""

    body = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(503)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), ProxyWithoutHub) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/hub/api"
        server.shutdown()
        serving.join()


async def test_a_503_of_the_hubs_spawner_is_this_starts_and_says_why(tmp_path: Path) -> None:
    with run_hub(tmp_path) as hub:
        client = HubClient(hub.api, TOKEN)
        await client.create_accounts([HOMELESS])
        with pytest.raises(HubRefused, match="503 cannot start: no user number is left"):
            await client.start_server(HOMELESS)
        await client.close()


@pytest.mark.parametrize("body", [b"", b"<html>503</html>", b'{"status": "down"}', b"[]", b"503"])
async def test_a_503_of_what_stands_before_a_hub_is_no_answer_of_the_hub(
    proxy: str, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProxyWithoutHub, "body", body)
    client = HubClient(proxy, TOKEN)
    with pytest.raises(HubUnreachable):
        await client.start_server(HOMELESS)
    await client.close()
