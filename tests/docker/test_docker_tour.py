"""`make tour`, unchanged, with workspaces that are containers."""

import functools
from pathlib import Path

import pytest

from demo.tour import __main__ as tour
from tests.docker_stack import DockerDemo, Town

pytestmark = pytest.mark.docker


def test_the_tour_ends_in_the_right_marks(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tour, "Demo", functools.partial(DockerDemo, town))
    assert tour._play_all(tmp_path / "tour") == 0, capsys.readouterr().out[-5000:]
