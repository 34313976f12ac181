"""What a home holds: counted once, however deep it lies, whoever moves it, and without a name, too."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hub_config import docker_usage
from hub_config.docker_quota import Running, find_level
from hub_config.docker_usage import Moved, Usage, measure_home, measure_unlinked, walk_below

MB = 1024 * 1024
DEPTH = 1500


def make_workspace(folder: Path, disk_mb: int = 100, files: int = 1000) -> Running:
    return Running("c1", "k3aaaaaaaaaa", folder, disk_mb, files)


# ------------------------------------------------ what has a name
def test_all_that_lies_in_a_home_counts_once(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a").write_bytes(bytes(MB))
    os.link(tmp_path / "deep" / "er" / "a", tmp_path / "again")
    usage = measure_home(tmp_path)
    assert MB <= usage.used_bytes < 1.2 * MB
    assert usage.files == 4


def test_links_lead_nowhere(tmp_path: Path) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    home.mkdir()
    outside.mkdir()
    (outside / "big").write_bytes(bytes(4 * MB))
    (home / "folder").symlink_to(outside)
    (home / "file").symlink_to(outside / "big")
    assert measure_home(home).used_bytes < MB


def test_a_file_of_holes_takes_what_it_takes(tmp_path: Path) -> None:
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(10_000 * MB)
    assert measure_home(tmp_path).used_bytes < MB


def test_what_lies_too_deep_to_be_measured_makes_a_home_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(1500):
        Path("a" * 100).mkdir()
        os.chdir("a" * 100)
    Path("hidden").write_bytes(bytes(MB))
    assert find_level(measure_home(tmp_path), make_workspace(tmp_path)) == "full"
    subprocess.run(["rm", "-r", str(tmp_path / ("a" * 100))], check=True)


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A home in which more folders lie in folders than Python could call or hold open, two files last."""
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(DEPTH):
        os.mkdir("d", dir_fd=here)
        os.mkdir("beside", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    for name in "ab":
        os.close(os.open(name, os.O_CREAT, dir_fd=here))
    os.close(here)
    yield tmp_path
    subprocess.run(["rm", "-r", str(tmp_path / "d")], check=True)


def count_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_depth_is_too_much_to_count(deep: Path) -> None:
    before = count_open()
    usage = measure_home(deep)
    assert (usage.files, usage.deep, usage.hidden) == (2 * DEPTH + 2, True, False)
    assert count_open() == before


def test_a_deep_walk_holds_one_descriptor(deep: Path) -> None:
    descriptor = os.open(deep, os.O_RDONLY)
    before = count_open()
    for number, _ in enumerate(walk_below("d", descriptor)):
        if number % 500 == 499:
            assert count_open() == before + 1
    os.close(descriptor)
    assert number == 2 * DEPTH - 2


def test_a_tree_that_is_moved_under_the_walk_hides_something(tmp_path: Path) -> None:
    """The way back would lead into another folder, and past all that lies beside."""
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    descriptor = os.open(tmp_path, os.O_RDONLY)

    def walk() -> None:
        for handle, _ in walk_below("a", descriptor):
            if Path(f"/proc/self/fd/{handle}").readlink().name == "c":
                (tmp_path / "a" / "b").rename(tmp_path / "elsewhere" / "b")

    with pytest.raises(Moved):
        walk()
    os.close(descriptor)


def test_what_is_moved_or_endless_below_makes_a_home_full(
    deep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_usage, "MOST_BELOW", 1000)
    usage = measure_home(deep)
    assert usage.hidden
    assert usage.files < 2 * DEPTH


@pytest.mark.parametrize("usage", [Usage(0, 1, deep=True), Usage(0, 1, hidden=True)])
def test_what_is_deep_or_hidden_makes_a_home_full(tmp_path: Path, usage: Usage) -> None:
    assert find_level(usage, make_workspace(tmp_path)) == "full"


# ------------------------------------------------ what has lost its name
@pytest.mark.parametrize("kept", ["open", "mapped", "inherited"])
def test_a_file_without_a_name_counts_while_a_program_has_it(tmp_path: Path, kept: str) -> None:
    code = f"""
import mmap, os, sys
file = os.open("hidden", os.O_CREAT | os.O_RDWR)
os.unlink("hidden")
os.write(file, bytes({8 * MB})); os.fsync(file)
if {kept!r} == "mapped":
    memory = mmap.mmap(file, {8 * MB}); os.close(file)
if {kept!r} == "inherited" and os.fork() == 0:
    os.read(0, 1)
    os._exit(0)
print("ready", flush=True)
os.read(0, 1)
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, **pipes) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"ready\n"
        children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
        processes = [program.pid, *map(int, children)]
        usage = measure_unlinked(processes, tmp_path.stat().st_dev)
        program.communicate(b"\n")
    assert measure_home(tmp_path).used_bytes < MB
    assert 8 * MB <= usage.used_bytes < 9 * MB
    assert usage.files == 1


HOLD = """
import ctypes, mmap, os, sys
libc = ctypes.CDLL(None)
number, size = ctypes.c_int, ctypes.c_size_t
libc.mmap.restype, libc.mmap.argtypes = size, [size, size, number, number, number, size]
files, times = map(int, sys.argv[1:])
for number in range(files):
    file = os.open(f"hidden{number}", os.O_CREAT | os.O_RDWR)
    os.unlink(f"hidden{number}")
    os.write(file, b"x" * mmap.PAGESIZE)
    for _ in range(times):
        assert libc.mmap(0, mmap.PAGESIZE, mmap.PROT_READ, mmap.MAP_SHARED, file, 0) != 2**64 - 1
    os.close(file)
print("ready", flush=True)
sys.stdin.read(1)
"""


@contextmanager
def hold_unnamed(folder: Path, files: int, times: int) -> Iterator[int]:
    """A program that has files without a name in its memory, each so many times. Yields its number."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    command = [sys.executable, "-c", HOLD, str(files), str(times)]
    with subprocess.Popen(command, cwd=folder, **pipes) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"ready\n"
        yield program.pid
        program.communicate(b"x")


def test_a_file_that_is_mapped_many_times_is_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[Path] = []
    stat = Path.stat

    def look(path: Path, **options: bool) -> os.stat_result:
        looked_at.append(path)
        return stat(path, **options)

    device = tmp_path.stat().st_dev
    with hold_unnamed(tmp_path, 3, 500) as program:
        assert Path(f"/proc/{program}/maps").read_text().count("hidden") == 1500
        monkeypatch.setattr(Path, "stat", look)
        usage = measure_unlinked([program, program], device)
        monkeypatch.undo()
    assert (usage.files, usage.hidden) == (3, False)
    assert len([path for path in looked_at if "map_files" in path.parts]) == 3


def test_more_unnamed_files_in_memory_than_anybody_has_are_not_all_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_usage, "MOST_MAPPED", 30)
    with hold_unnamed(tmp_path, 100, 1) as program:
        usage = measure_unlinked([program], tmp_path.stat().st_dev)
    assert usage.hidden
    assert usage.files == 30
