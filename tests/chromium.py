"""Debian's Chromium, as every browser test drives it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.components import require_file

CHROMIUM = Path("/usr/bin/chromium")
# No sandbox: CI runs as root. No QUIC and none of the calls home: a test leaves this machine for nothing.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def run_chromium(arguments: Sequence[str] = ARGUMENTS) -> Iterator[Browser]:
    """A headless Chromium; skips the test where none is installed, fails in CI."""
    require_file(CHROMIUM, "install Debian's package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(arguments))
        try:
            yield browser
        finally:
            browser.close()
