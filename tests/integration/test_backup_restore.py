"""Backup of a service at work, restore beside it: what people find there. SQLite and PostgreSQL."""

import concurrent.futures
import datetime as dt
import random
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from atelier.marks import Result, confirm_marks, list_course_marks, preview_marks, stage_results
from atelier.store import make_session_factory, open_database
from atelier.web import create_app
from atelier.web.server import make_server_config
from sqlalchemy import create_engine, text

from deploy.backup import make_backup
from deploy.databases import count_rows
from deploy.problem import DeployProblem
from deploy.restore import check_receipts, restore_backup
from deploy.town import Town, find_demo
from hub_config.city import parse_city
from tests.exchange_stand import CITY, NOW, Stand, make_settings, open_stand, pack, serve_in_thread
from tests.postgresql import run_postgresql

HW = "/courses/geo-8a/assignments/hw1"
STUDENTS = 6


@pytest.fixture(params=["sqlite", "postgresql"])
def towns(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Town, Town]]:
    """A town to back up and an empty one to restore into."""
    first, second = find_demo(tmp_path / "first"), find_demo(tmp_path / "second")
    for town in (first, second):
        (town.folder / "service").mkdir(parents=True)
        (town.folder / "hub").mkdir()
    if request.param == "sqlite":
        make_hub_table(first)
        yield first, second
        return
    with run_postgresql() as url:
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for name in ("first", "second", "first_hub", "second_hub"):
                connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        places = [
            replace(
                town,
                database_url=url.replace("/postgres?", f"/{name}?"),
                hub_database_url=url.replace("/postgres?", f"/{name}_hub?"),
            )
            for town, name in ((first, "first"), (second, "second"))
        ]
        make_hub_table(places[0])
        yield places[0], places[1]


def make_hub_table(town: Town) -> None:
    engine = create_engine(town.hub_database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE spawners (id INTEGER, server_id INTEGER, state TEXT)"))
    engine.dispose()


def submit_and_mark(stand: Stand) -> dict[str, dict[str, object]]:
    """Everybody hands in; the teacher confirms. Returns the receipts by role."""
    stand.release()
    receipts = {}
    for number in range(STUDENTS):
        content = pack({"hw1.ipynb": random.Random(number).randbytes(20_000)})
        receipts[f"student {number}"] = stand.submit(f"student {number}", content=content).json()
    assert stand.course is not None
    city = parse_city(CITY)
    with stand.sessions.begin() as session:
        results = [
            Result(submission_id=str(receipt["id"]), points=number, max_points=10)
            for number, receipt in enumerate(receipts.values())
        ]
        assignment = find_assignment_id(stand)
        stage_results(session, assignment, results, f"course-{stand.course.id}", NOW)
        preview = preview_marks(session, city, assignment, NOW)
        confirm_marks(session, city, assignment, stand.people["teacher"].id, preview.digest, {}, NOW)
    return receipts


def find_assignment_id(stand: Stand) -> str:
    from atelier import projects

    with stand.sessions() as session:
        assert stand.course is not None
        return projects.find_assignment(session, stand.course.id, "hw1").id


def list_marks(database_url: str, course_id: str) -> list[tuple[object, ...]]:
    engine = open_database(database_url)
    with make_session_factory(engine)() as session:
        marks = list_course_marks(session, course_id)
    engine.dispose()
    return sorted((m.person_id, m.points, m.mark, m.confirmed_at, m.confirmed_by) for m in marks)


@contextmanager
def serve(town: Town, stand: Stand) -> Iterator[Stand]:
    """Run a web process on a restored town; the hub beside it is the same."""
    settings = make_settings(town.folder / "service", stand.hub.url, town.database_url)
    settings.city_file.write_text(CITY, encoding="utf-8")
    app = create_app(settings, clock=stand.clock)
    with serve_in_thread(make_server_config(settings, app)) as origin:
        yield replace(stand, url=f"{origin}/services/atelier")
    app.state.services.sessions.kw["bind"].dispose()


def test_students_read_their_submissions_and_marks_are_equal_after_a_restore(towns: tuple[Town, Town]):
    first, second = towns
    with open_stand(first.folder / "service", first.database_url, more_students=STUDENTS) as stand:
        receipts = submit_and_mark(stand)
        archives = {role: read_archive(stand, role, receipt) for role, receipt in receipts.items()}
        backup = make_backup(first, NOW)
        restore_backup(second, backup.path)
        assert stand.course is not None
        marks = list_marks(first.database_url, stand.course.id)
        assert len(marks) == STUDENTS
        assert list_marks(second.database_url, stand.course.id) == marks
        assert count_rows(second.database_url) == backup.manifest.rows
        with serve(second, stand) as restored:
            for role, receipt in receipts.items():
                with restored.client(role) as client:
                    assert client.get(f"/submissions/{receipt['id']}").json() == receipt
                assert read_archive(restored, role, receipt) == archives[role]
            # And it goes on: a repeated request gets the old receipt, a new one is stored.
            again = restored.submit("student 0", content=archives["student 0"])
            assert again.json() == receipts["student 0"]
            assert restored.submit("student 0", key="key-after-it").status_code == 201


def read_archive(stand: Stand, role: str, receipt: dict[str, object]) -> bytes:
    with stand.client(role) as client:
        answer = client.get(f"/submissions/{receipt['id']}/archive")
        assert answer.status_code == 200
        return answer.content


def test_a_backup_made_while_students_hand_in_keeps_every_receipt_older_than_it(towns: tuple[Town, Town]):
    first, second = towns
    before: list[str] = []
    ending = threading.Event()
    with open_stand(first.folder / "service", first.database_url, more_students=2) as stand:
        stand.release()

        def hand_in(role: str) -> None:
            for number in range(40):
                content = pack({"hw1.ipynb": random.Random(f"{role} {number}").randbytes(5000)})
                receipt = stand.submit(role, content=content, key=f"key-{number:05}")
                if receipt.status_code == 201:
                    before.append(receipt.json()["id"])
                if ending.is_set():
                    return

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            work = [pool.submit(hand_in, f"student {number}") for number in range(2)]
            while len(before) < 6 and not all(task.done() for task in work):
                concurrent.futures.wait(work, timeout=0.02)
            acknowledged = list(before)
            backup = make_backup(first, NOW)
            ending.set()
        assert [task.result() for task in work] == [None, None]
    restore_backup(second, backup.path)
    assert check_receipts(second) == backup.manifest.rows["blob"]
    with closing(create_engine(second.database_url).connect()) as connection:
        restored = set(connection.scalars(text("SELECT id FROM submission")))
    assert set(acknowledged) <= restored
    assert len(acknowledged) >= 6


def test_a_restore_into_a_database_in_use_is_refused(towns: tuple[Town, Town]):
    first, second = towns
    with open_stand(first.folder / "service", first.database_url):
        backup = make_backup(first, NOW)
    with open_stand(second.folder / "service", second.database_url) as stand:
        rows = stand.count("person")
        with pytest.raises(DeployProblem, match="not empty"):
            restore_backup(second, backup.path)
        assert stand.count("person") == rows


def test_a_failed_restore_does_not_report_success(towns: tuple[Town, Town], tmp_path: Path):
    first, second = towns
    with open_stand(first.folder / "service", first.database_url) as stand:
        stand.release()
        lost = next(first.blob_dir.glob("sha256/*/*")) if first.blob_dir.exists() else None
        lost = lost or next((first.folder / "service" / "blobs").glob("sha256/*/*"))
        lost.unlink()
        backup = make_backup(first, NOW + dt.timedelta(hours=1))
    with pytest.raises(DeployProblem, match=lost.name):
        restore_backup(second, backup.path)


def test_a_client_of_the_restored_service_is_asked_who_it_is(towns: tuple[Town, Town]):
    first, second = towns
    with open_stand(first.folder / "service", first.database_url) as stand:
        restore_backup(second, make_backup(first, NOW).path)
        with serve(second, stand) as restored:
            answer = httpx.get(f"{restored.url}/api/v1/me", trust_env=False)
            assert answer.status_code == 401
