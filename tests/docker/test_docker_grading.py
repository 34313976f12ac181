"""An assignment's walk through containers: release, fetch, submit, collect, autograde in the sandbox."""

import pytest
from nbformat import writes

from tests.docker_school import SLUG, DockerSchool
from tests.nbgrader_course import ASSIGNMENT, RIGHT, make_source

pytestmark = [pytest.mark.docker, pytest.mark.side_by_side]

# What a hostile answer tries while it is graded; each line is a thing that must fail or find nothing.
HOSTILE = f"""{RIGHT}
import os, socket, pathlib
found = [n for n in os.environ if 'TOKEN' in n or 'ATELIER' in n]
found += [str(p) for p in pathlib.Path('/home').rglob('gradebook.db')]
try:
    socket.create_connection(("{{gateway}}", {{port}}), 2)
    found.append('network')
except OSError:
    pass
try:
    open('/home/work/mark', 'w')
    found.append('wrote')
except OSError:
    pass
assert found == [], found
"""


def run_nbgrader(school: DockerSchool, account: str, *arguments: str) -> str:
    """Run an nbgrader command in a workspace, in the folder where it belongs; return what it said."""
    folder = f"/home/work/{SLUG}" if account == school.course else "/home/work"
    container = school.stack.find_container(account)
    status, output = container.exec_run(["nbgrader", *arguments], workdir=folder)
    said = str(output.decode(errors="replace"))
    assert status == 0, f"nbgrader {' '.join(arguments)}: {said}"
    return said


def put_file(school: DockerSchool, account: str, path: str, text: str) -> None:
    code = (
        "import pathlib\n"
        f"p = pathlib.Path({path!r}); p.parent.mkdir(parents=True, exist_ok=True); p.write_text({text!r})"
    )
    school.stack.run_inside(account, code)


def answer(school: DockerSchool, account: str, source: str) -> None:
    """Put an answer into the fetched notebook."""
    code = (
        f"import nbformat\npath = '/home/work/{SLUG}/{ASSIGNMENT}/squares.ipynb'\n"
        f"n = nbformat.read(path, as_version=4); n.cells[1].source = {source!r}; nbformat.write(n, path)"
    )
    school.stack.run_inside(account, code)


def find_points(school: DockerSchool, account: str) -> float:
    code = (
        "from nbgrader.api import Gradebook\n"
        f"with Gradebook('sqlite:////home/work/{SLUG}/gradebook.db') as g:\n"
        f"    print('points', g.find_submission({ASSIGNMENT!r}, {account!r}).score)"
    )
    said = school.stack.run_inside(school.course, code)
    return float(said.split("points")[1])


@pytest.fixture(scope="module")
def collected(docker_school: DockerSchool) -> DockerSchool:
    """An assignment released from the course's container and handed in from two students'."""
    school = docker_school
    for name in (school.anna, school.boris, school.course):
        school.ensure_running(name)
    source = f"/home/work/{SLUG}/source/{ASSIGNMENT}/squares.ipynb"
    put_file(school, school.course, source, writes(make_source()))
    run_nbgrader(school, school.course, "generate_assignment", ASSIGNMENT, "--force")
    run_nbgrader(school, school.course, "release_assignment", ASSIGNMENT)
    house = school.stack.house
    hostile = HOSTILE.format(gateway=school.stack.town.gateway, port=house.ports.hub)
    for name, text in ((school.anna, RIGHT), (school.boris, hostile)):
        run_nbgrader(school, name, "fetch_assignment", ASSIGNMENT, f"--course={SLUG}")
        answer(school, name, text)
        run_nbgrader(school, name, "submit", ASSIGNMENT, f"--course={SLUG}")
    run_nbgrader(school, school.course, "collect", ASSIGNMENT)
    run_nbgrader(school, school.course, "autograde", ASSIGNMENT)
    return school


def test_right_answer_has_its_points(collected: DockerSchool) -> None:
    assert find_points(collected, collected.anna) == 5


def test_hostile_answer_finds_nothing_while_it_is_graded(collected: DockerSchool) -> None:
    """Its checks run in the sandbox: had one found something, its own cell and the tests after it failed."""
    assert find_points(collected, collected.boris) == 5
    code = "import os; print(os.path.exists('/home/work/mark'))"
    assert collected.stack.run_inside(collected.course, code).strip() == "False"


def test_what_the_course_may_more_is_named_call_by_call(docker_school: DockerSchool) -> None:
    """Namespaces can be made in a course workspace; other calls that Docker refuses stay refused."""
    code = (
        "import ctypes, platform\n"
        "l = ctypes.CDLL(None, use_errno=True)\n"
        "calls = {'bpf': 321, 'perf_event_open': 298, 'keyctl': 250, 'io_uring_setup': 425, 'setns': 308,\n"
        "         'init_module': 175, 'kexec_load': 246, 'userfaultfd': 323, 'open_by_handle_at': 304}\n"
        "bad = []\n"
        "for name, number in calls.items():\n"
        "    ctypes.set_errno(0)\n"
        "    if not (l.syscall(number, 0, 0, 0, 0, 0) == -1 and ctypes.get_errno() == 1): bad.append(name)\n"
        "print(platform.machine(), bad)"
    )
    said = docker_school.stack.run_inside(docker_school.course, code).split(maxsplit=1)
    if said[0] != "x86_64":
        pytest.skip(f"the numbers of system calls are those of x86_64, this is {said[0]}")
    assert said[1].strip() == "[]"
