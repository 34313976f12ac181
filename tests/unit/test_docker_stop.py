"""What becomes of a workspace's container when it ends, is stopped, or the daemon is in trouble."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import ReadTimeout

from hub_config import docker_engine
from hub_config.docker_engine import DockerWorkspace


class Asked(DockerWorkspace):
    """A workspace whose container has ended, or is not there; it remembers what the daemon was asked."""

    _spawn_pending = True  # else `poll` removes it

    def __init__(self, *, is_there: bool = True) -> None:
        super().__init__(object_name="atelier-k3aaaaaaaaaa", object_id="c0", remove=True)
        self.is_there = is_there
        self.asked: list[str] = []

    def docker(self, method: str, *_: Any, **__: Any) -> "asyncio.Future[Any]":
        self.asked.append(method)
        answer: asyncio.Future[Any] = asyncio.Future()
        if self.is_there:
            state = {"Running": False, "ExitCode": 1, "Error": "", "FinishedAt": ""}
            answer.set_result({"Id": "c0", "State": state})
        else:
            answer.set_exception(NotFound("no such container", SimpleNamespace(status_code=404)))
        return answer


async def test_a_stop_that_was_ordered_asks_the_daemon_about_nothing_that_it_stops_and_removes_anyway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(DockerWorkspace, "_stops", None)
    workspace: Any = Asked()
    workspace._stop_pending, workspace._stop_future = True, asyncio.Future()
    assert await workspace.poll() is None
    await workspace.stop()
    assert workspace.asked == ["stop", "remove_container"]


async def test_a_start_that_failed_stands_in_no_line_of_stops_when_its_container_is_gone() -> None:
    workspace: Any = Asked(is_there=False)
    workspace._stop_pending = True  # JupyterHub's own stop of what did not start
    assert await workspace.poll() == 0
    assert workspace.asked == ["inspect_container"]


class Troubled(Asked):
    """A workspace whose daemon fails so many times before it does what it is asked."""

    def __init__(self, failures: list[Exception]) -> None:
        super().__init__()
        self.user = SimpleNamespace(name="k3aaaaaaaaaa")
        self.failures = failures
        self.named: list[str] = []

    def docker(self, method: str, container: str, **options: Any) -> "asyncio.Future[Any]":
        self.asked.append(f"{method} by force" if options.get("force") else method)
        self.named.append(container)
        answer: asyncio.Future[Any] = asyncio.Future()
        if self.failures:
            answer.set_exception(self.failures.pop(0))
        else:
            answer.set_result({"Id": "c0", "State": {"Running": True}})
        return answer


FAILED = requests.Response()
FAILED.status_code, FAILED.url, FAILED.reason = 500, "http://daemon/stop", "Internal Server Error"
NO_EXIT = APIError("500", FAILED, "tried to kill container, but did not receive an exit event")
STOPS_AGAIN = [
    ([NO_EXIT], ["stop", "stop", "remove_container"]),
    ([ReadTimeout("no answer")] * 2, ["stop"] * 3 + ["remove_container"]),
    ([NO_EXIT, ReadTimeout("no answer"), NO_EXIT], ["stop"] * 3 + ["remove_container by force"]),
    ([NO_EXIT] * 4, ["stop"] * 3 + ["remove_container by force"] * 2),
    ([NO_EXIT, NotFound("gone", SimpleNamespace(status_code=404))], ["stop"] * 2),
]


@pytest.mark.parametrize(("failures", "asked"), STOPS_AGAIN)
async def test_a_stop_is_over_when_the_container_is_gone(
    monkeypatch: pytest.MonkeyPatch, failures: list[Exception], asked: list[str]
) -> None:
    monkeypatch.setattr(DockerWorkspace, "_stops", None)
    monkeypatch.setattr(docker_engine, "STOP_AGAIN_S", 0)
    workspace: Any = Troubled(list(failures))
    await workspace.stop()
    assert workspace.asked == asked
    assert workspace.object_id == ""


async def test_a_start_that_failed_without_a_daemon_leaves_no_stop_without_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is no number of a container yet, and perhaps a container: both are asked for by name."""
    monkeypatch.setattr(DockerWorkspace, "_stops", None)
    monkeypatch.setattr(docker_engine, "STOP_AGAIN_S", 0)
    gone = NotFound("gone", SimpleNamespace(status_code=404))
    workspace: Any = Troubled([ReadTimeout("no answer"), gone])
    workspace.object_id = ""
    await workspace.stop()
    assert workspace.asked == ["stop", "stop"]
    assert set(workspace.named) == {"atelier-k3aaaaaaaaaa"}


async def test_a_stop_in_line_is_ordered_when_the_hub_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """JupyterHub then writes down that the workspace has ended; its open tabs would stay open."""
    monkeypatch.setattr(DockerWorkspace, "_stops", None)
    monkeypatch.setattr(DockerWorkspace, "_pools", {})
    ordered: list[tuple[str, str]] = []
    workspace: Any = DockerWorkspace(object_name="atelier-k3aaaaaaaaaa", object_id="c0")
    monkeypatch.setattr(DockerWorkspace, "_docker", lambda _, *order: ordered.append(order))
    async with workspace._find_stops().starting(), workspace._find_stops().stopping():
        stop = asyncio.create_task(workspace.stop())
        await asyncio.sleep(0)
        stop.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stop
    workspace._pools["stop"].shutdown()
    assert ordered == [("stop", "c0")]


async def test_a_stop_that_will_be_asked_for_again_is_ordered_when_the_hub_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(DockerWorkspace, "_stops", None)
    ordered: list[tuple[str, str]] = []
    monkeypatch.setattr(DockerWorkspace, "_order", lambda _, *order: ordered.append(order))
    waits = asyncio.Event()
    workspace: Any = Troubled([ReadTimeout("no answer")])
    monkeypatch.setattr(workspace.log, "error", lambda *_: waits.set())
    stop = asyncio.create_task(workspace.stop())
    await waits.wait()
    await asyncio.sleep(0)
    stop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stop
    assert ordered == [("stop", "c0")]


@pytest.mark.parametrize("trouble", [NO_EXIT, ReadTimeout("no answer"), DockerException("no version")])
async def test_a_daemon_in_trouble_ends_no_workspace(trouble: Exception) -> None:
    workspace: Any = Troubled([trouble])
    assert await workspace.poll() is None
    assert workspace.object_id == "c0"
