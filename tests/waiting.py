"""The one way in which tests wait: for a condition, with a deadline, never for a length of time."""

import time
from collections.abc import Callable
from typing import TypeVar

POLL_S = 0.05
T = TypeVar("T")


def wait_until(condition: Callable[[], T | None], within_s: float, message: str | Callable[[], str]) -> T:
    """Poll until `condition` is true and return its value; fail with `message` after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        if time.monotonic() >= deadline:
            said = message() if callable(message) else message
            raise AssertionError(f"{said} (waited {within_s:g} s)")
        time.sleep(POLL_S)
    return value
