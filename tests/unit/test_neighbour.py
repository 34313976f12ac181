"""The judge of the attacks: a neighbour who is slowed down, meanwhile or for good, is noticed."""

import itertools
import statistics
import threading
from collections import deque
from collections.abc import Callable
from typing import cast

import pytest

from tests.docker import neighbour
from tests.docker.neighbour import MOST_SAMPLES, SAMPLES, Watch, working_beside
from tests.docker_notebook import Notebook

NOBODY = cast("Notebook", None)
Take = Callable[[float], None]
Attack = Callable[..., Watch]


@pytest.fixture(autouse=True)
def calm_s(monkeypatch: pytest.MonkeyPatch) -> deque[float]:
    """What was measured before earlier attacks: nothing yet."""
    neighbour.LAST.clear()
    times_s: deque[float] = deque(maxlen=5 * SAMPLES)
    monkeypatch.setattr(neighbour, "CALM_S", times_s)
    return times_s


class Cell:
    """The neighbour's cell, and how long it takes: in peace, and during attacks."""

    calm_s = meanwhile_s = 0.3

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def measure(self, _: Notebook) -> float:
        # During an attack a thread of its own measures.
        return self.calm_s if threading.get_ident() == self._thread else self.meanwhile_s

    def take(self, seconds: float) -> None:
        """From now on it takes so long in peace."""
        self.calm_s = seconds


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    cell = Cell()
    monkeypatch.setattr(neighbour, "measure_cell_s", cell.measure)
    return cell


@pytest.fixture
def take(cell: Cell) -> Take:
    """Say how long the cell takes in peace from now on; at first 0.3 s."""
    return cell.take


@pytest.fixture
def attack(cell: Cell) -> Attack:
    """Make an attack during which, and after which, the cell takes so long."""

    def make_attack(meanwhile_s: float, after_s: float = 0.3) -> Watch:
        cell.meanwhile_s = meanwhile_s
        with working_beside(NOBODY) as watch:
            cell.calm_s = after_s
        return watch

    return make_attack


def test_a_neighbour_who_is_not_slower_than_twice_passes(attack: Attack) -> None:
    assert statistics.median(attack(0.6).meanwhile_s) == 0.6


def test_slower_than_twice_during_the_attack_fails_and_says_all_times(attack: Attack) -> None:
    said = r"during it: usual 0\.30( 0\.30)+ s; meanwhile .*0\.61.*after 0\.30"
    with pytest.raises(AssertionError, match=said):
        attack(0.61)


def test_lasting_damage_fails_although_the_notebook_answered_in_time_meanwhile(attack: Attack) -> None:
    with pytest.raises(AssertionError, match="after it"):
        attack(0.5, after_s=0.61)


@pytest.mark.parametrize(("just_before_s", "earlier_s"), [(0.2, 0.3), (0.3, 0.2)])
def test_what_is_usual_is_more_than_one_quick_moment(
    take: Take, attack: Attack, calm_s: deque[float], just_before_s: float, earlier_s: float
) -> None:
    calm_s.extend([earlier_s] * 4 * SAMPLES)
    take(just_before_s)
    attack(0.6)
    neighbour.LAST.clear()
    take(just_before_s)
    with pytest.raises(AssertionError, match="during it"):
        attack(0.61)


def test_answers_after_one_attack_are_those_before_the_next_if_that_comes_soon(
    take: Take, attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack(0.3, after_s=0.2)
    take(0.3)
    assert attack(0.35, after_s=0.2).usual_s == [0.2] * SAMPLES
    take(0.3)
    monkeypatch.setattr(neighbour, "FRESH_S", 0)
    assert attack(0.35).usual_s == [0.3] * SAMPLES


def test_what_an_attack_slowed_down_a_little_does_not_widen_the_next_bound(
    take: Take, attack: Attack
) -> None:
    attack(0.35, after_s=0.5)
    take(0.3)
    assert attack(0.35).usual_s == [0.3] * SAMPLES


def test_damage_that_failed_one_test_is_not_what_is_usual_in_the_next(take: Take, attack: Attack) -> None:
    with pytest.raises(AssertionError, match="after it"):
        attack(0.3, after_s=0.7)
    take(0.3)
    assert attack(0.3).usual_s == [0.3] * SAMPLES


def test_one_hiccup_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    times_s = itertools.chain([0.3] * SAMPLES, [3.0], itertools.repeat(0.3))
    monkeypatch.setattr(neighbour, "measure_cell_s", lambda _: next(times_s))
    with working_beside(NOBODY) as watch:
        for _ in watch.list_rounds():
            pass
    assert 3.0 in watch.meanwhile_s


def test_a_short_attack_is_repeated_until_the_answers_suffice() -> None:
    watch = Watch(NOBODY, [0.3])
    assert watch.wants_more([0.3] * (SAMPLES - 1))
    assert not watch.wants_more([0.3] * SAMPLES)
    assert watch.wants_more([0.7] * (MOST_SAMPLES - 1))
    assert not watch.wants_more([0.7] * MOST_SAMPLES)
    assert not watch.wants_more([0.7] * SAMPLES + [0.3] * (SAMPLES + 1))


def test_a_notebook_that_fails_meanwhile_fails_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [0.3] * SAMPLES
    monkeypatch.setattr(neighbour, "measure_cell_s", lambda _: answers.pop())
    with pytest.raises(IndexError), working_beside(NOBODY):
        pass


def test_what_fails_in_the_attack_is_told_first(take: Take) -> None:
    with pytest.raises(ZeroDivisionError), working_beside(NOBODY):
        take(1 / 0)
