"""The front server's promises, each on a real nginx with the real configuration; behind it a stand-in."""

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.front_alone import HOST, FrontAlone, run_front_alone
from tests.waiting import wait_until

ACCOUNT = f"k3x1a2b3c4d5.{HOST}"
SERVICE = f"atelier--service.{HOST}"
STATIC = f"static--service.{HOST}"
SECRET = "s3cr3t-of-a-query"


@pytest.fixture(scope="module")
def static_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("static")
    lab = folder / "shared" / "lab" / "0123456789abcdef0123"
    lab.mkdir(parents=True)
    (lab / "main.js").write_text("plain")
    (lab / "main.js.gz").write_bytes(b"zipped")
    (lab / "main.js.br").write_bytes(b"brotli")
    (lab / "picture.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    style = folder / "by-version" / "abcdef012345" / "hub" / "static" / "css"
    style.mkdir(parents=True)
    (style / "style.css").write_text("from the front")
    (folder / "secret.txt").write_text("not for the web")
    pages = folder / "pages"
    pages.mkdir()
    for language in ("bg", "en"):
        (pages / f"away-{language}.html").write_text(f"away {language}")
    return folder


@pytest.fixture
def front(tmp_path: Path, static_dir: Path) -> Iterator[FrontAlone]:
    with run_front_alone(tmp_path, front_static_dir=static_dir) as running:
        yield running


@pytest.mark.parametrize("host", [HOST, ACCOUNT, SERVICE, STATIC])
def test_every_host_speaks_http2_and_modern_tls_only(front: FrontAlone, host: str) -> None:
    modern = ssl.create_default_context(cafile=str(front.settings.front_certificate.parent / "authority.pem"))
    modern.set_alpn_protocols(["h2", "http/1.1"])
    with front.connect(host, modern).sock as sock:
        assert isinstance(sock, ssl.SSLSocket)
        assert sock.selected_alpn_protocol() == "h2"
        assert sock.version() in ("TLSv1.2", "TLSv1.3")


def test_a_name_that_is_not_ours_gets_no_certificate(front: FrontAlone) -> None:
    anything = ssl.create_default_context()
    anything.check_hostname = False
    anything.verify_mode = ssl.CERT_NONE
    for name in ("elsewhere.example", f"a.b.{HOST}"):
        with pytest.raises(ssl.SSLError, match="unrecognized name"):
            front.connect(name, anything)


def test_http_leads_to_https_and_answers_nothing_else(front: FrontAlone) -> None:
    port = front.settings.front_http_port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(f"GET /hub/?a=b HTTP/1.1\r\nHost: {ACCOUNT}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: sock.recv(4096), b"")).decode()
    assert answer.startswith("HTTP/1.1 308")
    assert f"Location: https://{ACCOUNT}:{front.settings.front_https_port}/hub/?a=b" in answer


@pytest.mark.parametrize("host", [HOST, ACCOUNT, SERVICE])
def test_browsers_are_told_to_stay_with_https(front: FrontAlone, host: str) -> None:
    told = front.ask("/?as=html", host).headers["strict-transport-security"]
    assert told == "max-age=31536000; includeSubDomains"
    assert ("strict-transport-security" in front.ask("/", host).headers) is (host == HOST)


def test_what_a_client_says_of_itself_is_dropped(front: FrontAlone) -> None:
    lies = {
        "X_Forwarded_For": "10.9.8.7",
        "X_Forwarded_Proto": "http",
        "X_Forwarded_Host": "evil.example",
        "X_Forwarded_Port": "1",
        "X_Real_IP": "10.9.8.7",
        "X_Scheme": "http",
        "Forwarded": "for=10.9.8.7;proto=http;host=evil.example",
        "X_Original_URL": "/hub/admin",
    }
    seen = json.loads(front.ask("/hub/login", **lies).body)["headers"]
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == seen["x-scheme"] == "https"
    assert seen["x-forwarded-host"] == seen["host"] == f"{HOST}:{front.settings.front_https_port}"
    assert "forwarded" not in seen
    assert "x-original-url" not in seen
    assert "10.9.8.7" not in json.dumps(seen)
    assert "evil" not in json.dumps(seen)


def test_an_upload_passes_while_it_is_sent(front: FrontAlone) -> None:
    half = b"x" * 300_000
    connection = front.connect(ACCOUNT)
    connection.putrequest("PUT", "/user/k3x1a2b3c4d5/api/contents/a")
    connection.putheader("Content-Length", str(2 * len(half)))
    connection.endheaders(half)
    assert front.behind.first_bytes.wait(10), "nothing came through before the upload had ended"
    assert front.behind.received < 2 * len(half)
    connection.send(half)
    assert connection.getresponse().status == 200
    assert front.behind.received == 2 * len(half)


@pytest.mark.parametrize(
    "path",
    [
        "api/v1/me",
        "api//v1/me",
        "api%2Fv1/me",
        "static/../api/v1/me",
        "%61pi/v1/me",
        "internal/health",
        "./internal/health",
        "metrics",
        "metrics/",
    ],
)
def test_what_only_machines_ask_is_not_there_from_outside(front: FrontAlone, path: str) -> None:
    connection = front.connect(SERVICE)
    connection.putrequest("PUT", f"/services/atelier/{path}")
    connection.putheader("Content-Length", "5")
    connection.endheaders(b"12345")
    assert connection.getresponse().status == 404
    assert front.behind.received == 0


@pytest.mark.parametrize(
    ("host", "path", "limit_mb"),
    [
        (HOST, "/hub/login", 1),
        (SERVICE, "/services/atelier/start", 16),
        (ACCOUNT, "/user/x/api/contents/a", 128),
    ],
)
def test_every_place_has_a_limit(front: FrontAlone, host: str, path: str, limit_mb: int) -> None:
    connection = front.connect(host)
    connection.putrequest("PUT", path)
    connection.putheader("Content-Length", str(limit_mb * 1024 * 1024 + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413


def test_a_line_about_a_starting_workspace_passes_at_once(front: FrontAlone) -> None:
    connection = front.connect()
    connection.request("GET", "/hub/api/users/k3x1a2b3c4d5/server/progress")
    answer = connection.getresponse()
    assert answer.read1(100) == b"data: one\n\n"  # the second is not sent before the first was read
    front.behind.go_on.set()
    assert answer.read() == b"data: two\n\n"


@pytest.mark.parametrize("host", [HOST, SERVICE, ACCOUNT])
@pytest.mark.parametrize("size", [9_000, 60_000, 200_000])
def test_who_was_given_too_many_cookies_is_freed_of_them(front: FrontAlone, host: str, size: int) -> None:
    """A page of an account can set cookies for all names below the hub's: nobody could open anything."""
    cookies = "; ".join(f"c{number}={'x' * 990}" for number in range(size // 1000))
    answer = front.ask("/hub/home", host, Cookie=cookies, Accept_Language="bg")
    assert answer.status in (431, 400)  # 400: a line so long that nginx itself does not read it
    assert answer.headers["clear-site-data"] == '"cookies"'
    assert answer.headers["cache-control"] == "no-store"
    assert "includeSubDomains" in answer.headers["strict-transport-security"]
    assert ("бисквитки" if answer.status == 431 else "cookies") in answer.body.decode()
    usual = front.ask("/hub/home", host, Cookie="; ".join(f"c{n}={'x' * 500}" for n in range(8)))
    assert (usual.status, usual.headers.get("clear-site-data")) == (200, None)


def test_the_log_holds_no_query_no_file_name_and_no_address(front: FrontAlone) -> None:
    front.ask(f"/hub/oauth_callback?code={SECRET}&state={SECRET}")
    front.ask(f"/user/k3x1a2b3c4d5/api/contents/Ivan-Petrov-{SECRET}.ipynb?token={SECRET}", ACCOUNT)
    front.ask(f"/services/atelier/api/v1/submissions/{SECRET}", SERVICE)
    lines = wait_until(lambda: (found := front.read_log())[2:] and found, 5, "three lines")
    assert {line["place"] for line in lines} == {  # two workers write, each when it comes to it
        "/hub/oauth_callback",
        "/user/api/contents",
        "/services/atelier/api/v1/submissions",
    }
    assert SECRET not in front.log.read_text()
    assert "127.0.0.1" not in json.dumps(lines)


def test_the_log_says_nothing_of_a_query_when_the_proxy_is_away(front: FrontAlone) -> None:
    front.behind.shutdown()
    front.behind.server_close()
    assert front.ask(f"/hub/oauth_callback?code={SECRET}").status == 502
    wait_until(lambda: front.read_log(), 5, "a line")
    assert SECRET not in front.log.read_text()
    for language in ("bg", "en"):
        assert front.ask("/hub/home", Accept_Language=language).body == f"away {language}".encode()


@pytest.mark.parametrize(("accepts", "body"), [("br, gzip", b"brotli"), ("gzip", b"zipped"), ("", b"plain")])
def test_shared_files_are_immutable_and_compressed_beforehand(
    front: FrontAlone, accepts: str, body: bytes
) -> None:
    answer = front.ask("/lab/0123456789abcdef0123/main.js", STATIC, Accept_Encoding=accepts)
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.headers["vary"] == "Accept-Encoding"


def test_the_shared_host_holds_no_page_and_takes_nothing(front: FrontAlone) -> None:
    picture = front.ask("/lab/0123456789abcdef0123/picture.svg", STATIC)
    assert "sandbox" in picture.headers["content-security-policy"]
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in picture.headers
    assert front.ask("/lab/0123456789abcdef0123/main.js", STATIC, "DELETE").status == 403
    missing = front.ask("/lab/0123456789abcdef0123/none.js", STATIC)
    assert missing.status == 404
    assert "immutable" not in missing.headers.get("cache-control", "")
    for path in ("/", "/lab/", "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt"):
        assert front.ask(path, STATIC).status in (400, 404), path


def test_the_hubs_files_come_from_disk_only_in_the_version_asked_for(front: FrontAlone) -> None:
    ours = front.ask("/hub/static/css/style.css?v=abcdef012345")
    assert ours.body == b"from the front"
    assert "immutable" in ours.headers["cache-control"]
    for query in ("", "?v=fedcba987654", "?v=20261121", "?v=../../..", "?v=abcdef012345/../..", "?v=%2e%2e"):
        other = front.ask(f"/hub/static/css/style.css{query}")
        assert json.loads(other.body)["path"] == f"/hub/static/css/style.css{query}", query
        assert "immutable" not in other.headers.get("cache-control", "")


def test_only_what_holds_no_token_is_compressed(front: FrontAlone) -> None:
    accepts = {"Accept_Encoding": "br, gzip"}
    data = front.ask("/user/k3x1a2b3c4d5/lab/api/settings/large", ACCOUNT, **accepts)
    assert data.headers["content-encoding"] == "br"
    assert len(data.body) < len(b"Atelier " * 2000) / 50
    zipped = front.ask("/user/k3x1a2b3c4d5/lab/api/settings/large", ACCOUNT, Accept_Encoding="gzip")
    assert zipped.headers["content-encoding"] == "gzip"
    for host, path in (
        (HOST, "/hub/login?as=html"),
        (HOST, "/hub/api/large"),
        (SERVICE, "/services/atelier/?as=html"),
        (ACCOUNT, "/user/k3x1a2b3c4d5/lab?as=html"),
    ):
        assert "content-encoding" not in front.ask(path, host, **accepts).headers, path


def test_the_hubs_own_way_to_the_service_is_not_open(front: FrontAlone) -> None:
    for path in (
        "/services/atelier/internal/health",
        "/services/atelier//internal/health",
        "/services/atelier/x/../internal/health",
        "/services/atelier/%69nternal/health",
        "/services/atelier/metrics",
    ):
        assert front.ask(path, SERVICE).status == 404, path


def test_a_workspace_commands_neither_the_front_nor_browsers_of_other_names(front: FrontAlone) -> None:
    answer = front.ask("/user/k3aaaaaaaaaa/commanding", host=f"k3aaaaaaaaaa.{HOST}")
    assert (answer.status, answer.body) == (200, b"its own page")
    assert "clear-site-data" not in answer.headers


def test_behind_the_front_a_request_has_the_name_by_which_it_was_let_in(front: FrontAlone) -> None:
    port = front.settings.front_https_port
    connection = front.connect(f"k3aaaaaaaaaa.{HOST}")
    inside = f"https://k3aaaaaaaaaa.{HOST}:{port}/services/atelier/internal/x"
    connection.request("GET", inside, headers={"Host": f"atelier--service.{HOST}:{port}"})
    seen = json.loads(connection.getresponse().read())["headers"]
    assert seen["host"] == seen["x-forwarded-host"] == f"k3aaaaaaaaaa.{HOST}:{port}"
