"""What holds for the whole web process: the hub's interface, own host, headers, limits, the access log."""

import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from atelier import roster
from atelier.exchange import course_routes
from atelier.store.blobs import BlobStore
from atelier.store.models import Identity
from atelier.web import create_app, serve
from atelier.web.internal import create_internal_app
from atelier.web.security import _normal_host

from tests.databases import Databases
from tests.exchange_stand import (
    CITY,
    HUB_SERVICE_TOKEN,
    NO_CERTIFICATES,
    NOW,
    Stand,
    make_settings,
    open_stand,
    pack,
)
from tests.waiting import wait_until

OWN_HOST = "atelier--service.atelier.localhost:8000"
BEARER = {"Authorization": f"Bearer {HUB_SERVICE_TOKEN}"}
ATTEMPT = {
    "provider": "google",
    "subject": "109300",
    "email": "ada@sou1.example",
    "email_verified": True,
    "hosted_domain": "sou1.example",
}


@pytest.fixture(scope="module")
def stand(shared_databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with open_stand(tmp_path_factory.mktemp("web"), shared_databases.migrate()) as stand:
        with stand.sessions.begin() as session:
            session.add(
                Identity(
                    person_id=stand.people["student"].id,
                    provider="google",
                    email="ada@sou1.example",
                )
            )
        yield stand


def ask(stand: Stand, method: str, path: str, **kwargs: Any) -> httpx.Response:
    return httpx.request(
        method, f"{stand.url}/{path}", trust_env=False, timeout=30, verify=NO_CERTIFICATES, **kwargs
    )


# ------------------------------------------------------------------ internal/
def test_the_hub_learns_who_signed_in(stand: Stand) -> None:
    answer = ask(stand, "POST", "internal/sign-in", headers=BEARER, json=ATTEMPT)
    assert answer.status_code == 200
    said = answer.json()
    assert set(said) == {"person", "display_name", "initials", "color", "language"}
    assert (said["person"], said["display_name"]) == (stand.people["student"].id, "Ада Пробна")


def test_the_hub_learns_why_somebody_is_refused(stand: Stand) -> None:
    stranger = {**ATTEMPT, "email": "nobody@sou1.example", "subject": "5"}
    answer = ask(stand, "POST", "internal/sign-in", headers=BEARER, json=stranger)
    assert (answer.status_code, answer.json()) == (403, {"refusal": "not_on_roster", "school": "sou-1"})
    without = {"provider": "google", "subject": "6", "email": None}
    answer = ask(stand, "POST", "internal/sign-in", headers=BEARER, json=without)
    assert (answer.status_code, answer.json()["refusal"]) == (403, "no_email")


def test_the_hub_learns_what_an_account_is(stand: Stand) -> None:
    for role, kind in (("student", "personal"), ("team", "team"), ("course", "course")):
        account = stand.accounts[role]
        said = ask(stand, "GET", f"internal/accounts/{account}", headers=BEARER).json()
        assert (said["account"], said["kind"], said["active"]) == (account, kind, True)
        assert set(said) >= {"display_name", "initials", "color", "language", "zone", "school", "limits"}


def test_a_deactivated_person_is_no_longer_active_for_the_hub(stand: Stand) -> None:
    person_id = stand.accounts["other school"]
    with stand.sessions.begin() as session:
        roster.deactivate(session, person_id, NOW)
    assert ask(stand, "GET", f"internal/accounts/{person_id}", headers=BEARER).json()["active"] is False


@pytest.mark.parametrize("account", ["nobody", "team-x", "k23456789abc", "..%2fhealth", "%00", "a" * 5000])
def test_an_unknown_account_is_not_found(stand: Stand, account: str) -> None:
    assert ask(stand, "GET", f"internal/accounts/{account}", headers=BEARER).status_code == 404


INTERNAL = [("GET", "internal/health"), ("GET", "internal/accounts/x"), ("POST", "internal/sign-in")]


@pytest.mark.parametrize(("method", "path"), INTERNAL)
def test_only_the_hub_may_ask(stand: Stand, method: str, path: str) -> None:
    wrong = ("Bearer", "Bearer wrong", f"token {HUB_SERVICE_TOKEN}", f"Bearer {HUB_SERVICE_TOKEN}x")
    for header in (None, *wrong):
        headers = {"Authorization": header} if header else {}
        assert ask(stand, method, path, headers=headers, json=ATTEMPT).status_code == 401
    for token in stand.tokens.values():
        assert ask(stand, method, path, headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"), [*INTERNAL, ("GET", "internal/sign-in"), ("OPTIONS", "internal/")]
)
@pytest.mark.parametrize("mark", ["X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Proto", "Forwarded"])
def test_through_the_proxy_the_internal_interface_is_not_there(
    stand: Stand, method: str, path: str, mark: str
) -> None:
    answer = ask(stand, method, path, headers={**BEARER, mark: "127.0.0.1"}, json=ATTEMPT)
    assert answer.status_code == 404


def test_health_says_that_the_database_answers(stand: Stand) -> None:
    answer = ask(stand, "GET", "internal/health", headers=BEARER)
    assert (answer.status_code, answer.json()) == (200, {"ok": True})


@pytest.mark.parametrize(
    "change",
    [{"subject": ""}, {"subject": 5}, {"email_verified": "maybe"}, {"person": "x"}, {"email": "x" * 300}],
)
def test_a_question_of_another_shape_is_refused(stand: Stand, change: dict[str, object]) -> None:
    answer = ask(stand, "POST", "internal/sign-in", headers=BEARER, json={**ATTEMPT, **change})
    assert answer.status_code == 422


# ------------------------------------------------------------------ hosts, headers, limits
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8082",
        "localhost",
        "atelier.localhost:8000",
        "k23456789abc.atelier.localhost:8000",
        "",
    ],
)
def test_pages_answer_only_on_the_services_own_host(stand: Stand, host: str) -> None:
    answer = ask(stand, "GET", "", headers={"Host": host}, follow_redirects=False)
    assert answer.status_code in (404, 400)
    assert "set-cookie" not in answer.headers


def test_pages_do_answer_on_the_services_own_host(stand: Stand) -> None:
    answer = ask(stand, "GET", "", headers={"Host": OWN_HOST.upper()}, follow_redirects=False)
    assert answer.status_code != 404
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"


def test_a_host_is_the_same_with_and_without_its_default_port() -> None:
    assert _normal_host("https://a.example") == _normal_host("https://A.example.:443") == ("a.example", 443)
    assert _normal_host("http://a.example") != _normal_host("https://a.example")
    assert _normal_host("http://a.example:99999") is None


@pytest.mark.parametrize("path", ["", "api/v1/me", "api/v1/openapi.json", "internal/health", "nothing"])
def test_no_answer_lets_another_origin_read_it(stand: Stand, path: str) -> None:
    origin = {"Origin": "http://k23456789abc.atelier.localhost:8000", "Host": OWN_HOST}
    for method in ("GET", "OPTIONS", "POST"):
        asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        answer = ask(stand, method, path, headers={**origin, **asking}, follow_redirects=False)
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_answers_of_the_api_are_kept_by_nobody(stand: Stand) -> None:
    with stand.client("student") as client:
        assert client.get("/me").headers["cache-control"] == "no-store"


def test_a_large_form_or_json_is_refused_before_it_is_read(stand: Stand) -> None:
    large = b"x" * (1024 * 1024 + 1)
    answer = ask(stand, "POST", "internal/sign-in", headers=BEARER, content=large[: 17 * 1024])
    assert answer.status_code == 413
    with stand.client("course") as client:
        answer = client.put("/courses/geo-8a/assignments/hw1", content=large)
        assert answer.status_code == 413
    assert ask(stand, "POST", "sign-out", headers={"Host": OWN_HOST}, content=large).status_code == 413


def test_a_failure_is_a_sentence_and_not_a_traceback(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the secret of the database")

    monkeypatch.setattr(course_routes, "view_me", fail)
    with stand.client("student") as client:
        answer = client.get("/me")
    assert (answer.status_code, answer.json()["error"]) == (500, "failed")
    assert "secret" not in answer.text
    # The line follows the answer.
    wait_until(
        lambda: [r.name for r in caplog.records if r.exc_info] == ["atelier.web"], 20, "no failure was logged"
    )


def test_the_access_log_has_no_query_no_token_and_no_line_break(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="atelier")
    caplog.set_level(logging.INFO, logger="uvicorn")
    token = stand.tokens["student"]
    with stand.client("student") as client:
        client.get("/me", params={"code": "oauth-code", "state": "oauth-state"})
        client.get("/submissions/x%0aINFO%20forged")
        client.post(
            "/courses/geo-8a/assignments/hw1/submissions",
            content=pack({"Тайно име.ipynb": b"{}"}),
            headers={"Idempotency-Key": "key-of-mine"},
        )
    wait_until(lambda: re.search("submissions (201|409)", caplog.text), 20, "the last line is missing")
    text = caplog.text
    assert "GET /services/atelier/api/v1/me 200" in text
    assert "%0AINFO" in text
    for secret in (token, "oauth-code", "oauth-state", "Тайно", "key-of-mine", HUB_SERVICE_TOKEN):
        assert secret not in text


# ------------------------------------------------------------------ starting
@pytest.mark.parametrize("trouble", ["city", "blobs"])
def test_a_process_that_cannot_start_says_why_in_a_line(
    databases: Databases, tmp_path: Path, trouble: str
) -> None:
    settings = make_settings(tmp_path, "http://127.0.0.1:9/hub/api", databases.migrate())
    settings.city_file.write_text("nonsense: 1" if trouble == "city" else CITY, encoding="utf-8")
    if trouble == "blobs":
        settings.blob_dir.write_text("a file stands where the folder should be")
    with pytest.raises(SystemExit) as ended:
        serve(settings)
    assert str(settings.city_file if trouble == "city" else settings.blob_dir) in str(ended.value)


def test_what_dead_processes_left_is_removed_and_what_is_arriving_is_not(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    blobs.prepare()
    old, file = blobs.open_incoming()
    file.close()
    young, file = blobs.open_incoming()
    file.close()
    os.utime(old, (0, 0))
    assert blobs.remove_stale_incoming(older_than_s=3600, now_s=time.time()) == 1
    assert (old.exists(), young.exists()) == (False, True)
    assert oct(blobs.root.stat().st_mode & 0o777) == oct(0o700)


def test_the_internal_interface_has_these_three_questions_and_no_other(
    databases: Databases, tmp_path: Path
) -> None:
    settings = make_settings(tmp_path, "http://127.0.0.1:9/hub/api", databases.migrate())
    settings.city_file.write_text(CITY, encoding="utf-8")
    app = create_internal_app(create_app(settings).state.services)
    routes = {(method, route.path) for route in app.routes for method in route.methods - {"HEAD"}}
    assert routes == {("POST", "/sign-in"), ("GET", "/accounts/{account}"), ("GET", "/health")}
