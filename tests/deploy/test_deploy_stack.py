"""compose.yaml brings the system up, with compose v1 and v2, and what fell is up again by itself.

Two daemons of the tests' own, as on a school's machine: one for the system, one for workspaces.
"""

import contextlib
import datetime as dt
import gzip
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import httpx
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from deploy.backup import make_backup
from deploy.homes import Home
from deploy.logs import collect_logs
from deploy.look import describe_daemon
from deploy.restore import check_backup, restore_backup
from deploy.stack import SERVICES
from deploy.town import Town, load_town
from tests.composes import GENERATIONS, provide_compose
from tests.deployed_school import DeployedSchool, OwnHomes, deploy_school, run_system
from tests.docker_town import CLIENT, Daemon, run
from tests.waiting import wait_until

pytestmark = pytest.mark.docker

BACK_WITHIN_S = 15
SYSTEM = tuple(name for name in SERVICES if name != "front")  # its master is root
ACCOUNT, UID = "abcdefghijk9", 20_500
TROUBLE = re.compile(r"^\[[WEC] |warning|traceback|error|deprecat|fatal", re.IGNORECASE)
SILENT = ("database", "proxy", "front")  # they say nothing while all is well
HARMLESS = {  # what a start says that is no trouble, and why
    "user role overridden with scopes": "on purpose: docs/decisions/people-make-no-tokens.md",
    "Allowing service atelier to complete OAuth without confirmation": "the pages are the city's own",
    "Adding missing route for atelier": "at the first start the proxy knows no route yet",
    "Could not load pycurl": "the culler asks once a minute",
    "the database system is starting up": "the health check has asked between listening and ready",
    "Event loop was unresponsive": "all services start at once; how fast the hub is, the benches say",
    "hub-silent: ": "the steward is there before the hub answers, and asks again",
}


@pytest.fixture(scope="module")
def system(daemon: Daemon) -> Iterator[Daemon]:
    with run_system(daemon) as second:
        yield second


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first town leaves its compressed files for the second."""
    return tmp_path_factory.mktemp("published") / "static"


@pytest.fixture(scope="module", params=GENERATIONS)
def school(
    request: pytest.FixtureRequest, daemon: Daemon, system: Daemon, published: Path
) -> Iterator[DeployedSchool]:
    with deploy_school(provide_compose(request.param), daemon, system, published) as deployed:
        yield deployed


def test_everything_is_healthy_and_reaches_its_database(school: DeployedSchool):
    assert [name for name in SYSTEM if not school.is_healthy(name)] == []
    assert (school.ask_hub(), school.ask_web()) == (200, 200)


def test_the_front_leads_to_the_hub_over_tls(school: DeployedSchool):
    domain = school.stack.settings.domain
    for name, path, status in (
        (domain, "/hub/login", 200),
        (f"atelier--service.{domain}", "/services/atelier/internal/health", 404),
    ):
        answer = school.ask_front(name, path)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:500]
        assert b"Strict-Transport-Security: max-age" in answer


def test_labs_files_come_from_the_disk_for_all_accounts_and_for_ever(school: DeployedSchool):
    shared = school.stack.folder / "static" / "shared"
    script = max((shared / "lab").rglob("*.js"), key=lambda path: path.stat().st_size)
    host = f"static--service.{school.stack.settings.domain}"
    answer = school.ask_front(host, f"/{script.relative_to(shared)}", "Accept-Encoding: br")
    head, _, content = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    assert b"Content-Encoding: br" in head
    assert b"immutable" in head
    assert len(content) < script.stat().st_size / 3


def test_no_line_of_a_start_is_a_warning(school: DeployedSchool):
    for name in SERVICES:
        lines = school.find(name).logs().decode().splitlines()
        assert lines or name in SILENT, name
        strange = [line for line in lines if is_trouble(line)]
        assert [line for line in strange if not any(known in line for known in HARMLESS)] == [], name


def is_trouble(line: str) -> bool:
    """Tell whether a line of a log, text or JSON, is worse than a report; the front's tell of requests."""
    if line.startswith("{"):
        told = json.loads(line)
        level = told.get("level", "info" if told.get("status", 500) < 500 else "error")
        return str(level) not in ("debug", "info")
    return bool(TROUBLE.search(line))


def test_logs_are_bounded_and_so_is_what_a_service_may_use(school: DeployedSchool):
    for name in SERVICES:
        limits = school.find(name).attrs["HostConfig"]
        assert {"max-size", "max-file"} <= set(limits["LogConfig"]["Config"]), name
        assert limits["Memory"] > 0, name
        assert limits["PidsLimit"] > 0, name
        assert limits["RestartPolicy"]["Name"] == "unless-stopped", name


def test_numbers_are_told_to_who_has_the_token(school: DeployedSchool):
    token = (school.stack.folder / "secrets" / "monitoring" / "atelier_metrics_token").read_text().strip()
    gateway = school.stack.settings.gateway
    for url, series in (
        (f"http://{gateway}:8081/hub/metrics", "jupyterhub_server_spawn_duration_seconds"),
        (f"http://{gateway}:8082/services/atelier/metrics", "atelier_"),
    ):
        assert httpx.get(url, timeout=5, trust_env=False).status_code in (401, 403, 404), url
        headers = {"Authorization": f"Bearer {token}"}  # as Prometheus sends it
        answer = httpx.get(url, headers=headers, timeout=5, trust_env=False)
        assert answer.status_code == 200, url
        assert series in answer.text, url


def test_log_lines_go_into_a_file_of_their_service_once(school: DeployedSchool, system: Daemon):
    now, folder = dt.datetime.now(dt.UTC), school.stack.folder / "logs"
    first = read_logs(collect_logs(folder, now, system.url))
    again = read_logs(collect_logs(folder, now + dt.timedelta(seconds=1), system.url))
    assert set(SERVICES) - set(SILENT) <= set(first) <= set(SERVICES)
    assert [name for name, lines in first.items() if lines & again.get(name, set())] == []


def read_logs(paths: Iterator[Path]) -> dict[str, set[str]]:
    """Return the lines by service."""
    return {
        path.name.split("-")[0]: set(gzip.decompress(path.read_bytes()).decode().splitlines())
        for path in paths
    }


def test_processes_are_nobody_with_a_read_only_root(school: DeployedSchool):
    for name in SYSTEM:
        container = school.find(name)
        assert container.exec_run(["id", "-u"]).output.strip() == b"1000", name
        assert container.exec_run(["sh", "-c", "touch /usr/x"]).exit_code != 0, name
        assert b"CapEff:\t0000000000000000" in container.exec_run(["cat", "/proc/1/status"]).output, name


def test_no_secret_is_in_a_containers_environment_or_command(school: DeployedSchool):
    secrets = {
        path.read_text().strip() for path in (school.stack.folder / "secrets").rglob("*") if path.is_file()
    } - {"secret"}
    for name in SYSTEM:
        shown = str(school.find(name).attrs)
        assert not [secret for secret in secrets if secret in shown], name


def test_the_hub_reaches_the_workspaces_daemon_and_web_does_not(school: DeployedSchool):
    code = "import docker; print(docker.DockerClient(base_url='unix:///run/atelier-docker.sock').ping())"
    assert school.find("hub").exec_run(["python", "-c", code]).output.strip() == b"True"
    assert school.find("web").exec_run(["ls", "/run/atelier-docker.sock"]).exit_code != 0


def test_through_that_socket_nothing_of_the_system_is_seen(school: DeployedSchool):
    code = (
        "import docker; c = docker.APIClient(base_url='unix:///run/atelier-docker.sock')\n"
        "print([x['Id'] for x in c.containers(all=True)], c.info()['DockerRootDir'])"
    )
    seen = school.find("hub").exec_run(["python", "-c", code]).output.decode()
    assert [name for name in SERVICES if school.find(name).id in seen] == []
    assert school.system.info()["DockerRootDir"] not in seen.split()


@pytest.mark.parametrize("name", ["web", "hub", "proxy", "steward", "database", "front"])
def test_what_is_killed_is_up_again_by_itself(school: DeployedSchool, name: str):
    before, note = school.find(name).attrs["State"]["StartedAt"], school.find_steward_s_note()
    began = time.monotonic()
    os.kill(int(school.find(name).attrs["State"]["Pid"]), signal.SIGKILL)

    def is_back() -> bool:
        with contextlib.suppress(ValueError, docker.errors.NotFound):
            started_again = school.find(name).attrs["State"]["StartedAt"] != before
            answers = (school.ask_hub(), school.ask_web()) == (200, 200)
            works = name != "steward" or school.find_steward_s_note() > note
            return started_again and answers and works and school.is_reached()
        return False

    wait_until(is_back, 60, f"{name} is not back")
    assert time.monotonic() - began < BACK_WITHIN_S


@pytest.fixture
def town(school: DeployedSchool) -> Iterator[Town]:
    """The deployed town with a home on the workspaces' daemon."""
    url = school.stack.settings.docker_url
    town = replace(load_town(school.stack.folder), homes=OwnHomes(url, (ACCOUNT,)))
    home = town.homes.make_home(ACCOUNT, UID)
    (home.folder / "work.txt").write_text("mine")
    home.own(home.folder / "work.txt")
    yield town
    remove_home(url)


def remove_home(docker_url: str) -> None:
    run(str(CLIENT), "--host", docker_url, "volume", "rm", "--force", f"atelier-home-{ACCOUNT}")


def find_home(town: Town) -> Home:
    (home,) = town.homes.list_homes()
    return home


def test_a_backup_of_the_deployed_town_holds_databases_and_homes(town: Town):
    backup = make_backup(town, dt.datetime.now(dt.UTC))
    manifest = check_backup(backup.path)
    files = {"databases/service.pgdump", "databases/hub.pgdump", f"homes/{ACCOUNT}/work.txt"}
    assert files <= set(manifest.files)
    assert manifest.homes == {ACCOUNT: UID}
    assert manifest.schema
    owner = find_home(town).owner
    assert owner is not None
    assert owner > UID  # the daemon's user namespace


def test_a_backup_comes_back_into_volumes_and_databases_that_are_empty(
    school: DeployedSchool, town: Town, tmp_path: Path
):
    backup = make_backup(town, dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1))
    remove_home(school.stack.settings.docker_url)
    empty = replace(
        town,
        folder=tmp_path,
        database_url=make_database(town.database_url),
        hub_database_url=make_database(town.hub_database_url),
        blob_dir=tmp_path / "blobs",
        keepsakes={},
        secrets={},
    )
    restore_backup(empty, backup.path)
    home = find_home(empty)
    assert home.uid == UID
    assert (home.folder / "work.txt").read_text() == "mine"
    assert (home.folder / "work.txt").stat().st_uid == home.owner


def make_database(url: str) -> str:
    """Make an empty database beside one, of the same owner; return its address."""
    parts = make_url(url)
    engine = create_engine(parts, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{parts.database}_empty"'))
    engine.dispose()
    return parts.set(database=f"{parts.database}_empty").render_as_string(hide_password=False)


def test_the_daemons_are_described_as_they_are(school: DeployedSchool, system: Daemon):
    own = describe_daemon(school.stack.settings.docker_url)
    assert any("userns" in option for option in own["security"])
    assert len(describe_daemon(system.url)["foreign"]) >= len(SERVICES)
    assert describe_daemon("unix:///nonexistent.sock") == {}
