"""The neighbour: another student whose notebook goes on working while somebody attacks."""

import statistics
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.docker_notebook import Notebook

# What the neighbour does, in about 0.3 s: computes, writes a file to the disk for good, and reads it again.
WORK = 4_000_000
CELL = f"""
import os
total = sum(n * n for n in range({WORK}))
with open('/home/work/n.txt', 'w') as file:
    file.write(f'{{total}}\\n' * 5_000)
    file.flush()
    os.fsync(file.fileno())
print(open('/home/work/n.txt').readline())
"""
ANSWER = str(sum(n * n for n in range(WORK)))
# Medians of at least so many answers: one hiccup of the machine decides nothing. Where they are too slow, the
# same attack goes on and is measured longer; all answers count, so what slows the neighbour down stays slow.
SAMPLES, MOST_SAMPLES = 5, 15
SLOWER = 2.0
ATTACK_WITHIN_S = 150
# What was measured before this attack and the last ones. A processor that is shared with other machines is
# 1.7 times as fast for some seconds and then not, so five answers alone do not say what is usual.
CALM_S: deque[float] = deque(maxlen=5 * SAMPLES)
FRESH_S = 10.0


@dataclass(frozen=True)
class Answers:
    """How long a neighbour's cell took after an attack without a trace: just before the next, if soon."""

    neighbour: Notebook
    times_s: list[float]
    at: float = field(default_factory=time.monotonic)

    def are_fresh(self, neighbour: Notebook) -> bool:
        return self.neighbour is neighbour and time.monotonic() - self.at < FRESH_S


LAST: deque[Answers] = deque(maxlen=1)


def measure_cell_s(notebook: Notebook) -> float:
    """Run the neighbour's cell and let the browser look for its file; return how long both took."""
    began = time.monotonic()
    assert ANSWER in notebook.run(CELL)
    found = notebook.browser.get(f"{notebook.base}api/contents/n.txt", params={"content": "0"})
    took_s = time.monotonic() - began
    assert found.status_code == 200, found.status_code
    return took_s


def measure_cells_s(notebook: Notebook) -> list[float]:
    """Measure `SAMPLES` times."""
    return [measure_cell_s(notebook) for _ in range(SAMPLES)]


def find_usual_s(notebook: Notebook) -> list[float]:
    """Return how long the cell takes now: as measured a moment ago, after the last attack, or measured."""
    fresh = [answers.times_s for answers in LAST if answers.are_fresh(notebook)]
    return fresh[0] if fresh else measure_cells_s(notebook)


@dataclass
class Watch:
    """How long the neighbour's cell took just before an attack, during it and after it."""

    neighbour: Notebook
    usual_s: list[float]
    earlier_s: list[float] = field(default_factory=list)
    meanwhile_s: list[float] = field(default_factory=list)
    after_s: list[float] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _looking: "Future[None] | None" = None

    @property
    def bound_s(self) -> float:
        """Twice what is usual: just before this attack or, if that is more, over the last ones too."""
        return SLOWER * max(statistics.median(self.usual_s), statistics.median(self.usual_s + self.earlier_s))

    def wants_more(self, times_s: list[float]) -> bool:
        """Tell whether there are too few answers to judge."""
        too_slow = len(times_s) >= SAMPLES and statistics.median(times_s) > self.bound_s
        return len(times_s) < (MOST_SAMPLES if too_slow else SAMPLES)

    def look(self) -> None:
        """Measure until the attack is over, and at least `SAMPLES` times."""
        while not self._over.is_set() or len(self.meanwhile_s) < SAMPLES:
            self.meanwhile_s.append(measure_cell_s(self.neighbour))

    def begin(self, pool: ThreadPoolExecutor) -> None:
        self._looking = pool.submit(self.look)

    def end(self) -> None:
        """The attack is over. Fails when the neighbour's notebook failed meanwhile."""
        self._over.set()
        assert self._looking is not None
        self._looking.result()

    def list_rounds(self) -> Iterator[int]:
        """Yield once, and again while the neighbour has answered too few times: an attack may be short."""
        yield 1
        while self.wants_more(self.meanwhile_s) and self._looking and not self._looking.done():
            yield len(self.meanwhile_s)

    def check(self) -> None:
        """Fail when the cell took more than twice its usual time, during the attack or after it.

        What is usual was measured before: an attack that does lasting damage must not raise its own bound.
        """
        while self.wants_more(self.after_s):
            self.after_s.append(measure_cell_s(self.neighbour))
        for when, times_s in (("during", self.meanwhile_s), ("after", self.after_s)):
            assert statistics.median(times_s) <= self.bound_s, f"the neighbour was slow {when} it: {self}"
        LAST.clear()
        if statistics.median(self.after_s) <= self.bound_s / SLOWER:  # else the next bound would be wider
            LAST.append(Answers(self.neighbour, self.after_s))

    def __str__(self) -> str:
        earlier = (("earlier", self.earlier_s),) if self.earlier_s else ()
        times = (("usual", self.usual_s), ("meanwhile", self.meanwhile_s), ("after", self.after_s), *earlier)
        return "; ".join(f"{name} {' '.join(f'{s:.2f}' for s in taken)} s" for name, taken in times)


@contextmanager
def working_beside(neighbour: Notebook) -> Iterator[Watch]:
    """Let the neighbour work while the block attacks; fail when the notebook took more than twice as long."""
    watch = Watch(neighbour, find_usual_s(neighbour), list(CALM_S))
    CALM_S.extend(watch.usual_s)
    with ThreadPoolExecutor(1) as pool:
        watch.begin(pool)
        try:
            yield watch
        finally:
            watch.end()
    watch.check()
