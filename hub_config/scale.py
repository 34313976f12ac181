"""Mark scales: how points become the mark that a school writes down.

The Bulgarian six-point scale runs from 2.00 (weak) to 6.00 (excellent) in hundredths (Ordinance No. 11 of
2016 on assessment, art. 9). Which result earns which mark is the school's decision: the scale is a table
of `from_percent` and `mark`.

Rounding rule, for every scale: the share of points is kept as an exact fraction until the end and rounded
once, half up. No binary floating point takes part, so 5.495 becomes 5.50 on every machine.
"""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

FULL = Fraction(100)


def _as_decimal(value: object) -> object:
    """A whole number in the city file is as good as a decimal one; anything else is judged strictly."""
    return Decimal(value) if type(value) is int else value


Percent = Annotated[Decimal, BeforeValidator(_as_decimal), Field(ge=0, le=100)]
BulgarianMark = Annotated[Decimal, BeforeValidator(_as_decimal), Field(ge=2, le=6, decimal_places=2)]


def _percent(points: Decimal, max_points: Decimal) -> Fraction:
    """The exact share of points in percent; never below 0. Raises ValueError when nothing could be earned."""
    if max_points <= 0:
        raise ValueError(f"no mark without points to earn: max_points is {max_points}; give the task points")
    return max(Fraction(points) / Fraction(max_points) * FULL, Fraction(0))


def _round(value: Fraction, step: Decimal) -> Decimal:
    """Round half up to a multiple of `step`, which is 1 or a power of ten below it."""
    scaled = value / Fraction(step)
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return (Decimal(whole) * step).quantize(step, ROUND_HALF_UP)


class PercentScale(BaseModel):
    """Marks are whole percents of the points, e.g. '87%'. Bonus points may lead above 100%."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    kind: Literal["percent"] = Field(description="`percent`: the mark is the share of points.")

    @property
    def name(self) -> str:
        return self.kind

    def mark(self, points: Decimal, max_points: Decimal) -> str:
        """Return the mark for `points` out of `max_points`, e.g. '87%'.

        Raises ValueError when `max_points` is not positive.
        """
        return f"{_round(_percent(points, max_points), Decimal(1))}%"


class Threshold(BaseModel):
    """One row of the table of a scale."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    from_percent: Percent = Field(description="The share of points from which the mark is given (0 to 100).")
    mark: BulgarianMark = Field(description="The mark from there on (2.00 to 6.00).")


LINEAR = (
    Threshold(from_percent=Decimal(0), mark=Decimal("2.00")),
    Threshold(from_percent=Decimal(100), mark=Decimal("6.00")),
)


class BulgarianScale(BaseModel):
    """Marks from 2.00 to 6.00 with two decimals; points above the maximum earn the last mark."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    kind: Literal["bulgarian"] = Field(description="`bulgarian`: 2.00 to 6.00, two decimals.")
    between: Literal["line", "step"] = Field(
        "line",
        description="Between two rows of `thresholds`: `line` draws a straight line from mark to mark, "
        "`step` keeps the lower row's mark until the next row is reached.",
    )
    thresholds: tuple[Threshold, ...] = Field(
        LINEAR,
        description="The table, rising from 0 percent. Default: 0 percent is 2.00 and 100 percent is 6.00, "
        "which with `line` is the formula 2 + 4 × points / maximum.",
        min_length=1,
    )

    @model_validator(mode="after")
    def _check_rising(self) -> Self:
        if self.thresholds[0].from_percent != 0:
            raise ValueError("thresholds must begin with from_percent: 0; add the row for the lowest mark")
        for low, high in pairwise(self.thresholds):
            if high.from_percent <= low.from_percent or high.mark < low.mark:
                raise ValueError(
                    f"thresholds must rise: {high.from_percent} percent → {high.mark} comes after "
                    f"{low.from_percent} percent → {low.mark}; sort the rows and correct the odd one"
                )
        return self

    @property
    def name(self) -> str:
        return self.kind

    def mark(self, points: Decimal, max_points: Decimal) -> str:
        """Return the mark for `points` out of `max_points`, e.g. '5.50'.

        Raises ValueError when `max_points` is not positive.
        """
        return str(_round(self._exact_mark(_percent(points, max_points)), Decimal("0.01")))

    def _exact_mark(self, percent: Fraction) -> Fraction:
        reached = [row for row in self.thresholds if Fraction(row.from_percent) <= percent]
        low = reached[-1]
        if self.between == "step" or len(reached) == len(self.thresholds):
            return Fraction(low.mark)
        high = self.thresholds[len(reached)]
        start, end = Fraction(low.from_percent), Fraction(high.from_percent)
        rise = Fraction(high.mark) - Fraction(low.mark)
        return Fraction(low.mark) + rise * (percent - start) / (end - start)


Scale = Annotated[PercentScale | BulgarianScale, Field(discriminator="kind")]
