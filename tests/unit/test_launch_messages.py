"""What stops the demo is said once, with the repair."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.checks import check_city, hold_data_dir, list_warnings
from demo.house import DEFAULT_CITY, REPOSITORY, House, choose_ports
from demo.ports import check_port_is_free
from demo.problem import DemoProblem
from demo.reset import reset


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "data", choose_ports(0), DEFAULT_CITY)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]


def launch(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "demo.launch", *options],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_port_in_use_names_who_has_it_and_another_one(taken_port: int) -> None:
    with pytest.raises(DemoProblem) as caught:
        check_port_is_free(taken_port)
    assert f"Port {taken_port} is in use" in caught.value.fact
    assert f"by {Path(sys.executable).name} (process {os.getpid()})" in caught.value.fact
    assert "make run PORT=" in caught.value.repair


def test_the_command_says_one_thing_about_a_port_in_use_and_leaves_nothing(
    tmp_path: Path, taken_port: int
) -> None:
    done = launch("--data", str(tmp_path / "data"), "--port", str(taken_port))
    assert done.returncode == 1
    assert done.stderr.count("Repair:") == 1 + len(list_warnings())
    assert f"Port {taken_port} is in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_none_is_refused(tmp_path: Path) -> None:
    done = launch("--data", str(tmp_path / "data"), "--port", "many")
    assert done.returncode == 2
    assert "'many' is no port; write a number from 1 to 65535" in done.stderr


def test_a_broken_city_file_is_shown_with_each_problem(tmp_path: Path) -> None:
    city = tmp_path / "city.yaml"
    city.write_text("name: Примерград\nschols: {}\n")
    with pytest.raises(DemoProblem) as caught:
        check_city(city)
    assert "schols" in caught.value.fact
    assert str(city) in caught.value.repair


def test_the_command_stops_at_a_broken_city_file_without_a_traceback(tmp_path: Path) -> None:
    city = tmp_path / "city.yaml"
    city.write_text("name: [")
    done = launch("--data", str(tmp_path / "data"), "--port", "0", "--city", str(city))
    assert done.returncode == 1
    assert "The city file cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_demo_on_the_same_data_is_told_where_the_first_one_is(house: House) -> None:
    with hold_data_dir(house), pytest.raises(DemoProblem) as caught:
        hold_data_dir(House(house.data_dir, choose_ports(0), DEFAULT_CITY))
    assert house.public_url in caught.value.fact
    assert f"process {os.getpid()}" in caught.value.fact


def test_a_demo_may_start_again_after_the_first_one_ended(house: House) -> None:
    hold_data_dir(house).close()
    hold_data_dir(house).close()


def test_a_missing_sandbox_is_a_warning_with_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install bubblewrap" in list_warnings()[0]


def test_reset_removes_a_demos_data_read_only_folders_included(house: House) -> None:
    hold_data_dir(house).close()
    locked = house.data_dir / "hub" / "locked"
    locked.mkdir(parents=True)
    (locked / "work.ipynb").write_text("{}")
    locked.chmod(0o500)
    assert reset(house.data_dir)
    assert not house.data_dir.exists()
    assert not reset(house.data_dir)


def test_reset_does_not_touch_a_folder_that_is_no_demos(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").write_text("three years")
    with pytest.raises(DemoProblem, match="not a demo's data folder"):
        reset(tmp_path)
    assert (tmp_path / "thesis.odt").exists()


def test_reset_does_not_touch_a_running_demo(house: House) -> None:
    with hold_data_dir(house), pytest.raises(DemoProblem, match="is running"):
        reset(house.data_dir)
    assert house.data_dir.exists()
