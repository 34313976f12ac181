"""Rights that end: by the roster's word alone, with the steward down."""

import time

import pytest

from tests.atelier_stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.hub, pytest.mark.undisturbed]  # it promises seconds

STUDENT = "ends.one@students.school-a.example"
STAYS = "ends.two@students.school-a.example"
BOUND_S = 60


def test_deactivated_person_is_out_within_a_minute_even_without_the_steward(stack: Stack) -> None:
    log_begins_at = len(stack.read_log("hub"))
    stack.add_people(f"Крум Крайчев {STUDENT} student", f"Стоя Стоянова {STAYS} student")
    browser, other = stack.sign_in(STUDENT), stack.sign_in(STAYS)
    person = stack.find_person(STUDENT)
    stack.start_workspace(person)
    kernels = f"{stack.account_url(person)}api/kernels"
    assert browser.get(f"{stack.account_url(person)}lab").status_code == 200
    assert browser.get(kernels).status_code == 200
    with stack.down("steward"):
        stack.run("roster", "deactivate", STUDENT)
        began = time.monotonic()
        wait_until(lambda: browser.get(kernels).status_code != 200, BOUND_S, "the workspace stays open")
        wait_until(
            lambda: browser.get(f"{stack.public_url}/hub/api/user").status_code == 403,
            BOUND_S - (time.monotonic() - began),
            "the hub's session stays",
        )
        assert other.get(f"{stack.public_url}/hub/api/user").status_code == 200
    page = stack.try_sign_in(STUDENT)
    assert page.status_code == 403
    assert 'data-refusal="deactivated"' in page.text
    # JupyterHub 6.1.1 breaks at an expired session unless it is cured: see hub_config/pages.py.
    assert "Traceback" not in stack.read_log("hub")[log_begins_at:]
