"""Every route of the exchange, asked by every kind of caller."""

from collections.abc import Iterator

import pytest
from atelier.exchange import archive_routes, course_routes
from atelier.store.models import Feedback

from tests.databases import Databases
from tests.exchange_stand import ROLES, Stand, open_stand, pack

# Who gets which status; "*" stands for every role that is not named.
_ALL = {"nobody": 401, "visitor": 403}
_COURSE = "/courses/geo-8a"
_HW = f"{_COURSE}/assignments/hw1"
_TEAM_HW = f"{_COURSE}/assignments/project1"
_MEMBERS = {"student": 200, "teacher": 200, "team": 200, "other team": 200, "course": 200, "*": 404}
_COURSE_ONLY = {"course": 200, "*": 404}
_PERSONAL = {"student": 200, "teacher": 200, "course": 200, "*": 404}
_TEAMS = {"team": 200, "other team": 200, "course": 200, "*": 404}

TABLE: list[tuple[str, str, str, dict[str, int]]] = [
    ("GET", "/me", "/me", {"*": 200}),
    ("GET", "/courses/{slug}/assignments", f"{_COURSE}/assignments", _MEMBERS),
    ("PUT", "/courses/{slug}/assignments/{name}", _HW, _COURSE_ONLY),
    ("GET", "/courses/{slug}/roster", f"{_COURSE}/roster", _COURSE_ONLY),
    ("GET", "/courses/{slug}/template", f"{_COURSE}/template", {"*": 404}),
    ("POST", "/courses/{slug}/assignments/{name}/results", f"{_HW}/results", {"course": 201, "*": 404}),
    ("POST", "/courses/{slug}/assignments/{name}/releases", f"{_HW}/releases", {"course": 201, "*": 404}),
    ("GET", "/courses/{slug}/assignments/{name}/releases/latest", f"{_HW}/releases/latest", _PERSONAL),
    ("GET", "/courses/{slug}/assignments/{name}/releases/latest", f"{_TEAM_HW}/releases/latest", _TEAMS),
    (
        "POST",
        "/courses/{slug}/assignments/{name}/submissions",
        f"{_HW}/submissions",
        {"student": 201, "teacher": 403, "course": 403, "*": 404},
    ),
    (
        "POST",
        "/courses/{slug}/assignments/{name}/submissions",
        f"{_TEAM_HW}/submissions",
        {"team": 201, "other team": 201, "course": 403, "*": 404},
    ),
    ("GET", "/courses/{slug}/assignments/{name}/submissions", f"{_HW}/submissions", _PERSONAL),
    ("GET", "/courses/{slug}/assignments/{name}/submissions", f"{_TEAM_HW}/submissions", _TEAMS),
    ("GET", "/submissions/{submission_id}", "/submissions/<of student>", {"student": 200, **_COURSE_ONLY}),
    ("GET", "/submissions/{submission_id}", "/submissions/<of team>", {"team": 200, **_COURSE_ONLY}),
    (
        "GET",
        "/submissions/{submission_id}/archive",
        "/submissions/<of student>/archive",
        {"student": 200, **_COURSE_ONLY},
    ),
    (
        "GET",
        "/submissions/{submission_id}/archive",
        "/submissions/<of team>/archive",
        {"team": 200, **_COURSE_ONLY},
    ),
    (
        "POST",
        "/submissions/{submission_id}/feedback",
        "/submissions/<of student>/feedback",
        {"course": 201, "*": 404},
    ),
    (
        "GET",
        "/submissions/{submission_id}/feedback",
        "/submissions/<of student>/feedback",
        {"student": 200, "*": 404},
    ),
    (
        "GET",
        "/submissions/{submission_id}/feedback",
        "/submissions/<of team>/feedback",
        {"team": 200, "*": 404},
    ),
]


@pytest.fixture(scope="module")
def stand(shared_databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with open_stand(tmp_path_factory.mktemp("rights"), shared_databases.migrate()) as stand:
        stand.release("hw1")
        stand.release("project1")
        yield stand


@pytest.fixture(scope="module")
def ids(stand: Stand) -> dict[str, str]:
    """A submission of the student and one of the team, with confirmed feedback."""
    found = {
        "<of student>": stand.submit("student", "hw1").json()["id"],
        "<of team>": stand.submit("team", "project1").json()["id"],
    }
    for submission_id in found.values():
        confirm_feedback(stand, submission_id)
    return found


def confirm_feedback(stand: Stand, submission_id: str) -> None:
    """Stage feedback as the course does, and confirm it as confirming marks does."""
    with stand.client("course") as client:
        answer = client.post(f"/submissions/{submission_id}/feedback", content=pack({"a.html": b"<p>"}))
    with stand.sessions.begin() as session:
        session.get_one(Feedback, answer.json()["id"]).confirmed_at = stand.clock()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("method", "address", "expected"),
    [pytest.param(m, a, e, id=f"{m} {a}") for m, _route, a, e in TABLE],
)
def test_route_answers_each_role_as_the_table_says(
    stand: Stand, ids: dict[str, str], method: str, address: str, expected: dict[str, int], role: str
) -> None:
    for name, submission_id in ids.items():
        address = address.replace(name, submission_id)
    with stand.client(role) as client:
        answer = client.request(method, address, **_body(method, address, role))
    wanted = {**expected, **_ALL}
    assert answer.status_code == wanted.get(role, wanted.get("*")), answer.text[:300]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    if answer.status_code >= 400:
        assert set(answer.json()) == {"error", "message"}
        assert "Traceback" not in answer.text


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("method", "address"), [pytest.param(m, a, id=f"{m} {a}") for m, _route, a, _e in TABLE]
)
def test_no_route_is_there_for_what_came_through_the_proxy(
    stand: Stand, ids: dict[str, str], method: str, address: str, role: str
) -> None:
    """A workspace's token that somebody took home opens nothing."""
    for name, submission_id in ids.items():
        address = address.replace(name, submission_id)
    with stand.client(role) as client:
        client.headers["X-Forwarded-For"] = "127.0.0.1"
        answer = client.request(method, address, **_body(method, address, role))
    assert (answer.status_code, answer.text) == (404, "404: not found\n")


def _body(method: str, address: str, role: str) -> dict[str, object]:
    if method == "PUT":
        return {"json": {"title": "Задача"}}
    if address.endswith("/results"):
        return {"json": []}
    if method == "POST":
        # Other bytes and another key for each caller: everyone's request is a new one.
        content = pack({"hw1.ipynb": f"{address} {role}".encode()})
        return {"content": content, "headers": {"Idempotency-Key": f"key-{abs(hash((address, role)))}"}}
    return {}


def test_every_route_of_the_exchange_is_in_the_table(stand: Stand) -> None:
    described = {(method, route) for method, route, _address, _expected in TABLE}
    with stand.client("nobody") as client:
        paths = client.get("/openapi.json").json()["paths"]
    served = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert served == described


def test_no_route_is_hidden_from_the_openapi_description(stand: Stand) -> None:
    routes = [*archive_routes.router.routes, *course_routes.router.routes]
    declared = {(m, r.path) for r in routes for m in r.methods}
    assert declared == {(method, route) for method, route, _address, _expected in TABLE}


def test_the_description_names_the_token_and_the_refusals(stand: Stand) -> None:
    with stand.client("nobody") as client:
        description = client.get("/openapi.json").json()
    for methods in description["paths"].values():
        for operation in methods.values():
            assert operation["security"] == [{"APIKeyHeader": []}]
            assert {"4XX", "5XX"} <= set(operation["responses"])
            assert operation["description"]
    archives = [p for p in description["paths"] if p.endswith(("submissions", "releases", "archive"))]
    assert len(archives) == 3
    assert "application/gzip" in str([description["paths"][path] for path in archives])


def test_lists_hold_only_what_is_the_callers(stand: Stand, ids: dict[str, str]) -> None:
    seen = {}
    for role in ("student", "teacher", "team", "other team", "course"):
        with stand.client(role) as client:
            assignments = client.get("/courses/geo-8a/assignments").json()
        for assignment in assignments:
            accounts = {receipt["account"] for receipt in assignment["submissions"]}
            seen[role] = seen.get(role, set()) | accounts
    own = {role: stand.accounts[role] for role in seen}
    assert seen["student"] == {own["student"]}
    assert seen["teacher"] == set()
    assert seen["team"] == {own["team"]}
    assert seen["other team"] <= {own["other team"]}
    assert {own["student"], own["team"]} <= seen["course"]
    assert stand.accounts["student of another course"] not in seen["course"]


def test_everything_else_below_the_api_is_not_found(stand: Stand) -> None:
    with stand.client("course") as client:
        for address in ("/", "/me/", "/docs", "/redoc", "/submissions", "/courses", "/courses/geo-8a"):
            assert client.get(address).status_code == 404
        assert client.delete("/me").status_code == 405
