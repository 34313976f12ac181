"""The hub's log lines for a collector: shaped like web's, one object each, and no secret in any of them."""

import json
import logging
import sys
from typing import Any

import pytest
from atelier.logs import JsonLines as WebsJsonLines

from hub_config.log_lines import JsonLines
from hub_config.log_secrets import hide_secrets

SECRET = "s3cretvalue"


def make_record(message: str, *args: object, failed: bool = False, **extra: object) -> logging.LogRecord:
    info: Any = sys.exc_info() if failed else None
    record = logging.LogRecord("JupyterHub", logging.WARNING, "", 1, message, args, info)
    record.__dict__.update(extra)
    return record


def fail(message: str) -> logging.LogRecord:
    """Return the record of a failure whose cause names a secret, too."""
    try:
        try:
            raise OSError(f"code={SECRET}")
        except OSError as error:
            raise ValueError(message) from error
    except ValueError:
        return make_record("failed", failed=True)


def test_a_line_of_the_hub_is_shaped_like_one_of_webs():
    record = make_record("%s от Ада\nдве", "проба")
    line = JsonLines().format(record)
    assert json.loads(line) == json.loads(WebsJsonLines().format(record))
    assert "\n" not in line
    assert "Ада" in line


def test_a_failure_has_its_traceback_in_the_same_line_in_the_field_of_webs():
    record = fail("проба")
    line = JsonLines().format(record)
    assert "\n" not in line
    assert set(json.loads(line)) == set(json.loads(WebsJsonLines().format(record)))
    assert "test_hub_log_lines.py" in json.loads(line)["traceback"]
    assert "ValueError: проба" in json.loads(line)["traceback"]


def test_no_secret_stands_in_a_traceback():
    line = JsonLines().format(fail(f"GET https://x.example/?code={SECRET}&a=b of ada@sou1.example"))
    assert SECRET not in line
    assert "ada@" not in line


def test_what_a_library_put_beside_the_message_is_left_out():
    assert SECRET not in JsonLines().format(make_record("hello", token=SECRET))


@pytest.mark.parametrize("sign", ["@", "%40"])
def test_an_address_of_a_person_is_hidden(sign: str):
    said = hide_secrets(f"login_hint=ada.b+c{sign}sou-1.example.bg&x=1 'Иван{sign}поща.бг'")
    assert said == "login_hint=[address]&x=1 '[address]'"


@pytest.mark.parametrize("line", ["(k3f0z8q1x2aa@127.0.0.1) 3.00ms", "(k3@::1)", "(@10.0.0.1)", "a@b"])
def test_an_account_at_a_machines_number_stays(line: str):
    assert hide_secrets(line) == line


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        (
            "302 GET /hub/user/k3f/lab/tree/Ада%20Ан.ipynb?x=1 -> /a?next=%2Fuser%2Fk3f%2Flab%2FА (@::1)",
            "302 GET /hub/user/k3f/lab/[path]?x=1 -> /a?next=%2Fuser%2Fk3f%2Flab%2F[path] (@::1)",
        ),
        ("GET /hub/user/k3f/api/contents/Ада.ipynb", "GET /hub/user/k3f/api/[path]"),
        ("User k3f's server at http://a/user/k3f/ is up", "User k3f's server at http://a/user/k3f/ is up"),
        ("POST /hub/api/users/k3f/server", "POST /hub/api/users/k3f/server"),
    ],
)
def test_the_path_of_a_file_in_a_workspace_is_hidden(line: str, hidden: str):
    assert hide_secrets(line) == hidden
