"""ipywidgets for project work inside notebooks, in the workspace's language."""

from atelier_widgets.prediction import Prediction
from atelier_widgets.range_explorer import RangeExplorer

__all__ = ["Prediction", "RangeExplorer"]
