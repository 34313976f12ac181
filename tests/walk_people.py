"""What people of the walk do in real browsers: students in Lab, the teacher in formgrader and on her page."""

import re

from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.atelier_stack import Stack

SLOW_MS = 90_000
TYPED_MS = 20_000


class Student:
    """A student with a browser of her own, signed in and on *My work*."""

    def __init__(self, stack: Stack, context: BrowserContext, email: str) -> None:
        self.stack = stack
        self.email = email
        self.page: Page = stack.signed_in_page(context, email)

    def open_my_work(self) -> None:
        self.page.goto(self.stack.pages_url)

    def open_workspace(self, button: str) -> None:
        """Follow a button of *My work*, e.g. "Към работното място на екипа", until Lab is there."""
        self.open_my_work()
        self.page.get_by_role("link", name=button).first.click()
        self.page.wait_for_url("**/lab/**", timeout=SLOW_MS)
        self.page.wait_for_selector(".jp-LabShell", timeout=SLOW_MS)

    def card(self, assignment: str) -> Locator:
        """The assignment's card in the sidebar, which opens by itself when something is to be done."""
        self.page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=SLOW_MS)
        card = self.page.locator(f".atl-Card[data-assignment={assignment}]")
        card.wait_for(state="attached", timeout=SLOW_MS)
        tab = self.page.get_by_role("tab", name=re.compile("^Ателие"))
        expect(tab).to_be_visible()
        if tab.get_attribute("aria-selected") != "true":
            tab.click()
        expect(card).to_be_visible(timeout=SLOW_MS)
        return card

    def press(self, assignment: str, button: str) -> None:
        self.card(assignment).get_by_role("button", name=button, exact=True).click()

    def open_notebook(self, folder: str, name: str) -> None:
        """Open a notebook from the file browser, folder by folder."""
        self.page.locator(".jp-FileBrowser").first.wait_for(state="attached")
        self.page.get_by_role("tab", name=re.compile("Файлове|File Browser")).click()
        for part in [*folder.split("/"), name]:
            self.page.locator(f'.jp-DirListing-item[title*="{part}"]').first.dblclick(timeout=SLOW_MS)
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        """Wait until the notebook is shown and its kernel is idle: what is run before is lost."""
        self.page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for(timeout=SLOW_MS)
        self.page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').first.wait_for(
            timeout=SLOW_MS
        )

    def cell(self, text: str) -> Locator:
        """The code cell that contains `text`."""
        return self.page.locator(".jp-NotebookPanel:visible .jp-CodeCell", has_text=text).first

    def type_at_the_end(self, cell: Locator, text: str) -> None:
        cell.scroll_into_view_if_needed()
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+End")
        self.page.keyboard.insert_text(text)

    def replace(self, cell: Locator, text: str) -> None:
        cell.scroll_into_view_if_needed()
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text)


class Teacher:
    """The teacher in her own session: formgrader in the course workspace, her course page."""

    def __init__(self, stack: Stack, context: BrowserContext, email: str, course: str) -> None:
        self.stack = stack
        self.course_url = f"{stack.pages_url}courses/{course}"
        self.page: Page = stack.signed_in_page(context, email)

    def open_formgrader(self) -> None:
        self.page.goto(self.course_url)
        self.page.get_by_role("link", name="Пускане, събиране, оценяване").click()
        self.page.wait_for_url("**/formgrader/manage_assignments**", timeout=SLOW_MS)
        self.page.wait_for_selector("td.name", timeout=SLOW_MS)

    def press_for(self, assignment: str, column: str) -> None:
        """Press a button of formgrader's list of assignments and wait for its success message.

        `column` names a column: assign, release, collect, generate-feedback, release-feedback.
        """
        row = self.page.locator("tr", has=self.page.locator("td.name", has_text=assignment))
        row.locator(f"td.{column} a").click()
        self.take_message()

    def take_message(self) -> None:
        """Expect formgrader's success message and close it."""
        shown = self.page.locator("#success-modal, #error-modal")
        shown.wait_for(timeout=SLOW_MS)
        assert shown.get_attribute("id") == "success-modal", shown.inner_text()
        shown.get_by_role("button", name="Close").first.click()
        shown.wait_for(state="hidden")

    def autograde(self, assignment: str, submissions: int) -> None:
        """Press autograde for each submission of an assignment."""
        self.page.goto(re.sub(r"manage_assignments.*", f"manage_submissions/{assignment}", self.page.url))
        buttons = self.page.locator("td.autograde a")
        expect(buttons).to_have_count(submissions, timeout=SLOW_MS)
        for number in range(submissions):
            buttons.nth(number).click()
            self.take_message()

    def open_marks(self, assignment: str) -> None:
        self.page.goto(f"{self.course_url}/assignments/{assignment}")

    def row_of(self, name: str) -> Locator:
        return self.page.locator("tr", has_text=name)

    def grade_by_hand(self, assignment: str, notebook: str, cells: list[str]) -> None:
        """Open the first submission of a notebook and give full credit for these cells (grade ids)."""
        base = self.page.url.split("/formgrader/")[0] + "/formgrader"
        self.page.goto(f"{base}/gradebook/{assignment}/{notebook}")
        self.page.locator("td.name a").first.click(timeout=SLOW_MS)
        self.page.wait_for_url("**/formgrader/submissions/**", timeout=SLOW_MS)
        for cell in cells:
            heading = self.page.locator(".panel-heading", has=self.page.locator(f"input.score[id='{cell}']"))
            with self.page.expect_response(re.compile("/formgrader/api/grade/")):
                heading.get_by_role("button", name="Full credit").click(timeout=SLOW_MS)
            expect(heading.locator("input.score")).not_to_have_value("")
