"""What a test needs of the machine: a named skip where it is missing, a failure where `CI` is set."""

import os
from pathlib import Path
from typing import NoReturn

import pytest


def skip_or_fail(missing: str) -> NoReturn:
    """End the test because of what is `missing`; say in it how to get it."""
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


def require_file(path: Path, how: str) -> None:
    """Go on only where `path` exists; `how` says where it comes from."""
    if not path.exists():
        skip_or_fail(f"{path.name} is missing: {how}")


def require_sandbox() -> None:
    """Go on only where student code can be isolated."""
    from atelier_nbgrader.sandbox import SandboxUnavailable, check_sandbox

    try:
        check_sandbox()
    except SandboxUnavailable as missing:
        skip_or_fail(str(missing))
