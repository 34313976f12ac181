"""`Prediction`: say what you expect before you see the data; compare afterwards."""

import html

import ipywidgets

from atelier_widgets.texts import TEXTS, find_language, show_number


class Prediction(ipywidgets.VBox):
    """A question with a slider and a button that keeps the answer; `compare(actual)` says how far off it was.

    A prediction that is kept can no longer be moved, so that nobody "knew it all along". `value` is the kept
    number or None. Raises ValueError unless low < high.
    """

    def __init__(
        self, question: str, low: float, high: float, *, unit: str = "", language: str | None = None
    ) -> None:
        if not low < high:
            raise ValueError(f"the lowest answer ({low}) must be below the highest ({high})")
        self._language = find_language(language)
        self._unit = unit
        self.value: float | None = None
        texts = TEXTS[self._language]
        self.slider = ipywidgets.FloatSlider(
            value=(low + high) / 2,
            min=low,
            max=high,
            step=(high - low) / 100,
            description=texts["prediction"],
            readout_format=".1f",
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="95%"),
        )
        self.button = ipywidgets.Button(description=texts["keep"], layout=ipywidgets.Layout(width="auto"))
        self.words = ipywidgets.HTML()
        self.button.on_click(self._keep)
        super().__init__([ipywidgets.HTML(html.escape(question)), self.slider, self.button, self.words])

    def compare(self, actual: float) -> str:
        """Show and return in words how far the kept prediction is from `actual`."""
        texts = TEXTS[self._language]
        if self.value is None:
            said = texts["not_kept"]
        else:
            said = texts["compared"].format(
                value=self._show(self.value),
                actual=self._show(actual),
                difference=self._show(abs(actual - self.value)),
            )
        self.words.value = html.escape(said)
        return said

    def _keep(self, _button: object = None) -> None:
        self.value = float(self.slider.value)
        self.slider.disabled = True
        self.button.disabled = True
        self.words.value = html.escape(TEXTS[self._language]["kept"].format(value=self._show(self.value)))

    def _show(self, value: float) -> str:
        return show_number(value, self._language, self._unit)
