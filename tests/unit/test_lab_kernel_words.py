"""A notebook says in a sentence why there is no internet, no installing, and no room."""

import errno
import json
import socket
import urllib.error
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from atelier_lab import kernel_words
from atelier_lab.kernel_words import FULL, NEARLY_FULL, NO_INSTALLING, NO_INTERNET, Explainer
from atelier_lab.texts import translate

OFF = {"ATELIER_KIND": "personal", "ATELIER_INTERNET": "off", "ATELIER_LANGUAGE": "en"}


def explain(explainer: Explainer, error: BaseException | None = None) -> None:
    explainer.explain(SimpleNamespace(error_in_exec=error))


def fail_as_urllib() -> None:
    try:
        raise socket.gaierror(-3, "Temporary failure in name resolution")
    except socket.gaierror as inner:
        raise urllib.error.URLError(inner)  # noqa: B904 - as urllib does it


def fail_as_requests() -> None:
    try:
        fail_as_urllib()
    except urllib.error.URLError as inner:
        raise requests.ConnectionError("Max retries exceeded") from inner


def fail_by_number() -> None:
    raise OSError(errno.ENETUNREACH, "Network is unreachable")


@pytest.mark.parametrize("fail", [fail_as_urllib, fail_as_requests, fail_by_number])
def test_who_opens_an_address_is_told_that_there_is_no_internet(
    fail: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(OSError) as caught:
        fail()
    explain(Explainer(OFF), caught.value)
    assert capsys.readouterr().out.strip() == NO_INTERNET
    explain(Explainer({**OFF, "ATELIER_LANGUAGE": "bg"}), caught.value)
    assert capsys.readouterr().out.strip() == translate("bg", NO_INTERNET) != NO_INTERNET


@pytest.mark.parametrize(
    "error", [None, ValueError("x"), FileNotFoundError(2, "x"), ConnectionRefusedError(111, "x")]
)
def test_other_mistakes_are_left_to_python(
    error: BaseException | None, capsys: pytest.CaptureFixture[str]
) -> None:
    explain(Explainer(OFF), error)
    assert capsys.readouterr().out == ""


def test_where_there_is_internet_a_wrong_name_is_just_a_wrong_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    explain(Explainer({"ATELIER_KIND": "personal"}), socket.gaierror(-2, "Name or service not known"))
    assert capsys.readouterr().out == ""


def test_causes_that_lead_in_a_circle_end() -> None:
    first, second = ValueError("1"), ValueError("2")
    first.__context__, second.__context__ = second, first
    assert not kernel_words.is_about_internet(first)


@pytest.fixture
def write_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """How full the home is, as the machine tells the workspace."""
    path = tmp_path / "quota.json"
    monkeypatch.setattr(kernel_words.load_quota, "__defaults__", (path,))
    return lambda level: (
        path.write_text(json.dumps({"level": level, "used_mb": 950, "limit_mb": 1000})) and None
    )


def test_a_nearly_full_home_is_told_once(
    write_quota: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    explainer = Explainer(OFF)
    write_quota("warn")
    explain(explainer)
    assert capsys.readouterr().out.strip() == NEARLY_FULL.replace("%1", "950").replace("%2", "1000")
    explain(explainer)
    assert capsys.readouterr().out == ""


def test_a_full_home_is_told_whenever_something_could_not_be_saved(
    write_quota: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    explainer = Explainer(OFF)
    write_quota("full")
    told = FULL.replace("%1", "950").replace("%2", "1000")
    for error in (None, OSError(errno.EFBIG, "File too large"), OSError(errno.EDQUOT, "Disk quota exceeded")):
        explain(explainer, error)
        assert capsys.readouterr().out.strip() == told
    explain(explainer)
    assert capsys.readouterr().out == ""


def test_a_damaged_word_about_the_home_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "quota.json").write_text("[1")
    assert kernel_words.load_quota(tmp_path / "quota.json") == {}


class Shell:
    """What IPython gives an extension."""

    def __init__(self) -> None:
        self.hooks: dict[str, Any] = {}
        self.magics: dict[str, Any] = {}
        self.events = SimpleNamespace(register=self.hooks.__setitem__)

    def register_magic_function(self, function: Any, *, magic_kind: str, magic_name: str) -> None:
        self.magics[magic_name] = function


def test_who_installs_is_told_why_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in OFF.items():
        monkeypatch.setenv(name, value)
    shell = Shell()
    kernel_words.load_ipython_extension(shell)
    shell.magics["pip"]("install seaborn")
    assert capsys.readouterr().out.strip() == NO_INSTALLING
    assert "post_run_cell" in shell.hooks


def test_outside_atelier_a_kernel_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATELIER_KIND", raising=False)
    shell = Shell()
    kernel_words.load_ipython_extension(shell)
    assert shell.hooks == shell.magics == {}
