"""`Prediction`: say what you expect before you see the data; compare afterwards."""

import html
import json
import math
from pathlib import Path

import ipywidgets

from atelier_widgets.texts import TEXTS, find_language, show_number


class Prediction(ipywidgets.VBox):
    """A question with a slider and a button that keeps the answer; `compare(actual)` says how far off it was.

    A prediction that is kept can no longer be moved, so that nobody "knew it all along". `keep_in` names a
    file beside the notebook that carries it over to the next lesson. `value` is the kept number or None. The
    slider starts at the low end: a middle would be an answer already. Raises ValueError unless low < high.
    """

    def __init__(
        self,
        question: str,
        low: float,
        high: float,
        *,
        unit: str = "",
        keep_in: str | Path | None = None,
        language: str | None = None,
    ) -> None:
        if not low < high:
            raise ValueError(f"the lowest answer ({low}) must be below the highest ({high})")
        self._question, self._unit = question, unit
        self._file = None if keep_in is None else Path(keep_in)
        self._texts = TEXTS[find_language(language)]
        self._language = find_language(language)
        self.value: float | None = None
        self.slider = ipywidgets.FloatSlider(
            value=low,
            min=low,
            max=high,
            step=(high - low) / 100,
            description=self._texts["prediction"],
            readout_format=".1f",
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="95%"),
        )
        self.button = ipywidgets.Button(
            description=self._texts["keep"], layout=ipywidgets.Layout(width="max-content")
        )
        self.words = ipywidgets.HTML()
        self.button.on_click(self._keep)
        super().__init__([ipywidgets.HTML(html.escape(question)), self.slider, self.button, self.words])
        kept = self._read_kept()
        if kept is not None:
            self._settle(kept)

    def compare(self, actual: float) -> str:
        """Show and return in words how far the kept prediction is from `actual`."""
        if self.value is None:
            said = self._texts["not_kept"]
        else:
            said = self._texts["compared"].format(
                value=self._show(self.value),
                actual=self._show(actual),
                difference=self._show(abs(actual - self.value)),
            )
        self.words.value = html.escape(said)
        return said

    def _keep(self, _button: object = None) -> None:
        self._settle(float(self.slider.value))
        if self._file is not None:
            content = {"question": self._question, "value": self.value}
            try:
                self._file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
            except OSError:
                self.words.value = html.escape(self._texts["not_written"].format(file=self._file))

    def _settle(self, value: float) -> None:
        self.value = self.slider.value = value
        self.slider.disabled = True
        self.button.disabled = True
        self.words.value = html.escape(self._texts["kept"].format(value=self._show(value)))

    def _read_kept(self) -> float | None:
        """The prediction that the file carries; None when there is none or it answers another question."""
        if self._file is None:
            return None
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            value = float(content["value"])
        except (OSError, ValueError, TypeError, KeyError):
            return None
        fits = math.isfinite(value) and self.slider.min <= value <= self.slider.max
        return value if fits and content.get("question") == self._question else None

    def _show(self, value: float) -> str:
        return show_number(value, self._language, self._unit)
