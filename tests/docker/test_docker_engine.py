"""Engine `docker` on a real daemon: what a workspace is, may and keeps."""

import json
import re

import pytest

from hub_config.docker_homes import FIRST_UID, UID_LABEL
from tests.docker_school import DockerSchool
from tests.docker_town import REMAPPED_FROM
from tests.waiting import wait_until

pytestmark = pytest.mark.docker

KINDS = ("personal", "team", "course")
IMAGE = {
    "personal": "atelier-workspace:test",
    "team": "atelier-workspace:test",
    "course": "atelier-course:test",
}
# Lines that upstream writes at each start and that say nothing about us; each with the reason.
KNOWN_LINES = (
    # JupyterHub's server part sets an option of the classic notebook, which is not even loaded.
    "'extra_template_paths' was found in both NotebookApp and ServerApp",
)
TROUBLE = re.compile(r"^\[[WEC] |warning|traceback|error|deprecat", re.IGNORECASE)


@pytest.fixture(params=KINDS)
def account(request: pytest.FixtureRequest, docker_school: DockerSchool) -> str:
    """An account of each kind, its workspace running."""
    name = docker_school.accounts[request.param]
    docker_school.ensure_running(name)
    return name


def read_status(school: DockerSchool, account: str) -> dict[str, str]:
    """What the kernel says about a process in a workspace."""
    text = school.stack.run_inside(account, "print(open('/proc/1/status').read())")
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


# ------------------------------------------------ what it is
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_image(docker_school: DockerSchool, kind: str) -> None:
    name = docker_school.accounts[kind]
    docker_school.ensure_running(name)
    assert docker_school.stack.find_container(name).attrs["Config"]["Image"] == IMAGE[kind]


def test_browser_opens_a_workspace_through_the_proxy(docker_school: DockerSchool) -> None:
    stack = docker_school.stack
    browser = stack.sign_in("docker.one@students.school-a.example")
    page = browser.get(f"{stack.account_url(docker_school.anna)}lab")
    assert page.status_code == 200
    assert "jupyter-config-data" in page.text


def test_every_account_is_another_user_inside_and_outside(docker_school: DockerSchool) -> None:
    inside, outside = [], []
    for name in docker_school.accounts.values():
        docker_school.ensure_running(name)
        inside.append(int(docker_school.stack.run_inside(name, "import os; print(os.getuid())")))
        processes = docker_school.stack.find_container(name).top(ps_args="-eo uid,pid")["Processes"]
        outside.append({int(process[0]) for process in processes})
    assert len(set(inside)) == len(inside)
    assert min(inside) >= FIRST_UID
    assert outside == [{REMAPPED_FROM + uid} for uid in inside]


def test_programs_learn_the_accounts_name(docker_school: DockerSchool, account: str) -> None:
    code = "import getpass, pwd, os; print(getpass.getuser(), pwd.getpwuid(os.getuid()).pw_name)"
    assert docker_school.stack.run_inside(account, code).split() == [account, account]


def test_environment_holds_no_secret_of_the_hub(docker_school: DockerSchool, account: str) -> None:
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    environment = json.loads(docker_school.stack.run_inside(account, code))
    secrets = docker_school.stack.house.secrets.values()
    assert [name for name, value in environment.items() if value in secrets] == []
    assert environment["ATELIER_ACCOUNT"] == account
    assert not any(name.startswith(("ATELIER_GOOGLE", "ATELIER_HUB", "DOCKER")) for name in environment)


# ------------------------------------------------ what it may
def test_has_no_capability_and_gains_none(docker_school: DockerSchool, account: str) -> None:
    status = read_status(docker_school, account)
    capabilities = {name: int(value, 16) for name, value in status.items() if name.startswith("Cap")}
    assert set(capabilities.values()) == {0}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


@pytest.mark.parametrize("kind", ["personal", "team"])
def test_students_cannot_make_namespaces(docker_school: DockerSchool, kind: str) -> None:
    code = "import ctypes, os; l = ctypes.CDLL(None, use_errno=True)\n" + (
        "print([(l.unshare(flag), ctypes.get_errno()) for flag in (0x10000000, 0x20000, 0x40000000)])"
    )
    said = docker_school.stack.run_inside(docker_school.accounts[kind], code)
    assert said.strip() == "[(-1, 1), (-1, 1), (-1, 1)]"


def test_students_see_no_covered_part_of_proc(docker_school: DockerSchool) -> None:
    code = "import os\nprint([len(open('/proc/keys').read()), len(os.listdir('/sys/firmware'))])"
    assert docker_school.stack.run_inside(docker_school.anna, code).strip() == "[0, 0]"


def test_writes_only_to_its_home_and_to_memory(docker_school: DockerSchool, account: str) -> None:
    code = (
        "import os\nfound = set()\n"
        "for top, names, _ in os.walk('/'):\n"
        "    names[:] = [n for n in names if os.path.join(top, n) not in ('/proc', '/sys')]\n"
        "    if os.access(top, os.W_OK):\n"
        "        found.add(top)\n"
        "        names.clear()\n"
        "print(sorted(found))"
    )
    said = docker_school.stack.run_inside(account, code)
    assert said.strip() == str(["/dev/mqueue", "/dev/shm", "/home/work", "/run/atelier", "/tmp"])


def test_holds_no_way_to_a_docker_daemon(docker_school: DockerSchool, account: str) -> None:
    code = (
        "import os, stat\n"
        "print([os.path.join(t, f) for t, d, fs in os.walk('/') if not t.startswith(('/proc', '/sys'))\n"
        "       for f in fs if 'docker' in f and stat.S_ISSOCK(os.lstat(os.path.join(t, f)).st_mode)])"
    )
    assert docker_school.stack.run_inside(account, code).strip() == "[]"


# ------------------------------------------------ forged wishes
def test_what_a_spawn_asks_for_is_not_looked_at(docker_school: DockerSchool) -> None:
    stack, name = docker_school.stack, docker_school.boris
    docker_school.ensure_running(name)
    before = stack.find_container(name).attrs
    stack.stop_workspace(name)
    wishes = {
        "image": "atelier-hub:test",
        "cmd": ["sleep", "1000"],
        "environment": {"EVIL": "1"},
        "volumes": {"/": "/host"},
        "extra_host_config": {"privileged": True},
        "extra_create_kwargs": {"user": "0"},
        "mem_limit": "64G",
    }
    answer = stack.ask_hub("POST", f"users/{name}/server", json=wishes)
    assert answer.status_code in (201, 202), answer.text
    wait_until(lambda: stack.is_ready(name), 60, "it did not start")
    after = stack.find_container(name).attrs
    assert after["Config"]["Image"] == before["Config"]["Image"]
    assert after["Config"]["User"] == before["Config"]["User"]
    assert after["Config"]["Cmd"] == before["Config"]["Cmd"]
    assert after["Mounts"] == before["Mounts"]
    assert not after["HostConfig"]["Privileged"]
    assert after["HostConfig"]["Memory"] == before["HostConfig"]["Memory"]
    assert not [variable for variable in after["Config"]["Env"] if variable.startswith("EVIL")]


# ------------------------------------------------ what it keeps
def test_home_and_owner_outlive_a_stop(docker_school: DockerSchool) -> None:
    stack, name = docker_school.stack, docker_school.boris
    docker_school.ensure_running(name)
    stack.run_inside(name, "open('работа.txt', 'w').write('запазено')")
    uid = stack.run_inside(name, "import os; print(os.getuid())")
    stack.stop_workspace(name)
    stack.start_workspace(name)
    assert stack.run_inside(name, "print(open('работа.txt').read())").strip() == "запазено"
    assert stack.run_inside(name, "import os; print(os.getuid())") == uid


def test_first_start_that_was_cut_off_is_finished(docker_school: DockerSchool) -> None:
    """The hub ended after it had made the volume and before the volume had an owner."""
    stack, name = docker_school.stack, docker_school.boris
    stack.stop_workspace(name)
    volume = stack.client.volumes.get(f"atelier-home-{name}")
    uid = volume.attrs["Labels"][UID_LABEL]
    stack.client.containers.run(
        IMAGE["personal"],
        ["root:root", "/home/work"],
        entrypoint=["chown"],
        user="0",
        remove=True,
        volumes={volume.name: {"bind": "/home/work", "mode": "rw,nocopy"}},
    )
    stack.client.containers.create(
        IMAGE["personal"],
        ["-d", f"--owner={uid}", f"--group={uid}", "--mode=700", "/home/work"],
        entrypoint=["install"],
        name=f"{volume.name}-preparation",
        user="0",
        volumes={volume.name: {"bind": "/home/work", "mode": "rw,nocopy"}},
    )
    stack.start_workspace(name)
    assert stack.run_inside(name, "import os; print(os.stat('.').st_uid)").strip() == uid


def test_restart_of_the_hub_keeps_workspaces(docker_school: DockerSchool, account: str) -> None:
    stack = docker_school.stack
    before = stack.find_container(account).id
    stack.restart("hub")
    wait_until(lambda: stack.is_ready(account), 30, "the hub did not find the workspace again")
    assert stack.find_container(account).id == before


def test_workspace_that_ended_by_itself_is_cleared_away_and_starts_again(docker_school: DockerSchool) -> None:
    stack, name = docker_school.stack, docker_school.boris
    docker_school.ensure_running(name)
    stack.find_container(name).kill()
    wait_until(lambda: not stack.is_ready(name), 60, "the hub did not notice")
    wait_until(lambda: not stack.is_running(name), 30, "its container is still there")
    stack.start_workspace(name)


# ------------------------------------------------ what it says
def test_no_line_of_a_start_is_a_warning(docker_school: DockerSchool, account: str) -> None:
    stack = docker_school.stack
    stack.stop_workspace(account)
    stack.start_workspace(account)
    lines = stack.find_container(account).logs().decode().splitlines()
    assert lines
    strange = [line for line in lines if TROUBLE.search(line) and not any(k in line for k in KNOWN_LINES)]
    assert strange == []


def test_log_holds_no_token(docker_school: DockerSchool, account: str) -> None:
    stack = docker_school.stack
    token = stack.run_inside(account, "import os; print(os.environ['JUPYTERHUB_API_TOKEN'])").strip()
    assert token not in stack.find_container(account).logs().decode()
