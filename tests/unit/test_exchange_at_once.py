"""Several writers at work in the exchange at the same time; values that one of the databases refuses."""

import concurrent.futures
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import Databases
from tests.exchange_stand import Stand, open_stand, pack

HW = "/courses/geo-8a/assignments/hw1"


@pytest.fixture
def stand(databases: Databases, tmp_path: Path) -> Iterator[Stand]:
    with open_stand(tmp_path, databases.migrate(), more_students=6) as stand:
        stand.release()
        yield stand


def test_equal_requests_at_once_store_one_submission(stand: Stand) -> None:
    for number in range(5):
        content = pack({"hw1.ipynb": random.Random(number).randbytes(1000)})
        key = f"at-once-{number}"
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(lambda _, c=content, k=key: stand.submit(content=c, key=k), range(3)))
        assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
        assert len({answer.json()["id"] for answer in answers}) == 1
    assert stand.count("submission") == 5


def test_equal_work_of_many_is_one_blob_and_each_has_a_receipt(stand: Stand) -> None:
    content = pack({"hw1.ipynb": b"the same from everybody"})
    roles = [f"student {number}" for number in range(6)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda role: stand.submit(role, content=content), roles))
    assert [answer.status_code for answer in answers] == [201] * 6
    assert stand.count("submission") == 6
    assert len({answer.json()["sha256"] for answer in answers}) == 1


def test_releases_at_once_get_versions_of_their_own(stand: Stand) -> None:
    def release(number: int) -> tuple[int, int]:
        with stand.client("course") as client:
            answer = client.post(f"{HW}/releases", content=pack({"hw1.ipynb": b"%d" % number}))
            return answer.status_code, answer.json()["version"]

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = sorted(pool.map(release, range(3)))
    assert answers == [(201, 2), (201, 3), (201, 4)]


def test_values_that_only_postgresql_refuses_are_no_failure(stand: Stand) -> None:
    with stand.client("course") as client:
        for path in ("/courses/%00/assignments", "/submissions/%00", "/submissions/a%00b/archive"):
            assert client.get(path).status_code in (404, 422)
        result = {"submission_id": "\0", "points": 1, "max_points": 2}
        assert client.post(f"{HW}/results", json=[result]).status_code == 422
        long = "x" * 5000
        assert client.get(f"/submissions/{long}").status_code == 404
        assert client.get(f"/courses/{long}/assignments").status_code == 404
