"""A town's images and static files: handed over without hanging, whole or not there, old ones found."""

import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from deploy import town_images
from deploy.front_files import compress_more
from deploy.problem import DeployProblem
from deploy.town_images import _hand_over, list_old, tidy_up
from tests.components import skip_or_fail

SAVING = "#!/bin/sh\nif [ $1 = save ]; then exec head -c 3000000 /dev/zero; fi\nexit 1\n"
CUT_OFF = """#!/bin/sh
for word; do case "$word" in --output=*) echo half >"${word#--output=}";; esac; done
exit 1
"""


def put_program(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_a_daemon_that_refuses_images_ends_the_hand_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    put_program(monkeypatch, tmp_path, "docker", SAVING)
    with pytest.raises(DeployProblem, match="did not take its images"):
        _hand_over(["atelier-workspace:1"], "unix:///nowhere.sock")


def answer_once_and_hang_up(listening: socket.socket) -> None:
    """Play a daemon that says its version and breaks off when it is asked for more."""
    said = b'{"ApiVersion": "1.41", "MinAPIVersion": "1.24"}'
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said)
    with listening.accept()[0] as connection:
        connection.recv(4096)
        connection.sendall(answer)
    with listening.accept()[0] as connection:
        connection.recv(4096)
        listening.close()  # before the connection, or the client might come again and wait


def test_an_upgrade_has_ended_well_though_old_images_could_not_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    nobody, hangs_up = f"unix://{tmp_path}/nobody.sock", f"unix://{tmp_path}/hangs-up.sock"
    monkeypatch.setattr(town_images, "SYSTEM_DOCKER", nobody)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(hangs_up.removeprefix("unix://"))
        listening.listen()
        listening.settimeout(10)
        answering = threading.Thread(target=answer_once_and_hang_up, args=[listening])
        answering.start()
        tidy_up({"0.1.0-bbbbbbbbbbbb"}, hangs_up)
        answering.join()
    told = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[0] for line in told] == [
        f"Old images and builds stay at {url}" for url in (nobody,) * 3 + (hangs_up,) * 3
    ]
    assert all(line.endswith("The next upgrade frees them.") for line in told)
    assert ["server API version" in line for line in told] == [True, True, True, False, True, True]


def test_images_of_other_versions_than_the_last_two_are_old():
    tags = [f"atelier-{name}:0.1.0-{c * 12}" for name in ("hub", "workspace") for c in "abc"]
    other = ["debian:bookworm-slim", "atelier-hub:test", "school/atelier-hub:0.1.0-aaaaaaaaaaaa"]
    old = list_old([*tags, *other], {"0.1.0-bbbbbbbbbbbb", "0.1.0-cccccccccccc"})
    assert old == ["atelier-hub:0.1.0-aaaaaaaaaaaa", "atelier-workspace:0.1.0-aaaaaaaaaaaa"]


def test_no_browser_is_ever_offered_half_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    if not shutil.which("brotli"):
        skip_or_fail("needs brotli (Debian's package brotli)")
    static, programs = tmp_path / "static", tmp_path / "programs"
    programs.mkdir()
    (static / "lab").mkdir(parents=True)
    for name in ("x.js", "x.js.gz"):
        (static / "lab" / name).write_text("content " * 500)
    with monkeypatch.context() as cut:
        put_program(cut, programs, "brotli", CUT_OFF)
        with pytest.raises(DeployProblem, match="brotli failed"):
            compress_more(static)
    assert not (static / "lab" / "x.js.br").exists()
    assert compress_more(static) == 1
    assert sorted(path.name for path in (static / "lab").iterdir()) == ["x.js", "x.js.br", "x.js.gz"]
    done = subprocess.run(["brotli", "--test", str(static / "lab" / "x.js.br")], check=False)
    assert done.returncode == 0
