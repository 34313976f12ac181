"""Attacks that need more than a notebook: forged wishes, old tokens, a team that one has left, a full log."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websocket
from atelier import projects
from atelier.store.database import utc_now

from hub_config.docker_engine import LOG_MB
from tests.atelier_stack import Browser
from tests.docker.attack_cells import check_refused, find_attack, write_cell, write_prelude
from tests.docker.neighbour import working_beside
from tests.docker_notebook import KernelGone, Notebook, open_notebook
from tests.docker_school import STUDENTS, DockerSchool
from tests.waiting import wait_until

pytestmark = pytest.mark.docker

WISHES: dict[str, Any] = {
    "image": "atelier-hub:test",
    "cmd": ["sleep", "1000"],
    "environment": {"EVIL": "1"},
    "volumes": {"/": "/host"},
    "binds": {"/var/run/docker.sock": "/docker.sock"},
    "user": "0",
    "privileged": "1",
    "extra_host_config": {"privileged": True},
    "mem_limit": "64G",
}
OUT_WITHIN_S = 60
READ_TOKEN = "import os; print(os.environ['JUPYTERHUB_API_TOKEN'])"


def describe(school: DockerSchool, account: str) -> dict[str, Any]:
    """What a wish could have changed in an account's container."""
    found = school.stack.find_container(account).attrs
    names = {variable.partition("=")[0] for variable in found["Config"]["Env"]}
    config = {key: found["Config"][key] for key in ("Image", "User", "Cmd", "Entrypoint")}
    rights = ("Privileged", "Memory", "CapAdd", "CapDrop", "Binds", "SecurityOpt", "NetworkMode")
    host = {key: found["HostConfig"][key] for key in rights}
    return {**config, **host, "mounts": found["Mounts"], "variables": names}


@pytest.fixture
def browser(docker_school: DockerSchool) -> Browser:
    """The hostile student's browser."""
    return docker_school.stack.sign_in(STUDENTS[1])


def find_xsrf(browser: Browser) -> str:
    """The cross-site token of the hub's pages, which a student reads from the own cookies."""
    return next(c.value for c in browser.cookies.jar if c.name == "_xsrf" and c.path == "/hub/" and c.value)


def wish(school: DockerSchool, browser: Browser, way: str) -> None:
    """Start the own workspace in one of the hub's ways, with all wishes."""
    hub, name = f"{school.stack.public_url}/hub", school.boris
    flat = {key: str(value) for key, value in WISHES.items()}
    browser.get(f"{hub}/home")
    if way == "link":
        browser.get(f"{hub}/spawn/{name}", params={**flat, **{f"opt-{key}": v for key, v in flat.items()}})
    elif way == "form":
        browser.post(f"{hub}/spawn/{name}", params={"_xsrf": find_xsrf(browser)}, data=flat)
    else:
        headers = {"X-XSRFToken": find_xsrf(browser), "Sec-Fetch-Mode": "cors"}
        browser.post(f"{hub}/api/users/{name}/server", json=WISHES, headers=headers)


@pytest.mark.parametrize("way", ["link", "form", "api"])
def test_a_student_wishes_for_image_command_volumes_and_user_and_gets_the_own_workspace(
    docker_school: DockerSchool, browser: Browser, neighbour: Notebook, way: str
) -> None:
    name = docker_school.boris
    docker_school.ensure_running(name)
    before = describe(docker_school, name)
    docker_school.stack.stop_workspace(name)
    wish(docker_school, browser, way)
    docker_school.ensure_running(name)
    # A start is everybody's right and takes its processor time: the neighbour is watched beside what it made.
    with working_beside(neighbour) as watch:
        for _ in watch.list_rounds():
            assert describe(docker_school, name) == before


def test_a_student_starts_no_second_server_and_nobody_elses(
    docker_school: DockerSchool, browser: Browser, neighbour: Notebook
) -> None:
    stack = docker_school.stack
    browser.get(f"{stack.public_url}/hub/home")
    headers = {"X-XSRFToken": find_xsrf(browser), "Sec-Fetch-Mode": "cors"}
    own, other, course = docker_school.boris, docker_school.anna, docker_school.course
    starts = [f"{own}/servers/second", f"{other}/server", f"{other}/servers/x", f"{course}/server"]
    with working_beside(neighbour) as watch:
        for path in (path for _ in watch.list_rounds() for path in starts):
            answer = browser.post(f"{stack.public_url}/hub/api/users/{path}", json=WISHES, headers=headers)
            assert answer.status_code in (400, 403, 404), f"{path}: {answer.status_code}"
        for path in (other, course):
            answer = browser.get(f"{stack.account_url(path)}api/contents")
            assert answer.status_code in (403, 404), path


def ask_with(school: DockerSchool, token: str) -> dict[str, int]:
    """Answers of the hub and the exchange to a token."""
    headers = {"Authorization": f"token {token}"}
    house = school.stack.house
    addresses = {
        "hub": f"{house.hub_api_url}/user",
        "exchange": f"{house.web_url}/services/atelier/api/v1/me",
    }
    return {name: httpx.get(url, headers=headers, timeout=20).status_code for name, url in addresses.items()}


def test_the_token_of_a_stopped_workspace_opens_nothing(
    docker_school: DockerSchool, neighbour: Notebook
) -> None:
    name = docker_school.boris
    docker_school.ensure_running(name)
    token = docker_school.stack.run_inside(name, READ_TOKEN).strip()
    assert ask_with(docker_school, token) == {"hub": 200, "exchange": 200}
    refused = {"hub": 403, "exchange": 401}

    def is_refused() -> bool:
        return ask_with(docker_school, token) == refused

    with working_beside(neighbour):
        docker_school.stack.stop_workspace(name)
        wait_until(is_refused, OUT_WITHIN_S, lambda: f"it opens {ask_with(docker_school, token)}")


def test_the_containers_log_stays_small_however_much_is_said(
    docker_school: DockerSchool, neighbour: Notebook
) -> None:
    school, attack = docker_school, find_attack("greed", "log")
    school.ensure_running(school.boris)
    with open_notebook(school.stack, school.boris, STUDENTS[1]) as notebook:
        notebook.run(write_prelude({}))
        with working_beside(neighbour):
            check_refused(attack, notebook.run(write_cell(attack)))
    log = Path(school.stack.find_container(school.boris).attrs["LogPath"])
    sizes = [path.stat().st_size for path in log.parent.glob(f"{log.name}*")]
    assert sizes
    assert sum(sizes) <= 2 * LOG_MB * 1024 * 1024 * 1.1


@pytest.fixture
def left(docker_school: DockerSchool) -> Iterator[tuple[Notebook, str, str]]:
    """A team's notebook, token and process of somebody who has just been taken out of the team."""
    school, stack = docker_school, docker_school.stack
    school.ensure_running(school.team)
    browser = stack.sign_in(STUDENTS[1])
    team_id = school.team.removeprefix("team-")
    wait_until(
        lambda: browser.get(f"{stack.account_url(school.team)}lab").status_code == 200, 60, "was never in it"
    )
    notebook = Notebook.open(stack, school.team, browser)
    token = notebook.run(READ_TOKEN).strip()
    left_behind = (
        "import subprocess; print(subprocess.Popen(['sleep', '987654'], start_new_session=True).pid)"
    )
    assert notebook.run(left_behind).strip().isdigit()
    container = stack.find_container(school.team).id
    members = [school.anna, school.boris]
    with stack.session() as session:
        projects.set_team_members(session, team_id, members[:1], utc_now())
    try:
        yield notebook, token, container
    finally:
        with stack.session() as session:
            projects.set_team_members(session, team_id, members, utc_now())


def is_cut(notebook: Notebook) -> bool:
    """Tell whether an open notebook runs nothing any more."""
    try:
        notebook.run("1", 5)
    except (KernelGone, OSError, websocket.WebSocketException):
        return True
    return False


def test_who_left_a_team_is_out_with_notebook_token_and_programs(
    docker_school: DockerSchool, neighbour: Notebook, left: tuple[Notebook, str, str]
) -> None:
    school, (notebook, token, container) = docker_school, left
    with working_beside(neighbour):
        wait_until(lambda: is_cut(notebook), OUT_WITHIN_S, "the open notebook goes on")
        answer = notebook.browser.get(f"{notebook.base}api/contents")
        assert answer.status_code in (403, 404, 424, 503), answer.status_code
        wait_until(
            lambda: set(ask_with(school, token).values()) <= {401, 403},
            OUT_WITHIN_S,
            "the team's token lives on",
        )
    school.ensure_running(school.team)
    assert school.stack.find_container(school.team).id != container, "what was left running has ended"
    rows = school.stack.find_container(school.team).top()["Processes"]
    assert not [row for row in itertools.chain.from_iterable(rows) if "987654" in row]
    page = school.stack.sign_in(STUDENTS[1]).get(f"{notebook.base}lab")
    assert page.status_code in (403, 404)
