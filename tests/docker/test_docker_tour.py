"""`make tour`, unchanged, with workspaces that are containers."""

import functools
from pathlib import Path

import pytest

from demo.tour import __main__ as tour
from tests.docker_stack import DockerDemo, DockerStack

pytestmark = [pytest.mark.docker, pytest.mark.side_by_side]


def test_the_tour_ends_in_the_right_marks(
    docker_stack: DockerStack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(tour, "Demo", functools.partial(DockerDemo, docker_stack.town))
    try:
        assert tour._play_all(tmp_path / "tour") == 0, capsys.readouterr().out[-5000:]
    finally:
        docker_stack.demo.narrow_network()  # a machine has one set of rules; the tour's went with it
