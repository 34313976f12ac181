"""Where the workspaces' daemon keeps its data on btrfs, the kernel stops what goes beyond the quota."""

import asyncio
import contextlib
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from hub_config.docker_engine import list_security_options
from hub_config.docker_homes import ACCOUNT_LABEL, HOME, Home, Homes
from hub_config.docker_quota import Keeper, describe_quota, is_btrfs, is_subvolume
from tests.components import skip_or_fail
from tests.docker_town import BASE_TAG, REMAPPED_FROM, Daemon, check_docker, find_cache, provide_base, run

pytestmark = [pytest.mark.docker, pytest.mark.side_by_side]

SIZE_GB = 4
DISK_MB = 64
ANNA, BORIS = "annaaaaaaaaa", "borisaaaaaaa"


@pytest.fixture(scope="module")
def btrfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A btrfs of the test's own: a file, mounted."""
    check_docker()
    if not shutil.which("mkfs.btrfs") or "btrfs" not in Path("/proc/filesystems").read_text():
        skip_or_fail("needs btrfs (Debian's package btrfs-progs, and the kernel's module)")
    # In the cache: a daemon with remapped users must be able to walk to it.
    place = Path(tempfile.mkdtemp(prefix="btrfs-", dir=find_cache()))
    place.chmod(0o755)
    image, folder = place / "image", place / "mounted"
    try:
        run("truncate", f"--size={SIZE_GB}G", str(image))
        run("mkfs.btrfs", "--quiet", str(image))
        folder.mkdir()
        run("mount", "-o", "loop", str(image), str(folder))
        yield folder
    finally:
        run("umount", "--lazy", str(folder), check=False)
        image.unlink(missing_ok=True)
        folder.rmdir()
        place.rmdir()


@pytest.fixture(scope="module")
def btrfs_daemon(btrfs: Path) -> Iterator[Daemon]:
    with Daemon(btrfs / "docker") as running:
        provide_base(running, find_cache())
        yield running


@pytest.fixture(scope="module")
def api(btrfs_daemon: Daemon) -> Iterator[Any]:
    with btrfs_daemon.connect() as client:
        yield client.api


@pytest.fixture(scope="module")
def keeper(api: Any) -> Keeper:
    return Keeper(api)


@pytest.fixture(scope="module")
def homes(api: Any, keeper: Keeper) -> dict[str, Home]:
    """Homes as the hub makes them at a first start, while the quota's program runs beside it."""

    async def call(method: str, *arguments: Any, **options: Any) -> Any:
        return await asyncio.to_thread(getattr(api, method), *arguments, **options)

    async def ensure_all() -> dict[str, Home]:
        homes = Homes(60_000, subvolumes=True)
        return {account: await homes.ensure(call, account, BASE_TAG) for account in (ANNA, BORIS)}

    with keeping(keeper):
        return asyncio.run(ensure_all())


@contextlib.contextmanager
def keeping(keeper: Keeper) -> Iterator[None]:
    """The quota's program makes subvolumes beside what is done here."""
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(0.1):
            keeper.try_to_look(0)

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(30)


@pytest.fixture
def workspaces(api: Any, homes: dict[str, Home]) -> Iterator[dict[str, str]]:
    """A running container for each account. Returns account → container."""
    made = {}
    for account, home in homes.items():
        host = api.create_host_config(binds={home.volume: {"bind": HOME, "mode": "rw,nocopy"}})
        made[account] = api.create_container(
            BASE_TAG,
            ["sleep", "1000"],
            user=f"{home.uid}:{home.uid}",
            labels={ACCOUNT_LABEL: account, **describe_quota(DISK_MB, 1000)},
            host_config=host,
        )["Id"]
        api.start(made[account])
    yield made
    for container in made.values():
        api.remove_container(container, force=True)


def run_inside(api: Any, container: str, command: str) -> tuple[int, str]:
    made = api.exec_create(container, ["sh", "-c", command])
    said = api.exec_start(made["Id"]).decode()
    return int(api.exec_inspect(made["Id"])["ExitCode"]), said


def test_a_new_home_is_a_subvolume_that_its_owner_can_write(
    api: Any, homes: dict[str, Home], workspaces: dict[str, str]
) -> None:
    for account, home in homes.items():
        folder = Path(api.inspect_volume(home.volume)["Mountpoint"])
        assert is_btrfs(folder)
        assert is_subvolume(folder)
        assert run_inside(api, workspaces[account], "echo work >/home/work/a && cat /home/work/a") == (
            0,
            "work\n",
        )


def test_writing_stops_at_the_limit_for_the_one_and_not_for_the_other(
    api: Any, keeper: Keeper, workspaces: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    keeper.do_round()
    status, said = run_inside(api, workspaces[BORIS], f"dd if=/dev/zero of={HOME}/big bs=1M count=200")
    assert status != 0
    assert "Disk quota exceeded" in said
    # What a start does before all else works in a full home, or nobody could clear it up.
    assert run_inside(api, workspaces[BORIS], f"chmod u+rwx {HOME}") == (0, "")
    _, size = run_inside(api, workspaces[BORIS], f"stat -c %s {HOME}/big")
    assert DISK_MB * 0.8 < int(size) / 2**20 <= DISK_MB
    assert run_inside(api, workspaces[ANNA], f"dd if=/dev/zero of={HOME}/big bs=1M count=40")[0] == 0

    run_inside(api, workspaces[BORIS], "sync")
    keeper.do_round()
    assert f"{BORIS}: " in caplog.text
    assert ANNA not in caplog.text
    run_inside(api, workspaces[BORIS], f"rm {HOME}/big")
    assert run_inside(api, workspaces[BORIS], f"dd if=/dev/zero of={HOME}/new bs=1M count=20")[0] == 0


def test_files_without_end_stop_too(api: Any, keeper: Keeper, workspaces: dict[str, str]) -> None:
    """Names take room in the subvolume; each file here brings some bytes of its own."""
    keeper.do_round()
    write = f"mkdir -p {HOME}/many; cd {HOME}/many; head -c 200M /dev/zero | split -a 6 -b 3000 -"
    status, said = run_inside(api, workspaces[BORIS], write)
    assert status != 0
    assert "Disk quota exceeded" in said
    run_inside(api, workspaces[BORIS], f"rm -r {HOME}/many")


MAKE_SUBVOLUME = (
    f"perl -e 'open(H, q(<), q({HOME})) or die; $name = pack(q(q a4088), 0, q(own)); "
    "ioctl(H, 0x5000940e, $name) or die $!'"
)


def test_nobody_makes_a_subvolume_whose_quota_would_be_without_a_bound(
    api: Any, homes: dict[str, Home], workspaces: dict[str, str]
) -> None:
    done = run_inside(api, workspaces[ANNA], f"{MAKE_SUBVOLUME} && rmdir {HOME}/own")
    assert done == (0, ""), "without the profile it must work, or this shows nothing"
    home = homes[ANNA]
    host = api.create_host_config(
        binds={home.volume: {"bind": HOME, "mode": "rw,nocopy"}},
        security_opt=list_security_options("personal"),
    )
    closed = api.create_container(
        BASE_TAG, ["sleep", "1000"], user=f"{home.uid}:{home.uid}", host_config=host
    )
    api.start(closed)
    try:
        status, said = run_inside(api, closed["Id"], MAKE_SUBVOLUME)
        assert status != 0
        assert "Operation not permitted" in said
        assert run_inside(api, closed["Id"], f"ls {HOME}/own")[0] != 0
    finally:
        api.remove_container(closed, force=True)


def test_a_home_with_files_in_it_is_never_exchanged(api: Any, keeper: Keeper) -> None:
    name = "atelier-home-oldaaaaaaaaa"
    api.create_volume(name)
    folder = Path(api.inspect_volume(name)["Mountpoint"])
    (folder / "work").write_text("kept")
    mount = {"Type": "volume", "Source": name, "Target": HOME}
    api.create_container(
        BASE_TAG, ["true"], name=f"{name}-preparation", host_config={"Mounts": [mount], "NetworkMode": "none"}
    )
    keeper.make_subvolumes()
    assert not is_subvolume(folder)
    assert (folder / "work").read_text() == "kept"
    api.remove_container(f"{name}-preparation")


def end_program(*_: object) -> None:
    """In place of a step: the program ends here."""
    raise KeyboardInterrupt


def test_a_start_in_the_middle_of_the_exchange_is_made_again(api: Any, keeper: Keeper) -> None:
    """The quota's program has taken the empty folder away, ends there, and comes back after the start."""
    volume = "atelier-home-cvetaaaaaaaa"
    said: list[str] = []
    folder = Path(api.info()["DockerRootDir"]) / "volumes" / volume / "_data"
    with contextlib.ExitStack() as later:

        async def call(method: str, *arguments: Any, **options: Any) -> Any:
            if method == "start" and not said:
                with pytest.MonkeyPatch.context() as ended:
                    ended.setattr(Path, "rename", end_program)
                    with pytest.raises(KeyboardInterrupt):
                        keeper.make_subvolumes()
                assert not folder.exists()
            try:
                return await asyncio.to_thread(getattr(api, method), *arguments, **options)
            except APIError as error:
                if method == "start":
                    if not said:
                        later.enter_context(keeping(keeper))
                    said.append(str(error))
                raise

        home = asyncio.run(Homes(60_000, subvolumes=True).ensure(call, "cvetaaaaaaaa", BASE_TAG))
    assert said, "Docker starts a container whose volume has no folder: this test shows nothing"
    assert is_subvolume(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["_data"]
    assert home.volume == volume
    # Its owner inside; outside, the daemon's first number is added.
    assert folder.stat().st_uid == REMAPPED_FROM + home.uid
    api.remove_volume(volume)
