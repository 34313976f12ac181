"""The sandbox itself, without nbgrader: what a kernel in it can and cannot do."""

import socket
from pathlib import Path

import pytest
from atelier_nbgrader.conductor.outputs import Outputs, make_error
from atelier_nbgrader.sandbox import GradingProblem, Limits, run_cells
from atelier_nbgrader.sandbox.run import Answer, _take_answers

from tests.components import require_sandbox

pytestmark = pytest.mark.sandbox


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    require_sandbox()
    (tmp_path / "data.txt").write_text("data")
    return tmp_path


def run(folder: Path, *sources: str, **limits: float) -> list[Answer]:
    return run_cells(sources, folder, Limits(**limits))  # type: ignore[arg-type]


def show(answer: Answer) -> str:
    return "".join(
        str(output.get("text") or output.get("data") or output.traceback) for output in answer.outputs
    )


def test_cells_run_one_after_the_other_in_one_kernel(folder: Path) -> None:
    first, second, third = run(folder, "x = 20", "print(x + 1); x + 2", "1 / 0")
    assert (first.status, second.status, third.status) == ("ok", "ok", "error")
    assert "21" in show(second)
    assert "22" in show(second)
    assert third.outputs[0].ename == "ZeroDivisionError"


def test_what_is_written_stays_inside(folder: Path) -> None:
    (answer,) = run(
        folder, "open('data.txt', 'w').write('changed'); open('new', 'w'); print(open('data.txt').read())"
    )
    assert "changed" in show(answer)
    assert (folder / "data.txt").read_text() == "data"
    assert [file.name for file in folder.iterdir()] == ["data.txt"]


def test_own_modules_are_found_and_take_nobodys_place(folder: Path) -> None:
    (folder / "helper.py").write_text("answer = 42")
    (folder / "json.py").write_text("raise RuntimeError('not this one')")
    (folder / "ipykernel_launcher.py").write_text("raise RuntimeError('not this one')")
    (answer,) = run(folder, "import helper; print(helper.answer)")
    assert "42" in show(answer)


def test_only_memory_file_systems_can_be_written(folder: Path) -> None:
    look = "\n".join(
        [
            "import os",
            "for top in ('/', '/usr', '/etc', '/run', '/run/launch', '/dev', '/home', '/proc/sys/kernel'):",
            "    try:",
            "        open(os.path.join(top, 'x'), 'w'); print('WROTE', top)",
            "    except OSError: pass",
        ]
    )
    (answer,) = run(folder, look)
    assert "WROTE" not in show(answer)


def test_no_setting_of_the_kernel_can_be_opened_for_writing(folder: Path) -> None:
    # Opened only: a test that fails must not have changed the machine. (As root each of them could be.)
    look = "\n".join(
        [
            "import os",
            "for place, folders, names in os.walk('/proc'):",
            "    if place == '/proc':",
            "        folders[:] = [f for f in folders if not f.isdigit() and 'self' not in f]",
            "    for name in names:",
            "        try: os.close(os.open(os.path.join(place, name), os.O_WRONLY | os.O_NONBLOCK))",
            "        except OSError: continue",
            "        print('OPENED', place, name)",
        ]
    )
    (answer,) = run(folder, look)
    assert (answer.status, show(answer)) == ("ok", "")


def test_disk_memory_and_files_are_bounded(folder: Path) -> None:
    fill = "for n in range(10**4): open(f'/tmp/{n}', 'wb').write(b'0' * 10**6)"
    big = "open('/tmp/big', 'wb').write(b'0' * 10**9)"
    shm = "for n in range(10**4): open(f'/dev/shm/{n}', 'wb').write(b'0' * 10**6)"
    answers = run(folder, big, fill, shm, disk_mb=20, file_mb=10)
    assert [answer.status for answer in answers] == ["error"] * 3


def test_no_more_namespaces_and_no_privileges_inside(folder: Path) -> None:
    source = (
        "import subprocess, os\n"
        "print(subprocess.run(['unshare', '-U', 'true'], capture_output=True).returncode)\n"
        "print([l for l in open('/proc/self/status') if l.startswith(('CapEff', 'NoNewPrivs'))], os.getuid())"
    )
    (answer,) = run(folder, source)
    text = show(answer)
    assert text.startswith("1")
    assert "CapEff:\\t0000000000000000" in text
    assert "NoNewPrivs:\\t1" in text


def test_abstract_sockets_of_the_machine_are_out_of_reach(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        name = "\0atelier-test-" + folder.name
        listening.bind(name)
        listening.listen()
        source = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({name!r})"
        (answer,) = run(folder, source)
    assert answer.status == "error"


FORGED = """
import json, os, uuid
from ipykernel.kernelapp import IPKernelApp
session = IPKernelApp.instance().kernel.session
iopub = IPKernelApp.instance().iopub_socket
for content in ({"execution_state": "idle"}, "no dictionary", {"name": 1, "text": {"a": []}}):
    for kind in ("status", "stream", "display_data", "error", "execute_result", "clear_output"):
        session.send(iopub, kind, content if isinstance(content, dict) else {"data": content},
                     parent={"msg_id": "someone-else"}, ident=b"x")
iopub.send_multipart([b"x", b"<IDS|MSG>", b"bad", b"{", b"{", b"{", b"["])
"""


def test_forged_messages_are_ignored(folder: Path) -> None:
    _forged, after = run(folder, FORGED, "print('still here')")
    assert "still here" in show(after)


def test_cut_run_has_no_answers_at_all(folder: Path) -> None:
    with pytest.raises(GradingProblem, match="cell 2"):
        run(folder, "x = 1", "while True: pass", "print(1)", cell_s=10)


def test_whole_run_has_an_end(folder: Path) -> None:
    with pytest.raises(GradingProblem):
        run(folder, *["import time; time.sleep(1)"] * 30, run_s=3)


def test_input_is_an_error_and_not_a_wait(folder: Path) -> None:
    (answer,) = run(folder, "input()")
    assert answer.status == "error"


# ---------------------------------------------------------------- parts
def test_an_error_is_never_cleared() -> None:
    outputs = Outputs({"cell_output_kb": 1}, 1000)
    outputs.add({"msg_type": "error", "content": {"ename": "AssertionError", "evalue": "", "traceback": []}})
    outputs.add({"msg_type": "stream", "content": {"name": "stdout", "text": "x" * 5000}})
    outputs.add({"msg_type": "clear_output", "content": {}})
    assert [output["output_type"] for output in outputs.kept] == ["error"]


def test_too_much_text_and_too_large_pictures_are_cut() -> None:
    outputs = Outputs({"cell_output_kb": 1}, 1000)
    for _ in range(50):
        outputs.add({"msg_type": "stream", "content": {"name": "stdout", "text": "x" * 1000}})
        outputs.add({"msg_type": "display_data", "content": {"data": {"image/png": "x" * 900}}})
    assert len(str(outputs.kept)) < 20_000


def test_error_of_strange_shape_is_still_an_error() -> None:
    assert make_error({"ename": None, "traceback": "no list"})["ename"] == "Error"


def test_fewer_answers_than_cells_is_a_problem() -> None:
    result = {"end": {"kind": "done", "cell": None, "detail": ""}, "cells": []}
    with pytest.raises(GradingProblem):
        _take_answers(result, 1, Limits())
