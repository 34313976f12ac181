"""Mark scales: the documented table, rounding rule and bounds."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub_config.city import BulgarianScale, PercentScale, Threshold

LINE = BulgarianScale(kind="bulgarian")
STEP = BulgarianScale(
    kind="bulgarian",
    between="step",
    thresholds=tuple(
        Threshold(from_percent=Decimal(p), mark=Decimal(m))
        for p, m in [(0, "2.00"), (40, "3.00"), (55, "4.00"), (70, "5.00"), (85, "6.00")]
    ),
)
amounts = st.decimals(0, 1000, places=3)
positive = st.decimals("0.001", 1000, places=3)


@pytest.mark.parametrize(
    ("points", "maximum", "mark"),
    [("0", "20", "2.00"), ("17.5", "20", "5.50"), ("20", "20", "6.00"), ("1", "3", "3.33"),
     ("2", "3", "4.67"), ("0.25", "200", "2.01"), ("25", "20", "6.00"), ("-1", "20", "2.00")],
)  # fmt: skip
def test_bulgarian_line_is_two_plus_four_times_the_share(points: str, maximum: str, mark: str):
    assert LINE.mark(Decimal(points), Decimal(maximum)) == mark


@pytest.mark.parametrize(
    ("points", "mark"), [("39.999", "2.00"), ("40", "3.00"), ("84.9", "5.00"), ("100", "6.00")]
)
def test_bulgarian_step_keeps_the_lower_mark_until_the_next_row(points: str, mark: str):
    assert STEP.mark(Decimal(points), Decimal(100)) == mark


@pytest.mark.parametrize(("points", "mark"), [("1", "33%"), ("0.5", "17%"), ("0.015", "1%"), ("3.3", "110%")])
def test_percent_rounds_half_up_and_shows_bonus(points: str, mark: str):
    assert PercentScale(kind="percent").mark(Decimal(points), Decimal(3)) == mark


@given(amounts, amounts, positive)
def test_more_points_never_earn_a_lower_mark(one: Decimal, other: Decimal, maximum: Decimal):
    low, high = sorted((one, other))
    for scale in (LINE, STEP):
        assert Decimal(scale.mark(low, maximum)) <= Decimal(scale.mark(high, maximum))


@given(amounts, positive)
def test_a_bulgarian_mark_is_between_two_and_six_with_two_decimals(points: Decimal, maximum: Decimal):
    mark = LINE.mark(points, maximum)
    assert Decimal(2) <= Decimal(mark) <= Decimal(6)
    assert len(mark) == 4


def test_no_mark_without_points_to_earn():
    with pytest.raises(ValueError, match="max_points"):
        LINE.mark(Decimal(0), Decimal(0))


@pytest.mark.parametrize("rows", [[(10, "2.00")], [(0, "3.00"), (50, "2.00")], [(0, "2.00"), (0, "3.00")]])
def test_thresholds_must_begin_at_zero_and_rise(rows: list[tuple[int, str]]):
    with pytest.raises(ValidationError, match="thresholds must"):
        BulgarianScale(
            kind="bulgarian",
            thresholds=tuple(Threshold(from_percent=Decimal(p), mark=Decimal(m)) for p, m in rows),
        )
