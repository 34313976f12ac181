"""The class at the bell presses start when the bell rings, and only then."""

import io
import json

import pytest

from bench import bell_class
from bench.bell_class import Start

LESSON = {"public_url": "http://127.0.0.1:9", "stock": True, "students": ["a", "b"], "accounts": ["a", "b"]}


class Presser:
    """A student who only notes that start was pressed."""

    pressed = 0

    def __init__(self, *_: object) -> None:
        pass

    def sign_in(self) -> None:
        pass

    def press_start(self, _: float) -> Start:
        Presser.pressed += 1
        return Start("a")


@pytest.fixture
def pressed(monkeypatch: pytest.MonkeyPatch) -> type[Presser]:
    monkeypatch.setattr(bell_class, "Student", Presser)
    monkeypatch.setattr(Presser, "pressed", 0)
    return Presser


def tell(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(LESSON) + "\n" + said))


def test_everybody_presses_at_the_bell(pressed: type[Presser], monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, "the bell\n")
    assert bell_class.main() == 0
    assert pressed.pressed == 2


@pytest.mark.parametrize("said", ["", "the b"], ids=["ended", "cut off"])
def test_nobody_presses_when_the_bench_has_ended_before_the_bell(
    pressed: type[Presser], monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    tell(monkeypatch, said)
    with pytest.raises(SystemExit, match="ended before the bell"):
        bell_class.main()
    assert pressed.pressed == 0
