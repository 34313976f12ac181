"""The web process under load, cut connections and kill -9."""

import concurrent.futures
import contextlib
import hashlib
import os
import random
import signal
import socket
import tarfile
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import Engine, text

from tests.databases import Databases
from tests.exchange_process import WebProcess, run_web
from tests.exchange_stand import NO_CERTIFICATES, pack
from tests.waiting import wait_until

SUBMISSIONS = "/api/v1/courses/geo-8a/assignments/hw1/submissions"
NOISE = random.Random(1).randbytes(1 << 20)


@pytest.fixture
def database(databases: Databases) -> Engine:
    return databases.open(databases.migrate())


@pytest.fixture
def web(tmp_path: Path, database: Engine) -> Iterator[WebProcess]:
    with run_web(tmp_path, address(database)) as web:
        release(web)
        yield web


def release(web: WebProcess) -> None:
    content = pack({"hw1.ipynb": b"{}"})
    url = f"{web.url}/api/v1/courses/geo-8a/assignments/hw1/releases"
    headers = {"Authorization": f"token {web.tokens['course']}"}
    assert httpx.post(url, content=content, headers=headers, verify=NO_CERTIFICATES).status_code in (200, 201)


def submit(
    web: WebProcess, content: bytes | Iterator[bytes], key: str, role: str = "student"
) -> httpx.Response:
    headers = {"Authorization": f"token {web.tokens[role]}", "Idempotency-Key": key}
    return httpx.post(
        web.url + SUBMISSIONS, content=content, headers=headers, timeout=120, verify=NO_CERTIFICATES
    )


def pack_noise(megabytes: int) -> Iterator[bytes]:
    """Yield an archive of one file that does not compress, piece by piece."""
    entry = tarfile.TarInfo("noise.bin")
    entry.size = megabytes << 20
    packer = zlib.compressobj(1, wbits=31)
    yield packer.compress(entry.tobuf(tarfile.PAX_FORMAT))
    for _ in range(megabytes):
        for start in range(0, len(NOISE), 1 << 16):
            if piece := packer.compress(NOISE[start : start + (1 << 16)]):
                yield piece
    yield packer.compress(bytes(1024)) + packer.flush()


def address(database: Engine) -> str:
    return database.url.render_as_string(hide_password=False)


def list_rows(database: Engine, query: str) -> list[tuple[object, ...]]:
    with database.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def assert_every_row_has_its_bytes(folder: Path, database: Engine) -> None:
    for sha256, size in list_rows(database, "SELECT sha256, size FROM blob"):
        content = (folder / "blobs" / "sha256" / str(sha256)[:2] / str(sha256)).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (sha256, size)


# ------------------------------------------------------------------ cut connections
def send_half(web: WebProcess, key: str, content: bytes, role: str = "student") -> socket.socket:
    """Announce `content`, send half of it, and return the open connection."""
    there = urlsplit(web.url)
    connection = socket.create_connection((there.hostname, there.port))
    head = (
        f"POST {there.path}{SUBMISSIONS} HTTP/1.1\r\nHost: {there.netloc}\r\n"
        f"Authorization: token {web.tokens[role]}\r\nIdempotency-Key: {key}\r\nConnection: close\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    connection.sendall(head.encode() + content[: len(content) // 2])
    return connection


def incoming(folder: Path) -> list[Path]:
    found = []
    for path in (folder / "blobs" / "incoming").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the service has just removed it
            if path.stat().st_size:
                found.append(path)
    return found


def test_a_cut_connection_stores_nothing_and_the_repetition_gives_the_receipt(
    tmp_path: Path, database: Engine, web: WebProcess
) -> None:
    content = pack({"hw1.ipynb": NOISE})
    connection = send_half(web, "cut-off-1", content)
    wait_until(lambda: incoming(tmp_path), 20, "no half upload arrived")
    connection.close()
    wait_until(lambda: not incoming(tmp_path), 20, "what was cut off is still there")
    assert list_rows(database, "SELECT count(*) FROM submission") == [(0,)]
    receipt = submit(web, content, "cut-off-1")
    assert receipt.status_code == 201
    assert submit(web, content, "cut-off-1").json() == receipt.json()


def test_a_connection_cut_before_the_answer_gives_the_same_receipt_again(
    database: Engine, web: WebProcess
) -> None:
    content = pack({"hw1.ipynb": NOISE})
    connection = send_half(web, "no-answer-1", content)
    connection.sendall(content[len(content) // 2 :])
    stored = "SELECT id FROM submission"
    wait_until(lambda: list_rows(database, stored), 20, "no submission was stored")
    connection.close()  # the answer was never read
    again = submit(web, content, "no-answer-1")
    assert again.status_code == 200
    assert list_rows(database, stored) == [(again.json()["id"],)]


@pytest.mark.parametrize(
    ("role", "key", "code"),
    [
        ("student", "large-one", "too_large"),
        ("teacher", "large-one", "not_a_student"),
        ("student", "x", "bad_request"),
    ],
)
def test_a_refused_sender_reads_the_reason_although_it_is_still_sending(
    web: WebProcess, role: str, key: str, code: str
) -> None:
    content = b"".join(pack_noise(40))
    connection = send_half(web, key, content, role)
    with connection:
        connection.sendall(
            content[len(content) // 2 :]
        )  # a plain client: it reads when it has sent everything
        answer = connection.makefile("rb").read().decode()
    assert f'"error":"{code}"' in answer


def test_a_client_that_waits_for_a_go_is_refused_before_it_sends(web: WebProcess) -> None:
    there = urlsplit(web.url)
    with socket.create_connection((there.hostname, there.port), timeout=60) as connection:
        connection.sendall(
            f"POST {there.path}{SUBMISSIONS} HTTP/1.1\r\nHost: {there.netloc}\r\n"
            f"Authorization: token {web.tokens['student']}\r\nIdempotency-Key: large-one\r\n"
            f"Expect: 100-continue\r\nContent-Length: 900000000\r\n\r\n".encode()
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


# ------------------------------------------------------------------ kill -9
def test_kill_9_during_uploads_leaves_no_row_without_its_bytes_and_keeps_every_promise(
    databases: Databases, tmp_path: Path
) -> None:
    chance = random.Random(5)
    for round_number in range(3):
        folder = tmp_path / str(round_number)
        folder.mkdir()
        database = databases.open(databases.migrate())
        with run_web(folder, address(database)) as web:
            release(web)
            receipts = submit_until_killed(web, chance)
        assert_every_row_has_its_bytes(folder, database)
        rows = {row[0] for row in list_rows(database, "SELECT id FROM submission")}
        assert {receipt["id"] for receipt in receipts} <= rows


def submit_until_killed(web: WebProcess, chance: random.Random) -> list[dict[str, str]]:
    """Submit from three threads; kill the process at some moment; return the receipts that came through."""
    receipts: list[dict[str, str]] = []

    def go_on(thread: int) -> None:
        with contextlib.suppress(httpx.HTTPError):
            for number in range(20):
                content = pack({"hw1.ipynb": os.urandom(200_000)})
                answer = submit(web, content, f"kill-{thread}-{number:03}")
                if answer.status_code == 201:
                    receipts.append(answer.json())

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        running = [pool.submit(go_on, thread) for thread in range(3)]
        wanted = chance.randint(1, 8)
        wait_until(lambda: len(receipts) >= wanted, 120, "too few receipts arrived")
        os.kill(web.process.pid, signal.SIGKILL)
        for future in running:
            future.result()
    return receipts


# ------------------------------------------------------------------ memory
def test_memory_does_not_grow_with_the_size_of_an_upload(databases: Databases, tmp_path: Path) -> None:
    with run_web(tmp_path, databases.migrate(), limit_mb=300) as web:
        release(web)
        assert submit(web, pack_noise(2), "warm-up-1").status_code == 201
        before = web.memory_mb
        peak = before

        def watched() -> Iterator[bytes]:
            nonlocal peak
            for number, piece in enumerate(pack_noise(200)):
                if number % 200 == 0:
                    peak = max(peak, web.memory_mb)
                yield piece

        answer = submit(web, watched(), "large-one-1")
        assert (answer.status_code, answer.json()["size"] > 200_000_000) == (201, True)
        assert peak - before < 20, f"{before:.0f} MB before, {peak:.0f} MB at the top"
        assert download_size(web, answer.json()["id"]) == answer.json()["size"]
        assert web.memory_mb - before < 20


def download_size(web: WebProcess, submission_id: str) -> int:
    headers = {"Authorization": f"token {web.tokens['student']}"}
    url = f"{web.url}/api/v1/submissions/{submission_id}/archive"
    with httpx.stream("GET", url, headers=headers, verify=NO_CERTIFICATES) as answer:
        return sum(len(piece) for piece in answer.iter_raw())


def test_thirty_uploads_at_once_need_little_memory_and_others_are_still_answered(
    databases: Databases, tmp_path: Path
) -> None:
    with run_web(tmp_path, databases.migrate(), limit_mb=300, students=30) as web:
        release(web)
        assert submit(web, pack_noise(1), "warm-up-1").status_code == 201
        before, top, arrived = web.memory_mb, 0.0, threading.Barrier(31, timeout=120)

        def submit_slowly(number: int) -> int:
            def pieces() -> Iterator[bytes]:
                for piece_number, piece in enumerate(pack_noise(4)):
                    if piece_number == 30:
                        arrived.wait()  # every upload is half-way
                        arrived.wait()
                    yield piece

            return submit(web, pieces(), "at-once-01", f"student {number}").status_code

        with concurrent.futures.ThreadPoolExecutor(30) as pool:
            uploads = [pool.submit(submit_slowly, number) for number in range(30)]
            arrived.wait()
            top = web.memory_mb
            headers = {"Authorization": f"token {web.tokens['team']}"}
            me = httpx.get(f"{web.url}/api/v1/me", headers=headers, timeout=30, verify=NO_CERTIFICATES)
            arrived.wait()
            assert {upload.result() for upload in uploads} == {201}
        assert me.status_code == 200
        assert top - before < 45, f"{before:.0f} MB before, {top:.0f} MB with thirty uploads under way"


def test_an_account_has_three_uploads_at_once_at_most(tmp_path: Path, web: WebProcess) -> None:
    content = pack({"hw1.ipynb": NOISE})
    halves = [send_half(web, f"at-once-{number}", content) for number in range(3)]
    wait_until(lambda: len(incoming(tmp_path)) == 3, 20, "no three halves arrived")
    answer = submit(web, content, "the-fourth")
    assert (answer.status_code, answer.json()["error"]) == (429, "too_many_at_once")
    for half in halves:
        half.close()
    wait_until(lambda: not incoming(tmp_path), 20, "what was cut off is still there")
    assert submit(web, content, "the-fourth").status_code == 201
