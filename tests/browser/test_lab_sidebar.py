"""The Atelier panel in a real Lab and a real browser, in both languages."""

import contextlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.lab_stand_in import LAB_TOKEN, NOTEBOOK, Lab, StandInService, pack, serve, start_lab

pytestmark = pytest.mark.browser

CHROMEBOOK: Any = {"width": 1366, "height": 768}
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


@contextlib.contextmanager
def open_lab(chromium: Browser, lab: Lab, path: str = "lab") -> Iterator[Page]:
    """A browser of its own on `lab`. Every error that a page throws fails the test."""
    thrown: list[str] = []
    context = chromium.new_context(viewport=CHROMEBOOK)
    page = context.new_page()
    page.on("pageerror", lambda error: thrown.append(str(error)))
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{lab.url}{path}?token={LAB_TOKEN}")
    try:
        yield page
    finally:
        context.close()
    assert thrown == []


def card(page: Page, name: str) -> Locator:
    return page.locator(f".atl-Card[data-assignment={name}]")


def press(page: Page, name: str, text: str) -> None:
    card(page, name).get_by_role("button", name=text, exact=True).click()


def read_submitted(service: StandInService, name: str) -> str:
    """Source of the first cell of the newest submission, as the service stored it."""
    newest = service.assignments[name]["submissions"][0]
    with tarfile.open(fileobj=io.BytesIO(service.archives[newest["id"]])) as archive:
        notebook = archive.extractfile(f"{name}.ipynb")
        assert notebook
        source = json.load(notebook)["cells"][0]["source"]
        return "".join(source)


WORDS = {
    "bg": {
        "title": "Ателие",
        "due": "Срок: ср, 27.11.2030 г., 23:59",
        "fetch": "Вземи и отвори",
        "submit": "Предай",
        "again": "Предай отново",
        "receipt": "Предадено. Това е разписката.",
        "menu": "Файл",
        "work": "Към „Моята работа“",
    },
    "en": {
        "title": "Atelier",
        "due": "Due: Wed, Nov 27, 2030, 23:59",
        "fetch": "Fetch and open",
        "submit": "Submit",
        "again": "Submit again",
        "receipt": "Submitted. This is your receipt.",
        "menu": "File",
        "work": "To My work",
    },
}


@pytest.mark.parametrize("language", ["bg", "en"])
def test_student_fetches_types_submits_and_sees_receipt_and_refusal(
    language: str, chromium: Browser, tmp_path: Path
) -> None:
    words = WORDS[language]
    service = StandInService()
    service.add_assignment("intro", "Въведение <b>в</b> данните")
    with (
        serve(service),
        start_lab(tmp_path / "lab", service.url, language=language) as lab,
        open_lab(chromium, lab) as page,
    ):
        # Something is to be done: the panel is open without a click, nothing covers it.
        expect(page.get_by_role("heading", name=words["title"], exact=True)).to_be_visible()
        expect(card(page, "intro")).to_contain_text("Въведение <b>в</b> данните")
        expect(card(page, "intro")).to_contain_text(words["due"])
        expect(page.get_by_role("menuitem", name=words["menu"], exact=True)).to_be_visible()
        expect(page.get_by_role("link", name=words["work"])).to_have_attribute(
            "href", re.compile(r"services/atelier/$")
        )
        press(page, "intro", words["fetch"])
        cell = page.locator(".jp-Notebook .cm-content").first
        expect(cell).to_be_visible()
        cell.click()
        page.keyboard.press("Control+A")
        page.keyboard.type("answer = 42")

        press(page, "intro", words["submit"])
        expect(card(page, "intro")).to_contain_text(words["receipt"])
        receipt = service.assignments["intro"]["submissions"][0]
        expect(card(page, "intro")).to_contain_text(receipt["id"])
        expect(card(page, "intro")).to_contain_text(receipt["sha256"][:12])
        expect(card(page, "intro")).to_contain_text("14:05:00")
        assert read_submitted(service, "intro") == "answer = 42"  # typed, never saved by hand

        service.refusal = (413, "too_large", "Най-много 50 MB.")
        press(page, "intro", words["again"])
        expect(card(page, "intro").get_by_role("alert")).to_contain_text("Най-много 50 MB.")
        expect(page.get_by_text("Traceback")).to_have_count(0)
        assert len(service.assignments["intro"]["submissions"]) == 1


def test_panel_works_from_the_keyboard(chromium: Browser, tmp_path: Path) -> None:
    service = StandInService()
    service.add_assignment("intro", "Въведение")
    with (
        serve(service),
        start_lab(tmp_path / "lab", service.url) as lab,
        open_lab(chromium, lab) as page,
    ):
        page.get_by_role("button", name="Обнови", exact=True).focus()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Към „Моята работа“")).to_be_focused()
        page.keyboard.press("Tab")
        expect(card(page, "intro").get_by_role("button")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator(".jp-NotebookPanel")).to_be_visible()


def test_feedback_is_shown_and_its_scripts_do_not_run(chromium: Browser, tmp_path: Path) -> None:
    service = StandInService()
    service.add_assignment("intro", "Въведение")
    receipt = service.receive("intro", pack({"intro.ipynb": json.dumps(NOTEBOOK).encode()}))
    service.assignments["intro"] |= {
        "state": "returned",
        "feedback": {"submission_id": receipt["id"], "version": 1, "confirmed_at": "2026-11-21T12:00:00Z"},
        "mark": {"points": "8.000", "max_points": "10.000", "mark": "5.25", "scale": "bulgarian"},
    }
    page_text = (
        "<h1>Браво</h1><script>top.document.title = 'owned'; document.body.textContent = 'ran'</script>"
    )
    service.feedback[receipt["id"]] = pack({"2026-11-21_12-05-00/intro.html": page_text.encode()})
    with (
        serve(service),
        start_lab(tmp_path / "lab", service.url) as lab,
        open_lab(chromium, lab) as page,
    ):
        page.get_by_role("tab", name="Ателие: моите задания").click()
        expect(card(page, "intro")).to_contain_text("Оценка: 5.25 (точки: 8/10)")
        press(page, "intro", "Обратна връзка")
        shown = page.frame_locator("iframe.jp-IFrame-iframe, .jp-HTMLViewer iframe").first
        expect(shown.get_by_role("heading", name="Браво")).to_be_visible()
        assert page.title() != "owned"


def test_earlier_submission_opens_as_a_copy(chromium: Browser, tmp_path: Path) -> None:
    service = StandInService()
    service.add_assignment("intro", "Въведение")
    old = NOTEBOOK | {"cells": [NOTEBOOK["cells"][0] | {"source": "first_try = True"}]}  # type: ignore[index, operator]
    service.receive("intro", pack({"intro.ipynb": json.dumps(old).encode()}))
    with (
        serve(service),
        start_lab(tmp_path / "lab", service.url) as lab,
        open_lab(chromium, lab) as page,
    ):
        page.get_by_role("tab", name="Ателие: моите задания").click()
        card(page, "intro").get_by_text("Предавания (1)").click()
        card(page, "intro").get_by_role("button", name="Отвори копие").click()
        expect(page.locator(".jp-Notebook .cm-content").first).to_have_text("first_try = True")


def test_service_that_is_down_says_so_and_can_be_tried_again(chromium: Browser, tmp_path: Path) -> None:
    service = StandInService()
    service.add_assignment("intro", "Въведение")
    service.down = True
    with (
        serve(service),
        start_lab(tmp_path / "lab", service.url) as lab,
        open_lab(chromium, lab) as page,
    ):
        page.get_by_role("tab", name="Ателие: моите задания").click()
        expect(page.get_by_role("alert")).to_contain_text("Услугата „Ателие“ не отговаря.")
        service.down = False
        page.get_by_role("button", name="Опитай отново").click()
        expect(card(page, "intro")).to_be_visible()


def test_panel_asks_the_service_once_and_a_return_within_a_minute_asks_nothing(
    chromium: Browser, tmp_path: Path
) -> None:
    service = StandInService()
    service.add_assignment("intro", "Въведение")
    with (
        serve(service),
        start_lab(tmp_path / "lab", service.url) as lab,
        open_lab(chromium, lab) as page,
    ):
        expect(card(page, "intro")).to_be_visible()
        for _ in range(5):
            page.evaluate("window.dispatchEvent(new Event('focus'))")
        page.get_by_role("button", name="Обнови", exact=True).click()
        expect(page.locator(".atl-Refresh[aria-busy=false]")).to_be_visible()
        assert len(service.requests) == 4  # twice: who am I, and one course


def test_teammates_unsaved_typing_is_in_the_submission(chromium: Browser, tmp_path: Path) -> None:
    """One member submits while another's last keys are not on disk yet: the saving delay is a minute."""
    service = StandInService(kind="team", display_name="Екип „Бурята“")
    service.add_assignment("intro", "Въведение")
    slow = ("--YDocExtension.document_save_delay=60",)
    with (
        serve(service),
        start_lab(tmp_path / "lab", service.url, "team", arguments=slow) as lab,
        open_lab(chromium, lab, "lab/workspaces/ana") as ana,
    ):
        expect(ana.get_by_text("Екип: Екип „Бурята“")).to_be_visible()
        press(ana, "intro", "Вземи и отвори")
        cell = ana.locator(".jp-Notebook .cm-content").first
        expect(cell).to_have_text("1 + 1")
        with open_lab(chromium, lab, "lab/workspaces/boris") as boris:
            expect(card(boris, "intro")).to_be_visible()  # Boris has no notebook open
            cell.click()
            ana.keyboard.press("Control+A")
            ana.keyboard.type("written_by = 'Ана'")
            press(boris, "intro", "Предай")
            expect(card(boris, "intro")).to_contain_text("Предадено. Това е разписката.")
        assert read_submitted(service, "intro") == "written_by = 'Ана'"


def test_teacher_sees_the_desk_not_the_students_buttons(chromium: Browser, tmp_path: Path) -> None:
    service = StandInService(kind="course", display_name="География 8А")
    service.add_assignment("intro", "Въведение")
    with (
        serve(service),
        start_lab(tmp_path / "lab", service.url, "course") as lab,
        open_lab(chromium, lab) as page,
    ):
        expect(page.get_by_role("link", name="Отвори оценяването (formgrader)")).to_be_visible()
        expect(page.get_by_text("Пуснато, версия 1")).to_be_visible()
        expect(page.get_by_role("button", name="Предай")).to_have_count(0)


def test_one_launcher_is_there_and_none_beside_a_notebook_that_a_link_opened(
    chromium: Browser, tmp_path: Path
) -> None:
    service = StandInService()
    with serve(service), start_lab(tmp_path / "lab", service.url) as lab:
        (lab.home / "linked.ipynb").write_text(json.dumps(NOTEBOOK))
        for path, launchers in (("lab", 1), ("lab/tree/linked.ipynb", 0)):
            with open_lab(chromium, lab, path) as page:
                expect(page.locator(".jp-Launcher-body, .jp-NotebookPanel")).to_be_visible()
                page.wait_for_load_state("networkidle")  # the file browser has looked for an empty Lab, too
                expect(page.locator(".jp-Launcher-body")).to_have_count(launchers)
