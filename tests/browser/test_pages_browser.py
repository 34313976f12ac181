"""The pages in a real Chromium: attacked from a student's origin, used by a teacher, seen in both languages.

A page on the host name of the student's account plays her workspace; the service is the real one, with
a seeded database, under uvicorn.
"""

import json
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from atelier.pages import ROUTERS
from atelier.settings import SERVICE_PREFIX
from atelier.store.models import Base, Mark, Person
from fastapi.routing import APIRoute
from playwright.sync_api import Browser, BrowserContext, Frame, Page, expect
from sqlalchemy import select
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.components import require_file
from tests.databases import Databases
from tests.pages_town import Town, fresh_town

pytestmark = pytest.mark.browser

PICTURES = Path(__file__).parents[2] / "test-results" / "pages"
HTMX = Path(__file__).parents[2] / "extensions/atelier/atelier/pages/static/vendor/htmx.min.js"
SCREENS = [(1366, 768, "bg"), (1366, 768, "en"), (360, 740, "bg")]
SEEN = [
    ("student", ""),
    ("far-student", ""),
    ("teacher", ""),
    ("new-teacher", ""),
    ("teacher", "courses/geo"),
    ("teacher", "courses/geo/people"),
    ("teacher", "courses/geo/lessons"),
    ("teacher", "courses/geo/assignments/climate-start"),
    ("teacher", "courses/geo/assignments/climate-team"),
    ("teacher", "start"),
    ("school-admin", "school"),
    ("teacher", "courses/math"),
]


class StudentsHost:
    """Serves an empty page on every host name but the service's: what a student can put on her own origin."""

    def __init__(self, app: ASGIApp, town: Town) -> None:
        self.app, self.own_host = app, town.origin.partition("://")[2].encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or dict(scope["headers"])[b"host"] == self.own_host:
            return await self.app(scope, receive, send)
        headers = [(b"content-type", b"text/html; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"<!doctype html><title>mine</title><body>"})


@dataclass
class Served:
    """A town and the address of a student's own origin."""

    town: Town
    student_url: str

    def url(self, path: str) -> str:
        return f"{self.town.origin}{SERVICE_PREFIX}{path}"

    def sign_in(self, context: BrowserContext, who: str) -> None:
        context.add_cookies([{"name": "atelier", "value": self.town.sign_in(who), "url": self.town.origin}])

    def snapshot(self) -> dict[str, list[str]]:
        """Every row of every table, as text."""
        with self.town.sessions() as session:
            return {
                table.name: sorted(str(tuple(row)) for row in session.execute(select(table)))
                for table in Base.metadata.sorted_tables
            }


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(locale="bg-BG", viewport={"width": 1366, "height": 768})
    yield context
    context.close()


@pytest.fixture
def served(databases: Databases, tmp_path: Path) -> Iterator[Served]:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    town = fresh_town(tmp_path, databases)
    town.settings = town.settings.model_copy(update={"public_url": f"http://atelier.localhost:{port}"})
    app = StudentsHost(town.make_app(), town)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield Served(town, f"http://{town.ids['student']}.atelier.localhost:{port}/")
    server.should_exit = True
    thread.join(timeout=10)
    listener.close()


def list_attacks(town: Town) -> list[tuple[str, dict[str, str]]]:
    """Every unsafe route with a form that would do harm if it counted."""
    names = {
        "slug": "geo",
        "name": "climate-start",
        "project_id": town.ids["project"],
        "team_id": town.ids["team"],
        "lesson_id": town.ids["lesson"],
        "rest:path": "x",
    }
    student = town.ids["student"]
    harm = {
        "language": "en",
        "title": "Hacked",
        "name": "Hacked",
        "due": "2030-01-01T00:00",
        "action": "confirm",
        f"adjust-{student}": "20",
        f"team-{student}": "",
        f"was-{student}": town.ids["team"],
        "size": "2",
        "template": "small-rain",
        "class": town.ids["class"],
        "starts": "2030-01-01T08:00",
        "minutes": "40",
        "personal": "1",
        "day": "2026-11-30",
    }
    paths = [
        re.sub(r"\{(.*?)\}", lambda match: names[match[1]], route.path.lstrip("/"))
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and "POST" in route.methods
    ]
    return [(path, harm) for path in paths]


SEND_FORM = """([url, fields]) => {
  const form = document.createElement('form');
  form.method = 'post'; form.action = url; form.target = '_blank';
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement('input');
    input.name = name; input.value = value; form.append(input);
  }
  document.body.append(form); form.submit();
}"""
FETCH = """async ([url, fields, mode, token]) => {
  const headers = token ? {'X-CSRF-Token': token} : {};
  try {
    const answer = await fetch(url, {method: 'POST', mode, credentials: 'include', headers,
      body: new URLSearchParams(fields)});
    return answer.type === 'opaque' ? 'opaque' : `${answer.status} ${(await answer.text()).length}`;
  } catch (error) { return 'blocked'; }
}"""
READ = """async (url) => {
  try { return await (await fetch(url, {credentials: 'include'})).text(); }
  catch (error) { return 'blocked'; }
}"""
FRAME = """url => {
  const frame = document.createElement('iframe');
  frame.src = url; document.body.append(frame);
}"""
TITLE_OF = """window => {
  try { return window && !window.closed ? window.document.title : 'no window'; }
  catch (error) { return 'not allowed'; }
}"""


def test_nothing_a_student_sends_from_her_origin_with_the_teachers_cookies_does_anything(
    served: Served, context: BrowserContext
) -> None:
    """The teacher has opened a student's notebook: its scripts run on her origin, in his browser."""
    served.sign_in(context, "teacher")
    served.town.sign_in("student")
    own_token = served.town.csrf_token("student")
    page = context.new_page()
    page.goto(served.student_url)
    before = served.snapshot()
    attacks = list_attacks(served.town)
    assert len(attacks) >= 8
    with_cookie: list[str] = []
    context.on("request", lambda request: note_cookie(request, with_cookie))
    for path, harm in attacks:
        fields = {**harm, "csrf_token": own_token}
        url = served.url(path)
        with context.expect_page() as popup:
            page.evaluate(SEND_FORM, [url, fields])
        popup.value.wait_for_load_state()
        assert popup.value.url == url, "a form that is refused does not go on to another page"
        popup.value.close()
        assert page.evaluate(FETCH, [url, fields, "no-cors", ""]) in ("opaque", "blocked")
        assert page.evaluate(FETCH, [url, fields, "cors", own_token]) == "blocked"
    assert len(with_cookie) >= len(attacks), "the cookie never came along: this test proves nothing"
    assert served.snapshot() == before


def note_cookie(request: Any, found: list[str]) -> None:
    if request.method == "POST" and "atelier=" in request.all_headers().get("cookie", ""):
        found.append(request.url)


def test_the_same_form_from_our_own_page_counts(served: Served, context: BrowserContext) -> None:
    """The attack above with the two things it lacks: our origin and this session's token."""
    served.sign_in(context, "teacher")
    page = context.new_page()
    page.goto(served.url(""))
    token = served.town.csrf_token("teacher")
    before = served.snapshot()
    url = served.url("courses/geo/assignments/climate-start/due")
    fields = {"due": "2030-01-01T00:00", "csrf_token": token}
    assert page.evaluate(FETCH, [url, fields, "cors", ""]).startswith("200 ")
    assert served.snapshot() != before


def test_a_students_origin_cannot_read_or_frame_our_pages(served: Served, context: BrowserContext) -> None:
    served.sign_in(context, "teacher")
    page = context.new_page()
    page.goto(served.student_url)
    assert page.evaluate(READ, served.url("courses/geo")) == "blocked"
    with page.expect_event("framenavigated", is_frame_with_content) as navigated:
        page.evaluate(FRAME, served.url("courses/geo"))
    assert navigated.value.url.startswith("chrome-error:"), "the browser refuses to show it"
    with context.expect_page() as popup:
        window = page.evaluate_handle("url => window.open(url)", served.url("courses/geo"))
    popup.value.wait_for_load_state()
    assert "География" in popup.value.title()
    assert page.evaluate(TITLE_OF, window) in ("not allowed", "no window")


def is_frame_with_content(frame: Frame) -> bool:
    return frame.parent_frame is not None and frame.url != "about:blank"


def test_scripts_in_feedback_do_not_run_and_cannot_reach_us(served: Served, context: BrowserContext) -> None:
    from tests.unit.test_pages_my_work import confirm

    confirm(served.town, "climate-start")
    own = served.town.submissions[f"climate-start:{served.town.ids['student']}"]
    served.sign_in(context, "student")
    page = context.new_page()
    page.goto(served.url(""))
    page.get_by_role("link", name="Обратна връзка").first.click()
    page.get_by_role("link", name="climate-start", exact=True).click()
    expect(page.locator("h1#x")).to_have_text("Feedback")
    assert page.title() == "solution"
    assert page.evaluate("() => window.origin") == "null"
    page.get_by_role("button", name="go").click()
    assert page.url == served.url(f"feedback/{own}/files/0"), "forms are blocked by the sandbox"


@pytest.mark.parametrize("scripts", [True, False], ids=["with-scripts", "without-scripts"])
def test_a_teacher_forms_a_team_sets_a_deadline_announces_a_lesson_and_confirms_marks(
    scripts: bool, served: Served, chromium: Browser
) -> None:
    if scripts:
        require_file(HTMX, "make copies it")
    context = chromium.new_context(locale="bg-BG", java_script_enabled=scripts)
    served.sign_in(context, "teacher")
    page = context.new_page()
    problems: list[str] = []
    # Chromium notes the deadline that is refused below (409); anything else would be a fault of ours.
    page.on("console", lambda message: problems.append(message.text) if "409" not in message.text else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    form_a_team(page, served)
    set_a_deadline(page, served)
    announce_a_lesson(page, served)
    confirm_marks(page, served)
    assert problems == []
    context.close()


def form_a_team(page: Page, served: Served) -> None:
    page.goto(served.url("courses/geo/people"))
    page.get_by_label("Нов екип").fill("Звезди")
    page.get_by_role("button", name="Добавяне").first.click()
    expect(page.get_by_role("status")).to_contain_text("Екипът е добавен")
    page.locator(f"#team-{served.town.students[27]}").select_option(label="Звезди")
    page.get_by_role("button", name="Запазване на екипите").click()
    expect(page.get_by_role("status")).to_contain_text("Екипите са запазени")
    expect(page.get_by_label("Звезди", exact=True)).to_contain_text("ШоннеЮ")


def set_a_deadline(page: Page, served: Served) -> None:
    page.goto(served.url("courses/geo/assignments/climate-team"))
    page.get_by_label("Срок (Europe/Sofia)").fill("2027-03-28T03:30")
    page.get_by_role("button", name="Запазване").click()
    expect(page.get_by_role("alert")).to_contain_text("часовникът се мести напред")
    page.get_by_role("link", name="Назад").click()
    page.get_by_label("Срок (Europe/Sofia)").fill("2026-10-25T03:30")
    page.get_by_role("button", name="Запазване").click()
    expect(page.get_by_role("alert")).to_contain_text("идва два пъти")
    page.get_by_label("Кой от двата?").select_option("second")
    page.get_by_role("button", name="Запазване").click()
    expect(page.get_by_role("status")).to_contain_text("Срокът е запазен")


def announce_a_lesson(page: Page, served: Served) -> None:
    page.goto(served.url("courses/geo"))
    page.get_by_role("link", name="Уроци").click()
    page.get_by_label("Първи урок (Europe/Sofia)").fill("2027-10-31T03:30")
    page.get_by_label("на екипите в").select_option(label="Климатът на нашия град")
    page.get_by_role("button", name="Обявяване").click()
    expect(page.get_by_role("alert")).to_contain_text("идва два пъти")
    page.get_by_label("Първи урок (Europe/Sofia)").fill("2026-11-24T08:00")
    page.get_by_role("button", name="Обявяване").click()
    expect(page.get_by_role("status")).to_contain_text("Урокът е обявен")
    page.get_by_role("button", name=re.compile("Премахване на урока вт 24 ное")).click()
    expect(page.get_by_role("status")).to_contain_text("Урокът е премахнат")
    expect(page.get_by_role("row")).to_have_count(5)


def confirm_marks(page: Page, served: Served) -> None:
    page.goto(served.url("courses/geo/assignments/climate-team?done=due"))
    page.get_by_label("Точки за добавяне на Габриела Георгиева").fill("-1,5")
    page.get_by_role("button", name=re.compile("^Потвърждаване на 20 оценки")).click()
    expect(page.get_by_role("alert")).to_contain_text("още нищо не е потвърдено")
    expect(page.get_by_role("row", name=re.compile("Габриела Георгиева"))).to_contain_text("5.50")
    if page.evaluate("typeof window.htmx !== 'undefined'"):
        assert page.url.endswith("/climate-team?done=due"), "reloading must find a page"
    page.get_by_role("button", name=re.compile("^Потвърждаване на 20 оценки")).click()
    expect(page.get_by_role("status")).to_contain_text("Оценките са потвърдени")
    with served.town.sessions() as session:
        assert len(session.scalars(select(Mark)).all()) == 20


def test_every_page_fits_small_screens_in_both_languages(served: Served, chromium: Browser) -> None:
    """Also leaves a picture of each page in test-results/pages/ for people to look at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for width, height, language in SCREENS:
        context = chromium.new_context(viewport={"width": width, "height": height}, locale="bg-BG")
        page = context.new_page()
        problems: list[str] = []
        page.on("console", lambda message, found=problems: note_problem(message.text, found))
        for who, path in SEEN:
            set_language(served.town, who, language)
            served.sign_in(context, who)
            page.goto(served.url(path))
            name = f"{who}-{path.replace('/', '-') or 'home'}-{language}-{width}.png"
            page.screenshot(path=PICTURES / name, full_page=width < 500)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is too wide"
            assert page.evaluate(UNLABELLED) == [], f"{name}: fields without a label"
            assert page.evaluate("document.querySelectorAll('h1').length") == 1, name
            assert page.evaluate("document.documentElement.lang") == language
        context.close()
        assert problems == [], json.dumps(problems, ensure_ascii=False)


def note_problem(text: str, found: list[str]) -> None:
    if "404" not in text:  # the page for what is absent is among them
        found.append(text)


UNLABELLED = """() => [...document.querySelectorAll('input:not([type=hidden]), select, button, a')]
  .filter(e => !(e.labels?.length || e.getAttribute('aria-label') || e.textContent?.trim()))
  .map(e => e.outerHTML)"""


def set_language(town: Town, who: str, language: str) -> None:
    with town.sessions.begin() as session:
        session.get_one(Person, town.ids[who]).language = language


def test_the_keyboard_alone_reaches_the_content(served: Served, context: BrowserContext) -> None:
    served.sign_in(context, "student")
    page = context.new_page()
    page.goto(served.url(""))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
