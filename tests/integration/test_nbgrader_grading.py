"""Grading through real nbgrader and a real sandbox: points, problems, hostile notebooks, hidden tests."""

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from atelier_nbgrader.gradebook import open_gradebook
from atelier_nbgrader.sandbox import bubblewrap
from atelier_nbgrader.staging import make_result
from nbformat.v4 import new_code_cell, new_markdown_cell

from tests.components import require_sandbox
from tests.nbgrader_course import ASSIGNMENT, CANARY, RIGHT, SLUG, TestCourse, make_course

pytestmark = pytest.mark.sandbox

COURSE_ENVIRON = {"ATELIER_KIND": "course", "ATELIER_COURSE": SLUG, "ATELIER_ACCOUNT": "course-aaaaaaaaaaaa"}
ANNA, BORIS = "annaaaaaaaaa", "borisbbbbbbb"
SECRET = "token-that-no-student-may-see"


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestCourse:
    require_sandbox()
    # No service: grading goes on with what the last collect wrote.
    monkeypatch.delenv("ATELIER_SERVICE_URL", raising=False)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", SECRET)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return make_course(tmp_path, COURSE_ENVIRON)


def find_result(course: TestCourse, account: str) -> dict[str, object]:
    with open_gradebook(course.coursedir) as gradebook:
        return make_result(gradebook, course.coursedir, course.desk, ASSIGNMENT, account)


def shorten_limits(course: TestCourse) -> None:
    course.config.SandboxedExecute.timeout = 4.0
    course.config.SandboxedExecute.memory_mb = 400
    course.config.SandboxedExecute.processes = 12


def test_right_solution_gets_its_points(course: TestCourse) -> None:
    course.submit(ANNA, RIGHT)
    assert course.autograde(ANNA)["success"]
    result = find_result(course, ANNA)
    assert (result["points"], result["max_points"], result["problem"]) == (5.0, 9.0, None)


def test_answer_for_a_person_to_grade_is_announced(course: TestCourse) -> None:
    def answer(notebook: nbformat.NotebookNode) -> None:
        notebook.cells[1].source = RIGHT
        notebook.cells[4].source = "Because."

    course.submit(ANNA, answer)
    course.autograde(ANNA)
    assert find_result(course, ANNA)["needs_manual_grade"] is True


def test_wrong_solution_gets_only_the_points_of_passed_tests(course: TestCourse) -> None:
    course.submit(ANNA, "def square(x):\n    return 4 if x == 2 else 0")
    assert course.autograde(ANNA)["success"]
    assert find_result(course, ANNA)["points"] == 2


def test_warning_on_stderr_costs_no_points(course: TestCourse) -> None:
    course.submit(
        ANNA, "import sys\ndef square(x):\n    print('deprecated', file=sys.stderr)\n    return x * x"
    )
    course.autograde(ANNA)
    assert find_result(course, ANNA)["points"] == 5


def test_data_beside_the_notebook_can_be_read(course: TestCourse) -> None:
    course.submit(ANNA, f"open('data.csv').read()\nopen('own.txt').read()\n{RIGHT}", {"own.txt": b"hi"})
    course.autograde(ANNA)
    assert find_result(course, ANNA)["points"] == 5


CUT = {
    "endless loop": "while True: pass",
    "ends the kernel": "import os; os._exit(0)",
    "kills its kernel": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "takes all memory": (
        "hoard = []\nwhile True:\n    try: hoard.append(b'x' * 10**7)\n    except MemoryError: pass"
    ),
    "fork bomb": "import os\nwhile True: os.fork()",
}


@pytest.mark.parametrize("source", CUT.values(), ids=CUT.keys())
def test_cut_run_is_a_problem_and_never_points(course: TestCourse, source: str) -> None:
    shorten_limits(course)
    course.submit(ANNA, f"{RIGHT}\n{source}")
    course.submit(BORIS, RIGHT)
    assert not course.autograde(ANNA)["success"]
    course.config.SandboxedExecute.pop("timeout")  # an honest run may take its time on a busy machine
    assert course.autograde(BORIS)["success"]
    result = find_result(course, ANNA)
    assert result["points"] is None
    assert result["problem"]
    assert find_result(course, BORIS)["points"] == 5


def test_exit_just_before_the_tests_gives_no_points(course: TestCourse) -> None:
    def leave(notebook: nbformat.NotebookNode) -> None:
        notebook.cells[1].source = RIGHT
        notebook.cells.insert(2, new_code_cell("import os; os._exit(0)"))

    course.submit(ANNA, leave)
    course.autograde(ANNA)
    result = find_result(course, ANNA)
    assert result["points"] is None
    assert "2" in str(result["problem"])


SPY = """
import glob, os, socket
def look(path):
    try:
        return open(path).read()
    except Exception as error:
        return ""
print("SEEN", dict(os.environ), glob.glob("/home/*") , os.listdir("/"), os.listdir("."))
print("SEEN", "".join(look(p) for p in glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline")))
print("SEEN", look("{gradebook}"), look("{other}"), look("{source}"))
print("SEEN", look("/etc/passwd"), look("/etc/shadow"))
print("NETWORK", [line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]])
try:
    socket.create_connection(("127.0.0.1", {port}), timeout=2)
    print("REACHED")
except OSError:
    pass
try:
    open("{gradebook}", "w")
    print("WROTE")
except OSError:
    pass
for path in glob.glob("**/*.ipynb", recursive=True):
    print("NOTEBOOK", path)
"""


def test_student_code_sees_no_token_no_gradebook_no_other_work_and_no_network(course: TestCourse) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        spy = SPY.format(
            gradebook=course.root / "gradebook.db",
            other=course.root / "submitted" / BORIS / ASSIGNMENT / "squares.ipynb",
            source=course.root / "source" / ASSIGNMENT / "squares.ipynb",
            port=server.getsockname()[1],
        ).replace("{gradebook}", str(course.root / "gradebook.db"))
        course.submit(BORIS, RIGHT)
        before = (course.root / "gradebook.db").read_bytes()[:16]
        course.submit(ANNA, f"{RIGHT}\n{spy}")
        assert course.autograde(ANNA)["success"]
    said = json.dumps(course.read_graded(ANNA).cells[1].outputs)
    assert "SEEN" in said
    assert "NETWORK ['lo']" in said  # its own loopback, and no way to anywhere
    for forbidden in (SECRET, "REACHED", "WROTE", "NOTEBOOK", str(course.home), "root:", "SQLite format"):
        assert forbidden not in said, forbidden
    assert (course.root / "gradebook.db").read_bytes()[:16] == before
    assert find_result(course, ANNA)["points"] == 5


def test_nothing_is_left_running(course: TestCourse) -> None:
    marker = "sleep 54321.25"
    course.submit(
        ANNA,
        f"import subprocess\nsubprocess.Popen(['sh', '-c', 'trap \"\" TERM HUP; {marker} & {marker}'],"
        f" start_new_session=True)\n{RIGHT}",
    )
    course.autograde(ANNA)
    commands = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            commands.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    assert not [command for command in commands if marker in command]


def test_student_code_cannot_change_the_notebook_it_is_graded_by(course: TestCourse) -> None:
    forge = (
        "import json, glob\n"
        "for path in glob.glob('/home/**/*.ipynb', recursive=True):\n    open(path, 'w').write('{}')\n"
        "open('squares.ipynb', 'w').write(json.dumps({'cells': [], 'metadata': {}, 'nbformat': 4,"
        " 'nbformat_minor': 5}))\n"
        "def square(x): return 0"
    )
    course.submit(ANNA, forge)
    assert course.autograde(ANNA)["success"]
    graded = course.read_graded(ANNA)
    assert [cell.metadata.get("nbgrader", {}).get("points") for cell in graded.cells] == [None, None, 2, 3, 4]
    assert find_result(course, ANNA)["points"] == 0


def test_endless_output_is_cut_short(course: TestCourse) -> None:
    course.submit(ANNA, f"for i in range(300): print('x' * 100_000)\n{RIGHT}")
    course.autograde(ANNA)
    assert find_result(course, ANNA)["points"] == 5
    assert len(json.dumps(course.read_graded(ANNA))) < 2_000_000


def test_huge_output_is_cut_or_a_problem_but_never_stops_the_others(course: TestCourse) -> None:
    course.submit(ANNA, f"print('x' * 300_000_000)\n{RIGHT}")
    course.submit(BORIS, RIGHT)
    course.autograde(ANNA)
    course.autograde(BORIS)
    assert find_result(course, BORIS)["points"] == 5
    result = find_result(course, ANNA)
    assert result["points"] == 5 or result["problem"]


Change = Callable[[nbformat.NotebookNode], None]


def claim_autograded(notebook: nbformat.NotebookNode) -> None:
    """The manual answer becomes a code cell that "passes"."""
    cell = notebook.cells[4]
    notebook.cells[4] = new_code_cell("1", metadata=cell.metadata)
    notebook.cells[4].metadata.nbgrader.solution = False


def raise_points(notebook: nbformat.NotebookNode) -> None:
    notebook.cells[2].metadata.nbgrader.points = 1000


def weaken_tests(notebook: nbformat.NotebookNode) -> None:
    notebook.cells[2].source = notebook.cells[3].source = "pass"


def remove_tests(notebook: nbformat.NotebookNode) -> None:
    del notebook.cells[2:4]


def forget_metadata(notebook: nbformat.NotebookNode) -> None:
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)


def unlock(notebook: nbformat.NotebookNode) -> None:
    for cell in notebook.cells[2:4]:
        cell.metadata.nbgrader.update(locked=False, grade=False, solution=True)
        cell.source = "pass"


def go_back_to_old_schema(notebook: nbformat.NotebookNode) -> None:
    for cell in notebook.cells[1:]:
        cell.metadata.nbgrader.schema_version = 1


def double_the_tests(notebook: nbformat.NotebookNode) -> None:
    extra = new_code_cell("pass", metadata=notebook.cells[2].metadata)
    notebook.cells.append(extra)


@pytest.mark.parametrize(
    "change",
    [
        claim_autograded,
        raise_points,
        weaken_tests,
        remove_tests,
        forget_metadata,
        unlock,
        go_back_to_old_schema,
        double_the_tests,
    ],
)
def test_a_changed_notebook_wins_no_points(course: TestCourse, change: Change) -> None:
    course.submit(ANNA, change)  # the solution itself stays empty
    course.autograde(ANNA)
    result = find_result(course, ANNA)
    assert result["points"] in (0, None), result
    if result["points"] == 0:
        assert result["max_points"] == 9


def test_tests_that_were_removed_by_accident_come_back(course: TestCourse) -> None:
    def lose_cells(notebook: nbformat.NotebookNode) -> None:
        notebook.cells[1].source = RIGHT
        del notebook.cells[2:4]

    course.submit(ANNA, lose_cells)
    course.autograde(ANNA)
    assert find_result(course, ANNA)["points"] == 5


def test_one_old_or_broken_notebook_never_stops_the_class(course: TestCourse) -> None:
    course.submit(ANNA, go_back_to_old_schema)
    folder = course.submit("damaged11111", RIGHT)
    (folder / "squares.ipynb").write_text("{ not a notebook")
    course.submit("zzzzzzzzzzzz", RIGHT)
    course.make_api().autograde(ASSIGNMENT, "*")
    assert find_result(course, "zzzzzzzzzzzz")["points"] == 5
    broken = find_result(course, "damaged11111")
    assert broken["points"] is None
    assert "damaged" in str(broken["problem"])


def test_grading_that_was_killed_midway_is_a_problem(course: TestCourse) -> None:
    course.submit(ANNA, RIGHT)
    course.autograde(ANNA)
    course.desk.note_notebook(ASSIGNMENT, ANNA, "squares", "started")
    result = find_result(course, ANNA)
    assert result["points"] is None
    assert "interrupted" in str(result["problem"])


def test_a_newer_submission_is_not_given_the_points_of_the_earlier_one(course: TestCourse) -> None:
    course.submit(ANNA, RIGHT)
    course.autograde(ANNA)
    receipt = course.desk.find_receipt(ASSIGNMENT, ANNA)
    assert receipt is not None
    course.desk.note_collected({**receipt, "id": "newer1111111"})
    assert find_result(course, ANNA)["points"] is None


def test_without_bubblewrap_grading_refuses_and_says_what_to_install(
    course: TestCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    bubblewrap.check_sandbox.cache_clear()
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda *_args, **_kwargs: None)
    course.submit(ANNA, RIGHT)
    result = course.autograde(ANNA)
    bubblewrap.check_sandbox.cache_clear()
    assert not result["success"]
    assert "apt-get install bubblewrap" in result["log"]
    assert find_result(course, ANNA)["points"] is None


LEAK = """
import inspect, linecache
def square(x):
    for frame in inspect.stack():
        print(inspect.getsource(frame.frame) if "assert" in str(frame.code_context) else "")
    if x == 12:
        raise ValueError("wrong")
    return x * x
"""


def test_feedback_shows_no_hidden_test(course: TestCourse) -> None:
    def leak(notebook: nbformat.NotebookNode) -> None:
        notebook.cells[1].source = LEAK
        notebook.cells.append(new_code_cell("print(In)\nprint('\\n'.join(In))\nIn"))
        notebook.cells.append(new_markdown_cell("end"))

    course.submit(ANNA, leak)
    course.autograde(ANNA)
    assert CANARY in json.dumps(course.read_graded(ANNA)), "the teacher sees hidden tests"
    made = course.make_api().generate_feedback(ASSIGNMENT, ANNA)
    assert made["success"], made
    page = (course.root / "feedback" / ANNA / ASSIGNMENT / "squares.html").read_text()
    assert "def" in page
    assert "square" in page
    text = "".join(re.sub(r"<style.*?</style>|<[^>]*>", "", page, flags=re.DOTALL).split())
    assert CANARY not in text
    assert "==144" not in text
    assert "is not shown" in page


def test_work_put_there_by_hand_is_graded_but_never_released(course: TestCourse) -> None:
    course.submit(ANNA, RIGHT)
    folder = course.submit("byhand111111", RIGHT)
    (course.root / ".atelier" / "desk" / ASSIGNMENT / "byhand111111.json").unlink()
    assert folder.is_dir()
    assert course.autograde("byhand111111")["success"]
    assert course.desk.list_accounts(ASSIGNMENT) == [ANNA]
