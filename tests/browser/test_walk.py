"""The walk with four people at once: three of a team and their teacher, from sign-in to a signed mark."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from course_templates.answers import read_answers
from tests.atelier_stack import Stack
from tests.walk_people import SLOW_MS, TYPED_MS, Student, Teacher

pytestmark = [pytest.mark.hub, pytest.mark.browser, pytest.mark.sandbox]

SCREEN = {"width": 1366, "height": 768}
TEMPLATE = "vazduhat-i-okeanat"
COURSE = "vazduhat-pomni-okeanat-se-lyul"
TEAM_WORK = "okeanat"
TEACHER = "teacher@school-a.example"
TEAM = [
    "aleksandra.angelova@students.school-a.example",
    "andrey.atanasov@students.school-a.example",
    "asen.bonev@students.school-a.example",
]
BY_HAND = ["graph", "experts", "town-page"]
FULL_POINTS = "30"
ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "test-results" / "walk"


@pytest.fixture
def screens(chromium: Browser) -> Iterator[list[BrowserContext]]:
    """Four browsers of four people: nothing is shared between them."""
    contexts = [chromium.new_context(locale="bg-BG", viewport=SCREEN) for _ in range(4)]
    yield contexts
    for context in contexts:
        for number, page in enumerate(context.pages):
            PICTURES.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=PICTURES / f"end-{contexts.index(context)}-{number}.png")
        context.close()


def test_team_works_live_submits_once_and_each_child_reads_a_mark_its_teacher_signed(
    stack: Stack, screens: list[BrowserContext]
) -> None:
    teacher = Teacher(stack, screens[0], TEACHER, COURSE)
    teacher.open_formgrader()
    teacher.press_for(TEAM_WORK, "assign")
    teacher.press_for(TEAM_WORK, "release")

    students = [Student(stack, context, email) for context, email in zip(screens[1:], TEAM, strict=True)]
    for student in students:
        student.open_workspace("Към работното място на екипа")
    work_live_on_one_notebook(students)
    answer_everything(students[0])
    receipt = submit(students[2])

    teacher.page.goto(teacher.course_url + f"/assignments/{TEAM_WORK}")
    for name in ("Александра Ангелова", "Андрей Атанасов", "Асен Бонев"):
        expect(teacher.row_of(name).locator(f'a[href*="{receipt}"]')).to_be_visible()
    grade(teacher)
    confirm(teacher)

    for student in students:
        student.open_my_work()
        work = student.page.get_by_role("listitem").filter(has_text="Океанът, Слънцето и ние").first
        expect(work).to_contain_text("6.00")
        expect(work).to_contain_text(FULL_POINTS)
        student.page.screenshot(path=PICTURES / f"my-work-{students.index(student)}.png", full_page=True)


def work_live_on_one_notebook(students: list[Student]) -> None:
    """One fetches, three open the same notebook; each sees what another types, and its output."""
    first, second, third = students
    first.press(TEAM_WORK, "Вземи и отвори")
    first.wait_for_kernel()
    for student in (second, third):
        student.page.reload()
        student.press(TEAM_WORK, "Отвори")
        student.wait_for_kernel()
    for student, words in ((second, "# Андрей беше тук"), (third, "# Асен също")):
        cell = student.cell("import pandas as pd")
        student.page.keyboard.press("Escape")
        cell.scroll_into_view_if_needed()
        cell.click()
        student.page.keyboard.press("Escape")
        student.page.keyboard.press("b")
        student.page.keyboard.press("Enter")
        student.page.wait_for_selector(".jp-Cell.jp-mod-active .cm-editor.cm-focused")
        student.page.keyboard.insert_text(f"{words}\nprint('{words[2:]}'.upper())")
        for other in students:
            expect(other.cell(words)).to_be_visible(timeout=TYPED_MS)
        student.page.keyboard.press("Shift+Enter")
        for other in students:
            expect(
                other.page.locator(".jp-OutputArea-output", has_text=words[2:].upper()).first
            ).to_be_visible(timeout=TYPED_MS)
    PICTURES.mkdir(parents=True, exist_ok=True)
    first.cell("# Асен също").scroll_into_view_if_needed()
    first.page.screenshot(path=PICTURES / "team-at-work.png")


def answer_everything(student: Student) -> None:
    """Type the template's sample answers into the solution cells."""
    answers = ROOT / "course_templates" / TEMPLATE / "solutions" / "full" / f"{TEAM_WORK}.py"
    for answer in read_answers(answers):
        if answer.markdown or answer.after:
            continue
        signature = re.search(r"^def \w+\([^)]*\)", answer.text, re.MULTILINE)
        if signature:
            student.replace(student.cell(signature[0]), answer.text)


def submit(student: Student) -> str:
    """A third member submits for the team. Returns the receipt's id."""
    student.press(TEAM_WORK, "Предай")
    card = student.card(TEAM_WORK)
    expect(card).to_contain_text("Предадено. Това е разписката.", timeout=SLOW_MS)
    student.page.screenshot(path=PICTURES / "receipt.png")
    return card.locator(".atl-Receipt code").first.inner_text()


def grade(teacher: Teacher) -> None:
    """Collect, autograde, grade by hand, feedback: all of it in formgrader."""
    teacher.open_formgrader()
    teacher.press_for(TEAM_WORK, "collect")
    teacher.autograde(TEAM_WORK, submissions=1)
    teacher.grade_by_hand(TEAM_WORK, TEAM_WORK, BY_HAND)
    teacher.page.screenshot(path=PICTURES / "formgrader-by-hand.png")
    teacher.open_formgrader()
    teacher.press_for(TEAM_WORK, "generate-feedback")
    teacher.press_for(TEAM_WORK, "release-feedback")


def confirm(teacher: Teacher) -> None:
    teacher.open_marks(TEAM_WORK)
    teacher.page.screenshot(path=PICTURES / "to-confirm.png", full_page=True)
    teacher.page.get_by_role("button", name=re.compile("^Потвърждаване|^Потвърди")).click()
    expect(teacher.page.get_by_role("status").first).to_be_visible(timeout=SLOW_MS)
