"""The tour's own eyes: it reads forms as a browser does, knows its cast, and fails when a claim fails."""

import json
from pathlib import Path

import httpx
import pytest

from demo.accounts import ROSTERS_DIR, list_demo_rosters, write_accounts
from demo.house import DEFAULT_CITY, REPOSITORY
from demo.tour.browser import Browser, TourFailure, find_form, find_link, list_choices
from demo.tour.cast import NOTES, PARTS, REFUSED, TEAM_PARTS, list_students
from demo.tour.marking_steps import read_csv
from demo.tour.notebooks import fill_in, load_expected_points
from hub_config.city import load_city

PAGE = """
<a href="/hub/oauth_login?next=%2F">Sign in</a>
<form method="post" action="choose">
  <input type="hidden" name="csrf_token" value="t0k">
  <input type="checkbox" name="class" value="c1" id="a"><label for="a">8А <span>(28)</span></label>
  <input type="checkbox" name="class" value="c2" id="b" checked><label for="b">8Б</label>
  <select name="team"><option value="">no team</option><option value="t1" selected>Екип 1</option></select>
  <textarea name="note">две думи</textarea><input name="title"><button name="action" value="go">Go</button>
</form>
"""
TEMPLATE = REPOSITORY / "course_templates" / "vazduhat-i-okeanat"


def show(html: str) -> httpx.Response:
    """Return a page as if it had been fetched."""
    request = httpx.Request("GET", "http://atelier.localhost:8000/services/atelier/start")
    return httpx.Response(200, html=html, request=request)


def test_a_form_is_sent_with_what_a_browser_would_send() -> None:
    form = find_form(show(PAGE), action="/choose")
    assert form.url == "http://atelier.localhost:8000/services/atelier/choose"
    assert form.method == "post"
    assert form.fields == {
        "csrf_token": "t0k",
        "class": "c2",
        "team": "t1",
        "note": "две думи",
        "title": "",
    }


def test_choices_are_found_by_the_words_that_a_person_reads() -> None:
    assert list_choices(show(PAGE), "class") == {"8А (28)": "c1", "8Б": "c2"}
    assert list_choices(show(PAGE), "team") == {"no team": "", "Екип 1": "t1"}


def test_what_is_not_on_the_page_is_a_failure_and_not_a_guess() -> None:
    with pytest.raises(TourFailure, match="has no form"):
        find_form(show(PAGE), action="/marks")
    with pytest.raises(TourFailure, match="has no link"):
        find_link(show(PAGE), "/hub/spawn/")


def test_a_page_that_is_refused_is_a_failure_with_its_words() -> None:
    with Browser() as browser:
        browser.http = httpx.Client(
            transport=httpx.MockTransport(lambda _: httpx.Response(404, html="<p>Няма такава страница</p>"))
        )
        with pytest.raises(TourFailure, match="answered 404: Няма такава страница"):
            browser.open("http://atelier.localhost:8000/")


def test_the_cast_is_one_class_of_28_in_seven_teams_three_of_them_hostile() -> None:
    students = list_students(ROSTERS_DIR / "primer_8a.csv", "8А")
    assert [student.number for student in students] == list(range(1, 29))
    assert {student.team for student in students} == set(range(1, 8))
    assert sum(student.part in (*REFUSED, "thief") for student in students) == 3
    assert {student.part for student in students} | set(TEAM_PARTS.values()) <= set(NOTES)


def test_every_set_of_answers_of_the_cast_is_in_the_template() -> None:
    sets = {
        part for part in (*PARTS.values(), *TEAM_PARTS.values()) if (TEMPLATE / "solutions" / part).is_dir()
    }
    expected = load_expected_points(TEMPLATE)
    assert {"wrong-zeros", "wrong-constants", "half-done"} <= sets
    assert all((part, "krivata") in expected and (part, "okeanat") in expected for part in sets)


def test_answers_reach_their_cells_and_an_attack_comes_before_the_first() -> None:
    notebook = json.loads((TEMPLATE / "source" / "krivata" / "krivata.ipynb").read_text(encoding="utf-8"))
    filled = fill_in(notebook, TEMPLATE / "solutions" / "half-done" / "krivata.py", "print('attack')")
    cells = {c["metadata"].get("nbgrader", {}).get("grade_id"): "".join(c["source"]) for c in filled["cells"]}
    assert cells["read"].startswith("print('attack')\ndef read_measurements(path):")
    assert "attack" not in cells["means"]


def test_both_spellings_of_the_marks_file_are_read() -> None:
    bulgarian = read_csv('\ufeff"№";"Оценка"\r\n"1";"5,50"\r\n'.encode())
    english = read_csv('\ufeff"№","Mark"\r\n"1","5.50"\r\n'.encode())
    assert bulgarian == [{"№": "1", "Оценка": "5,50"}]
    assert english == [{"№": "1", "Mark": "5.50"}]


def test_everybody_on_the_rosters_can_be_chosen_at_the_provider(tmp_path: Path) -> None:
    write_accounts(tmp_path / "accounts.json", load_city(DEFAULT_CITY))
    accounts = json.loads((tmp_path / "accounts.json").read_text(encoding="utf-8"))["accounts"]
    emails = [account["email"] for account in accounts if account.get("email")]
    assert len(emails) == len(set(emails))
    for _, path in list_demo_rosters():
        for student in list_students(path, "8А"):
            assert student.email in emails
    assert "teacher@school-a.example" in emails
    assert "admin@school-a.example" in emails
