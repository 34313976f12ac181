"""The exchange against a real hub: which of its tokens count, and for how long."""

import io
import re
import tarfile
from dataclasses import dataclass

import httpx
import psutil
import pytest
from atelier import projects
from atelier.store import utc_now

from tests.atelier_stack import Browser, Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.hub

SLUG = "exchange-real"
TEACHER = "second.teacher@school-a.example"
MEMBERS = ["andrey.atanasov@students.school-a.example", "asen.bonev@students.school-a.example"]
START_WITHIN_S = 90
TOKEN_GONE_WITHIN_S = 60


@dataclass(frozen=True)
class Team:
    """A running team workspace that a member has opened, and what hostile code in it can read."""

    account: str
    member: str
    course: str
    own_token: str
    visitors_token: str


def pack(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def read_own_token(account: str) -> str:
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            is_server = "atelier_lab.start.server" in process.cmdline()
            if is_server and environment.get("JUPYTERHUB_USER") == account:
                return environment["JUPYTERHUB_API_TOKEN"]
        except psutil.Error:
            continue
    raise AssertionError(f"{account} does not run")


def open_lab(stack: Stack, browser: Browser, account: str) -> httpx.Response:
    spawn = f"{stack.public_url}/hub/spawn/{account}"
    wait_until(lambda: browser.get(spawn).status_code == 200, START_WITHIN_S, f"{account} did not open")
    wait_until(lambda: stack.is_ready(account), START_WITHIN_S, f"{account} did not start")
    return browser.get(f"{stack.account_url(account)}lab")


@pytest.fixture(scope="module")
def team(stack: Stack) -> Team:
    course_id = stack.make_course(SLUG, TEACHER, MEMBERS)
    account = stack.make_team(course_id, "Обмен", MEMBERS)
    with stack.session() as session:
        project = projects.list_projects(session, course_id)[0]
        for name, kind, project_id in (("hw", "individual", None), ("pr", "team", project.id)):
            projects.ensure_assignment(
                session,
                course_id,
                name,
                zone="Europe/Sofia",
                now=utc_now(),
                kind=kind,
                project_id=project_id,
            )
    page = open_lab(stack, stack.sign_in(MEMBERS[0]), account)
    visitors_token = re.search(r'"token":\s*"([^"]+)"', page.text)
    assert visitors_token, page.text[:1000]
    course = f"course-{course_id}"
    open_lab(stack, stack.sign_in(TEACHER), course)
    return Team(account, stack.find_person(MEMBERS[0]), course, read_own_token(account), visitors_token[1])


def ask(stack: Stack, method: str, path: str, token: str, **options: object) -> httpx.Response:
    headers = {"Authorization": f"token {token}", **dict(options.pop("headers", {}))}  # type: ignore[call-overload]
    url = f"{stack.house.web_url}/services/atelier/api/v1/{path}"
    return httpx.request(method, url, headers=headers, timeout=60, trust_env=False, **options)  # type: ignore[arg-type]


def test_a_workspaces_own_token_is_the_account(stack: Stack, team: Team) -> None:
    me = ask(stack, "GET", "me", team.own_token)
    assert (me.status_code, me.json()["account"], me.json()["kind"]) == (200, team.account, "team")


def test_the_token_of_a_visiting_member_opens_nothing(stack: Stack, team: Team) -> None:
    for method, path in (
        ("GET", "me"),
        ("GET", f"courses/{SLUG}/assignments"),
        ("POST", f"courses/{SLUG}/assignments/hw/submissions"),
    ):
        headers = {"Idempotency-Key": "stolen-token"}
        answer = ask(stack, method, path, team.visitors_token, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (403, "no_exchange_scope")


def test_no_token_of_a_service_is_an_account(stack: Stack) -> None:
    for name in ("web_hub_token", "steward_hub_token", "hub_service_token"):
        assert ask(stack, "GET", "me", stack.house.secrets[name]).status_code in (401, 403)


def test_a_team_submits_once_and_the_course_reads_it(stack: Stack, team: Team) -> None:
    course_token = read_own_token(team.course)
    work = pack({"pr.ipynb": b"{}", "данни/климат.csv": b"1;2\n"})
    path = f"courses/{SLUG}/assignments/pr"
    assert ask(stack, "POST", f"{path}/releases", course_token, content=work).status_code == 201
    key = {"Idempotency-Key": "real-stack-1"}
    receipt = ask(stack, "POST", f"{path}/submissions", team.own_token, content=work, headers=key)
    assert receipt.status_code == 201, receipt.text
    again = ask(stack, "POST", f"{path}/submissions", team.own_token, content=work, headers=key)
    assert (again.status_code, again.json()) == (200, receipt.json())
    listed = ask(stack, "GET", f"{path}/submissions", course_token).json()
    assert [(r["id"], r["account"]) for r in listed] == [(receipt.json()["id"], team.account)]
    archive = ask(stack, "GET", f"submissions/{receipt.json()['id']}/archive", course_token)
    assert archive.content == work


# Asks to have the proxy's marks taken off on the way, as a header of one connection would be.
FORGED = {"Connection": "close, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Port, X-Forwarded-Proto"}


@pytest.mark.parametrize("more", [{}, FORGED, {"X-Forwarded-For": ""}], ids=["plain", "connection", "empty"])
def test_a_workspaces_token_that_was_taken_home_opens_nothing(
    stack: Stack, team: Team, more: dict[str, str]
) -> None:
    headers = {"Authorization": f"token {team.own_token}", **more}
    with stack.browser() as browser:
        outside = f"{stack.pages_url.rstrip('/')}/"
        for path in ("me", "openapi.json", f"courses/{SLUG}/assignments"):
            assert browser.get(f"{outside}api/v1/{path}", headers=headers).status_code == 404, path
        assert ask(stack, "GET", "me", team.own_token).status_code == 200, "from inside it is what it was"
        token = stack.house.secrets["hub_service_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert browser.get(f"{outside}internal/health", headers=bearer).status_code == 404


def test_a_stopped_workspaces_token_ends(stack: Stack, team: Team) -> None:
    person = team.member
    stack.start_workspace(person)
    token = read_own_token(person)
    assert ask(stack, "GET", "me", token).json()["account"] == person
    assert stack.ask_hub("DELETE", f"users/{person}/server").status_code in (202, 204)
    wait_until(
        lambda: ask(stack, "GET", "me", token).status_code == 401,
        TOKEN_GONE_WITHIN_S,
        "the token of a stopped workspace was still taken",
    )
