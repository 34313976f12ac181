"""Handing in where nothing more can be written or files go meanwhile: the work arrives, the rest says why."""

import errno
import hashlib
import json
import os
import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from atelier_lab import errors, kernel_words
from atelier_lab.texts import translate
from atelier_nbgrader.no_room import NO_ROOM
from atelier_nbgrader.receipts import Receipts, write_json
from nbgrader.exchange import ExchangeError

from hub_config.docker_quota import FULL_FILE_BYTES
from tests.lab_stand_in import COURSE, TOKEN, StandInService, describe_workspace, pack, serve
from tests.nbgrader_workspaces import Workspace, own_path

NOISE = random.Random(1).randbytes(5 * FULL_FILE_BYTES)
NO_SPACE = {
    "en": "There is no space left in this workspace. Delete files that you do not need, then try again.",
    "bg": "В работното място няма свободно място. Изтрийте ненужни файлове и опитайте отново.",
}


def test_lab_says_it_with_the_same_words() -> None:
    assert (set(NO_ROOM), NO_SPACE["en"]) == (kernel_words.NO_ROOM, errors.NO_SPACE)
    assert translate("bg", errors.NO_SPACE) == NO_SPACE["bg"]


@pytest.fixture
def service() -> Iterator[StandInService]:
    with serve(StandInService()) as running:
        running.add_assignment("intro", "Въведение")
        yield running


@pytest.fixture
def workspace(tmp_path: Path, service: StandInService) -> Workspace:
    """A student's workspace with work that is larger than a file may be in a full home."""
    environ = describe_workspace("personal", "en", TOKEN, "maria0000000")
    more = {"HOME": str(tmp_path), "PATH": own_path(), "ATELIER_SERVICE_URL": service.url}
    (tmp_path / COURSE / "intro").mkdir(parents=True)
    (tmp_path / COURSE / "intro" / "measured.bin").write_bytes(NOISE)
    return Workspace(tmp_path, {**environ, **more})


def run_full(workspace: Workspace, verb: str, language: str = "en") -> dict[str, Any]:
    """The job that Lab starts, under the limit that the soft quota gives the account's programs."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "atelier_lab.transfer_job", verb, COURSE, "intro"],
        cwd=workspace.home,
        env={**workspace.environ, "ATELIER_LANGUAGE": language},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_FILE_BYTES, FULL_FILE_BYTES)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Traceback" not in done.stderr, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def refuse_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As btrfs does it in a full home: a small file can be begun, and does not reach the disk."""

    def refuse(_descriptor: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "fsync", refuse)


def test_work_in_a_full_home_is_handed_in(workspace: Workspace, service: StandInService) -> None:
    answer = run_full(workspace, "submit")
    (receipt,) = service.assignments["intro"]["submissions"]
    assert answer == {"ok": True, "receipt": receipt}
    assert receipt["sha256"] == hashlib.sha256(service.archives[receipt["id"]]).hexdigest()
    assert len(service.archives[receipt["id"]]) > FULL_FILE_BYTES


def test_work_is_handed_in_where_not_even_a_note_can_be_written(
    workspace: Workspace, service: StandInService, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_writing(monkeypatch)
    submitted = workspace.run("Submit", COURSE, "intro")
    assert [submitted.receipt] == service.assignments["intro"]["submissions"]
    assert list((workspace.home / COURSE / "intro" / ".receipts").iterdir()) == []


def test_attempt_that_could_not_be_noted_does_not_leave_an_earlier_ones_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the same bytes, handed in again after others, would answer with the old receipt and not count."""
    receipts = Receipts(tmp_path)
    first = receipts.open_attempt("aa")
    with monkeypatch.context() as full:
        refuse_writing(full)
        assert receipts.open_attempt("bb") != first
    assert receipts.open_attempt("aa") != first


def test_attempt_is_closed_although_its_receipt_could_not_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipts = Receipts(tmp_path)
    first = receipts.open_attempt("aa")
    with monkeypatch.context() as full:
        refuse_writing(full)
        with pytest.raises(OSError, match="quota"):
            receipts.keep({"id": "one", "received_at": "2026-11-09T08:00:00Z"})
    assert receipts.open_attempt("aa") != first


def test_note_that_cannot_be_written_leaves_the_old_one_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(tmp_path / "note.json", {"old": 1})
    refuse_writing(monkeypatch)
    with pytest.raises(OSError, match="quota"):
        write_json(tmp_path / "note.json", {"new": 1})
    assert [file.name for file in tmp_path.iterdir()] == ["note.json"]
    assert json.loads((tmp_path / "note.json").read_text()) == {"old": 1}


@pytest.mark.parametrize("language", ["bg", "en"])
@pytest.mark.parametrize("content", [NOISE, b"\x00" * len(NOISE)], ids=["download", "unpacking"])
def test_what_does_not_fit_into_a_full_home_says_so(
    workspace: Workspace, service: StandInService, content: bytes, language: str
) -> None:
    service.archives["intro"] = pack({"data.bin": content})
    answer = run_full(workspace, "fetch", language)
    assert answer == {"ok": False, "message": NO_SPACE[language]}
    assert (workspace.home / COURSE / "intro" / "measured.bin").read_bytes() == NOISE


@pytest.mark.parametrize("number", [errno.EFBIG, errno.EDQUOT, errno.ENOSPC])
def test_each_word_of_the_kernel_for_no_room_is_the_same_sentence(
    workspace: Workspace, service: StandInService, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Receipts, "keep_release", refuse)
    with pytest.raises(ExchangeError) as refused:
        workspace.run("FetchAssignment", COURSE, "intro")
    assert str(refused.value) == NO_SPACE["en"]


@pytest.mark.parametrize(
    ("name", "handed_in"), [("intro.ipynb", 0), ("scratch.ipynb", 1)], ids=["required", "own"]
)
def test_only_a_notebook_of_the_assignment_is_missed_when_it_goes_while_it_is_packed(
    workspace: Workspace,
    service: StandInService,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    handed_in: int,
) -> None:
    folder = workspace.home / COURSE / "intro"
    Receipts(folder).keep_release(1, {"intro.ipynb": "0" * 64})
    (folder / "intro.ipynb").write_text("{}")
    (folder / name).write_text("{}")
    real = os.open

    def open_late(file: Any, *arguments: Any, **options: Any) -> int:
        if file == folder / name:
            file.unlink()
        return real(file, *arguments, **options)

    monkeypatch.setattr(os, "open", open_late)
    said = ""
    try:
        workspace.run("Submit", COURSE, "intro")
    except ExchangeError as refusal:
        said = str(refusal)
    assert len(service.assignments["intro"]["submissions"]) == handed_in
    assert ("intro.ipynb” changed while" in said) is (handed_in == 0)


def test_notebook_of_the_assignment_that_was_removed_is_told_as_before(
    workspace: Workspace, service: StandInService
) -> None:
    Receipts(workspace.home / COURSE / "intro").keep_release(1, {"intro.ipynb": "0" * 64})
    with pytest.raises(ExchangeError, match=r"missing from the folder: intro\.ipynb"):
        workspace.run("Submit", COURSE, "intro", strict=True)
    assert service.assignments["intro"]["submissions"] == []
