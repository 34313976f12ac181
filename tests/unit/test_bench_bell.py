"""What the measurement of a class at the bell says of its figures."""

from bench.bell_verdict import Bell, Found, Opening, Stops, describe, find_p95, judge


def make_bell(side: str, *, wait_s: float, cpu_s: float, kind: str = "later starts") -> Bell:
    return Bell(side, kind, [wait_s] * 30, [wait_s / 2] * 30, cpu_s, 30 * 100 * 2**20, {"hub": 3.0})


def make_stops(side: str, *, took_s: float = 7.3, alone_s: float = 0.8, meanwhile_s: float = 2.3) -> Stops:
    return Stops(side, 60, took_s, 30.0, alone_s, meanwhile_s)


def make_opening(*, pages_s: list[float], prepared_s: float = 41.0) -> Opening:
    waits_s = [page_s + 1 for page_s in pages_s]
    return Opening(Bell("Atelier", "announced lesson", waits_s, pages_s, 9.0, 0, {"hub": 3.0}), prepared_s)


def test_p95_is_what_95_of_100_do_not_exceed() -> None:
    assert find_p95([float(n) for n in range(101)]) == 95.0
    assert find_p95([3.0]) == 3.0


def test_each_aim_that_is_missed_is_named_with_its_figure() -> None:
    stock = make_bell("stock", wait_s=40, cpu_s=150)
    (missed,) = judge(Found([stock, make_bell("Atelier", wait_s=25, cpu_s=100)]))
    assert missed.startswith("MISSED: later starts: 1.50 times the stock's starts per CPU second")
    assert "p95 0.62" in missed
    (met,) = judge(Found([stock, make_bell("Atelier", wait_s=15, cpu_s=50)]))
    assert met.startswith("later starts: 3.00 times")


def test_stops_that_take_too_long_are_named() -> None:
    assert judge(Found(stops=[make_stops("Atelier", took_s=12.5)])) == [
        "MISSED: 60 stops took 12.5 s (aim 10 s)"
    ]
    assert judge(Found(stops=[make_stops("Atelier", took_s=10.0)])) == ["60 stops took 10.0 s (aim 10 s)"]
    assert judge(Found(stops=[make_stops("stock", took_s=200.0)])) == []


def test_stops_are_in_the_way_when_a_start_meanwhile_takes_longer_than_the_stocks_alone() -> None:
    stock = make_stops("stock", took_s=48.4, alone_s=5.3, meanwhile_s=6.8)
    _, met = judge(Found(stops=[stock, make_stops("Atelier", meanwhile_s=5.3)]))
    assert met == "a start among 60 stops took 5.3 s, alone 0.8 s (aim: at most the stock's alone, 5.3 s)"
    _, missed = judge(Found(stops=[stock, make_stops("Atelier", meanwhile_s=5.4)]))
    assert missed.startswith("MISSED: a start among 60 stops took 5.4 s")


def test_each_repetition_is_judged_by_the_stocks_median_alone() -> None:
    stock = [make_stops("stock", alone_s=alone_s) for alone_s in (2.0, 3.0, 40.0)]
    ours = [make_stops("Atelier", meanwhile_s=meanwhile_s) for meanwhile_s in (2.9, 3.1)]
    verdicts = judge(Found(stops=[*stock, *ours]))
    assert [verdict.startswith("MISSED") for verdict in verdicts] == [False, False, False, True]


def test_a_class_that_opens_an_announced_lesson_is_judged_by_the_slowest_pages() -> None:
    (met,) = judge(Found(openings=[make_opening(pages_s=[1.99] * 30)]))
    assert met == "announced lesson: 30 open at once, p95 of Lab's page 1.99 s (aim: under 2 s)"
    (missed,) = judge(Found(openings=[make_opening(pages_s=[0.1] * 27 + [2.5] * 3)]))
    assert missed.startswith("MISSED: announced lesson: 30 open at once, p95 of Lab's page 2.50 s")
    (at_the_bound,) = judge(Found(openings=[make_opening(pages_s=[2.0] * 30)]))
    assert at_the_bound.startswith("MISSED"), "under two seconds"


def test_an_announced_lesson_asks_for_no_ratio_to_the_stock() -> None:
    starts = [make_bell("stock", wait_s=40, cpu_s=150), make_bell("Atelier", wait_s=15, cpu_s=50)]
    verdicts = judge(Found(starts, openings=[make_opening(pages_s=[0.5] * 30)]))
    assert [verdict.partition(":")[0] for verdict in verdicts] == ["later starts", "announced lesson"]


def test_one_side_alone_is_not_compared() -> None:
    assert judge(Found([make_bell("Atelier", wait_s=15, cpu_s=50)])) == []
    verdicts = judge(Found(stops=[make_stops("Atelier", meanwhile_s=99.0)]))
    assert verdicts == ["60 stops took 7.3 s (aim 10 s)"]


def test_the_tables_give_figures_per_student() -> None:
    bell = make_bell("stock", wait_s=40, cpu_s=150)
    table = describe(Found([bell], [make_stops("stock", took_s=200.0)], [make_opening(pages_s=[0.5] * 30)]))
    assert "| stock: later starts | 30 | 40.0 s | 40.0 s | 40.0 s | 5.00 | 0.20 | 100 MiB |" in table
    assert "| stock: later starts | 0.10 | 4.90 |" in table
    assert "| stock | 60 | 200.0 s | 0.50 | 0.8 s | 2.3 s |" in table
    times = "0.50 s | 0.50 s | 0.50 s | 1.50 s | 1.50 s | 1.50 s"
    assert f"| Atelier: announced lesson | 30 | {times} | 0.30 | 41 s |" in table
    assert "| Atelier: announced lesson | 0.10 | 0.20 |" in table
