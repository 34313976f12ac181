"""The sidebar's server part in a real Jupyter server, against a service that answers from memory."""

import contextlib
import errno
import os
import random
import resource
from collections.abc import Iterator

import pytest
from atelier_lab.errors import NO_SPACE, explain

from hub_config.docker_quota import FULL_FILE_BYTES
from tests.lab_stand_in import COURSE, Lab, StandInService, pack, serve, start_lab

INTRO = {"course": COURSE, "assignment": "intro"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, StandInService]]:
    with (
        serve(StandInService()) as service,
        start_lab(tmp_path_factory.mktemp("lab"), service.url) as lab,
    ):
        yield lab, service


@pytest.fixture
def lab(running: tuple[Lab, StandInService]) -> Lab:
    return running[0]


@pytest.fixture
def service(running: tuple[Lab, StandInService]) -> StandInService:
    """The service with one fresh assignment, `intro`."""
    service = running[1]
    service.refusal = None
    service.assignments.clear()
    service.add_assignment("intro", "Въведение")
    service.requests.clear()
    return service


def test_list_joins_the_services_words_with_the_local_files(lab: Lab, service: StandInService) -> None:
    service.add_assignment("other", "Друго")
    status, answer = lab.ask("atelier/assignments")
    assert status == 200
    (course,) = answer["courses"]
    other = next(a for a in course["assignments"] if a["name"] == "other")
    assert (other["title"], other["folder"]) == ("Друго", f"{COURSE}/other")
    assert (other["fetched"], other["notebooks"]) == (False, [])
    assert answer["display_name"] == "Мария Петрова"


def test_fetch_brings_the_release_into_its_folder(lab: Lab, service: StandInService) -> None:
    status, answer = lab.ask("atelier/fetch", INTRO)
    assert (status, answer["notebooks"]) == (200, [f"{COURSE}/intro/intro.ipynb"])
    assert (lab.home / COURSE / "intro" / "intro.ipynb").is_file()


def test_submit_answers_with_the_services_receipt(lab: Lab, service: StandInService) -> None:
    lab.ask("atelier/fetch", INTRO)
    status, receipt = lab.ask("atelier/submit", INTRO)
    assert status == 200
    assert receipt == service.assignments["intro"]["submissions"][0]
    assert len(receipt["sha256"]) == 64


def test_refusal_is_the_services_sentence_and_no_traceback(lab: Lab, service: StandInService) -> None:
    lab.ask("atelier/fetch", INTRO)
    service.refusal = (413, "too_large", "Предаването е твърде голямо.")
    status, answer = lab.ask("atelier/submit", INTRO)
    assert status == 409
    assert "Предаването е твърде голямо." in answer["message"]
    assert set(answer) == {"error", "message", "retry"}
    assert service.assignments["intro"]["submissions"] == []


def test_students_file_named_like_a_module_breaks_no_transfer(lab: Lab, service: StandInService) -> None:
    for name in ("json.py", "nbgrader.py", "random.py"):
        (lab.home / name).write_text("raise SystemExit('mine')")
    status, answer = lab.ask("atelier/fetch", INTRO)
    for name in ("json.py", "nbgrader.py", "random.py"):
        (lab.home / name).unlink()
    assert (status, answer.get("notebooks")) == (200, [f"{COURSE}/intro/intro.ipynb"])


def test_earlier_submission_opens_in_a_new_folder_and_overwrites_nothing(
    lab: Lab, service: StandInService
) -> None:
    lab.ask("atelier/fetch", INTRO)
    receipt = service.receive("intro", pack({"intro.ipynb": b"{}", "data/време.csv": b"1"}))
    mine = lab.home / COURSE / "intro" / "intro.ipynb"
    mine.write_text("my newer work")
    first = lab.ask("atelier/restore", {"submission_id": receipt["id"]})[1]["folder"]
    second = lab.ask("atelier/restore", {"submission_id": receipt["id"]})[1]["folder"]
    assert mine.read_text() == "my newer work"
    assert first != second
    assert (lab.home / first / "data" / "време.csv").read_bytes() == b"1"


@contextlib.contextmanager
def full_home(lab: Lab) -> Iterator[None]:
    """What `hub_config.docker_quota` does to a workspace whose home is full, and lifts afterwards."""
    before = resource.prlimit(lab.process.pid, resource.RLIMIT_FSIZE, (FULL_FILE_BYTES, -1))
    try:
        yield
    finally:
        resource.prlimit(lab.process.pid, resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    "content",
    [random.Random(1).randbytes(5 * FULL_FILE_BYTES), b"\x00" * 5 * FULL_FILE_BYTES],
    ids=["download", "unpacking"],
)
def test_submission_that_does_not_fit_into_a_full_home_says_so_and_opens_when_there_is_room(
    lab: Lab, service: StandInService, content: bytes
) -> None:
    receipt = service.receive("intro", pack({"data.bin": content}))
    with full_home(lab):
        status, answer = lab.ask("atelier/restore", {"submission_id": receipt["id"]})
    assert (status, answer["error"], answer["retry"]) == (507, "no_space", False)
    assert answer["message"].startswith("В работното място няма свободно място.")
    status, answer = lab.ask("atelier/restore", {"submission_id": receipt["id"]})
    assert status == 200
    assert (lab.home / answer["folder"] / "data.bin").read_bytes() == content


@pytest.mark.parametrize("number", [errno.EFBIG, errno.EDQUOT, errno.ENOSPC])
def test_each_word_of_the_kernel_for_no_room_is_the_same_sentence(number: int) -> None:
    status, answer = explain(OSError(number, os.strerror(number)), 500, "en")
    assert (status, answer) == (507, {"error": "no_space", "message": NO_SPACE, "retry": False})


def test_hostile_archive_is_refused_and_leaves_nothing(lab: Lab, service: StandInService) -> None:
    receipt = service.receive("intro", pack({"good.txt": b"1", "../../evil.txt": b"2"}))
    before = sorted(lab.home.rglob("*"))
    status, answer = lab.ask("atelier/restore", {"submission_id": receipt["id"]})
    assert (status, answer["error"]) == (422, "broken_archive")
    files = {path for path in lab.home.rglob("*") if path.is_file()} - set(before)
    assert files == set()


def test_feedback_is_fetched_newest_submission_first(lab: Lab, service: StandInService) -> None:
    receipt = service.receive("intro", pack({"intro.ipynb": b"{}"}))
    service.feedback[receipt["id"]] = pack(
        {"2026-11-20_10-00-00/a.html": b"old", "2026-11-21_10-00-00/a.html": b"new"}
    )
    status, answer = lab.ask("atelier/feedback", INTRO)
    assert status == 200
    assert (lab.home / answer["files"][0]).read_bytes() == b"new"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("fetch", {"course": "../..", "assignment": "intro"}),
        ("fetch", {"course": COURSE, "assignment": "../../etc"}),
        ("fetch", {"course": COURSE, "assignment": "--help"}),
        ("submit", {"course": COURSE}),
        ("submit", ["intro"]),
        ("submit", {"course": {"a": 1}, "assignment": "intro"}),
        ("feedback", {"course": COURSE, "assignment": "a\n"}),
        ("restore", {"submission_id": "../me"}),
        ("restore", {}),
    ],
)
def test_names_that_are_no_names_are_refused_before_the_service_is_asked(
    lab: Lab, service: StandInService, path: str, body: object
) -> None:
    status, answer = lab.ask(f"atelier/{path}", body)
    assert (status, answer["error"]) == (400, "bad_request")
    assert service.requests == []


@pytest.mark.parametrize("path", ["me", "assignments", "fetch", "submit", "feedback", "restore"])
def test_nobody_without_a_session_gets_an_answer(lab: Lab, service: StandInService, path: str) -> None:
    body = None if path in ("me", "assignments") else INTRO
    status, _ = lab.ask(f"atelier/{path}", body, token=None)
    assert status == 403
    assert service.requests == []


def test_foreign_page_with_the_cookie_but_without_the_xsrf_token_cannot_submit(
    lab: Lab, service: StandInService
) -> None:
    cookie = lab.sign_in()
    assert lab.ask("atelier/me", token=None, Cookie=cookie)[0] == 200
    assert lab.ask("atelier/submit", INTRO, token=None, Cookie=cookie)[0] == 403
    assert [request for request in service.requests if request[0] == "POST"] == []


@pytest.mark.parametrize(
    ("language", "words"), [("bg", "Това не е име на задание."), ("en", "This is not the name")]
)
def test_own_sentences_come_in_the_language_that_lab_shows(
    lab: Lab, service: StandInService, language: str, words: str
) -> None:
    answer = lab.ask("atelier/fetch", {"course": "?"}, **{"Accept-Language": language})[1]
    assert answer["message"].startswith(words)


def test_service_hears_the_language_of_the_reader(lab: Lab, service: StandInService) -> None:
    lab.ask("atelier/me", **{"Accept-Language": "en"})
    assert service.requests == [("GET", "me", "en")]


def test_workspace_token_is_never_shown(lab: Lab, service: StandInService) -> None:
    from tests.lab_stand_in import TOKEN

    lab.ask("atelier/fetch", INTRO)
    shown = [str(lab.ask(f"atelier/{path}")) for path in ("me", "assignments")]
    assert not [text for text in [*shown, lab.log.read_text()] if TOKEN in text]


def test_service_that_is_down_is_a_sentence_with_a_retry(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serve(StandInService()) as gone:
        url = gone.url
    with start_lab(tmp_path_factory.mktemp("alone"), url) as alone:
        status, answer = alone.ask("atelier/assignments")
        assert (status, answer["error"], answer["retry"]) == (502, "unreachable", True)
        assert answer["message"].startswith("Услугата „Ателие“ не отговаря.")
        status, answer = alone.ask("atelier/submit", INTRO)
        assert status == 409
        assert answer["message"]
