"""The browser of the browser tests: one per module, so that modules share no state and cost one start."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.chromium import run_chromium


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with run_chromium() as browser:
        yield browser
