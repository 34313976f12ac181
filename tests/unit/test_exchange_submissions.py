"""Submissions: a receipt is a promise, a repetition is not a second submission, and time is the server's."""

import concurrent.futures
import datetime as dt
import hashlib
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from atelier import projects, roster
from atelier.exchange import storing
from atelier.exchange.arrival import Arrived
from atelier.store.models import Assignment, ClassMembership, Submission, SubmissionMember, TeamMembership
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tests.databases import Databases
from tests.exchange_stand import HOUR, NOW, Stand, open_stand, pack

WORK = pack({"hw1.ipynb": b'{"cells": []}'})


@pytest.fixture
def stand(databases: Databases, tmp_path: Path) -> Iterator[Stand]:
    with open_stand(tmp_path, databases.migrate()) as stand:
        stand.release("hw1")
        stand.release("project1")
        yield stand


def set_due(stand: Stand, due_at: dt.datetime | None, name: str = "hw1") -> None:
    with stand.sessions.begin() as session:
        assignment = session.scalars(
            select(Assignment).where(Assignment.name == name, Assignment.course_id == stand.course.id)
        ).one()
        projects.set_due_instant(session, assignment.id, due_at)


def members_of(stand: Stand, submission_id: str) -> set[str]:
    with stand.sessions() as session:
        query = select(SubmissionMember.person_id).where(SubmissionMember.submission_id == submission_id)
        return set(session.scalars(query))


# ------------------------------------------------------------------ receipts and repetition
def test_receipt_names_what_is_stored(stand: Stand) -> None:
    answer = stand.submit(content=WORK)
    receipt = answer.json()
    assert answer.status_code == 201
    assert receipt == {
        "id": receipt["id"],
        "course": "geo-8a",
        "assignment": "hw1",
        "account": stand.accounts["student"],
        "received_at": "2026-11-09T08:00:00Z",
        "sha256": hashlib.sha256(WORK).hexdigest(),
        "size": len(WORK),
        "file_count": 1,
        "late": False,
        "due_at": None,
        "zone": "Europe/Sofia",
    }
    assert stand.blobs.find(receipt["sha256"]).read_bytes() == WORK
    assert not list((stand.blobs.root / "incoming").iterdir())


def test_repeating_a_submission_gives_the_same_receipt(stand: Stand) -> None:
    first = stand.submit(content=WORK)
    stand.clock.now += HOUR
    again = stand.submit(content=WORK)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert stand.count("submission") == 1


def test_two_equal_requests_at_once_store_one_submission(stand: Stand) -> None:
    content = pack({"hw1.ipynb": random.Random(1).randbytes(300_000)})
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: stand.submit(content=content), range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert stand.count("submission") == 1


def test_a_used_key_does_not_take_other_bytes(stand: Stand) -> None:
    stand.submit(content=WORK)
    answer = stand.submit(content=pack({"hw1.ipynb": b"other"}))
    assert (answer.status_code, answer.json()["error"]) == (409, "key_reused")
    assert stand.count("submission") == 1
    assert len(list(stand.blobs.root.glob("sha256/*/*"))) == stand.count("blob")


def test_a_key_is_needed_and_is_the_accounts_own(stand: Stand) -> None:
    with stand.client("student") as client:
        path = "/courses/geo-8a/assignments/hw1/submissions"
        assert client.post(path, content=WORK).status_code == 422
        assert client.post(path, content=WORK, headers={"Idempotency-Key": "x"}).status_code == 422
    stand.submit("team", "project1", WORK, key="same-key")
    assert stand.submit("other team", "project1", WORK, key="same-key").status_code == 201


def test_a_second_submission_leaves_the_first_as_it_was(stand: Stand) -> None:
    first = stand.submit(content=WORK, key="first-one").json()
    stand.clock.now += HOUR
    second = stand.submit(content=pack({"hw1.ipynb": b"better"}), key="second-one").json()
    with stand.client("student") as client:
        listed = client.get("/courses/geo-8a/assignments/hw1/submissions").json()
        assert [receipt["id"] for receipt in listed] == [second["id"], first["id"]]
        archive = client.get(f"/submissions/{first['id']}/archive")
    assert archive.content == WORK
    assert archive.headers["etag"] == f'"{first["sha256"]}"'


def test_own_work_stays_readable_after_the_course_is_over(stand: Stand) -> None:
    receipt = stand.submit(content=WORK).json()
    end_class_membership(stand, "student")
    with stand.client("student") as client:
        assert client.get("/courses/geo-8a/assignments").status_code == 404
        assert client.get(f"/submissions/{receipt['id']}/archive").content == WORK


def test_the_bytes_are_on_the_disk_before_the_row_is_written(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    sync, ensure = os.fsync, storing._ensure_blob
    stored_when: list[list[Path]] = []

    def note_sync(descriptor: int) -> None:
        sync(descriptor)
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())

    def note_row(session: Session, arrived: Arrived, now: dt.datetime) -> None:
        assert stand.blobs.find(arrived.facts.sha256).read_bytes() == WORK
        stored_when.append(list(synced))
        ensure(session, arrived, now)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(storing, "_ensure_blob", note_row)
    receipt = stand.submit(content=WORK).json()
    folder = stand.blobs.find(receipt["sha256"]).parent
    # First the file under its first name, then the new folder's own name, then the file's name in it.
    assert [path.suffix for path in stored_when[0]] == [".part", "", ""]
    assert stored_when[0][1:] == [folder.parent, folder]


def test_a_failing_database_stores_nothing_and_promises_nothing(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("disk I/O error"))

    with monkeypatch.context() as broken:
        broken.setattr(storing, "_add_submission", fail)
        answer = stand.submit(content=WORK)
    assert (answer.status_code, answer.json()["error"]) == (503, "busy")
    assert stand.count("submission") == 0
    assert stand.submit(content=WORK).status_code == 201


# ------------------------------------------------------------------ time
def test_late_is_judged_by_the_instant_the_last_byte_arrived(stand: Stand) -> None:
    set_due(stand, NOW)
    assert stand.submit(key="in-time-1").json()["late"] is False
    stand.clock.now = NOW + dt.timedelta(microseconds=1)
    late = stand.submit(key="too-late-1", content=WORK).json()
    assert late["late"] is True
    assert late["due_at"] == "2026-11-09T08:00:00Z"


def test_moving_the_deadline_does_not_rewrite_a_submission(stand: Stand) -> None:
    set_due(stand, NOW - HOUR)
    stand.submit()
    set_due(stand, NOW + HOUR)
    with stand.sessions() as session:
        assert session.scalars(select(Submission.late)).one() is True


def test_the_clients_clock_counts_for_nothing(stand: Stand) -> None:
    with stand.client("student") as client:
        answer = client.post(
            "/courses/geo-8a/assignments/hw1/submissions",
            content=WORK,
            headers={"Idempotency-Key": "my-clock-1", "Date": "Mon, 01 Jan 2001 00:00:00 GMT"},
        )
    assert answer.json()["received_at"] == "2026-11-09T08:00:00Z"


# ------------------------------------------------------------------ for whom it counts
def test_a_teams_submission_counts_for_its_members_of_that_moment(stand: Stand) -> None:
    receipt = stand.submit("team", "project1").json()
    assert members_of(stand, receipt["id"]) == {stand.people["student"].id, stand.people["mate"].id}
    with stand.sessions.begin() as session:
        left = session.scalars(
            select(TeamMembership).where(TeamMembership.person_id == stand.people["mate"].id)
        ).one()
        left.until_at = NOW
    assert members_of(stand, receipt["id"]) == {stand.people["student"].id, stand.people["mate"].id}
    later = stand.submit("team", "project1", WORK, key="later-one").json()
    assert members_of(stand, later["id"]) == {stand.people["student"].id}


def test_names_in_headers_and_body_do_not_say_who_submits(stand: Stand) -> None:
    other = stand.accounts["student of another course"]
    content = pack({f"{other}/hw1.ipynb": b"{}", "timestamp.txt": b"2001-01-01"})
    receipt = stand.submit(content=content).json()
    assert receipt["account"] == stand.accounts["student"]
    assert members_of(stand, receipt["id"]) == {stand.people["student"].id}


def end_class_membership(stand: Stand, who: str) -> None:
    with stand.sessions.begin() as session:
        query = select(ClassMembership).where(ClassMembership.person_id == stand.people[who].id)
        session.scalars(query).one().until_at = NOW


def test_a_student_whose_enrolment_ended_submits_no_more(stand: Stand) -> None:
    end_class_membership(stand, "student")
    assert stand.submit().status_code == 404
    assert stand.count("submission") == 0


def test_a_team_without_a_student_of_the_course_submits_no_more(stand: Stand) -> None:
    end_class_membership(stand, "student")
    end_class_membership(stand, "mate")
    answer = stand.submit("team", "project1")
    assert (answer.status_code, answer.json()["error"]) == (403, "not_a_student")


def test_a_deactivated_person_is_out_at_once(stand: Stand) -> None:
    assert stand.submit().status_code == 201
    with stand.sessions.begin() as session:
        roster.deactivate(session, stand.people["student"].id, NOW)
    answer = stand.submit(key="key-00002")
    assert (answer.status_code, answer.json()["error"]) == (403, "account_inactive")


def test_nothing_is_submitted_before_anything_was_released(stand: Stand) -> None:
    with stand.client("course") as client:
        client.put("/courses/geo-8a/assignments/hw2", json={"title": "Втора"})
    answer = stand.submit(assignment="hw2")
    assert (answer.status_code, answer.json()["error"]) == (409, "no_release")
    assert "Втора" in answer.json()["message"]


# ------------------------------------------------------------------ limits
def test_an_archive_over_the_schools_limit_is_refused_with_a_reason(stand: Stand) -> None:
    noise = random.Random(1)
    fits = pack({"a.bin": noise.randbytes(7_900_000)})
    assert stand.submit(content=fits, key="it-fits-1").status_code == 201
    over = pack({"a.bin": noise.randbytes(9_000_000)})
    for content in (over, iter([over[:4_000_000], over[4_000_000:]])):  # announced, and chunked
        answer = stand.submit(content=content, key="too-big-1")  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
        assert "8" in answer.json()["message"]
    assert not list((stand.blobs.root / "incoming").iterdir())


@pytest.mark.parametrize("tar_format", ["gnu", "pax"])
def test_a_sparse_file_of_three_gigabytes_is_refused_with_its_name(
    stand: Stand, tmp_path: Path, tar_format: str
) -> None:
    with (tmp_path / "дупка.bin").open("wb") as hole:
        hole.truncate(3 << 30)
    packed = tmp_path / "sparse.tar.gz"
    options = ["--sparse", f"--format={tar_format}", "-czf", str(packed), "-C", str(tmp_path)]
    subprocess.run(["tar", *options, "дупка.bin"], check=True)
    assert packed.stat().st_size < 10_000
    answer = stand.submit(content=packed.read_bytes())
    assert (answer.status_code, answer.json()["error"]) == (422, "kind_not_allowed")
    assert "дупка.bin" in answer.json()["message"]
    assert answer.elapsed < dt.timedelta(seconds=5)
    assert stand.count("submission") == 0


def test_a_refused_archive_leaves_nothing_behind(stand: Stand) -> None:
    before = len(list(stand.blobs.root.glob("sha256/*/*")))
    answer = stand.submit(content=pack({"../../etc/passwd": b"x"}))
    assert (answer.status_code, answer.json()["error"]) == (422, "path_not_allowed")
    assert stand.count("submission") == 0
    assert len(list(stand.blobs.root.glob("sha256/*/*"))) == before
    assert not list((stand.blobs.root / "incoming").iterdir())


def test_an_account_cannot_fill_the_disk_by_submitting_again_and_again(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "SUBMISSIONS_PER_HOUR", 5)
    for number in range(5):
        assert stand.submit(content=WORK, key=f"key-{number:05}").status_code == 201
    answer = stand.submit(content=WORK, key="one-too-many")
    assert (answer.status_code, answer.json()["error"]) == (429, "too_often")
    assert "Retry-After" in answer.headers
    assert stand.submit(content=WORK, key="key-00000").status_code == 200
    stand.clock.now += HOUR + dt.timedelta(seconds=1)
    assert stand.submit(content=WORK, key="one-too-many").status_code == 201


def test_an_account_cannot_fill_the_disk_with_large_files(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "WHOLE_ARCHIVES_PER_DAY", 2 / 8)  # 2 MB
    large = [pack({"noise.bin": random.Random(number).randbytes(900_000)}) for number in range(3)]
    assert stand.submit(content=large[0], key="first-key").status_code == 201
    assert stand.submit(content=large[0], key="again-key").status_code == 201, "the same bytes take no room"
    assert stand.submit(content=large[1], key="second-key").status_code == 201
    before = len(list(stand.blobs.root.glob("sha256/*/*")))
    answer = stand.submit(content=large[2], key="third-key")
    assert (answer.status_code, answer.json()["error"]) == (429, "too_often")
    assert len(list(stand.blobs.root.glob("sha256/*/*"))) == before
    assert stand.submit(content=WORK, key="small-key").status_code == 201
    stand.clock.now += dt.timedelta(days=1, seconds=1)
    assert stand.submit(content=large[2], key="third-key").status_code == 201


def test_errors_are_in_the_readers_language(stand: Stand) -> None:
    bad = pack({"../x": b"x"})
    with stand.client("student") as client:
        path = "/courses/geo-8a/assignments/hw1/submissions"
        key = {"Idempotency-Key": "key-00001"}
        own = client.post(path, content=bad, headers=key).json()["message"]
        english = client.post(path, content=bad, headers={**key, "Accept-Language": "en-GB,en;q=0.9"})
    assert "outside the folder" in english.json()["message"]
    assert own != english.json()["message"]
    assert any("а" <= letter <= "я" for letter in own)
