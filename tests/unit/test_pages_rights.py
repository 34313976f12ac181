"""Claims about who sees which page: every route times every kind of visitor, and no route is left out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from atelier import marks, projects
from atelier.pages import ROUTERS
from atelier.settings import SERVICE_PREFIX
from atelier.store.models import Course, Submission
from fastapi import FastAPI
from fastapi.routing import APIRoute

from tests.databases import Databases
from tests.pages_town import Town, fresh_town

VISITORS = (
    "teacher",  # of the course geo
    "colleague",  # of the same school, of another course
    "far-teacher",  # of another school
    "student",  # of the course
    "other-student",  # of the school, of no course
    "far-student",
    "school-admin",
    "operator",
    "nobody",
)
OK, ABSENT, GO, SIGN_IN, LOST, OUT = 200, 404, 303, 303, 400, 401
EVERYBODY = dict.fromkeys(VISITORS[:-1], OK)
TEACHER_ONLY = {"teacher": OK}
STARTERS = {"teacher": OK, "colleague": OK, "far-teacher": OK, "school-admin": OK}

# method, path, form, what each visitor gets; who is not named gets 404, nobody is sent to sign in (GET) or
# told to (POST).
GET_TABLE: dict[str, tuple[str, dict[str, int]]] = {
    "/": ("", EVERYBODY),
    "/sign-in": ("sign-in", dict.fromkeys(VISITORS, GO)),
    "/oauth_callback": ("oauth_callback?code=x&state=y", dict.fromkeys(VISITORS, LOST)),
    "/submissions/{submission_id}/archive": ("submissions/{own}/archive", {"student": OK, "teacher": OK}),
    "/feedback/{submission_id}": ("feedback/{own}", {"student": OK, "teacher": OK}),
    "/feedback/{submission_id}/archive": ("feedback/{own}/archive", {"student": OK, "teacher": OK}),
    "/feedback/{submission_id}/files/{number}": ("feedback/{own}/files/0", {"student": OK, "teacher": OK}),
    "/courses/{slug}": ("courses/geo", TEACHER_ONLY),
    "/courses/{slug}/people": ("courses/geo/people", TEACHER_ONLY),
    "/courses/{slug}/lessons": ("courses/geo/lessons", TEACHER_ONLY),
    "/courses/{slug}/marks.csv": ("courses/geo/marks.csv", TEACHER_ONLY),
    "/courses/{slug}/assignments/{name}": ("courses/geo/assignments/climate-start", TEACHER_ONLY),
    "/start": ("start", STARTERS),
    "/school": ("school", {"school-admin": OK}),
    "/{rest:path}": ("no/such/page", {}),
}
POST_TABLE: dict[str, tuple[str, dict[str, str], dict[str, int]]] = {
    "/sign-out": ("sign-out", {}, dict.fromkeys(VISITORS[:-1], GO)),
    "/language": ("language", {"language": "en"}, dict.fromkeys(VISITORS[:-1], GO)),
    "/courses/{slug}/classes": ("courses/geo/classes", {"class": "{class}"}, {"teacher": GO}),
    "/courses/{slug}/projects": ("courses/geo/projects", {"title": "Вода"}, {"teacher": GO}),
    "/courses/{slug}/projects/{project_id}/teams": (
        "courses/geo/projects/{project}/teams",
        {"name": "Нов екип"},
        {"teacher": GO},
    ),
    "/courses/{slug}/projects/{project_id}/teams/{team_id}": (
        "courses/geo/projects/{project}/teams/{team}",
        {"name": "Друго име", "action": "rename"},
        {"teacher": GO},
    ),
    "/courses/{slug}/projects/{project_id}/draw": (
        "courses/geo/projects/{project}/draw",
        {"size": "2"},
        {"teacher": GO},
    ),
    "/courses/{slug}/projects/{project_id}/members": (
        "courses/geo/projects/{project}/members",
        {"team-{student}": "", "was-{student}": "{team}"},
        {"teacher": GO},
    ),
    "/courses/{slug}/lessons": (
        "courses/geo/lessons",
        {"starts": "2026-12-01T08:00", "minutes": "40", "personal": "1"},
        {"teacher": GO},
    ),
    "/courses/{slug}/lessons/{lesson_id}": (
        "courses/geo/lessons/{lesson}",
        {"day": "2026-11-30", "action": "day"},
        {"teacher": GO},
    ),
    "/courses/{slug}/assignments/{name}/due": (
        "courses/geo/assignments/climate-start/due",
        {"due": "2026-12-01T12:00"},
        {"teacher": GO},
    ),
    "/courses/{slug}/assignments/{name}/marks": (
        "courses/geo/assignments/climate-start/marks",
        {"action": "show"},
        {"teacher": OK},
    ),
    "/start": (
        "start",
        {"title": "География 8А", "template": "small-rain", "class": "{class}", "teacher": "{teacher}"},
        # a teacher of another school cannot take this school's class: refused with a page, not absent
        {"teacher": GO, "colleague": GO, "school-admin": GO, "far-teacher": 409},
    ),
    "/{rest:path}": ("no/such/page", {}, {}),
}


@pytest.fixture
def town(databases: Databases, tmp_path: Path) -> Town:
    return fresh_town(tmp_path, databases)


@pytest.fixture
def app(town: Town) -> FastAPI:
    return town.make_app()


def fill_names(town: Town) -> dict[str, str]:
    """What stands in braces in the tables; the feedback is confirmed for it."""
    own = town.submissions[f"climate-start:{town.ids['student']}"]
    with town.sessions.begin() as session:
        assignment_id = session.get_one(Submission, own).assignment_id
        preview = marks.preview_marks(session, town.city, assignment_id, town.now)
        marks.confirm_marks(
            session, town.city, assignment_id, town.ids["teacher"], preview.digest, {}, town.now
        )
    return {**town.ids, "own": own}


@dataclass(frozen=True)
class Place:
    """A town that nothing is written to, shared by all tests that only look or are refused."""

    town: Town
    app: FastAPI
    names: dict[str, str]


@pytest.fixture(scope="module")
def shared(shared_databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Place:
    town = fresh_town(tmp_path_factory.mktemp("shared"), shared_databases)
    return Place(town, town.make_app(), fill_names(town))


def list_page_routes() -> Iterator[tuple[str, str]]:
    """Every (method, path) that the pages answer, without prefix."""
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            for method in route.methods:
                yield method, route.path


def test_no_route_is_missing_in_the_tables() -> None:
    listed = {("GET", path) for path in GET_TABLE} | {("POST", path) for path in POST_TABLE}
    found = set(list_page_routes())
    assert len(found) > 20, "the routes were not found: this test proves nothing"
    assert found == listed


def test_the_architecture_page_names_every_route() -> None:
    page = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page[page.index("## Pages") :]
    missing = [
        path for _, path in list_page_routes() if f"`{path}`" not in section and path != "/{rest:path}"
    ]
    assert not missing


@pytest.mark.parametrize("who", VISITORS)
@pytest.mark.parametrize("route", GET_TABLE)
def test_each_page_is_seen_by_whom_it_is_for(route: str, who: str, shared: Place) -> None:
    path, expected = GET_TABLE[route]
    answer = shared.town.open_as(who, shared.app).see(path.format(**shared.names))
    wanted = expected.get(who, SIGN_IN if who == "nobody" else ABSENT)
    assert answer.status_code == wanted, answer.text
    if who == "nobody" and route not in ("/sign-in", "/oauth_callback"):
        assert answer.headers["location"].startswith(SERVICE_PREFIX + "sign-in?next=")


REFUSED = [(r, w) for r, (_, _, expected) in POST_TABLE.items() for w in VISITORS if w not in expected]
ALLOWED = [(r, w) for r, (_, _, expected) in POST_TABLE.items() for w in expected]


def send_form(app: FastAPI, town: Town, names: dict[str, str], route: str, who: str) -> int:
    path, fields, _ = POST_TABLE[route]
    form = {key.format(**names): value.format(**names) for key, value in fields.items()}
    answer = town.open_as(who, app).fill_in(path.format(**names), form)
    return answer.status_code


@pytest.mark.parametrize(("route", "who"), REFUSED)
def test_each_form_is_absent_for_whom_it_is_not(route: str, who: str, shared: Place) -> None:
    status = send_form(shared.app, shared.town, shared.names, route, who)
    assert status == (OUT if who == "nobody" else ABSENT)


@pytest.mark.parametrize(("route", "who"), ALLOWED)
def test_each_form_works_for_whom_it_is_for(route: str, who: str, app: FastAPI, town: Town) -> None:
    assert send_form(app, town, fill_names(town), route, who) == POST_TABLE[route][2][who]


def test_what_is_not_mine_and_what_does_not_exist_are_one_page(app: FastAPI, town: Town) -> None:
    client = town.open_as("far-teacher", app)
    pages = []
    for path in ("courses/geo", "courses/nix", "nothing-at-all", "courses/geo/assignments/x"):
        answer = client.see(path)
        pages.append((answer.status_code, answer.text.replace(SERVICE_PREFIX + path, "HERE"), answer.headers))
    assert all(status == 404 for status, _, _ in pages)
    assert len({text for _, text, _ in pages}) == 1
    assert len({tuple(k for k in headers if k != "content-length") for _, _, headers in pages}) == 1


def test_a_team_member_may_load_the_teams_submission_and_a_former_one_keeps_what_counts(
    app: FastAPI, town: Town
) -> None:
    path = f"submissions/{town.submissions['climate-team:team-' + town.ids['team']]}/archive"
    leaver, newcomer = town.students[1], town.students[27]
    town.ids["leaver"], town.ids["newcomer"] = leaver, newcomer
    assert town.open_as("newcomer", app).see(path).status_code == 404
    with town.sessions.begin() as session:
        stay = [s for s in town.students[:4] if s != leaver]
        projects.set_team_members(session, town.ids["team"], [*stay, newcomer], town.now)
    assert town.open_as("newcomer", app).see(path).status_code == 200
    assert town.open_as("leaver", app).see(path).status_code == 200


def test_unconfirmed_feedback_is_nobodys(app: FastAPI, town: Town) -> None:
    own = town.submissions[f"climate-start:{town.ids['student']}"]
    for who in ("student", "teacher"):
        assert town.open_as(who, app).see(f"feedback/{own}").status_code == 404


def test_an_archived_course_has_no_pages(app: FastAPI, town: Town) -> None:
    with town.sessions.begin() as session:
        town.load(session, Course, "course-geo").archived_at = town.now
    assert town.open_as("teacher", app).see("courses/geo").status_code == 404
