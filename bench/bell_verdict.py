"""What was found about a class at the bell, as tables, and what is said of each aim."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

AIM_STARTS, AIM_P95, AIM_STOPS_S, AIM_OPEN_S = 2.5, 0.5, 10.0, 2.0
MISSED = "MISSED: "


@dataclass(frozen=True)
class Bell:
    """One class that pressed start. Seconds; bytes of memory."""

    side: str
    kind: str
    waits_s: list[float]
    pages_s: list[float]
    cpu_s: float
    memory: int
    parts_s: dict[str, float]

    @property
    def starts_per_cpu_s(self) -> float:
        return len(self.waits_s) / self.cpu_s


@dataclass(frozen=True)
class Opening:
    """One class whose lesson was announced and that opened its workspaces at once.

    `prepared_s`: from the announcement until the steward had all of them up.
    """

    bell: Bell
    prepared_s: float


@dataclass(frozen=True)
class Stops:
    """Many workspaces that stopped at once, and one student who pressed start meanwhile."""

    side: str
    count: int
    took_s: float
    cpu_s: float
    alone_s: float
    meanwhile_s: float


@dataclass
class Found:
    """All that was measured, in the order in which it was."""

    bells: list[Bell] = field(default_factory=list)
    stops: list[Stops] = field(default_factory=list)
    openings: list[Opening] = field(default_factory=list)


# ---------------------------------------------------------------- tables
def describe(found: Found) -> str:
    """Return Markdown tables; of the starts medians over the repetitions."""
    tables = [
        _describe_bells(found.bells),
        _describe_parts([*found.bells, *(o.bell for o in found.openings)]),
    ]
    tables += [_describe_stops(found.stops), _describe_openings(found.openings)]
    return "\n\n".join("\n".join(table) for table in tables)


def _describe_bells(bells: Sequence[Bell]) -> Iterator[str]:
    yield (
        "| | students | ran a cell: median | p95 | longest | CPU seconds per start | starts per CPU second "
        "| memory per student |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for side, kind in dict.fromkeys((b.side, b.kind) for b in bells):
        same = [b for b in bells if (b.side, b.kind) == (side, kind)]
        waits = [
            f"{_median(pick(b.waits_s) for b in same):.1f} s" for pick in (statistics.median, find_p95, max)
        ]
        count = len(same[0].waits_s)
        cpu_s = _median(b.cpu_s for b in same) / count
        memory = _median(b.memory for b in same) / count / 2**20
        row = [f"{side}: {kind}", str(count), *waits, f"{cpu_s:.2f}", f"{1 / cpu_s:.2f}", f"{memory:.0f} MiB"]
        yield f"| {' | '.join(row)} |"


def _describe_parts(bells: Sequence[Bell]) -> Iterator[str]:
    parts = list(dict.fromkeys(part for b in bells for part in b.parts_s))
    yield f"| CPU seconds per student | {' | '.join([*parts, 'what ended since, the kernel'])} |"
    yield "|---" * (len(parts) + 2) + "|"
    for bell in bells:
        count = len(bell.waits_s)
        rest_s = bell.cpu_s - sum(bell.parts_s.values())
        row = [*(f"{bell.parts_s.get(part, 0) / count:.2f}" for part in parts), f"{rest_s / count:.2f}"]
        yield f"| {bell.side}: {bell.kind} | {' | '.join(row)} |"


def _describe_stops(stops: Sequence[Stops]) -> Iterator[str]:
    yield "| | stops at once | all gone after | CPU seconds per stop | a start alone | meanwhile |"
    yield "|---|---|---|---|---|---|"
    for one in stops:
        yield (
            f"| {one.side} | {one.count} | {one.took_s:.1f} s | {one.cpu_s / one.count:.2f} "
            f"| {one.alone_s:.1f} s | {one.meanwhile_s:.1f} s |"
        )


def _describe_openings(openings: Sequence[Opening]) -> Iterator[str]:
    yield (
        "| all open at once | students | Lab's page: median | p95 | longest "
        "| ran a cell: median | p95 | longest | CPU seconds per student | all were up after |"
    )
    yield "|---" * 10 + "|"
    for one in openings:
        bell, count = one.bell, len(one.bell.waits_s)
        times = [
            f"{pick(values):.2f} s"
            for values in (bell.pages_s, bell.waits_s)
            for pick in (statistics.median, find_p95, max)
        ]
        row = [f"{bell.side}: {bell.kind}", str(count), *times, f"{bell.cpu_s / count:.2f}"]
        yield f"| {' | '.join(row)} | {one.prepared_s:.0f} s |"


# ---------------------------------------------------------------- aims
def judge(found: Found) -> list[str]:
    """Return a sentence for each aim; those that are missed begin with `MISSED`.

    What is compared with the stock is not judged when one side is missing.
    """
    return [*_judge_bells(found.bells), *_judge_stops(found.stops), *_judge_openings(found.openings)]


def _judge_bells(bells: Sequence[Bell]) -> Iterator[str]:
    for kind in dict.fromkeys(b.kind for b in bells):
        stock, ours = ([b for b in bells if (b.side, b.kind) == (s, kind)] for s in ("stock", "Atelier"))
        if not stock or not ours:
            continue
        starts = _median(b.starts_per_cpu_s for b in ours) / _median(b.starts_per_cpu_s for b in stock)
        p95 = _median(find_p95(b.waits_s) for b in ours) / _median(find_p95(b.waits_s) for b in stock)
        yield (
            f"{_mark(starts >= AIM_STARTS and p95 <= AIM_P95)}{kind}: {starts:.2f} times the "
            f"stock's starts per CPU second (aim {AIM_STARTS}), p95 {p95:.2f} of the stock's (aim {AIM_P95})"
        )


def _judge_stops(stops: Sequence[Stops]) -> Iterator[str]:
    stock = [one for one in stops if one.side == "stock"]
    for one in (one for one in stops if one.side == "Atelier"):
        yield (
            f"{_mark(one.took_s <= AIM_STOPS_S)}{one.count} stops took {one.took_s:.1f} s "
            f"(aim {AIM_STOPS_S:.0f} s)"
        )
        if stock:
            yield _judge_meanwhile(one, _median(s.alone_s for s in stock))


def _judge_meanwhile(one: Stops, bound_s: float) -> str:
    """Stops are not in the way of a start that takes no longer than the stock's with nothing beside it."""
    return (
        f"{_mark(one.meanwhile_s <= bound_s)}a start among {one.count} stops took {one.meanwhile_s:.1f} s, "
        f"alone {one.alone_s:.1f} s (aim: at most the stock's alone, {bound_s:.1f} s)"
    )


def _judge_openings(openings: Sequence[Opening]) -> Iterator[str]:
    """The stock has no announced lessons: a bound in seconds, no ratio."""
    for one in openings:
        p95_s = find_p95(one.bell.pages_s)
        yield (
            f"{_mark(p95_s < AIM_OPEN_S)}{one.bell.kind}: {len(one.bell.pages_s)} open at once, "
            f"p95 of Lab's page {p95_s:.2f} s (aim: under {AIM_OPEN_S:.0f} s)"
        )


def _mark(met: bool) -> str:
    return "" if met else MISSED


def find_p95(values: Sequence[float]) -> float:
    """The value that 95 % do not exceed."""
    return statistics.quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]


def _median(values: Iterator[float]) -> float:
    return statistics.median(values)
