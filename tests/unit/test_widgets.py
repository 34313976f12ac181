"""Claims about the widgets students work with in notebooks."""

from pathlib import Path

import ipywidgets
import pandas as pd
import pytest
from atelier_widgets import Prediction, RangeExplorer
from atelier_widgets.texts import TEXTS, find_language, show_number

FRAME = pd.DataFrame({"year": [2000, 2001, 2002, 2003], "ppm": [1.0, 2.0, None, 4.0]})


def test_the_explorer_selects_both_ends_and_leaves_gaps_out() -> None:
    explorer = RangeExplorer(FRAME, "year", "ppm", unit="ppm", language="en")
    assert explorer.facts == {"count": 3, "mean": 7 / 3, "lowest": 1, "highest": 4, "change": 3}
    explorer.slider.value = (2001, 2003)
    assert list(explorer.selected["year"]) == [2001, 2003]
    assert "2 values" in explorer.words.value
    assert "change from first to last: 2\u00a0ppm" in explorer.words.value


def test_an_empty_range_is_said_in_words() -> None:
    explorer = RangeExplorer(FRAME, "year", "ppm", language="bg")
    explorer.slider.value = (2002, 2002)
    assert explorer.words.value == TEXTS["bg"]["no_values"]


def test_the_explorer_draws_a_picture_of_what_is_selected() -> None:
    explorer = RangeExplorer(FRAME, "year", "ppm", language="en")
    explorer.slider.value = (2000, 2001)
    (line,) = explorer._draw().axes[0].lines
    assert list(line.get_xdata()) == [2000, 2001]


@pytest.mark.parametrize(
    ("frame", "fact"),
    [
        (FRAME.rename(columns={"ppm": "co2"}), "no column 'ppm'"),
        (FRAME.assign(ppm="много"), "no numbers"),
        (FRAME.assign(ppm=float("nan")), "no values"),
    ],
)
def test_a_table_that_cannot_be_shown_is_explained(frame: pd.DataFrame, fact: str) -> None:
    with pytest.raises(ValueError, match=fact):
        RangeExplorer(frame, "year", "ppm")


def test_a_kept_prediction_can_no_longer_be_moved() -> None:
    prediction = Prediction("Колко?", 0, 10, unit="ppm", language="bg")
    assert prediction.compare(7) == TEXTS["bg"]["not_kept"]
    prediction.slider.value = 4.5
    prediction.button.click()
    assert prediction.value == 4.5
    assert prediction.slider.disabled
    assert prediction.button.disabled
    assert (
        prediction.compare(7.25)
        == "Прогнозирахте 4,5\u00a0ppm, измерено е 7,25\u00a0ppm. Разликата е 2,75\u00a0ppm."
    )


def test_a_kept_prediction_is_there_in_the_next_lesson(tmp_path: Path) -> None:
    file = tmp_path / "prognoza.json"
    first = Prediction("Колко?", 0, 10, keep_in=file)
    first.slider.value = 3.5
    first.button.click()
    again = Prediction("Колко?", 0, 10, keep_in=file)
    assert (again.value, again.slider.value, again.button.disabled) == (3.5, 3.5, True)
    assert Prediction("Друго?", 0, 10, keep_in=file).value is None


@pytest.mark.parametrize(
    "content", ["", "[]", "7", '{"question": "?", "value": 99}', '{"value": "NaN"}', "{"]
)
def test_a_file_that_holds_no_prediction_is_ignored(tmp_path: Path, content: str) -> None:
    file = tmp_path / "prognoza.json"
    file.write_text(content, encoding="utf-8")
    assert Prediction("?", 0, 10, keep_in=file).value is None


def test_a_prediction_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    prediction = Prediction("?", 0, 10, keep_in=tmp_path / "missing" / "p.json", language="en")
    prediction.button.click()
    assert prediction.value == 0
    assert "could not be written" in prediction.words.value


def test_a_prediction_needs_room() -> None:
    with pytest.raises(ValueError, match="below"):
        Prediction("?", 5, 5)


def test_texts_shown_in_widgets_are_escaped() -> None:
    prediction = Prediction("<img src=x onerror=alert(1)>", 0, 1)
    question = prediction.children[0]
    assert isinstance(question, ipywidgets.HTML)
    assert "<img" not in question.value


def test_both_languages_say_everything() -> None:
    assert TEXTS["bg"].keys() == TEXTS["en"].keys()
    assert not {key for key in TEXTS["bg"] if TEXTS["bg"][key] == TEXTS["en"][key]}


def test_the_workspaces_language_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_LANGUAGE", "bg_BG")
    assert Prediction("?", 0, 1).button.description == "Запази прогнозата ми"
    monkeypatch.delenv("ATELIER_LANGUAGE")
    assert find_language() == "en"


@pytest.mark.parametrize(
    ("value", "shown"), [(1.5, "1,5"), (-2.0, "\u22122"), (0.001, "0"), (-0.001, "0"), (370.87, "370,87")]
)
def test_numbers_are_written_the_bulgarian_way(value: float, shown: str) -> None:
    assert show_number(value, "bg") == shown
