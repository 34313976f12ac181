"""What Prometheus reads from the web process, and who else may not."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from atelier.store.database import make_session_factory
from atelier.web import create_app
from atelier.web.metrics import find_area
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import Engine

from hub_config.city import parse_city
from tests.databases import Databases
from tests.exchange_stand import CITY, make_settings

TOKEN = "the-token-of-prometheus"
PATH = "/services/atelier/metrics"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def client(databases: Databases, tmp_path: Path) -> Iterator[TestClient]:
    app = make_app(tmp_path, databases.open(databases.create()), TOKEN)
    with TestClient(app, base_url="http://127.0.0.1:8082") as client:
        yield client


def make_app(folder: Path, engine: Engine, token: str | None):  # type: ignore[no-untyped-def]
    settings = make_settings(folder, "http://127.0.0.1:1/hub/api", str(engine.url))
    settings.templates_dir.mkdir(exist_ok=True)
    settings.metrics_token = SecretStr(token) if token else None
    sessions = make_session_factory(engine)
    return create_app(settings, city=parse_city(CITY), sessions=sessions)


def read(answer: httpx.Response) -> dict[tuple[str, tuple[str, ...]], float]:
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, tuple(sorted(sample.labels.values()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_prometheus_reads_requests_database_and_room(client: TestClient):
    client.get("/services/atelier/api/v1/me")
    values = read(client.get(PATH, headers=BEARER))
    assert values[("atelier_requests_total", ("4xx", "exchange"))] == 1
    assert values[("atelier_database_up", ())] == 1
    assert values[("atelier_archives_free_bytes", ())] > 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": TOKEN},
        {**BEARER, "X-Forwarded-For": "203.0.113.7"},
    ],
)
def test_nobody_else_learns_that_there_are_metrics(client: TestClient, headers: dict[str, str]):
    assert client.get(PATH, headers=headers).status_code == 404


def test_without_a_token_in_the_settings_nobody_reads_metrics(databases: Databases, tmp_path: Path):
    app = make_app(tmp_path, databases.open(databases.create()), None)
    with TestClient(app, base_url="http://127.0.0.1:8082") as client:
        assert client.get(PATH, headers=BEARER).status_code == 404
        assert client.get(PATH, headers={"Authorization": "Bearer "}).status_code == 404
        assert client.get(PATH, headers={"Authorization": "Bearer None"}).status_code == 404


def test_a_silent_database_is_a_number_and_no_failure(databases: Databases, tmp_path: Path):
    app = make_app(tmp_path, databases.open(databases.server.unreachable), TOKEN)
    with TestClient(app, base_url="http://127.0.0.1:8082") as client:
        assert read(client.get(PATH, headers=BEARER))[("atelier_database_up", ())] == 0


def test_no_label_carries_what_somebody_typed(client: TestClient):
    for path in (
        "submissions/secret4711",
        "api/v1/secret4711",
        "feedback/secret4711?code=secret4711",
        "secret4711",
    ):
        client.get(f"/services/atelier/{path}")
    client.get("/secret4711")
    client.request("SECRET4711", "/services/atelier/")
    assert "secret4711" not in client.get(PATH, headers=BEARER).text.lower()


def test_areas_are_a_handful_of_words():
    assert find_area("/services/atelier/") == "pages"
    assert find_area("/services/atelier/api/v1/me") == "exchange"
    assert find_area("/services/atelier/internal/health") == "internal"
    assert find_area("/etc/passwd") == "elsewhere"
