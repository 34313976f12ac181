"""`RangeExplorer`: choose a part of a series and see its curve and what it says in numbers."""

import html
import io
from typing import Any

import ipywidgets
import pandas as pd
from IPython.display import Image, display
from matplotlib.figure import Figure

from atelier_widgets.texts import TEXTS, find_language, show_number


class RangeExplorer(ipywidgets.VBox):
    """A curve of `frame[y]` over `frame[x]` with a slider for the range of `x`, and its facts in words.

    `frame`: a pandas DataFrame; rows without `x` or `y` are left out. `x` must be numbers (e.g. years).
    `title` and `unit` (of `y`) are shown as they are. `selected` is the part in view; `facts` its numbers.
    Raises ValueError naming the column that is missing or holds no numbers.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        x: str,
        y: str,
        *,
        title: str = "",
        unit: str = "",
        language: str | None = None,
    ) -> None:
        self._language = find_language(language)
        self._data = _read_numbers(frame, x, y)
        self._x, self._y, self._title, self._unit = x, y, title or y, unit
        low, high = float(self._data[x].min()), float(self._data[x].max())
        whole = bool((self._data[x] % 1 == 0).all())
        kind: Any = ipywidgets.IntRangeSlider if whole else ipywidgets.FloatRangeSlider
        bounds = (int(low), int(high)) if whole else (low, high)
        self.slider = kind(
            value=bounds,
            min=bounds[0],
            max=bounds[1],
            step=1 if whole else (high - low) / 200 or 1,
            description=TEXTS[self._language]["range"],
            continuous_update=False,
            layout=ipywidgets.Layout(width="95%"),
        )
        self.picture = ipywidgets.Output()
        # The same facts in words: for a screen reader, and for the notebook of somebody who sees no colours.
        self.words = ipywidgets.HTML()
        super().__init__([self.slider, self.picture, self.words])
        self.slider.observe(self._show, names="value")
        self._show()

    @property
    def selected(self) -> pd.DataFrame:
        """The rows in the chosen range, both ends included."""
        low, high = self.slider.value
        return self._data[self._data[self._x].between(low, high)]

    @property
    def facts(self) -> dict[str, float]:
        """Count, mean, lowest, highest and change of what is selected; only the count when it is empty."""
        values = self.selected[self._y]
        if values.empty:
            return {"count": 0}
        return {
            "count": len(values),
            "mean": float(values.mean()),
            "lowest": float(values.min()),
            "highest": float(values.max()),
            "change": float(values.iloc[-1] - values.iloc[0]),
        }

    def _show(self, _change: object = None) -> None:
        facts = self._describe()
        self.words.value = html.escape(facts)
        png = io.BytesIO()
        self._draw().savefig(png, format="png")
        with self.picture:
            self.picture.clear_output(wait=True)
            display(Image(png.getvalue(), alt=f"{self._title}. {facts}"))  # type: ignore[no-untyped-call]

    def _describe(self) -> str:
        texts = TEXTS[self._language]
        facts = self.facts
        if not facts["count"]:
            return texts["no_values"]
        parts = [f"{facts.pop('count'):.0f} {texts['count']}"]
        parts += [
            f"{texts[name]}: {show_number(value, self._language, self._unit)}"
            for name, value in facts.items()
        ]
        return "; ".join(parts)

    def _draw(self) -> Figure:
        figure = Figure(figsize=(8, 3.2), layout="constrained")
        axes = figure.subplots()
        axes.plot(self.selected[self._x], self.selected[self._y], linewidth=1.5)
        axes.set(title=self._title, xlabel=self._x, ylabel=self._unit or self._y)
        axes.grid(alpha=0.3)
        return figure


def _read_numbers(frame: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """The two columns as numbers, without gaps, sorted by `x`."""
    for column in (x, y):
        if column not in frame.columns:
            raise ValueError(f"the table has no column {column!r}; it has {list(frame.columns)}")
        if not pd.api.types.is_numeric_dtype(frame[column]):
            raise ValueError(f"column {column!r} holds no numbers; convert it with pd.to_numeric first")
    data = frame[[x, y]].dropna().sort_values(x)
    if data.empty:
        raise ValueError(f"columns {x!r} and {y!r} hold no values; check how the table was read")
    return data
